"""The observer's decisions in a night: ``photopipe_session.json``, saved at every change."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .fitsio import write_text
from .preprocess.rules import Limits
from .selection import Selection, Verdict

FILE_NAME = "photopipe_session.json"
SCHEMA = 1


@dataclass(frozen=True)
class Session:
    """What is kept of a night between two starts of the program.

    Attributes
    ----------
    instrument : str
        Name of the instrument; empty when not chosen.
    cameras : tuple of int
        Cameras shown.
    limits : mapping of frame type to Limits
    hand : mapping of frame id to bool
        The observer's own verdicts.
    verdicts : mapping of frame id to Verdict
        All verdicts when it was saved, for readers other than the window.
    history : list
        What undo needs, newest last; plain types, owned by the window.
    ui : mapping
        Tab, frame, filter and the like; plain types, owned by the window.
    """

    instrument: str = ""
    cameras: tuple[int, ...] = ()
    limits: Mapping[str, Limits] = field(default_factory=dict)
    hand: Mapping[str, bool] = field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    history: tuple[Any, ...] = ()
    ui: Mapping[str, Any] = field(default_factory=dict)

    def with_selection(self, selection: Selection) -> Session:
        """Return the session with these verdicts."""
        hand = {name: verdict.keep for name, verdict in selection.verdicts.items() if verdict.by == "hand"}
        return replace(self, hand=hand, verdicts=dict(selection.verdicts))


def save_session(night: Path | str, session: Session) -> None:
    """Write the session into the night, atomically and durably.

    Raises
    ------
    NightError
        When the night cannot be written to.
    """
    frames = {
        name: {"verdict": "accept" if verdict.keep else "reject", "by": verdict.by, "reason": verdict.reason}
        for name, verdict in session.verdicts.items()
    }
    for name, keep in session.hand.items():
        if name not in frames or frames[name]["by"] != "hand":
            frames[name] = {"verdict": "accept" if keep else "reject", "by": "hand", "reason": ""}
    content = {
        "schema": SCHEMA,
        "instrument": session.instrument,
        "cameras": list(session.cameras),
        "limits": {
            ftype: {"amin": limits.amin, "amax": limits.amax, "reject_sat": limits.reject_sat}
            for ftype, limits in session.limits.items()
        },
        "frames": frames,
        "history": list(session.history),
        "ui": dict(session.ui),
    }
    write_text(Path(night) / FILE_NAME, json.dumps(content, ensure_ascii=False) + "\n")


def load_session(night: Path | str) -> tuple[Session, str]:
    """Read a night's session.

    Returns
    -------
    session : Session
        Empty when there is none.
    problem : str
        What was wrong with the file, in words; empty when all is well. A damaged file is set aside under another
        name, so that its decisions are not lost to the next save.
    """
    path = Path(night) / FILE_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it is no JSON object")
        if content.get("schema") != SCHEMA:
            raise ValueError(f"its schema is {content.get('schema')!r}, this program reads {SCHEMA}")
        return _from_json(content), ""
    except FileNotFoundError:
        return Session(), ""
    except OSError as error:
        return Session(), f"{path.name} cannot be read ({error.strerror}); the night starts without earlier decisions."
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        aside = _set_aside(path)
        kept = f" It is kept as {aside.name}." if aside else ""
        return Session(), f"{path.name} is damaged ({error}); the night starts without earlier decisions.{kept}"


def _set_aside(path: Path) -> Path | None:
    for counter in range(1, 1000):
        aside = path.with_name(f"{path.stem}.damaged-{counter}.json")
        if not aside.exists():
            try:
                os.replace(path, aside)
            except OSError:
                return None
            return aside
    return None


def _from_json(content: Mapping[str, Any]) -> Session:
    limits = {
        str(ftype): Limits(float(entry["amin"]), float(entry["amax"]), bool(entry.get("reject_sat", False)))
        for ftype, entry in content.get("limits", {}).items()
    }
    verdicts = {
        str(name): Verdict(
            entry["verdict"] == "accept", "hand" if entry.get("by") == "hand" else "rule", str(entry.get("reason", ""))
        )
        for name, entry in content.get("frames", {}).items()
    }
    return Session(
        str(content.get("instrument", "")),
        tuple(int(number) for number in content.get("cameras", [])),
        limits,
        {name: verdict.keep for name, verdict in verdicts.items() if verdict.by == "hand"},
        verdicts,
        tuple(content.get("history", [])),
        dict(content.get("ui", {})),
    )
