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
#: Plain lines on a job that runs come no more often than this (s).
_PLAIN_EVERY = 2.0


def make_console(error: bool = False) -> Console:
    """Return the console; where it is no terminal it writes no control characters and wraps nothing."""
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    if stream.isatty():
        return Console(stderr=error, highlight=False)
    return Console(stderr=error, highlight=False, color_system=None, force_terminal=False, soft_wrap=True, width=200)


class PlainReporter:
    """A line when a job begins, one at each tenth of a long one and one at its end; safe from any thread.

    A job that begins with something done already is a part of the one before: it is mentioned when it takes long.
    """

    def __init__(self, interrupt: Interrupt, quiet: bool = False) -> None:
        self._interrupt, self._quiet = interrupt, quiet
        self._lock = threading.Lock()
        self._job, self._done, self._tenth = "", 0, 0
        self._began = self._said = time.monotonic()

    def _line(self, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
        self._said = time.monotonic()

    def _is_new(self, event: Progress) -> bool:
        new = event.job != self._job or event.done < self._done or (event.done == 0 and self._done > 0)
        self._done = event.done
        if new:
            self._job, self._tenth, self._began = event.job, 0, time.monotonic()
        return new

    def progress(self, event: Progress) -> None:
        """Write a line when a job begins, has moved on by a tenth, or ends."""
        if self._quiet or not event.total:
            return
        with self._lock:
            now = time.monotonic()
            tenth = 10 * event.done // event.total
            if self._is_new(event):
                tell = event.done == 0 or now - self._said > _PLAIN_EVERY
            elif event.done >= event.total:
                tell = self._tenth < 10 and (now - self._began > _PLAIN_EVERY or event.failed > 0)
            else:
                tell = tenth > self._tenth and now - self._said > _PLAIN_EVERY
            if not tell:
                return
            self._tenth = tenth
            lost = f", {event.failed} lost" if event.failed else ""
            item = f" ({event.item})" if event.item and event.done == 0 else ""
            self._line(f"{event.job}: {event.done}/{event.total}{lost}{item}")

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
    """A bar for each job on the terminal, one more for the part of it in work; messages scroll above them."""

    def __init__(self, interrupt: Interrupt, console: Console) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        super().__init__(interrupt)
        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
            refresh_per_second=8,
        )
        self._main: Any = None
        self._main_job = ""
        self._part: Any = None

    def progress(self, event: Progress) -> None:
        """Move the bar of the job, a new one when the job is new."""
        if not event.total:
            return
        with self._lock:
            if self._is_new(event):
                self._begin(event)
            task = self._part if self._part is not None else self._main
            note = f"{event.failed} lost" if event.failed else ""
            self._bars.update(task, completed=event.done, total=event.total, note=note)

    def _begin(self, event: Progress) -> None:
        """Start a bar: of a job (nothing is done yet), or of a part of the one that runs."""
        if self._part is not None:
            self._bars.remove_task(self._part)
            self._part = None
        if self._main is not None and event.done > 0:
            self._part = self._bars.add_task(f"  {event.job}", total=event.total, note="")
        elif event.job != self._main_job:
            self._finish_main()
            self._main, self._main_job = self._bars.add_task(event.job, total=event.total, note=""), event.job
        else:
            self._bars.update(self._main, note=event.item)

    def _finish_main(self) -> None:
        """Fill the bar of a job whose parts have told how it went."""
        if self._main is not None and not self.cancelled():
            task = self._bars.tasks[self._bars.task_ids.index(self._main)]
            self._bars.update(self._main, completed=task.total)
            self._bars.stop_task(self._main)

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
        with self._lock:
            if self._part is not None:
                self._bars.remove_task(self._part)
            self._finish_main()
        self._bars.stop()


def make_reporter(interrupt: Interrupt, quiet: bool = False) -> PlainReporter:
    """Return bars on a terminal, plain lines elsewhere."""
    if quiet or not sys.stdout.isatty():
        return PlainReporter(interrupt, quiet)
    return BarReporter(interrupt, make_console())
