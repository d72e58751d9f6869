"""What runs, in the status bar."""

from __future__ import annotations

import time

from PyQt6.QtCore import QObject

from ..reduction.progress import Progress
from .jobs import JobOutcome, JobRunner, Jobs
from .widgets.status_bar import StatusBar

_SOON_S = 2.0  # before that, the time left is a guess


class JobStatus(QObject):
    """Shows the main job, or the side job while there is no main one."""

    def __init__(self, jobs: Jobs, bar: StatusBar, parent: QObject) -> None:
        super().__init__(parent)
        self._jobs, self._bar = jobs, bar
        self._began: dict[JobRunner, float] = {}
        for lane in (jobs.main, jobs.side):
            lane.started.connect(self._started)
            lane.progressed.connect(self._progressed)
            lane.finished.connect(self._finished)

    def _behind(self) -> bool:
        return self.sender() is self._jobs.side and self._jobs.main.busy

    def _started(self, name: str) -> None:
        lane = self.sender()
        if isinstance(lane, JobRunner):
            self._began[lane] = time.monotonic()
        if not self._behind() and not name.startswith("looking"):
            self._bar.start_job(name)

    def _progressed(self, event: Progress) -> None:
        lane = self.sender()
        if self._behind() or not isinstance(lane, JobRunner):
            return
        spent = time.monotonic() - self._began.get(lane, time.monotonic())
        known = event.done and event.total and spent > _SOON_S
        self._bar.show_job(event, spent / event.done * (event.total - event.done) if known else None)

    def _finished(self, _outcome: JobOutcome) -> None:
        if not self._jobs.main.busy:
            self._bar.clear_job()
