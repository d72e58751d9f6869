"""Progress out of a job and cancellation into it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Literal, Protocol

from ..errors import Cancelled

Level = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a job stands.

    Attributes
    ----------
    job : str
        What runs, as shown to the observer: ``"crclean"``, ``"master flat i"``.
    done, total : int
        Items finished (well or badly) and items in all; ``total`` 0 when unknown.
    failed : int
        Items that failed or dropped out.
    item : str
        The file or group in work.
    """

    job: str
    done: int
    total: int
    failed: int = 0
    item: str = ""


class Reporter(Protocol):
    """What a long call of the engine talks to. Implementations must be safe to call from any thread."""

    def progress(self, event: Progress) -> None:
        """Take note of where the job stands."""

    def message(self, text: str, level: Level = "info") -> None:
        """Show one sentence."""

    def result(self, item: object) -> None:
        """Take a finished piece (an `Outcome`, a `FrameStats`, a `MasterResult`) while the job goes on."""

    def cancelled(self) -> bool:
        """Return True when the observer asked to stop."""


@dataclass
class SilentReporter:
    """Collects messages and results; `cancel` stops the job at its next check."""

    messages: list[tuple[Level, str]] = field(default_factory=list)
    results: list[object] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event, repr=False)

    def progress(self, event: Progress) -> None:
        """Ignore."""

    def message(self, text: str, level: Level = "info") -> None:
        """Keep."""
        self.messages.append((level, text))

    def result(self, item: object) -> None:
        """Keep."""
        self.results.append(item)

    def cancel(self) -> None:
        """Ask the job to stop."""
        self._stop.set()

    def cancelled(self) -> bool:
        """Return True after `cancel`."""
        return self._stop.is_set()


def check_cancelled(reporter: Reporter) -> None:
    """Raise `Cancelled` when the observer asked to stop."""
    if reporter.cancelled():
        raise Cancelled("Stopped by the observer.")
