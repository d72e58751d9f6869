"""Choosing the night: dialog, recent nights, demo night, instrument, watching."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtWidgets import QMenu, QWidget

from ..paths import demo_folder
from .jobs import JobOutcome, Jobs
from .models.night import NightModel
from .night_loader import NightLoader
from .settings import Settings
from .tasks import OpenedNight, Workers, make_demo_night
from .widgets import dialogs

_DEMO_JOB = "making the demo night"


class NightDesk(QObject):
    """Everything that leads to another night.

    Signals
    -------
    refused(str)
        Why a night could not be opened; empty when another attempt begins.
    said(str, str)
        A sentence and its level.
    """

    refused = pyqtSignal(str)
    said = pyqtSignal(str, str)

    def __init__(
        self, session: NightModel, jobs: Jobs, workers: Workers, settings: Settings, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._window, self._session, self._jobs, self._settings = parent, session, jobs, settings
        self.loader = NightLoader(session, jobs, workers, self)
        self._asked: Path | None = None
        self.loader.opened.connect(self._opened)
        self.loader.refused.connect(self.refused)
        self.loader.said.connect(self.said)
        self.loader.arrived.connect(self._arrived)
        jobs.main.finished.connect(self._job_finished)

    def ask(self) -> None:
        """Ask for a folder and open it."""
        recent = self._settings.recent()
        start = str(self._session.night or (recent[0].parent if recent else Path.home()))
        folder = dialogs.pick_folder(self._window, "Open a night", start)
        if folder:
            self.open(Path(folder))

    def open(self, path: Path, instrument: str | None = None) -> None:
        """Open a night; reading goes on in the background."""
        if self._jobs.main.busy:
            self.said.emit("A job is running on this night: stop it before another night is opened.", "warning")
            return
        self._asked = path
        self.refused.emit("")
        self.loader.open(path, instrument or None)

    def open_demo(self) -> None:
        """Open the demo night; it is made the first time."""
        self.refused.emit("")
        if not self._jobs.main.start(_DEMO_JOB, make_demo_night(demo_folder())):
            self.said.emit("Another job is running: wait, or stop it.", "warning")

    def use_instrument(self, name: str) -> None:
        """Read the night as of another instrument (empty: as the headers say)."""
        night = self._session.night or self._asked
        if night is not None:
            self.open(night, name or None)

    def watch(self, on: bool) -> None:
        """Take in frames as they arrive, or stop doing so."""
        self.loader.set_watching(on)
        self.said.emit("Watching: frames that arrive are taken in." if on else "Watching ended.", "info")

    def fill_recent(self, menu: QMenu) -> None:
        """List recent nights and the demo night in a menu."""
        menu.clear()
        for night in self._settings.recent():
            menu.addAction(str(night), partial(self.open, night))
        if menu.isEmpty():
            menu.addAction("No recent nights").setEnabled(False)
        menu.addSeparator()
        menu.addAction("Try the demo night", self.open_demo)

    def _opened(self, night: OpenedNight) -> None:
        self._settings.add_recent(night.night)
        title = night.instrument.title if night.instrument else ""
        self.said.emit(f"{night.night.name}: {len(night.table)} frames of {title}.", "info")
        if not len(night.table):
            self.said.emit("There are no raw frames in this folder yet. Watch takes them in as they arrive.", "warning")

    def _arrived(self, count: int) -> None:
        self.said.emit(f"{count} new frame{'s' if count != 1 else ''} arrived.", "info")

    def _job_finished(self, outcome: JobOutcome) -> None:
        if outcome.name != _DEMO_JOB:
            return
        if outcome.ok:
            self.open(outcome.value)
        elif outcome.state == "failed":
            self.refused.emit(f"The demo night could not be made: {outcome.error}")
