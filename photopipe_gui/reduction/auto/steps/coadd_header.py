"""The name and the header of a coadd."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from ....instruments.header import safe_name
from ...core.coadd import correlation_factor, effective_gain
from ...core.grid import Grid
from ...core.reject import Layer
from .framecards import Card, number, put

_MOST_NAMED = 1000  # STACK0 ... STACK999: a keyword has eight characters
_MJD_ZERO = datetime.datetime(1858, 11, 17, tzinfo=datetime.UTC)
_COPIED = ("OBJECT", "OBJNAME", "TARGNAME", "FILTER", "INSTRUME", "CAMERA", "CHANNEL", "WAVELENG", "FLATFLD",
           "BINNING", "BINX", "BINY", "LATITUDE", "LONGITUD")


@dataclass(frozen=True)
class Member:
    """A frame of a coadd as its header describes it.

    ``scale`` is its flux scale, ``rejected`` the number of its pixels that were rejected as outliers.
    """

    name: str
    header: str
    scale: float
    layer: Layer
    rejected: int = 0


def moment(text: str) -> datetime.datetime | None:
    """Return the time (UTC) of an ISO text, None when it is none."""
    try:
        found = datetime.datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return found.replace(tzinfo=datetime.UTC) if found.tzinfo is None else found.astimezone(datetime.UTC)


def in_iso(time: datetime.datetime) -> str:
    """Return a time as FITS writes it, with milliseconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}"


def median_time(texts: Sequence[str]) -> datetime.datetime | None:
    """Return the median of ISO times, rounded to the millisecond; None when none can be read."""
    known = [found for found in map(moment, texts) if found is not None]
    if not known:
        return None
    start = min(known)
    middle = float(np.median([(time - start).total_seconds() for time in known]))
    return start + datetime.timedelta(milliseconds=round(middle * 1000))


def coadd_name(target: str, time: datetime.datetime | None, filter_name: str) -> str:
    """Return the file name of a coadd: target, median time in digits with milliseconds, filter."""
    stamp = "00000000T000000000" if time is None else time.strftime("%Y%m%dT%H%M%S") + f"{time.microsecond // 1000:03d}"
    return f"coadd{safe_name(target)}_{stamp}_{safe_name(filter_name)}.fits"


def times_of(headers: Sequence[fits.Header]) -> list[str]:
    """Return the start times of frames as their headers have them."""
    return [str(header.get("DATE-OBS", "")) for header in headers]


def coadd_header(members: Sequence[Member], grid: Grid, kernel: str, cards: Sequence[Card]) -> fits.Header:
    """Return the header of a coadd, but for what is measured on it.

    Parameters
    ----------
    members : sequence of Member
        The frames, in order.
    grid : Grid
    kernel : str
        Interpolating kernel.
    cards : sequence of (keyword, value, comment)
        Provenance.
    """
    headers = [fits.Header.fromstring(member.header) for member in members]
    header = fits.Header()
    for keyword in _COPIED:
        card = next((h.cards[keyword] for h in headers if keyword in h), None)
        if card is not None:
            put(header, [(keyword, card.value, card.comment)])
    put(header, [("BUNIT", "DN", "per exposure, scaled to the median zero point"),
                 ("PIXSCALE", round(grid.scale * 3600, 6), "arcsec/px")])
    put(header, (*_times(headers), *_numbers(headers), *_noise(members, headers)))
    put(header, [("NSTACK", len(members), "frames combined"), ("RESAMPLE", kernel, "interpolating kernel"),
                 ("COMBINE", "weighted mean", "weights: inverse variance of the sky"),
                 ("NREJECT", sum(member.rejected for member in members), "values rejected as outliers")])
    put(header, [(keyword, value, "") for keyword, value in _wcs_cards(grid).items()])
    put(header, [(f"STACK{index}", member.name, f"flux scale {member.scale:.5f}")
                 for index, member in enumerate(members[:_MOST_NAMED])])
    put(header, cards)
    return header


def _wcs_cards(grid: Grid) -> dict[str, Any]:
    """Return the cards of the grid's WCS."""
    return {
        "WCSAXES": 2, "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CUNIT1": "deg", "CUNIT2": "deg",
        "CRVAL1": grid.ra, "CRVAL2": grid.dec, "CRPIX1": grid.x + 1, "CRPIX2": grid.y + 1,
        "CD1_1": -grid.scale, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": grid.scale, "RADESYS": "ICRS", "EQUINOX": 2000.0,
    }


def _times(headers: Sequence[fits.Header]) -> list[Card]:
    known = sorted(time for time in map(moment, times_of(headers)) if time is not None)
    middle = median_time(times_of(headers))
    if middle is None:
        return []
    return [("DATE1", in_iso(known[0]), "start of the first frame, UTC"),
            ("DATEN", in_iso(known[-1]), "start of the last frame, UTC"),
            ("DATE", in_iso(middle), "median start of the frames, UTC"),
            ("DATE-OBS", in_iso(known[0]), "start of the first frame, UTC"),
            ("MJD-OBS", round((known[0] - _MJD_ZERO).total_seconds() / 86400, 8), "start of the first frame")]


def _numbers(headers: Sequence[fits.Header]) -> list[Card]:
    cards: list[Card] = []
    airmass = [value for value in (number(h, "AIRMASS") for h in headers) if math.isfinite(value)]
    if airmass:
        cards += [("AIRMASS", round(float(np.median(airmass)), 5), "median"),
                  ("AIRMIN", min(airmass), "smallest airmass"), ("AIRMAX", max(airmass), "largest airmass")]
    exposures = [value for value in (number(h, "EXPTIME") for h in headers) if math.isfinite(value)]
    if exposures:
        cards += [("EXPTIME", float(np.median(exposures)), "median, s"), ("TOTALEXP", sum(exposures), "sum, s"),
                  ("MAXEXP", max(exposures), "longest, s"), ("MINEXP", min(exposures), "shortest, s")]
    return cards


def _noise(members: Sequence[Member], headers: Sequence[fits.Header]) -> list[Card]:
    layers = [member.layer for member in members]
    cards: list[Card] = []
    gain = effective_gain(layers)
    if math.isfinite(gain):
        cards.append(("GAIN", round(gain, 4), "effective, e-/DN"))
    ceilings = [number(h, "SATURATE") * member.scale for h, member in zip(headers, members, strict=True)]
    if any(math.isfinite(value) for value in ceilings):
        cards.append(("SATURATE", round(float(np.nanmin(ceilings)), 2), "lowest saturation of the frames, scaled, DN"))
    cards.append(("NOISCORR", round(correlation_factor(layers), 4), "noise in large apertures over 1/sqrt(weight)"))
    total = sum(layer.weight for layer in layers)
    variance = sum(layer.weight * layer.variance for layer in layers) / total**2
    cards.append(("SKYSIGMA", float(f"{math.sqrt(variance):.5g}"), "noise per pixel where all frames count, DN"))
    return cards


def unused(path: Path, taken: Sequence[Path]) -> Path:
    """Return the path, or the same with a number when it is taken."""
    free, number_ = path, 2
    while free in taken:
        free, number_ = path.with_name(f"{path.stem}-{number_}{path.suffix}"), number_ + 1
    return free


def companions(path: Path) -> tuple[Path, Path, Path]:
    """Return the files beside a coadd: weight map, source catalogue, regions."""
    return path.with_suffix(".weight.fits"), path.with_suffix(".cat.fits"), path.with_suffix(".reg")
