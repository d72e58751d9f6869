"""Finding positions, motions and magnitudes among the columns of a table by their names."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from .bands import system_of
from .model import UNNAMED_BAND, Floats, ReferenceCatalog

_RA = ("ra", "ra_icrs", "raj2000", "ra_j2000", "alpha_j2000", "alphawin_j2000", "x_world", "alphawin_world", "ramean",
       "rastack", "ra_deg", "radeg", "_ra", "_raj2000", "alpha", "rightascension", "right_ascension")
_DEC = ("dec", "de_icrs", "dec_icrs", "dej2000", "decj2000", "dec_j2000", "delta_j2000", "deltawin_j2000", "y_world",
        "deltawin_world", "decmean", "decstack", "dec_deg", "decdeg", "de", "_de", "_dec", "_dej2000", "delta",
        "declination", "dedeg")
_PMRA = ("pmra", "pm_ra", "pmra_cosdec", "pmalpha_j2000", "mu_ra", "pmracosd")
_PMDEC = ("pmdec", "pmde", "pm_dec", "pm_de", "pmdelta_j2000", "mu_dec")
_EPOCH = ("ref_epoch", "refepoch", "epoch", "epochmean", "obsdate", "epoch_yr")

_ERROR_WORDS = {"e", "err", "errs", "error", "sigma", "sig", "unc", "uncertainty", "msigcom", "cmsig", "rms", "std"}
_OTHER_WORDS = {"mag", "mags", "magnitude", "mean", "psf", "sdss", "ps1", "ps", "panstarrs", "sloan", "johnson", "m",
                "cousins", "bessell", "apass", "2mass", "twomass", "model", "phot", "auto", "aper", "best", "ab",
                "vega"}
_LETTERS = "ugrizyUBVRIJHKG"
_SENTINEL = 50.0


def _pick(names: Iterable[str], wanted: Sequence[str]) -> str | None:
    """Return the column whose name comes first in ``wanted``, without regard to case."""
    plain: dict[str, str] = {}
    for name in names:
        plain.setdefault(name.strip().lower(), name)
    return next((plain[want] for want in wanted if want in plain), None)


def _words(name: str) -> list[str]:
    """Split a column name into words: ``gMeanPSFMagErr`` gives g, Mean, PSF, Mag, Err; ``e_gmag`` gives e, g, mag."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", re.sub(r"[^A-Za-z0-9]+", " ", name.replace("'", " ")))
    spaced = re.sub(r"(?<=[A-Z])(?=[A-Z][a-z])", " ", spaced)
    words: list[str] = []
    for word in spaced.split():
        parts = re.fullmatch(r"(.*?)(mag|MAG|Mag)?(error|err|sigma|ERR|Err)?", word)
        words += [part for part in (parts.groups() if parts else (word,)) if part]
    return words


def magnitude_column(name: str) -> tuple[str, bool] | None:
    """Return the band letter as written (``''`` when none is named) and whether the column is an error, or None.

    ``None`` means that the name is not that of a magnitude.
    """
    lowered = name.strip().lower()
    special = {"phot_g_mean_mag": "G", "phot_bp_mean_mag": "BP", "phot_rp_mean_mag": "RP", "bpmag": "BP",
               "rpmag": "RP", "e_bpmag": "BP", "e_rpmag": "RP", "e_gmag_gaia": "G"}
    if lowered in special:
        return special[lowered], lowered.startswith("e_")
    if "flux" in lowered or lowered.startswith(("n_", "q_", "f_", "o_")):
        return None
    words = _words(name)
    if len(words) == 2 and words[0] in ("K", "k") and words[1] == "s":
        words = ["K"]
    is_error = any(word.lower() in _ERROR_WORDS for word in words)
    says_mag = any(word.lower() in ("mag", "mags", "magnitude", "m") for word in words)
    rest = [word for word in words if word.lower() not in _ERROR_WORDS | _OTHER_WORDS or
            (len(word) == 1 and word not in ("e", "m"))]
    rest = ["K" if word.lower() == "ks" else word for word in rest]
    if len(rest) == 1 and len(rest[0]) == 1 and rest[0].lower() in _LETTERS.lower():
        return rest[0], is_error
    if not rest and (says_mag or lowered in ("err", "error", "e_mag")):
        return UNNAMED_BAND, is_error
    return None


def _settle_case(letters: set[str], names: Iterable[str], has_pixels: bool) -> dict[str, str]:
    """Return the band for each band letter as written, when a table's one case says nothing of r against R."""
    singles = {letter for letter in letters if len(letter) == 1}
    text = "".join(names)
    upper_only, lower_only = text == text.upper(), text == text.lower()
    johnson = bool({"B", "V"} & {letter.upper() for letter in singles})
    sloan = bool({"G", "Z", "Y"} & {letter.upper() for letter in singles})
    bands: dict[str, str] = {}
    for letter in letters:
        band = letter
        if letter.upper() in "JHKBV" and len(letter) == 1:
            band = letter.upper()
        elif letter in ("Z", "Y"):
            band = letter.lower()
        elif upper_only and letter in "GRIU" and sloan and not johnson and letter:
            band = "G" if letter == "G" and singles == {"G"} else letter.lower()
        elif upper_only and letter == "G" and singles & {"R", "I"}:
            band = "g"
        elif lower_only and letter in ("r", "i", "u") and johnson and not sloan:
            band = letter.upper()
        if not (band == "y" and has_pixels):
            bands[letter] = band
    return bands


def _pair_magnitudes(names: Sequence[str]) -> dict[str, tuple[str, str | None]]:
    """Return band to (magnitude column, error column or None)."""
    found = [(name, described) for name in names if (described := magnitude_column(name))]
    has_pixels = any(name.strip().lower() == "x" for name in names)
    cases = _settle_case({letter for _, (letter, _) in found}, names, has_pixels)
    values: dict[str, str] = {}
    errors: dict[str, str] = {}
    for name, (letter, is_error) in found:
        if letter in cases:
            # The first column of a band is the one that its table puts forward.
            (errors if is_error else values).setdefault(cases[letter], name)
    return {band: (name, errors.get(band)) for band, name in values.items()}


def as_floats(column: Any) -> Floats:
    """Return a column as numbers; NaN for what is masked, empty or no number."""
    if isinstance(column, np.ma.MaskedArray):
        if column.dtype.kind in "fiu":
            return np.ma.filled(column.astype(np.float64), np.nan)
        column = column.filled("")
    array = np.asarray(column)
    if array.dtype.kind in "fiub":
        return array.astype(np.float64)
    out = np.full(len(array), np.nan)
    for n, text in enumerate(array):
        try:
            out[n] = float(text.decode() if isinstance(text, bytes) else text)
        except (TypeError, ValueError):
            continue
    return out


def _angles(column: Any, hours: bool, unit: str) -> Floats:
    """Return an angle column in degrees: numbers, or text as ``12:34:56.7`` (right ascension then in hours)."""
    array = np.ma.filled(column, "") if isinstance(column, np.ma.MaskedArray) and column.dtype.kind in "OSU" else column
    array = np.asarray(array) if not isinstance(array, np.ma.MaskedArray) else array
    if array.dtype.kind in "OSU" and any(":" in str(text) for text in array[:20]):
        return np.array([_sexagesimal(str(text)) for text in array]) * (15.0 if hours else 1.0)
    scale = {"rad": 180 / np.pi, "hourangle": 15.0, "h": 15.0, "hr": 15.0}.get(unit.strip().lower(), 1.0)
    return as_floats(array) * scale


def _sexagesimal(text: str) -> float:
    try:
        parts = [float(part) for part in text.strip().lstrip("+-").split(":")]
    except ValueError:
        return float("nan")
    value = sum(part / 60.0**n for n, part in enumerate(parts))
    return -value if text.strip().startswith("-") else value


def _motion(column: Any, unit: str) -> Floats:
    """Return proper motions in mas/yr."""
    plain = unit.replace(" ", "").lower()
    scale = 3.6e6 if plain.startswith("deg") else 1000.0 if plain.startswith("arcsec") else 1.0
    return as_floats(column) * scale


def _epoch_of(columns: Mapping[str, Any], ra_name: str, moving: bool, count: int) -> Floats:
    """Return the Julian year of each star's position, NaN when unknown."""
    name = _pick(columns, _EPOCH)
    if name is not None:
        years = as_floats(columns[name])
        mjd = (years > 20000) & (years < 100000)
        years = np.where(mjd, 2000.0 + (years - 51544.5) / 365.25, years)
        return np.where((years > 1800) & (years < 2200), years, np.nan)
    if not moving:
        return np.full(count, np.nan)
    # VizieR and Gaia name the frame in the column: J2000 positions are given at epoch 2000, Gaia's own at 2016.
    return np.full(count, 2000.0 if "2000" in ra_name else 2016.0)


def _magnitudes(columns: Mapping[str, Any], keep: NDArray[np.bool_]) -> dict[str, tuple[Floats, Floats]]:
    out = {}
    for band, (value_name, error_name) in _pair_magnitudes([*columns]).items():
        value = as_floats(columns[value_name])
        if value.ndim != 1:
            continue
        error = as_floats(columns[error_name]) if error_name else np.zeros(len(value))
        if error.shape != value.shape:
            error = np.zeros(len(value))
        with np.errstate(invalid="ignore"):
            # 99, -999 and the like stand for "none"; an error of that kind makes the magnitude unusable.
            good = (np.abs(value) < _SENTINEL) & ~(np.abs(error) >= _SENTINEL) & ~(error < 0)
        value, error = np.where(good, value, np.nan)[keep], np.where(good, np.nan_to_num(error), np.nan)[keep]
        if np.isfinite(value).any():
            out[band] = (value, error)
    return out


def catalog_from_columns(
    name: str, columns: Mapping[str, Any], units: Mapping[str, str] | None = None, origin: str = ""
) -> ReferenceCatalog:
    """Build a catalogue from named columns.

    Parameters
    ----------
    name : str
        Name of the catalogue, for sentences.
    columns : mapping of str to array
        Columns of equal length.
    units : mapping of str to str, optional
        Units of columns, where the file states them.
    origin : str
        Filter set of the magnitudes (``'PS1'`` ...), when known.

    Raises
    ------
    UsageError
        When there is no position, with the names that were found and those that would do.
    """
    units = units or {}
    ra_name, dec_name = _pick(columns, _RA), _pick(columns, _DEC)
    if ra_name is None or dec_name is None:
        have = ", ".join([*columns][:12]) or "none"
        raise UsageError(f"{name}: no columns of right ascension and declination among {have}. "
                         "Name them ra and dec, in degrees.")
    ra = _angles(columns[ra_name], True, units.get(ra_name, ""))
    dec = _angles(columns[dec_name], False, units.get(dec_name, ""))
    with np.errstate(invalid="ignore"):
        keep = np.isfinite(ra) & (ra >= -180) & (ra <= 360) & (np.abs(dec) <= 90)
    if not keep.any():
        raise UsageError(f"{name}: no row has a usable position in the columns {ra_name} and {dec_name} (degrees).")
    pmra_name, pmdec_name = _pick(columns, _PMRA), _pick(columns, _PMDEC)
    moving = pmra_name is not None and pmdec_name is not None
    pmra = _motion(columns[pmra_name], units.get(pmra_name, ""))[keep] if moving and pmra_name else None
    pmdec = _motion(columns[pmdec_name], units.get(pmdec_name, ""))[keep] if moving and pmdec_name else None
    years = _epoch_of(columns, ra_name.lower(), moving, len(ra))[keep]
    magnitudes = _magnitudes(columns, keep)
    systems = {band: system_of(band) for band in magnitudes if band != UNNAMED_BAND}
    passbands = {band: origin for band in magnitudes if origin}
    out = ReferenceCatalog(name, np.mod(ra[keep], 360.0), dec[keep], pmra, pmdec, float("nan"), magnitudes, systems,
                           passbands)
    return _at_one_epoch(out, years)


def _at_one_epoch(catalog: ReferenceCatalog, years: Floats) -> ReferenceCatalog:
    """Give a catalogue one epoch, moving stars whose own epoch differs."""
    if not np.isfinite(years).any():
        return catalog
    epoch = float(np.nanmedian(years))
    if catalog.pmra is None or catalog.pmdec is None or np.nanmax(np.abs(years - epoch)) < 1e-3:
        return dataclasses.replace(catalog, epoch=epoch)
    shift = np.nan_to_num(epoch - years)
    east = np.nan_to_num(catalog.pmra) * shift / 3.6e6 / np.maximum(np.cos(np.radians(catalog.dec)), 1e-6)
    north = np.nan_to_num(catalog.pmdec) * shift / 3.6e6
    return dataclasses.replace(catalog, ra=np.mod(catalog.ra + east, 360.0), dec=catalog.dec + north, epoch=epoch)
