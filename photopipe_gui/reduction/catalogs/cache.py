"""Cones of catalogues that were fetched, on disk."""

from __future__ import annotations

import contextlib
import json
import math
import re
import time
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import NightError
from ..fitsio import atomic_write
from .model import ReferenceCatalog, separation

_NAME = re.compile(r"cone_(\d+\.\d+)_([+-]\d+\.\d+)_(\d+\.\d+)\.npz$")
_SILENCE = 600.0  #: seconds for which a service that did not answer is not asked again


def default_folder() -> Path:
    """Return the user's cache folder for catalogues."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("photopipe_gui")) / "catalogs"


def rounded_cone(ra: float, dec: float, radius_deg: float) -> tuple[float, float, float]:
    """Return a cone on a 0.02 degree raster that holds the asked one with room for dithers.

    Neighbouring pointings of one target so ask for the same cone.
    """
    step = 0.02 / max(math.cos(math.radians(dec)), 0.02)
    ra0, dec0 = round(round(ra / step) * step, 4) % 360.0, round(round(dec / 0.02) * 0.02, 4)
    reach = radius_deg + float(separation(ra0, dec0, np.array([ra]), np.array([dec]))[0]) + 0.03
    return ra0, max(-90.0, min(90.0, dec0)), math.ceil(reach / 0.05) * 0.05


class ConeCache:
    """Fetched cones of each survey, one file a cone, written atomically.

    Parameters
    ----------
    folder : Path or None
        None: the user's cache folder.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder or default_folder()

    def load(self, survey: str, ra: float, dec: float, radius_deg: float) -> ReferenceCatalog | None:
        """Return the smallest cached cone that covers the asked one, cut to it; None when there is none."""
        covering: list[tuple[float, Path]] = []
        try:
            files = sorted((self.folder / survey).iterdir())
        except OSError:
            return None
        for path in files:
            found = _NAME.match(path.name)
            if not found:
                continue
            ra0, dec0, radius = (float(part) for part in found.groups())
            apart = float(separation(ra0, dec0, np.array([ra]), np.array([dec]))[0])
            if apart + radius_deg <= radius + 1e-6:
                covering.append((radius, path))
        for _, path in sorted(covering):
            catalog = _read(path)
            if catalog is not None:
                return catalog.within(ra, dec, radius_deg)
        return None

    def store(self, survey: str, ra: float, dec: float, radius_deg: float, catalog: ReferenceCatalog) -> bool:
        """Keep a cone; False when the folder cannot be written (then it is fetched again next time)."""
        path = self.folder / survey / f"cone_{ra:.4f}_{dec:+.4f}_{radius_deg:.4f}.npz"
        arrays: dict[str, Any] = {"ra": catalog.ra, "dec": catalog.dec}
        if catalog.pmra is not None and catalog.pmdec is not None:
            arrays |= {"pmra": catalog.pmra, "pmdec": catalog.pmdec}
        for band, (magnitude, error) in catalog.magnitudes.items():
            arrays |= {f"mag_{band}": magnitude, f"err_{band}": error}
        about = {"name": catalog.name, "epoch": catalog.epoch, "systems": dict(catalog.systems),
                 "passbands": dict(catalog.passbands), "bands": [*catalog.magnitudes]}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as stream:
                np.savez_compressed(stream, about=np.array(json.dumps(about)), **arrays)
        except (OSError, NightError):
            return False
        return True

    def note_silence(self, service: str) -> None:
        """Remember that a service did not answer."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / f"silent_{service}").touch()
        except OSError:
            return

    def silent(self, service: str) -> bool:
        """Return True when the service did not answer a short while ago: waiting again would cost a timeout each."""
        try:
            age = time.time() - (self.folder / f"silent_{service}").stat().st_mtime
        except OSError:
            return False
        return 0 <= age < _SILENCE

    def forget_silence(self, service: str) -> None:
        """Ask the service again from now on."""
        with contextlib.suppress(OSError):
            (self.folder / f"silent_{service}").unlink(missing_ok=True)


def _read(path: Path) -> ReferenceCatalog | None:
    """Read a cached cone; None (and the file is removed) when it is damaged."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
            about = json.loads(str(data["about"]))
            magnitudes = {band: (data[f"mag_{band}"], data[f"err_{band}"]) for band in about["bands"]}
            moving = "pmra" in data
            return ReferenceCatalog(
                about["name"], data["ra"], data["dec"], data["pmra"] if moving else None,
                data["pmdec"] if moving else None, float(about["epoch"]), magnitudes, about["systems"],
                about["passbands"],
            )
    except Exception:
        # Whatever is wrong with a cached file, fetching it again is right.
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        return None
