"""What a simulated night really is, for comparison with what the reduction finds."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NightError
from ..instruments.cards import Area, Card

SCHEMA = 1
_PRODUCT = re.compile(r"^(?:tazsfp|azsfp|tasfp|asfp|zsfp|sfp|fp|p)(?=\d)")


@dataclass(frozen=True)
class ChannelTruth:
    """One filter's part of a frame.

    Attributes
    ----------
    suffix, filter, band : str
        Half (``a``, ``b`` or empty), filter, photometric band.
    area : Area
        Science area, as the reduction crops it.
    zero_point : float
        Magnitude of one DN of total flux in this exposure, after division by a flat of median 1; NaN without stars.
    sky : float
        Sky level, DN.
    fwhm : float
        Seeing, px.
    transparency : float
        1 for a clear sky.
    noise : float
        Noise of an empty pixel, DN.
    median : float
        Median of the science area as written, DN.
    saturated : int
        Pixels at or above the saturation level.
    level : float
        Median as a fraction of the saturation level.
    verdict : str
        For flats, by the default limits 0.2 to 0.8: ``kept``, ``UNDEREXPOSED`` or ``SATURATED``.
    """

    suffix: str
    filter: str
    band: str
    area: Area
    zero_point: float
    sky: float
    fwhm: float
    transparency: float
    noise: float
    median: float = np.nan
    saturated: int = 0
    level: float = np.nan
    verdict: str = ""


@dataclass(frozen=True)
class FrameTruth:
    """One frame.

    ``name`` is the raw file as the instrument wrote it, ``standard_name`` what the renaming makes of it; ``wcs`` the
    true WCS cards in pixels of the raw image (empty for bias and dark); the pointing error is true minus commanded,
    in arcsec of arc and in px of displacement on the detector; ``trail`` the ends x0, y0, x1, y1 of a satellite's
    trail; ``fault`` what was done to the file.
    """

    name: str
    standard_name: str
    camera: int
    ftype: str
    exptime: float
    mjd: float
    target: str
    wcs: Mapping[str, Card]
    channels: tuple[ChannelTruth, ...]
    pointing_error: tuple[float, float] = (0.0, 0.0)
    pointing_error_px: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0
    cosmic_rays: int = 0
    trail: tuple[float, ...] = ()
    fault: str = ""

    def channel(self, filter_name: str) -> ChannelTruth:
        """Return the channel of a filter.

        Raises
        ------
        KeyError
            When the frame has no such filter.
        """
        for channel in self.channels:
            if channel.filter == filter_name:
                return channel
        raise KeyError(f"{self.name} has no filter {filter_name!r}")


@dataclass(frozen=True)
class Truth:
    """A simulated night.

    ``folder`` holds the truth files: ``truth.json``, ``stars.ecsv``, ``refcat.fits``, ``custom.txt``, the true masters
    and the cosmic rays of each frame.
    """

    folder: Path
    instrument: str
    seed: int
    frames: tuple[FrameTruth, ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def night(self) -> Path:
        """The night's folder."""
        return self.folder.parent

    @property
    def refcat(self) -> Path:
        """Reference catalogue for ``--refcat``."""
        return self.folder / "refcat.fits"

    @property
    def customcat(self) -> Path:
        """Text table for ``customcat``."""
        return self.folder / "custom.txt"

    def stars(self) -> Any:
        """Return the true sources as an astropy Table (ra, dec, pmra, pmdec, size, one column for each band)."""
        from astropy.table import Table

        return Table.read(self.folder / "stars.ecsv")

    def frame(self, name: str) -> FrameTruth:
        """Return the frame of a raw name, standard name or product name (``azsfp<stem>_<filter>.fits``).

        Raises
        ------
        KeyError
            When no frame has that name.
        """
        wanted = Path(name).name
        stems = {wanted, _PRODUCT.sub("", wanted)}
        stems |= {re.sub(r"\.fits?$", "", stem) for stem in stems}
        stems |= {stem.split("_")[0] for stem in stems}
        for frame in self.frames:
            for known in (frame.name, frame.standard_name):
                if not frame.fault and (known in stems or re.sub(r"\.fits?$", "", known) in stems):
                    return frame
        raise KeyError(f"{name} is no frame of the simulated night {self.night}")

    def master(self, kind: str, key: str) -> NDArray[np.float32]:
        """Return a true master's science area: ``bias`` (DN) or ``dark`` (DN/s) of ``C0``, ``flat`` of a filter."""
        from ..reduction.fitsio import read_pixels

        return np.asarray(read_pixels(self.folder / f"{kind}_{key}.fits"), dtype=np.float32)

    def cosmic_rays(self, frame: FrameTruth) -> dict[str, NDArray[Any]]:
        """Return rows, columns, electrons, hit of a frame's cosmic rays (raw pixels), and trail_rows, trail_columns."""
        path = self.folder / "cosmics" / f"{Path(frame.name).stem}.npz"
        if not path.exists():
            raise NightError(f"{path} is missing: the simulated night's truth is not whole. Simulate it again.")
        with np.load(path) as data:
            return {key: data[key] for key in data.files}

    def cosmic_mask(self, frame: FrameTruth, area: Area, least: float = 0.0) -> NDArray[np.bool_]:
        """Return the pixels of an area hit by cosmic rays with more than ``least`` electrons."""
        hits = self.cosmic_rays(frame)
        y0, y1, x0, x1 = area
        rows, columns = hits["rows"] - y0, hits["columns"] - x0
        keep = (rows >= 0) & (rows < y1 - y0) & (columns >= 0) & (columns < x1 - x0) & (hits["electrons"] > least)
        mask = np.zeros(area.shape, dtype=bool)
        mask[rows[keep], columns[keep]] = True
        return mask

    def save(self) -> Path:
        """Write ``truth.json``."""
        from ..reduction.fitsio import write_text

        path = self.folder / "truth.json"
        content = {
            "schema": SCHEMA,
            "instrument": self.instrument,
            "seed": self.seed,
            "options": dict(self.options),
            "frames": [dataclasses.asdict(frame) for frame in self.frames],
        }
        write_text(path, json.dumps(content, indent=1))
        return path


def _channel(data: Mapping[str, Any]) -> ChannelTruth:
    return ChannelTruth(**{**data, "area": Area(*data["area"])})


def _frame(data: Mapping[str, Any]) -> FrameTruth:
    channels = tuple(_channel(channel) for channel in data["channels"])
    return FrameTruth(
        **{**data, "channels": channels, "pointing_error": tuple(data["pointing_error"]), "trail": tuple(data["trail"])}
    )


def load_truth(folder: Path | str) -> Truth:
    """Read the truth of a simulated night from the night's folder or from its truth folder.

    Raises
    ------
    NightError
        When there is none, or it was written by another version.
    """
    folder = Path(folder)
    path = folder / "truth.json" if (folder / "truth.json").exists() else folder / "truth" / "truth.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NightError(f"{path} cannot be read ({error}). Only a simulated night has a truth.") from error
    if data.get("schema") != SCHEMA:
        raise NightError(f"{path} was written by another version. Simulate the night again.")
    frames = tuple(_frame(frame) for frame in data["frames"])
    return Truth(path.parent, data["instrument"], data["seed"], frames, data["options"])
