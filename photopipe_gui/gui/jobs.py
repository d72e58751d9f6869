"""Work off the screen: one job at a time in a thread of its own, and what it says back."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PyQt6.QtCore import QObject, QThread, QTimer, pyqtSignal

from ..errors import Cancelled
from ..reduction.progress import Level, Progress, Reporter
from .reader import Reader

log = logging.getLogger(__name__)

#: Progress and results reach the screen this often (20 times a second).
INTERVAL_MS = 50
#: At most so many results are handed on in one go, so that a flood cannot hold the event loop.
BATCH = 40


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """How a job ended.

    Attributes
    ----------
    name : str
        The job's title.
    state : str
        ``done``, ``cancelled`` or ``failed``.
    value : object
        What the job returned; None unless done.
    error : BaseException or None
        What went wrong.
    details : str
        Traceback of an unexpected error, for the log.
    seconds : float
        Wall-clock time.
    """

    name: str
    state: str
    value: Any = None
    error: BaseException | None = None
    details: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """True when the job came to its end."""
        return self.state == "done"


class QtReporter:
    """The engine's reporter on the window's side: collects from any thread, the runner fetches on the UI thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._progress: Progress | None = None
        self._queue: deque[tuple[str, Any]] = deque()

    def progress(self, event: Progress) -> None:
        """Keep the newest; older ones are of no use."""
        with self._lock:
            self._progress = event

    def message(self, text: str, level: Level = "info") -> None:
        """Queue a sentence."""
        self._queue.append(("message", (text, level)))

    def result(self, item: object) -> None:
        """Queue a finished piece."""
        self._queue.append(("result", item))

    def cancel(self) -> None:
        """Ask the job to stop."""
        self._stop.set()

    def cancelled(self) -> bool:
        """Return True after `cancel`."""
        return self._stop.is_set()

    def take(self, limit: int) -> tuple[Progress | None, list[tuple[str, Any]]]:
        """Return the newest progress (None when unchanged) and up to ``limit`` queued events."""
        with self._lock:
            newest, self._progress = self._progress, None
        events = []
        while self._queue and len(events) < limit:
            events.append(self._queue.popleft())
        return newest, events

    @property
    def waiting(self) -> bool:
        """True while something is queued."""
        return bool(self._queue)


class _JobThread(QThread):
    """Runs one function; nothing leaves ``run`` but an outcome."""

    def __init__(self, name: str, function: Callable[[Reporter], Any], reporter: QtReporter, parent: QObject) -> None:
        super().__init__(parent)
        self._name, self._function, self.reporter = name, function, reporter
        self.outcome: JobOutcome | None = None

    def run(self) -> None:
        start = time.monotonic()
        state, value, error, details = "done", None, None, ""
        try:
            value = self._function(self.reporter)
        except Cancelled as caught:
            state, error = "cancelled", caught
        except BaseException as caught:
            # Whatever it was, the window goes on and the observer reads about it.
            state, error, details = "failed", caught, traceback.format_exc()
            if self.reporter.cancelled():
                state = "cancelled"
        self.outcome = JobOutcome(self._name, state, value, error, details, time.monotonic() - start)


class JobRunner(QObject):
    """Runs one job at a time in a QThread.

    Signals
    -------
    started(str)
        Title of the job.
    progressed(Progress)
        At most 20 times a second.
    message(str, str)
        A sentence and its level (``info``, ``warning``, ``error``).
    result(object)
        A finished piece, in order, while the job goes on.
    finished(JobOutcome)
        Once for each job, after its last result; the runner is free again by then.
    """

    started = pyqtSignal(str)
    progressed = pyqtSignal(object)
    message = pyqtSignal(str, str)
    result = pyqtSignal(object)
    finished = pyqtSignal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread: _JobThread | None = None
        self._kill: Callable[[], object] | None = None
        self._stops = 0
        self._ended = False
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self._deliver)

    @property
    def busy(self) -> bool:
        """True from `start` until `finished`."""
        return self._thread is not None

    @property
    def stopping(self) -> bool:
        """True after the first `stop`."""
        return self._stops > 0

    @property
    def can_kill(self) -> bool:
        """True when a second `stop` would end the worker processes."""
        return self._kill is not None

    def start(self, name: str, function: Callable[[Reporter], Any], kill: Callable[[], object] | None = None) -> bool:
        """Start a job; return False (and do nothing) while another runs.

        Parameters
        ----------
        name : str
            Title for the observer.
        function : callable
            Called in the job thread with a `Reporter`; must look at ``reporter.cancelled()`` and must not touch Qt.
        kill : callable, optional
            Called on a second `stop`: ends the worker processes of the job.
        """
        if self._thread is not None:
            return False
        self._stops, self._kill, self._ended = 0, kill, False
        thread = _JobThread(name, function, QtReporter(), self)
        thread.finished.connect(self._thread_finished)
        self._thread = thread
        self.started.emit(name)
        thread.start()
        self._timer.start()
        return True

    def stop(self) -> None:
        """Ask the job to stop; a second call kills its worker processes."""
        if self._thread is None:
            return
        self._stops += 1
        self._thread.reporter.cancel()
        if self._stops == 2 and self._kill is not None:
            self._kill()

    def close(self, timeout_ms: int = 15000) -> bool:
        """Cancel, kill if there is a way, and wait; for closing the window. True when the thread ended in time."""
        thread = self._thread
        if thread is None:
            return True
        thread.reporter.cancel()
        if self._kill is not None:
            self._kill()
        ended = thread.wait(timeout_ms)
        if ended:
            self._thread_finished()
            while self._thread is not None:
                self._deliver()
        return ended

    def _thread_finished(self) -> None:
        self._ended = True
        self._deliver()

    def _deliver(self) -> None:
        """Hand on what the job said since the last time; the end of the job comes after all of it."""
        thread = self._thread
        if thread is None:
            return
        newest, events = thread.reporter.take(BATCH)
        for kind, item in events:
            if kind == "message":
                self.message.emit(*item)
            else:
                self.result.emit(item)
        if newest is not None:
            self.progressed.emit(newest)
        if self._ended and not thread.reporter.waiting:
            self._timer.stop()
            self._thread, self._kill, self._stops = None, None, 0
            thread.wait()
            outcome = thread.outcome or JobOutcome("", "failed", error=RuntimeError("the job thread ended early"))
            thread.deleteLater()
            if outcome.details and outcome.state == "failed":
                log.warning("job %s failed:\n%s", outcome.name, outcome.details)
            self.finished.emit(outcome)


class Jobs(QObject):
    """The lanes of the window.

    Attributes
    ----------
    main : JobRunner
        Masters, reduction: what the observer starts and stops.
    side : JobRunner
        Opening and measuring a night: light work that goes on beside.
    reader : Reader
        Reads images for the screen, newest request first, with a cache.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.main = JobRunner(self)
        self.side = JobRunner(self)
        self.reader = Reader(self)

    def close(self) -> None:
        """Stop everything and wait."""
        self.reader.close()
        self.side.close()
        self.main.close()
