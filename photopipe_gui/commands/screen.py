"""Progress and messages on a terminal (bars) or anywhere else (plain lines)."""

from __future__ import annotations

import logging
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from ..reduction.progress import Level, Progress
from .session import Interrupt

if TYPE_CHECKING:
    from rich.console import Console

_log = logging.getLogger("photopipe_gui.run")
_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
#: Plain lines: one at the start of a job, one at each tenth of it, never more often than this (s).
_PLAIN_EVERY = 1.0


def make_console(error: bool = False) -> Console:
    """Return the console; where it is no terminal it writes no control characters and wraps nothing."""
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    if stream.isatty():
        return Console(stderr=error, highlight=False)
    return Console(stderr=error, highlight=False, color_system=None, force_terminal=False, soft_wrap=True, width=200)


class PlainReporter:
    """One line a job and one about every tenth of it; safe from any thread."""

    def __init__(self, interrupt: Interrupt, quiet: bool = False) -> None:
        self._interrupt, self._quiet = interrupt, quiet
        self._lock = threading.Lock()
        self._job, self._done, self._tenth, self._said = "", 0, -1, 0.0

    def _line(self, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def progress(self, event: Progress) -> None:
        """Write a line when a job begins, ends, or has moved on by a tenth."""
        if self._quiet:
            return
        with self._lock:
            tenth = 10 * event.done // event.total if event.total else 0
            finished = event.total > 0 and event.done >= event.total
            new = event.job != self._job or event.done < self._done
            self._done = event.done
            moved = tenth != self._tenth and time.monotonic() - self._said > _PLAIN_EVERY
            if not event.total or (finished and self._tenth == 10 and not new) or not (new or moved or finished):
                return
            self._job, self._tenth, self._said = event.job, tenth, time.monotonic()
            lost = f", {event.failed} lost" if event.failed else ""
            self._line(f"{event.job}: {event.done}/{event.total}{lost}")

    def message(self, text: str, level: Level = "info") -> None:
        """Write a sentence; warnings and errors say that they are."""
        _log.log(_LEVELS[level], "%s", text)
        if self._quiet and level == "info":
            return
        with self._lock:
            self._line(text if level == "info" else f"{level}: {text}")

    def result(self, item: object) -> None:
        """The summary at the end holds the results."""

    def cancelled(self) -> bool:
        """Return whether Ctrl-C was pressed."""
        return self._interrupt.event.is_set()

    def __enter__(self) -> PlainReporter:
        return self

    def __exit__(self, *_: object) -> None:
        return


class BarReporter(PlainReporter):
    """A bar for each job on the terminal; messages scroll above it."""

    def __init__(self, interrupt: Interrupt, console: Console) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        super().__init__(interrupt)
        self._bars = Bars(
            TextColumn("{task.description:<26}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
            refresh_per_second=8,
        )
        self._task: Any = None

    def progress(self, event: Progress) -> None:
        """Move the bar of the job, a new one when the job is new."""
        with self._lock:
            total = event.total or None
            if event.job != self._job or event.done < self._done:
                if not event.total:
                    return
                self._job, self._done = event.job, 0
                self._task = self._bars.add_task(event.job, total=total, note="")
            self._done = event.done
            note = f"{event.failed} lost" if event.failed else ""
            self._bars.update(self._task, completed=event.done, total=total, note=note)

    def message(self, text: str, level: Level = "info") -> None:
        """Print a sentence above the bars."""
        from rich.text import Text

        _log.log(_LEVELS[level], "%s", text)
        style = {"info": "", "warning": "yellow", "error": "red"}[level]
        self._bars.console.print(Text(text if level == "info" else f"{level}: {text}", style=style))

    def __enter__(self) -> BarReporter:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()


def make_reporter(interrupt: Interrupt, quiet: bool = False) -> PlainReporter:
    """Return bars on a terminal, plain lines elsewhere."""
    if quiet or not sys.stdout.isatty():
        return PlainReporter(interrupt, quiet)
    return BarReporter(interrupt, make_console())
