"""The reduction of the open night as it runs and as it is on disk: matrix, results, times."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

from ..reduction.auto.autoproc import executor_for
from ..reduction.auto.registry import STEPS
from ..reduction.outcome import Outcome, Status
from ..reduction.progress import Progress
from ..reduction.workspace import Workspace
from .jobs import JobOutcome, Jobs
from .models.results import ResultTable
from .models.run_matrix import RunMatrix
from .tasks_reduce import Closing, Planned, ReduceRequest, RunState, read_run, reduce_night

JOB_NAME = "reduction"


class ReductionRun(QObject):
    """Starts runs, takes what they report, and reads back what is on disk.

    Signals
    -------
    progressed(Progress)
        Of the run only, not of other jobs.
    ended(JobOutcome)
        The run is over; `read` follows.
    read(RunState)
        What is on disk of the last run was read.
    timesChanged(dict)
        Seconds by step so far.
    """

    progressed = pyqtSignal(object)
    ended = pyqtSignal(object)
    read = pyqtSignal(object)
    timesChanged = pyqtSignal(dict)

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self.matrix = RunMatrix([(spec.name, spec.title) for spec in STEPS], self)
        self.results = ResultTable(self)
        self.night: Path | None = None
        self._running = False
        #: Outcomes of the last run that were not there before.
        self.fresh = 0
        self._key: Any = None
        self._serial = 0
        self._times: dict[str, float] = {}
        self._step, self._began = "", 0.0
        jobs.main.progressed.connect(self._progressed)
        jobs.main.result.connect(self._took)
        jobs.main.finished.connect(self._finished)
        jobs.reader.ready.connect(self._answered)

    @property
    def running(self) -> bool:
        """True while a run of this night goes on."""
        return self._running

    def open(self, night: Path | None) -> None:
        """Show another night: what is on disk of its last run is read."""
        self.night = night
        self._key = None
        self.matrix.set_rows(())
        self.results.set_results(())
        self.timesChanged.emit({})
        self.refresh()

    def start(self, request: ReduceRequest) -> bool:
        """Start a run; False while another job runs."""
        executor = executor_for(request.params)
        job = Closing(reduce_night(request, executor), executor)
        self._running = self._jobs.main.start(JOB_NAME, job, executor.kill)
        self._times, self._step, self.fresh = {}, "", 0
        return self._running

    def refresh(self) -> None:
        """Read what is on disk of the last run."""
        night = self.night
        if night is None:
            return
        self._serial += 1
        self._key = ("run on disk", self._serial)
        self._jobs.reader.request(self._key, lambda: read_run(night))

    def product_before(self, frame: str, step: str) -> tuple[str, Path] | None:
        """Return what a step worked on: the nearest earlier product, or the selected frame."""
        before = self.matrix.product_before(frame, step)
        if before is None and self.night is not None:
            selected = Workspace.of_night(self.night).data / f"{frame}.fits"
            return ("selected", selected) if selected.is_file() else None
        return before

    def _progressed(self, event: Progress) -> None:
        if not self._running:
            return
        # Group steps name what they are at after their own name.
        step = event.job.split(" ")[0]
        if step in self.matrix.steps:
            self._clock(step)
            self.matrix.set_active(step)
        self.progressed.emit(event)

    def _clock(self, step: str) -> None:
        """Keep the wall-clock time of each step while the run goes on."""
        if step == self._step:
            return
        now = time.monotonic()
        if self._step:
            self._times[self._step] = self._times.get(self._step, 0.0) + now - self._began
            self.timesChanged.emit(dict(self._times))
        self._step, self._began = step, now

    def _took(self, item: object) -> None:
        if not self._running:
            return
        if isinstance(item, Planned):
            self.matrix.set_rows(item.rows)
        elif isinstance(item, Outcome):
            self.fresh += item.status is not Status.SKIPPED
            self.matrix.apply(item)

    def _finished(self, outcome: JobOutcome) -> None:
        if not self._running:
            return
        self._running = False
        self._clock("")
        self.matrix.end_run()
        self.ended.emit(outcome)
        self.refresh()

    def _answered(self, key: Any, value: Any) -> None:
        if key != self._key or not isinstance(value, RunState):
            return
        self.results.set_results(value.results)
        if value.state and not self._running:
            self.matrix.load(value.outcomes, value.rows)
            self.timesChanged.emit(dict(value.seconds))
        self.read.emit(value)
