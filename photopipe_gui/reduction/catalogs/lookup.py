"""Which reference catalogue serves a field: local file, custom table, then the network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...errors import UsageError
from . import bands as band_rules
from .bands import band_of
from .config import CatalogConfig
from .custom import read_custom
from .local import read_catalog, with_requested_band
from .model import UNNAMED_BAND, ReferenceCatalog
from .online import cone

_POSITIONS = ("gaia", "ps1", "2mass")
_BY_BAND: dict[str, tuple[str, ...]] = {
    "u": ("sdss",), "U": ("sdss",),
    "g": ("ps1", "sdss", "apass"), "r": ("ps1", "sdss", "apass"), "i": ("ps1", "sdss", "apass"),
    "z": ("ps1", "sdss"), "y": ("ps1",),
    "B": ("apass", "ps1", "sdss"), "V": ("apass", "ps1", "sdss"),
    "R": ("ps1", "sdss"), "I": ("ps1", "sdss"),
    "J": ("2mass",), "H": ("2mass",), "K": ("2mass",), "G": ("gaia",),
}


def surveys_for(filter_name: str, config: CatalogConfig) -> tuple[str, ...]:
    """Return the online surveys that can give a filter's magnitudes, in the order of preference."""
    keys = _BY_BAND.get(band_of(filter_name) or "", ())
    return tuple(key for key in keys if not (config.nogaia and key == "gaia"))


def check(config: CatalogConfig) -> None:
    """Read the catalogue files of a configuration once.

    Raises
    ------
    UsageError
        When one cannot be used, in words: for before a run, not in its middle.
    """
    if config.refcat is not None:
        read_catalog(config.refcat)
    if config.customcat is not None:
        read_custom(config.customcat)
    unknown = [name for name in config.customcatfilt if band_of(name) is None]
    if unknown:
        raise UsageError(f"customcatfilt names {', '.join(unknown)}, which is no filter with a known band.")


def _local(
    reader: Callable[[Path], ReferenceCatalog], path: Path, ra: float, dec: float, radius_deg: float
) -> tuple[ReferenceCatalog | None, str]:
    try:
        catalog = reader(path)
    except UsageError as error:
        return None, str(error).rstrip(".")
    near = catalog.within(ra, dec, radius_deg)
    if not len(near):
        return None, f"{catalog.name} has no stars within {radius_deg * 60:.1f}' of {ra:.4f} {dec:+.4f}"
    return near, catalog.name


def astrometric(
    config: CatalogConfig, ra: float, dec: float, radius_deg: float
) -> tuple[ReferenceCatalog | None, str]:
    """Return reference positions about a field.

    Order: ``refcat``, ``customcat``, Gaia DR3, Pan-STARRS1, 2MASS.

    Parameters
    ----------
    config : CatalogConfig
        What may be used.
    ra, dec, radius_deg : float
        The cone, in degrees.

    Returns
    -------
    catalog, reason : (ReferenceCatalog or None, str)
        The stars of the cone and where they come from, or None and why there are none. Trouble with files or the
        network is told in the reason, never raised.
    """
    reasons: list[str] = []
    files = ((read_catalog, config.refcat), (read_custom, config.customcat))
    for reader, path in files:
        if path is not None:
            found, reason = _local(reader, path, ra, dec, radius_deg)
            if found is not None:
                return found, reason
            reasons.append(reason)
    for key in _POSITIONS:
        if key == "gaia" and config.nogaia:
            reasons.append("Gaia is switched off")
            continue
        found, reason = cone(config, key, ra, dec, radius_deg)
        if found is not None:
            return found, reason
        reasons.append(reason)
    return None, "; ".join(reasons)


def _with_band(
    catalog: ReferenceCatalog, source: str, band: str, sloan: bool
) -> tuple[ReferenceCatalog | None, str]:
    """Return the catalogue with magnitudes in the band: its own, made from others, or unnamed ones."""
    if catalog.has_band(band):
        if sloan and catalog.passbands.get(band) == "PS1":
            catalog, how = band_rules.to_sdss(catalog, band)
            return catalog, f"{source} {band} {how}".rstrip()
        return catalog, f"{source} {band}"
    if catalog.has_band(UNNAMED_BAND):
        return with_requested_band(catalog, band)
    made, how = band_rules.derive(catalog, band)
    return made, f"{source}: {how}" if made is not None else how


def photometric(
    config: CatalogConfig, ra: float, dec: float, radius_deg: float, filter_name: str
) -> tuple[ReferenceCatalog | None, str, str]:
    """Return reference magnitudes for a filter about a field.

    Order: ``customcat`` (for the filters of ``customcatfilt``, or every band that it has), ``refcat``, then online:
    u SDSS; g r i z y Pan-STARRS1 (for Sloan filters transformed to the Sloan system), then SDSS; B V APASS; R I by
    transformation; J H K 2MASS.

    Returns
    -------
    catalog, band, reason : (ReferenceCatalog or None, str, str)
        The stars of the cone, the key of ``catalog.magnitudes`` that holds the filter's magnitudes, and where they
        come from; or None and why not.
    """
    band = band_of(filter_name)
    if band is None:
        return None, "", f"no catalogue has magnitudes for the filter {filter_name!r}"
    sloan = band_rules.is_sloan_filter(filter_name)
    reasons: list[str] = []
    wanted = {band_of(name) for name in config.customcatfilt}
    files: list[tuple[Callable[[Path], ReferenceCatalog], Path]] = []
    if config.customcat is not None and (not wanted or band in wanted):
        files.append((read_custom, config.customcat))
    if config.refcat is not None:
        files.append((read_catalog, config.refcat))
    for reader, path in files:
        found, reason = _local(reader, path, ra, dec, radius_deg)
        if found is not None:
            made, reason = _with_band(found, reason, band, sloan)
            if made is not None:
                return made, band, reason
        reasons.append(reason)
    for key in surveys_for(filter_name, config):
        found, reason = cone(config, key, ra, dec, radius_deg)
        if found is not None:
            made, reason = _with_band(found, reason, band, sloan)
            if made is not None:
                return made, band, reason
        reasons.append(reason)
    return None, band, "; ".join(reasons) or f"no catalogue has magnitudes for the filter {filter_name!r}"
