"""What the masters on disk are: read from their headers, without Qt and off the UI thread."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import FrameError
from ...instruments.model import Instrument
from ...reduction.fitsio import read_layout
from ...reduction.selection import Selection
from ...reduction.table import FrameTable
from .masters import MasterEntry, MasterFacts, judge_state, list_masters

_INPUT = re.compile(r"^IMCMB\d+$")


def read_facts(path: Path) -> MasterFacts | None:
    """Read the header of a master; None when there is no such file."""
    try:
        changed = path.stat().st_mtime
    except OSError:
        return None
    try:
        cards: Mapping[str, Any] = read_layout(path).cards
    except FrameError as error:
        return MasterFacts(path, changed=changed, problem=f"{error.reason}. {error.remedy}".strip())
    inputs = tuple(frame_id(str(value)) for key, value in cards.items() if _INPUT.match(key))
    return MasterFacts(path, inputs, dict(cards), changed)


def frame_id(name: str) -> str:
    """Return the frame id of an input's name, with or without folder and ending."""
    base = name.strip().replace("\\", "/").rsplit("/", 1)[-1]
    for ending in (".fits.fz", ".fits.gz", ".fits", ".fit"):
        if base.lower().endswith(ending):
            return base[: -len(ending)]
    return base


def read_all(entries: tuple[MasterEntry, ...]) -> dict[Path, MasterFacts]:
    """Read the headers of those masters that exist."""
    found = {entry.path: read_facts(entry.path) for entry in entries}
    return {path: facts for path, facts in found.items() if facts is not None}


def survey(
    instrument: Instrument, table: FrameTable, selection: Selection, folder: Path, fmin: int
) -> tuple[MasterEntry, ...]:
    """Return the masters of a night with their state on disk."""
    entries = list_masters(instrument, table, selection, folder)
    facts = read_all(entries)
    return tuple(judge_state(entry, facts, {}, fmin) for entry in entries)
