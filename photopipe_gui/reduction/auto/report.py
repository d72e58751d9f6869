"""The report of a run: what became of each frame at each step, on disk and as text."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ... import __version__
from ..fitsio import write_text
from ..outcome import Outcome, Status, Value

SCHEMA = 1
#: How a run ended.
RUNNING, FINISHED, STOPPED, BROKEN = "running", "finished", "stopped", "broken"


@dataclass
class RunReport:
    """What a run did.

    Attributes
    ----------
    outcomes : dict of (frame, step) to Outcome
    results : dict of str to mapping
        Facts of each coadd, by file name.
    seconds : dict of step to float
    lost : tuple of str
        One sentence a frame that did not reach the last step.
    state : str
        ``running``, ``finished``, ``stopped`` (by the observer) or ``broken`` (by an error in the program).
    """

    steps: tuple[str, ...] = ()
    outcomes: dict[tuple[str, str], Outcome] = field(default_factory=dict)
    results: dict[str, Mapping[str, Value]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    params: Mapping[str, Any] = field(default_factory=dict)
    state: str = RUNNING
    started: str = field(default_factory=lambda: now())
    finished: str = ""
    fingerprint: str = ""
    coadds: list[str] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Take an outcome, in place of an earlier one of the same frame and step."""
        self.outcomes[outcome.frame, outcome.step] = outcome

    @property
    def lost(self) -> tuple[Outcome, ...]:
        """The outcomes at which frames failed or were dropped by a step, one a frame."""
        first: dict[str, Outcome] = {}
        for outcome in self.outcomes.values():
            if outcome.status in (Status.FAILED, Status.DROPPED):
                first.setdefault(outcome.frame, outcome)
        return tuple(first.values())

    def lost_sentences(self) -> list[str]:
        """Return one sentence a lost frame."""
        return [f"{o.frame}: {o.status} at {o.step}, {o.reason}" for o in self.lost]

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain types."""
        return {
            "schema": SCHEMA,
            "program": f"photopipe_gui {__version__}",
            "state": self.state,
            "started": self.started,
            "finished": self.finished,
            "steps": list(self.steps),
            "params": dict(self.params),
            "fingerprint": self.fingerprint,
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            "coadds": list(self.coadds),
            "results": {name: dict(facts) for name, facts in self.results.items()},
            "lost": self.lost_sentences(),
            "messages": list(self.messages),
            "frames": [outcome.as_json() for outcome in self.outcomes.values()],
        }


def now() -> str:
    """Return the time, UTC, ISO."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def save_report(path: Path, report: RunReport) -> None:
    """Write the report atomically."""
    write_text(path, json.dumps(_finite(report.as_json()), indent=1, ensure_ascii=False) + "\n")


def _finite(value: Any) -> Any:
    """JSON has no NaN: a number that is not finite becomes null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, (int, str, bool)) or value is None:
        return value
    number = float(value)
    return number if number == number and abs(number) != float("inf") else None


def load_report(path: Path) -> RunReport | None:
    """Read a report; None when there is none, or it is damaged (it is only a report: the products tell)."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        report = RunReport(
            tuple(content["steps"]),
            {},
            dict(content["results"]),
            dict(content["seconds"]),
            list(content["messages"]),
            dict(content["params"]),
            str(content["state"]),
            str(content["started"]),
            str(content["finished"]),
            str(content["fingerprint"]),
            list(content["coadds"]),
        )
        for entry in content["frames"]:
            report.add(Outcome(**{**entry, "status": Status(entry["status"])}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return report


def merge_earlier(report: RunReport, earlier: RunReport | None, frames: Iterable[str], steps: Iterable[str]) -> None:
    """Take over what an earlier run said of steps that this one does not run."""
    if earlier is None:
        return
    names, running = set(frames), set(steps)
    for (frame, step), outcome in earlier.outcomes.items():
        if frame in names and step not in running:
            report.outcomes.setdefault((frame, step), outcome)
