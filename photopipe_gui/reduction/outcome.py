"""What became of each frame at each step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

Value = float | int | str | bool


class Status(StrEnum):
    """State of one frame (or group) at one step.

    ``done``: the product was made in this run. ``skipped``: it was there already, from the same inputs and
    parameters, or the step does not apply; the reason says which. ``dropped``: the frame left the run, at this step
    (by a rule) or earlier. ``failed``: something went wrong with it here.
    """

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    SKIPPED = "skipped"
    DROPPED = "dropped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One cell of the frame-by-step matrix.

    Attributes
    ----------
    frame : str
        Name of the frame (stem of the selected file) or of the group product (``coaddX_..._i``).
    step : str
        One of the eight step names.
    reason : str
        Why it was skipped, dropped or failed, in words; empty when done.
    seconds : float
        Wall-clock time spent on this cell.
    product : str
        Path of the file written or found, empty when there is none.
    measurements : mapping
        Numbers the step found, e.g. ``{"NPZAP": 123}``.
    """

    frame: str
    step: str
    status: Status
    reason: str = ""
    seconds: float = 0.0
    product: str = ""
    measurements: Mapping[str, Value] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as plain types."""
        plain = asdict(self)
        plain["status"] = str(self.status)
        return plain


def count_by_status(outcomes: Iterable[Outcome]) -> dict[Status, int]:
    """Return how many outcomes have each status."""
    counts = dict.fromkeys(Status, 0)
    for outcome in outcomes:
        counts[outcome.status] += 1
    return counts
