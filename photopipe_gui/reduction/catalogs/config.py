"""Where reference catalogues are looked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CatalogConfig:
    """What the observer says about reference catalogues.

    Attributes
    ----------
    refcat : Path or None
        A catalogue file (FITS, LDAC, ECSV, CSV, VOTable, text), used before anything else for positions and,
        where it has the band, for magnitudes.
    customcat : Path or None
        The custom table of reference magnitudes; its positions serve the astrometry when there is no ``refcat``.
    customcatfilt : tuple of str
        Filters for which ``customcat`` is used; empty: every filter it has.
    nogaia : bool
        Do not query Gaia; Pan-STARRS1 and then 2MASS give the positions.
    offline : bool
        Never use the network; cones fetched earlier are still read from the cache.
    cache_dir : Path or None
        Folder of fetched cones; None: the user's cache folder.
    timeout : float
        Seconds that a catalogue service is given to answer.
    """

    refcat: Path | None = None
    customcat: Path | None = None
    customcatfilt: tuple[str, ...] = ()
    nogaia: bool = False
    offline: bool = False
    cache_dir: Path | None = None
    timeout: float = 30.0
