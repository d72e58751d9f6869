"""What the window asks of the engine: frozen requests, run off the UI thread, answers applied on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NightError
from ..instruments import registry
from ..instruments.model import Instrument
from ..reduction.calibration import find_master, needs_of
from ..reduction.executor import Executor, make_executor
from ..reduction.fitsio import read_layout, read_pixels
from ..reduction.measure import FrameStats, measure
from ..reduction.preprocess import choose
from ..reduction.progress import Level, Progress, Reporter
from ..reduction.session import Session, load_session
from ..reduction.table import FrameRow, FrameTable
from . import display
from .measure_cache import MeasureCache
from .models.picture import FramePicture

_NO_PREVIEW = np.zeros((1, 1), np.float32)


class Workers:
    """The worker processes of each lane, started when first needed and kept."""

    def __init__(self, kind: str = "processes") -> None:
        self._kind = kind
        self._lanes: dict[str, Executor] = {}

    def lane(self, name: str) -> Executor:
        """The executor of a lane (``main``, ``side``)."""
        if name not in self._lanes:
            self._lanes[name] = make_executor(self._kind)
        return self._lanes[name]

    def kill(self, name: str) -> None:
        """End the processes of a lane at once; the next job gets new ones."""
        if name in self._lanes:
            self._lanes.pop(name).kill()

    def close(self) -> None:
        """End all processes."""
        for name in tuple(self._lanes):
            self.kill(name)


@dataclass(frozen=True)
class OpenedNight:
    """A night that was scanned.

    Attributes
    ----------
    instrument : Instrument or None
        None when the frames are of no known instrument.
    notes : tuple of str
        What the observer should know: files left alone, a damaged session.
    """

    night: Path
    instrument: Instrument | None
    table: FrameTable
    session: Session
    notes: tuple[str, ...] = ()


def open_night(path: Path, instrument: str | None) -> Callable[[Reporter], OpenedNight]:
    """Return the job that scans a night and reads its session.

    The instrument is the one given, else the one of the session, else what the headers say.
    """

    def job(reporter: Reporter) -> OpenedNight:
        night = path.expanduser().resolve()
        if not night.exists():
            raise NightError(f"There is no folder {night}. Open the folder that holds the night's raw frames.")
        if not night.is_dir():
            raise NightError(f"{night.name} is a file. Open the folder that holds the night's raw frames.")
        session, problem = load_session(night)
        notes = [problem] if problem else []
        known = _instrument(night, instrument or session.instrument)
        if known is None:
            return OpenedNight(night, None, FrameTable(night, ""), session, tuple(notes))
        # Raw files get their standard names here, once, before anything refers to them by name.
        table = choose.open_night(night, known, reporter)
        return OpenedNight(night, known, table, session, tuple(notes))

    return job


def _instrument(night: Path, name: str) -> Instrument | None:
    if name and name.lower() in registry.names():
        return registry.get(name)
    return registry.detect(night)


@dataclass(frozen=True)
class Measured:
    """Statistics of a frame, and its thumbnail as display indices."""

    stats: FrameStats
    thumbnail: NDArray[np.uint8] | None


class _Thumbnails:
    """A reporter that turns previews into thumbnails in the job's thread, before they reach the screen."""

    def __init__(self, inner: Reporter, known: int, total: int) -> None:
        self._inner, self._known, self._total = inner, known, total
        self.fresh: list[Measured] = []

    def progress(self, event: Progress) -> None:
        self._inner.progress(replace(event, done=event.done + self._known, total=self._total))

    def message(self, text: str, level: Level = "info") -> None:
        self._inner.message(text, level)

    def cancelled(self) -> bool:
        return self._inner.cancelled()

    def result(self, item: object) -> None:
        if isinstance(item, FrameStats):
            usable = item.preview.size > 1
            thumbnail = display.thumbnail_indices(item.preview) if usable else None
            item = Measured(replace(item, preview=_NO_PREVIEW), thumbnail)
            self.fresh.append(item)
        self._inner.result(item)


def measure_frames(
    table: FrameTable, executor: Callable[[], Executor], cache: MeasureCache | None = None
) -> Callable[[Reporter], int]:
    """Return the job that measures frames; each comes as a `Measured` result.

    Parameters
    ----------
    executor : callable
        Called only when there is something that is not known from an earlier session.
    cache : MeasureCache, optional
        Measurements of earlier sessions.
    """

    def job(reporter: Reporter) -> int:
        known = cache.load(table.rows) if cache is not None else {}
        for stats, thumbnail in known.values():
            reporter.result(Measured(stats, thumbnail))
        missing = table.where(test=lambda row: row.frame_id not in known)
        if not len(missing):
            return len(known)
        thumbnails = _Thumbnails(reporter, len(known), len(table))
        try:
            return len(known) + len(measure(missing, executor(), thumbnails))
        finally:
            if cache is not None:
                cache.store((table.by_id(one.stats.frame_id), one.stats, one.thumbnail) for one in thumbnails.fresh)

    return job


def read_picture(row: FrameRow, calibrate: tuple[Instrument, Path] | None = None) -> FramePicture:
    """Read the science area of a frame (the whole of it when that is unknown) and its header.

    Parameters
    ----------
    row : FrameRow
    calibrate : (Instrument, Path), optional
        Apply the masters in this folder, those that exist, for display.

    Raises
    ------
    FrameError
        When it cannot be read.
    """
    layout = read_layout(row.path)
    pixels = read_pixels(row.path, row.area, layout)
    if pixels.dtype != np.uint16:
        pixels = pixels.astype(np.float32, copy=False)
    applied = ""
    if calibrate is not None:
        pixels, applied = _calibrated(pixels, row, *calibrate)
    cards = tuple((key, _card_text(value)) for key, value in layout.cards.items())
    return FramePicture(row.frame_id, pixels, cards, applied)


def _calibrated(
    pixels: NDArray[Any], row: FrameRow, instrument: Instrument, folder: Path
) -> tuple[NDArray[Any], str]:
    """Return the frame without bias and dark, divided by the flat, and which of these there were.

    Saturated pixels stay at their level, so that they are still shown as saturated.
    """
    image, applied = pixels.astype(np.float32), []
    for need in needs_of(instrument, row.camera, row.filter):
        path = find_master(need.mtype, need.key, (folder,))
        if path is None:
            continue
        master = read_pixels(path)
        if master.shape != image.shape:
            continue
        if need.mtype == "flat":
            image /= np.where(master >= 0.3, master, np.nan).astype(np.float32)
        else:
            image -= master * (row.exptime if need.mtype == "dark" else 1.0)
        applied.append(need.mtype)
    if not applied:
        return pixels, ""
    if np.isfinite(row.saturation):
        full = pixels >= row.saturation
        image[full] = np.fmax(image[full], row.saturation)
    return image, " and ".join(", ".join(applied).rsplit(", ", 1))


def _card_text(value: object) -> str:
    return "T" if value is True else "F" if value is False else str(value)


def make_demo_night(folder: Path) -> Callable[[Reporter], Path]:
    """Return the job that makes the demo night, unless it is there already, and returns its folder."""

    def job(reporter: Reporter) -> Path:
        from ..demo import is_demo, make_demo

        if not is_demo(folder):
            reporter.message(f"Making the demo night in {folder}; this takes some seconds the first time.")
        return make_demo(folder)

    return job
