"""Opens nights, measures their frames, and watches for frames that arrive."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QFileSystemWatcher, QObject, QTimer, pyqtSignal

from ..errors import PhotopipeError
from ..instruments.registry import get
from ..paths import cache_folder
from ..reduction.table import FrameTable
from .jobs import JobOutcome, Jobs
from .measure_cache import MeasureCache
from .models.night import NightModel
from .tasks import Measured, OpenedNight, Workers, measure_frames, open_night

_FLUSH_MS = 60
_WATCH_MS = 2000


class NightLoader(QObject):
    """Fills a `NightModel`, on the side lane.

    Signals
    -------
    opened(object)
        The `OpenedNight` that is now on the table.
    refused(str)
        Why a night could not be opened.
    said(str, str)
        A sentence and its level.
    arrived(int)
        So many new frames came while watching.
    """

    opened = pyqtSignal(object)
    refused = pyqtSignal(str)
    said = pyqtSignal(str, str)
    arrived = pyqtSignal(int)

    def __init__(self, session: NightModel, jobs: Jobs, workers: Workers, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._lane, self._workers = session, jobs.side, workers
        self._cache = MeasureCache(cache_folder() / "measurements.sqlite")
        self._pending: tuple[Path, str | None] | None = None
        self._fresh: list[Measured] = []
        self._doing = ""
        self._flush_timer = QTimer(self, singleShot=True, interval=_FLUSH_MS)
        self._flush_timer.timeout.connect(self._flush)
        self._watch_timer = QTimer(self, interval=_WATCH_MS)
        self._watch_timer.timeout.connect(self._look)
        self._watcher = QFileSystemWatcher(self)
        self._watcher.directoryChanged.connect(self._touched)
        self._sizes: dict[str, int] = {}
        self._taken: dict[str, int] = {}
        self._lane.result.connect(self._result)
        self._lane.finished.connect(self._finished)
        self._lane.message.connect(self.said)

    @property
    def busy(self) -> bool:
        """True while a night is being opened or measured."""
        return self._lane.busy or self._pending is not None

    def open(self, path: Path, instrument: str | None = None) -> None:
        """Open a night; what the lane does now is given up first."""
        self._pending = (path, instrument)
        if self._lane.busy:
            self._lane.stop()
        else:
            self._start_pending()

    def _start_pending(self) -> None:
        if self._pending is None:
            return
        (path, instrument), self._pending = self._pending, None
        self._fresh.clear()
        self._doing = "open"
        self._lane.start(f"opening {path.name}", open_night(path, instrument))

    def measure_missing(self) -> None:
        """Measure the frames that have no statistics yet."""
        rows = tuple(row for row in self._session.table if row.frame_id not in self._session.stats)
        if not rows or self._lane.busy:
            return
        table = FrameTable(self._session.table.folder, self._session.table.instrument, rows)
        self._doing = "measure"
        job = measure_frames(table, partial(self._workers.lane, "side"), self._cache)
        self._lane.start("measuring frames", job, partial(self._workers.kill, "side"))

    # ------------------------------------------------------------- results

    def _result(self, item: Any) -> None:
        if isinstance(item, Measured):
            self._fresh.append(item)
            if not self._flush_timer.isActive():
                self._flush_timer.start()

    def _flush(self) -> None:
        fresh, self._fresh = self._fresh, []
        self._session.add_measurements((one.stats, one.thumbnail) for one in fresh)

    def _finished(self, outcome: JobOutcome) -> None:
        doing, self._doing = self._doing, ""
        if self._pending is not None:
            self._start_pending()
            return
        if doing == "open":
            self._open_finished(outcome)
        elif doing == "measure":
            self._flush()
            # The verdicts of the rules go into the session too, for scripts and the command line.
            self._session.save()
            if outcome.state == "failed":
                self.said.emit(f"Measuring stopped: {outcome.error}", "error")
            else:
                self._measure_rest(outcome)
        elif doing == "look":
            self._look_finished(outcome)

    def _measure_rest(self, outcome: JobOutcome) -> None:
        """Go on with frames that came while others were measured."""
        missing = sum(row.frame_id not in self._session.stats for row in self._session.table)
        if outcome.ok and missing:
            if outcome.value:
                self.measure_missing()
            else:
                self.said.emit(f"{missing} frames could not be measured.", "warning")

    def _open_finished(self, outcome: JobOutcome) -> None:
        if not outcome.ok:
            text = str(outcome.error)
            if not isinstance(outcome.error, PhotopipeError):
                text = f"The night could not be opened ({type(outcome.error).__name__}: {text})."
            self.refused.emit(text)
            return
        night: OpenedNight = outcome.value
        if night.instrument is None:
            self.refused.emit(
                f"No frames of RATIR, LMI or RIMAS were found in {night.night}. Open the folder that holds the raw "
                "frames, or choose the instrument in the toolbar."
            )
            return
        self._session.open(night.night, night.instrument, night.table, night.session)
        self._taken = {}
        for note in night.notes:
            self.said.emit(note, "warning")
        self.opened.emit(night)
        self.set_watching(self.watching)
        self.measure_missing()

    # --------------------------------------------------------------- watch

    @property
    def watching(self) -> bool:
        """True while new frames are looked for."""
        return self._watch_timer.isActive()

    def set_watching(self, on: bool) -> None:
        """Look for frames that arrive, or stop looking."""
        if self._watcher.directories():
            self._watcher.removePaths(self._watcher.directories())
        self._sizes.clear()
        if on:
            if self._session.night is not None:
                self._watcher.addPath(str(self._session.night))
            self._watch_timer.start()
        else:
            self._watch_timer.stop()

    def _touched(self, _folder: str) -> None:
        if not self._lane.busy:
            QTimer.singleShot(200, self._look)

    def _look(self) -> None:
        """Look whether files came that no longer grow; only then read them."""
        night = self._session.night
        if night is None or self._lane.busy or not self.watching:
            return
        self._doing = "look"
        instrument = self._session.instrument.name if self._session.instrument else None
        sound = frozenset(row.path.name for row in self._session.table if not row.problem)
        look = partial(_look_for_new, night, instrument, sound, dict(self._taken), dict(self._sizes))
        self._lane.start("looking for new frames", look)

    def _look_finished(self, outcome: JobOutcome) -> None:
        if not outcome.ok or outcome.value is None:
            return
        self._taken, self._sizes, opened = outcome.value
        if opened is None or opened.night != self._session.night:
            return
        fresh = self._session.add_rows(opened.table)
        if fresh:
            self.arrived.emit(len(fresh))
        self.measure_missing()


def _look_for_new(
    night: Path,
    instrument: str | None,
    sound: frozenset[str],
    taken: dict[str, int],
    sizes: dict[str, int],
    reporter: Any,
) -> tuple[dict[str, int], dict[str, int], OpenedNight | None]:
    """In the job's thread: find files that are new or grew, and scan once one of them keeps its size.

    ``taken`` and ``sizes`` are the sizes of files that were dealt with and of those that are waited for. Files that
    still grow are left out of the scan.
    """
    now: dict[str, int] = {}
    for path in night.iterdir():
        if path.suffix.lower() in (".fits", ".fit", ".fts", ".fz"):
            try:
                now[path.name] = path.stat().st_size
            except OSError:
                continue
    if not taken:
        taken = {name: size for name, size in now.items() if name in sound}
    waiting = {name: size for name, size in now.items() if taken.get(name) != size}
    settled = {name for name, size in waiting.items() if size > 0 and sizes.get(name) == size}
    growing = set(waiting) - settled
    if not settled or (growing and instrument and get(instrument).naming.pattern is not None):
        # Raw files that get a standard name are left alone until the last of them is whole.
        return taken, waiting, None
    opened = open_night(night, instrument)(reporter)
    rows = tuple(row for row in opened.table if row.path.name not in growing)
    table = FrameTable(opened.table.folder, opened.table.instrument, rows, opened.table.notes)
    taken = {**taken, **{name: waiting[name] for name in settled}}
    left = {name: size for name, size in waiting.items() if name in growing}
    return taken, left, replace(opened, table=table)
