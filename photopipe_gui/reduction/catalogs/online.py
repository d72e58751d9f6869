"""Catalogues over the network, by astroquery, through the disk cache. Every failure becomes words."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .bands import system_of
from .cache import ConeCache, rounded_cone
from .columns import as_floats
from .config import CatalogConfig
from .model import Floats, ReferenceCatalog

_ROW_LIMIT = 100_000


@dataclass(frozen=True)
class Survey:
    """A catalogue at VizieR.

    Attributes
    ----------
    key, title, table : str
        Name in the cache, in sentences and at VizieR.
    ra, dec : str
        Columns of the position.
    bands : mapping of str to (str, str)
        Band to columns of magnitude and error.
    passband : str
        Filter set of its magnitudes.
    epoch : float
        Julian year of the positions, NaN when they were taken over years.
    motions : (str, str) or None
        Columns of the proper motion, mas/yr.
    bright : mapping of str to float
        Stars brighter than this are saturated in the survey; their magnitudes are not used.
    filters : mapping of str to str
        Constraints in VizieR's notation.
    """

    key: str
    title: str
    table: str
    ra: str
    dec: str
    bands: Mapping[str, tuple[str, str]]
    passband: str
    epoch: float = float("nan")
    motions: tuple[str, str] | None = None
    bright: Mapping[str, float] = field(default_factory=dict)
    filters: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """Names of the columns to ask for."""
        names = [self.ra, self.dec, *(self.motions or ())]
        return names + [name for pair in self.bands.values() for name in pair]


def _plain_bands(letters: str) -> dict[str, tuple[str, str]]:
    return {letter: (f"{letter}mag", f"e_{letter}mag") for letter in letters}


SURVEYS: dict[str, Survey] = {
    "gaia": Survey("gaia", "Gaia DR3", "I/355/gaiadr3", "RA_ICRS", "DE_ICRS",
                   {"G": ("Gmag", "e_Gmag"), "BP": ("BPmag", "e_BPmag"), "RP": ("RPmag", "e_RPmag")}, "Gaia",
                   2016.0, ("pmRA", "pmDE")),
    "ps1": Survey("ps1", "Pan-STARRS1 DR1", "II/349/ps1", "RAJ2000", "DEJ2000", _plain_bands("grizy"), "PS1",
                  bright={"g": 14.0, "r": 14.0, "i": 14.0, "z": 13.5, "y": 12.5}),
    # class 6: a point source.
    "sdss": Survey("sdss", "SDSS DR12", "V/147/sdss12", "RA_ICRS", "DE_ICRS", _plain_bands("ugriz"), "SDSS",
                   bright={"u": 13.0, "g": 14.2, "r": 14.2, "i": 14.2, "z": 12.5}, filters={"class": "=6"}),
    "apass": Survey("apass", "APASS DR9", "II/336/apass9", "RAJ2000", "DEJ2000",
                    {**_plain_bands("BV"), **{b: (f"{b}'mag", f"e_{b}'mag") for b in "gri"}}, "APASS"),
    "2mass": Survey("2mass", "2MASS", "II/246/out", "RAJ2000", "DEJ2000", _plain_bands("JHK"), "2MASS", 2000.0),
}


def query_vizier(survey: Survey, ra: float, dec: float, radius_deg: float, timeout: float) -> Mapping[str, Any]:
    """Ask VizieR for a cone and return its columns by name (empty mapping: no star there).

    This is the one place that touches the network.
    """
    import astropy.units as u
    from astropy.coordinates import SkyCoord
    from astroquery.vizier import Vizier

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        service = Vizier(columns=survey.columns, column_filters=dict(survey.filters), row_limit=_ROW_LIMIT,
                         timeout=timeout)
        found = service.query_region(SkyCoord(ra, dec, unit="deg"), radius=radius_deg * u.deg, catalog=survey.table,
                                     cache=False)
        if not found:
            return {}
        table = found[0]
        return {name: np.ma.asarray(table[name]) for name in table.colnames}


def _column(columns: Mapping[str, Any], name: str) -> Floats | None:
    """Return a column by its VizieR name, as given or with its unsafe characters replaced."""
    for known in (name, name.replace("'", "_"), name.replace("'", "")):
        if known in columns:
            return as_floats(columns[known])
    return None


def to_catalog(survey: Survey, columns: Mapping[str, Any]) -> ReferenceCatalog:
    """Turn the columns of a cone into a catalogue."""
    ra, dec = _column(columns, survey.ra), _column(columns, survey.dec)
    if ra is None or dec is None:
        empty = np.zeros(0)
        return ReferenceCatalog(survey.title, empty, empty, epoch=survey.epoch)
    keep = np.isfinite(ra) & np.isfinite(dec)
    motions: list[Floats | None] = [None, None]
    if survey.motions:
        motions = [_column(columns, name) for name in survey.motions]
    magnitudes = {}
    for band, (mag_name, err_name) in survey.bands.items():
        magnitude, error = _column(columns, mag_name), _column(columns, err_name)
        if magnitude is None:
            continue
        error = np.zeros(len(magnitude)) if error is None else error
        with np.errstate(invalid="ignore"):
            good = (magnitude > survey.bright.get(band, -5.0)) & (magnitude < 40)
        # APASS gives an error of 0 to stars seen once: unknown, not perfect.
        error = np.where((error > 0) & (error < 5), error, 0.1)
        magnitudes[band] = (np.where(good, magnitude, np.nan)[keep], np.where(good, error, np.nan)[keep])
    return ReferenceCatalog(
        survey.title, ra[keep], dec[keep], None if motions[0] is None else motions[0][keep],
        None if motions[1] is None else motions[1][keep], survey.epoch, magnitudes,
        {band: system_of(band) for band in magnitudes}, dict.fromkeys(magnitudes, survey.passband),
    )


def cone(
    config: CatalogConfig, key: str, ra: float, dec: float, radius_deg: float
) -> tuple[ReferenceCatalog | None, str]:
    """Return a survey's stars about a position, from the cache or the network.

    Returns
    -------
    catalog, reason : (ReferenceCatalog or None, str)
        None when there is no answer, no network, or no star; the reason says which.
    """
    survey = SURVEYS[key]
    cache = ConeCache(config.cache_dir)
    cached = cache.load(key, ra, dec, radius_deg)
    if cached is not None:
        return (cached, f"{survey.title} (fetched earlier)") if len(cached) else (None, _no_stars(survey))
    if config.offline:
        return None, f"{survey.title} was not fetched beforehand and the network is not to be used"
    if cache.silent("vizier"):
        return None, f"{survey.title} not asked: VizieR did not answer a few minutes ago"
    ra0, dec0, radius = rounded_cone(ra, dec, radius_deg)
    try:
        columns = query_vizier(survey, ra0, dec0, radius, config.timeout)
    except Exception as error:
        # Anything from a missing package to a broken answer: the night goes on without this catalogue.
        if not isinstance(error, (ImportError, KeyError, ValueError)):
            cache.note_silence("vizier")
        return None, f"{survey.title} could not be fetched ({_short(error)})"
    cache.forget_silence("vizier")
    catalog = to_catalog(survey, columns)
    cache.store(key, ra0, dec0, radius, catalog)
    near = catalog.within(ra, dec, radius_deg)
    return (near, survey.title) if len(near) else (None, _no_stars(survey))


def _no_stars(survey: Survey) -> str:
    return f"{survey.title} has no stars there"


def _short(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else text[:157] + "..."
