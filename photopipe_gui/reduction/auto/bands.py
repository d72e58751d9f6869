"""One table a target: its sources in all bands, matched by position, from the catalogues of its coadds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from ...instruments.header import safe_name
from ..core.photcal import Floats
from ..core.relphot import StarList, common_stars
from ..digest import WRITER, WRITER_KEY
from ..fitsio import atomic_write

RADIUS = 1.0  # arcsec within which two sources are one
_COLUMNS = ("MAG_APER", "MAGERR_APER", "MAG_KRON", "MAGERR_KRON", "FWHM", "FLAGS")


@dataclass(frozen=True)
class _Band:
    """The catalogue of one coadd."""

    coadd: Path
    target: str
    filter: str
    system: str
    rows: Any


def _read(coadd: Path) -> _Band | None:
    """Return the catalogue beside a coadd, None when there is none that can be read."""
    path = coadd.with_suffix(".cat.fits")
    if not path.exists():
        return None
    try:
        with fits.open(path, memmap=False) as hdus:
            header, rows = hdus["SOURCES"].header, np.array(hdus["SOURCES"].data)
    except (OSError, KeyError):
        return None
    target, name = str(header.get("TARGNAME", "")), str(header.get("FILTER", ""))
    return _Band(coadd, target, name, str(header.get("ABSZPSYS", "")), rows)


def write_band_tables(coadds: Sequence[Path], radius: float = RADIUS) -> list[Path]:
    """Write a table of all bands for every target that has a catalogue.

    Parameters
    ----------
    coadds : sequence of Path
        Coadds of a run; their ``.cat.fits`` are read.
    radius : float
        Largest distance of the positions of one source in two bands, arcsec.

    Returns
    -------
    list of Path
        The tables, ``bands<target>.fits`` beside the coadds. A row is a source, with its mean position, the number of
        bands it is seen in, and for every filter the columns ``MAG_APER_<filter>`` and so on; NaN (flags: -1) where it
        is not seen. A second coadd of one filter goes under ``<filter>_2``.
    """
    bands = [band for band in map(_read, coadds) if band is not None and len(band.rows)]
    written = []
    for target in dict.fromkeys(band.target for band in bands):
        members = [band for band in bands if band.target == target]
        path = members[0].coadd.with_name(f"bands{safe_name(target)}.fits")
        _write(path, members, radius)
        written.append(path)
    return written


def _write(path: Path, bands: Sequence[_Band], radius: float) -> None:
    nothing = [np.zeros(len(band.rows)) for band in bands]
    lists = [StarList(np.asarray(band.rows["RA"], float), np.asarray(band.rows["DEC"], float), zero, zero)
             for band, zero in zip(bands, nothing, strict=True)]
    which, star, n = common_stars(lists, radius)
    ra, dec = _mean_positions(lists, star, n)
    seen = np.bincount(star, minlength=n)
    order = np.argsort(-seen, kind="stable")
    columns = [fits.Column("NUMBER", "J", array=np.arange(1, n + 1)), fits.Column("RA", "D", "deg", array=ra[order]),
               fits.Column("DEC", "D", "deg", array=dec[order]), fits.Column("NBANDS", "J", array=seen[order])]
    header = fits.Header({WRITER_KEY: WRITER, "TARGNAME": bands[0].target, "MATCHRAD": radius})
    used: dict[str, int] = {}
    for k, band in enumerate(bands):
        used[band.filter] = used.get(band.filter, 0) + 1
        label = band.filter if used[band.filter] == 1 else f"{band.filter}_{used[band.filter]}"
        header[f"BAND{k}"], header[f"SYS{k}"], header[f"FROM{k}"] = label, band.system, band.coadd.name[:60]
        columns += _columns(band, label, star[which == k], n, order)
    hdu = fits.BinTableHDU.from_columns(columns, name="BANDS")
    with atomic_write(path) as stream:
        fits.HDUList([fits.PrimaryHDU(header=header), hdu]).writeto(stream)


def _mean_positions(lists: Sequence[StarList], star: NDArray[np.intp], n: int) -> tuple[Floats, Floats]:
    """Return mean right ascension and declination of each source, deg."""
    ra, dec = np.concatenate([s.ra for s in lists]), np.concatenate([s.dec for s in lists])
    first = np.full(n, np.nan)
    first[star[::-1]] = ra[::-1]
    turned = (ra - first[star] + 180) % 360 - 180
    count = np.maximum(np.bincount(star, minlength=n), 1)
    mean = first + np.bincount(star, weights=turned, minlength=n) / count
    return np.mod(mean, 360.0), np.bincount(star, weights=dec, minlength=n) / count


def _columns(
    band: _Band, label: str, star: NDArray[np.intp], n: int, order: NDArray[np.intp]
) -> list[fits.Column]:
    """Return the columns of one band, in the order of the table."""
    columns = []
    for name in _COLUMNS:
        if name == "FLAGS":
            flags = np.full(n, -1, np.int32)
            flags[star] = band.rows[name]
            columns.append(fits.Column(f"{name}_{label}", "J", array=flags[order]))
            continue
        values = np.full(n, np.nan, np.float32)
        values[star] = band.rows[name]
        columns.append(fits.Column(f"{name}_{label}", "E", "pix" if name == "FWHM" else "mag", array=values[order]))
    return columns
