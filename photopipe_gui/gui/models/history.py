"""Undo and redo of decisions, as steps that fit into the session file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: Older steps fall off the end; a night of decisions stays far below.
LENGTH = 1000

#: Verdict by hand on a frame: True keeps, False rejects, None leaves it to the rule.
Hand = bool | None
#: amin, amax, reject saturated.
Bounds = tuple[float, float, bool]


@dataclass(frozen=True, slots=True)
class Step:
    """One decision: what it was and what it became.

    Attributes
    ----------
    text : str
        For the observer: ``"reject 20130716T031009C1f"``.
    hand : mapping of frame id to (before, after)
    limits : mapping of frame type to (before, after)
    """

    text: str
    hand: Mapping[str, tuple[Hand, Hand]] = field(default_factory=dict)
    limits: Mapping[str, tuple[Bounds, Bounds]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the step as plain types."""
        return {
            "text": self.text,
            "hand": {name: list(pair) for name, pair in self.hand.items()},
            "limits": {name: [list(before), list(after)] for name, (before, after) in self.limits.items()},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Step:
        """Build a step from plain types; KeyError, TypeError or ValueError when they do not fit."""
        hand = {str(name): (_hand(pair[0]), _hand(pair[1])) for name, pair in content["hand"].items()}
        limits = {str(name): (_bounds(pair[0]), _bounds(pair[1])) for name, pair in content["limits"].items()}
        return cls(str(content["text"]), hand, limits)

    def merged(self, later: Step) -> Step:
        """Return this step and a later one of the same limits as one."""
        limits = {name: (before, later.limits[name][1]) for name, (before, _) in self.limits.items()}
        return Step(later.text, self.hand, limits)


def _hand(value: object) -> Hand:
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"{value!r} is no verdict")
    return value


def _bounds(value: Any) -> Bounds:
    amin, amax, reject = value
    return float(amin), float(amax), bool(reject)


class History:
    """Steps taken, and how many of them are in effect."""

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._position = 0
        self._open = False

    def push(self, step: Step, merge: bool = False) -> None:
        """Add a step that was taken; what had been undone is forgotten.

        With ``merge`` it becomes part of the step before when that was pushed with ``merge`` for the same limits and
        `close` was not called since: one drag of a slider is one step.
        """
        del self._steps[self._position :]
        last = self._steps[-1] if self._steps else None
        if merge and self._open and last is not None and set(last.limits) == set(step.limits) and not step.hand:
            self._steps[-1] = last.merged(step)
        else:
            self._steps.append(step)
            del self._steps[:-LENGTH]
        self._position = len(self._steps)
        self._open = merge

    def close(self) -> None:
        """End of a drag: the next step stands alone."""
        self._open = False

    def undo(self) -> Step | None:
        """Return the step to take back, None at the opening."""
        if not self._position:
            return None
        self._open = False
        self._position -= 1
        return self._steps[self._position]

    def redo(self) -> Step | None:
        """Return the step to take again, None when nothing was undone."""
        if self._position >= len(self._steps):
            return None
        self._position += 1
        return self._steps[self._position - 1]

    @property
    def undo_text(self) -> str:
        """What `undo` would take back; empty at the opening."""
        return self._steps[self._position - 1].text if self._position else ""

    @property
    def redo_text(self) -> str:
        """What `redo` would do again; empty when nothing was undone."""
        return self._steps[self._position].text if self._position < len(self._steps) else ""

    def as_json(self) -> tuple[list[dict[str, Any]], int]:
        """Return the steps as plain types, and the position."""
        return [step.as_json() for step in self._steps], self._position

    def load(self, steps: Iterable[Any], position: object) -> None:
        """Take over saved steps; damaged ones start an empty history."""
        try:
            self._steps = [Step.from_json(step) for step in steps][-LENGTH:]
        except (KeyError, TypeError, ValueError, AttributeError):
            self._steps = []
        valid = isinstance(position, int) and 0 <= position <= len(self._steps)
        self._position = position if valid else len(self._steps)  # type: ignore[assignment]
        self._open = False
