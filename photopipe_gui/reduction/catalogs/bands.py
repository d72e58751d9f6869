"""Bands: which one a filter is, in which system its magnitudes are, and how to make one from others."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from .model import Floats, ReferenceCatalog

BANDS = ("u", "g", "r", "i", "z", "y", "U", "B", "V", "R", "I", "J", "H", "K", "G", "BP", "RP")
_AB = frozenset("ugrizy")
_CASE_FREE = {"Z": "z", "Y": "y", "j": "J", "h": "H", "k": "K", "b": "B", "v": "V", "Ks": "K", "KS": "K", "ks": "K"}
_AS_WRITTEN = frozenset("ugrizyUBVRIJHKG")
_SDSS_WORDS = ("SDSS", "SLOAN", "PS1", "PANSTARRS")


def band_of(filter_name: str) -> str | None:
    """Return the band that a filter measures: ``'SDSS-R'`` is ``'r'``, ``'YISH'`` is ``'y'``, ``'Z'`` is ``'z'``.

    Bare ``r`` and ``i`` are Sloan bands, bare ``R`` and ``I`` Cousins bands. None for a filter that is none of the
    standard bands (two filters in the beam, a narrow band, none at all).
    """
    name = filter_name.strip()
    compact = re.sub(r"[\s_\-.]+", "", name)
    upper = compact.upper()
    if upper == "YISH":
        return "y"
    for word in _SDSS_WORDS:
        rest = upper.removeprefix(word).rstrip("'P")
        if upper.startswith(word) and len(rest) == 1:
            return rest.lower() if rest in "UGRIZY" else None
    for word in ("BESSELL", "COUSINS", "JOHNSON", "2MASS", "MKO"):
        rest = upper.removeprefix(word)
        if upper.startswith(word) and rest in ("U", "B", "V", "R", "I", "J", "H", "K", "KS"):
            return "K" if rest == "KS" else rest
    if len(compact) == 2 and compact[0] in "ugriz" and compact[1] in "'p":
        return compact[0]
    if compact in _CASE_FREE:
        return _CASE_FREE[compact]
    return compact if compact in _AS_WRITTEN and len(compact) == 1 else None


def system_of(band: str) -> str:
    """Return the magnitude system in which catalogues give a band: ``'AB'`` for u g r i z y, else ``'Vega'``."""
    return "AB" if band in _AB else "Vega"


def is_sloan_filter(filter_name: str) -> bool:
    """Return True for a filter of the Sloan set (``'r'``, ``'SDSS-R'``), whose magnitudes differ from Pan-STARRS1's."""
    compact = re.sub(r"[\s_\-.]+", "", filter_name)
    return compact.upper().startswith(("SDSS", "SLOAN")) or compact.rstrip("'p") in ("u", "g", "r", "i")


@dataclass(frozen=True)
class Transformation:
    """``target = base + c0 + c1 x + c2 x^2`` with the colour ``x = first - second``.

    Attributes
    ----------
    passband : str
        Filter set of the magnitudes that go in.
    base, first, second : str
        Bands that go in.
    coefficients : tuple of float
        c0, c1, c2 in mag.
    scatter : float
        Scatter of the relation in mag, added to the error in quadrature.
    low, high : float
        Colours for which the relation holds; other stars get none.
    source : str
        Where the relation was published.
    result : str
        Filter set of what comes out.
    """

    passband: str
    base: str
    first: str
    second: str
    coefficients: tuple[float, float, float]
    scatter: float
    low: float
    high: float
    source: str
    result: str


_TONRY = "Tonry et al. 2012, ApJ 750, 99, table 6"
_LUPTON = "Lupton 2005, SDSS DR7 algorithms page"
_JESTER = "Jester et al. 2005, AJ 130, 873, table 1"

#: Band to the relations that can make it, best first.
TRANSFORMATIONS: dict[str, tuple[Transformation, ...]] = {
    "U": (Transformation("SDSS", "B", "u", "g", (-0.88, 0.78, 0.0), 0.05, 0.5, 2.6, _JESTER, "Johnson"),),
    "B": (
        Transformation("PS1", "g", "g", "r", (0.212, 0.556, 0.034), 0.032, -0.3, 1.5, _TONRY, "Johnson"),
        Transformation("SDSS", "g", "g", "r", (0.2271, 0.3130, 0.0), 0.0107, -0.3, 1.5, _LUPTON, "Johnson"),
    ),
    "V": (
        Transformation("PS1", "r", "g", "r", (0.005, 0.462, 0.013), 0.012, -0.3, 1.5, _TONRY, "Johnson"),
        Transformation("SDSS", "g", "g", "r", (-0.0038, -0.5784, 0.0), 0.0054, -0.3, 1.5, _LUPTON, "Johnson"),
    ),
    "R": (
        Transformation("PS1", "r", "g", "r", (-0.137, -0.108, -0.029), 0.015, -0.3, 1.5, _TONRY, "Cousins"),
        Transformation("SDSS", "r", "r", "i", (-0.1439, -0.2936, 0.0), 0.0072, -0.4, 2.0, _LUPTON, "Cousins"),
        Transformation("SDSS", "r", "g", "r", (-0.0971, -0.1837, 0.0), 0.0106, -0.3, 1.5, _LUPTON, "Cousins"),
    ),
    "I": (
        Transformation("PS1", "i", "g", "r", (-0.366, -0.136, -0.018), 0.017, -0.3, 1.5, _TONRY, "Cousins"),
        Transformation("SDSS", "r", "r", "i", (-0.3820, -1.2444, 0.0), 0.0078, -0.4, 2.0, _LUPTON, "Cousins"),
        Transformation("SDSS", "i", "i", "z", (-0.3974, -0.3780, 0.0), 0.0063, -0.3, 1.5, _LUPTON, "Cousins"),
    ),
}

#: Pan-STARRS1 to Sloan magnitudes of the same band.
PS1_TO_SDSS: dict[str, Transformation] = {
    "g": Transformation("PS1", "g", "g", "r", (0.013, 0.145, 0.019), 0.008, -0.4, 1.5, _TONRY, "SDSS"),
    "r": Transformation("PS1", "r", "g", "r", (-0.001, 0.004, 0.007), 0.004, -0.4, 1.5, _TONRY, "SDSS"),
    "i": Transformation("PS1", "i", "g", "r", (-0.005, 0.011, 0.010), 0.004, -0.4, 1.5, _TONRY, "SDSS"),
    "z": Transformation("PS1", "z", "g", "r", (0.013, -0.039, -0.012), 0.010, -0.4, 1.5, _TONRY, "SDSS"),
}


def apply(catalog: ReferenceCatalog, relation: Transformation) -> tuple[Floats, Floats]:
    """Return magnitudes and errors made by a relation; NaN where a band is missing or the colour is out of range.

    The error carries the errors of the bands through the relation's derivatives, and its scatter.
    """
    base, base_err = catalog.magnitudes[relation.base]
    first, first_err = catalog.magnitudes[relation.first]
    second, second_err = catalog.magnitudes[relation.second]
    c0, c1, c2 = relation.coefficients
    colour = first - second
    slope = c1 + 2 * c2 * colour
    weights: dict[str, Floats] = {}
    for band, part in ((relation.base, np.ones_like(colour)), (relation.first, slope), (relation.second, -slope)):
        weights[band] = weights.get(band, np.zeros_like(colour)) + part
    errors = {relation.base: base_err, relation.first: first_err, relation.second: second_err}
    variance = relation.scatter**2 + sum((weights[band] * np.nan_to_num(errors[band])) ** 2 for band in weights)
    with np.errstate(invalid="ignore"):
        valid = (colour >= relation.low) & (colour <= relation.high) & np.isfinite(base)
    magnitude = np.where(valid, base + c0 + c1 * colour + c2 * colour**2, np.nan)
    return magnitude, np.where(valid, np.sqrt(variance), np.nan)


def derive(catalog: ReferenceCatalog, band: str) -> tuple[ReferenceCatalog | None, str]:
    """Make a band that a catalogue lacks from those that it has.

    Returns
    -------
    catalog, reason : (ReferenceCatalog or None, str)
        With the band added and the source of the relation; or None and why not.
    """
    for relation in TRANSFORMATIONS.get(band, ()):
        colour = (relation.first, relation.second)
        known = {catalog.passbands.get(b, "") for b in colour}
        if not all(map(catalog.has_band, colour)) or not known <= {relation.passband, ""}:
            continue
        source: ReferenceCatalog | None = catalog
        if not catalog.has_band(relation.base):
            source = derive(catalog, relation.base)[0]
        if source is None:
            continue
        magnitude, error = apply(source, relation)
        if np.isfinite(magnitude).any():
            made = catalog.with_band(band, magnitude, error, system_of(band), relation.result)
            how = f"{band} from {relation.base} and {relation.first}-{relation.second} ({relation.source})"
            return made, how
    return None, f"{catalog.name} has no {band} magnitudes, nor the bands to derive them from"


def to_sdss(catalog: ReferenceCatalog, band: str) -> tuple[ReferenceCatalog, str]:
    """Turn a Pan-STARRS1 band into the Sloan band; stars without a colour keep theirs with 0.03 mag more error."""
    relation = PS1_TO_SDSS.get(band)
    if relation is None or catalog.passbands.get(band) != "PS1" or not all(map(catalog.has_band, ("g", "r", band))):
        return catalog, ""
    magnitude, error = apply(catalog, relation)
    plain, plain_err = catalog.magnitudes[band]
    missing = ~np.isfinite(magnitude)
    magnitude = np.where(missing, plain, magnitude)
    error = np.where(missing, np.hypot(plain_err, 0.03), error)
    return catalog.with_band(band, magnitude, error, "AB", "SDSS"), f"as Sloan {band} ({relation.source})"
