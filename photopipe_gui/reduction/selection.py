"""Verdicts on frames, and the selection files that scripts exchange."""

from __future__ import annotations

import datetime
import io
import json
import pickle
import pickletools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..errors import UsageError
from .fitsio import atomic_write, write_text
from .table import FrameRow, FrameTable

FrameLists = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a frame is kept, by whom, and why in words (empty: kept, nothing to say)."""

    keep: bool
    by: Literal["rule", "hand"] = "rule"
    reason: str = ""


@dataclass(frozen=True)
class Selection:
    """The verdict on every row of a table, by frame id."""

    verdicts: Mapping[str, Verdict] = field(default_factory=dict)

    def keeps(self, frame_id: str) -> bool:
        """Return whether a frame is kept; a frame without a verdict is not."""
        verdict = self.verdicts.get(frame_id)
        return verdict is not None and verdict.keep

    def kept(self, table: FrameTable) -> tuple[FrameRow, ...]:
        """Return the kept rows of a table, in its order."""
        return tuple(row for row in table if self.keeps(row.frame_id))


class _PlainUnpickler(pickle.Unpickler):
    """Reads containers and text; anything that needs an import is refused, since a pickle can run code."""

    def find_class(self, module: str, name: str) -> Any:
        raise UsageError(f"it wants to load {module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        raise UsageError("it refers to objects outside itself")


#: What a pickle of dictionaries, lists and text is written with; others are not even tried.
_PLAIN_OPCODES = {
    "PROTO", "FRAME", "STOP", "MARK", "EMPTY_DICT", "DICT", "SETITEM", "SETITEMS", "EMPTY_LIST", "LIST", "APPEND",
    "APPENDS", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "STRING", "SHORT_BINSTRING", "BINSTRING",
    "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "PUT", "BINPUT", "LONG_BINPUT", "GET", "BINGET",
    "LONG_BINGET", "MEMOIZE",
}  # fmt: skip


def _unpickle(data: bytes) -> object:
    """Return the content of a pickle of plain containers; damaged ones raise whatever their reading raises."""
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name not in _PLAIN_OPCODES:
            raise UsageError(f"it holds something else than dictionaries, lists and text ({opcode.name})")
        if opcode.name.endswith("PUT") and isinstance(argument, int) and argument > len(data):
            raise UsageError("it numbers more objects than it can hold")
    return _PlainUnpickler(io.BytesIO(data), encoding="latin-1").load()


def _plain_lists(content: object, path: Path) -> FrameLists:
    """Check that a selection is a dictionary of lists of text."""
    if not isinstance(content, dict):
        raise UsageError(f"{path.name} is no selection: it holds a {type(content).__name__}, not a dictionary.")
    lists: FrameLists = {}
    for key, names in content.items():
        if not isinstance(key, str) or not isinstance(names, (list, tuple)):
            raise UsageError(f"{path.name} is no selection: the entry {key!r} is not a list of frames.")
        if not all(isinstance(name, str) for name in names):
            raise UsageError(f"{path.name} is no selection: the list {key!r} holds something that is not a path.")
        lists[key] = list(names)
    return lists


def load_selection(path: Path | str) -> FrameLists:
    """Read a selection file, ``.json`` or ``.p``.

    Raises
    ------
    UsageError
        When it is missing, damaged, or holds anything but a dictionary of lists of text.
    """
    path = Path(path).expanduser()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"The selection {path} cannot be read ({error.strerror}).") from error
    try:
        if path.suffix == ".json":
            return _plain_lists(json.loads(data.decode("utf-8")), path)
        return _plain_lists(_unpickle(data), path)
    except UsageError as error:
        text = str(error)
        message = text if text.startswith(path.name) else f"The selection {path.name} is refused: {text}."
        raise UsageError(message) from error
    except Exception as error:
        raise UsageError(f"The selection {path.name} is damaged ({error}). Choose the frames again.") from error


def save_selection(lists: Mapping[str, list[str]], night: Path | str, ftype: str) -> Path:
    """Save a selection in the night as ``<type>_<time>.json`` and the same as ``.p``; return the JSON path.

    The time is now, UTC, to the second; a further selection in one second gets a counter.
    """
    night = Path(night)
    stem = f"{ftype}_{datetime.datetime.now(datetime.UTC).strftime('%Y%m%dT%H%M%S')}"
    target, counter = night / f"{stem}.json", 1
    while target.exists():
        counter += 1
        target = night / f"{stem}-{counter}.json"
    plain = {str(key): [str(name) for name in names] for key, names in lists.items()}
    write_text(target, json.dumps(plain, indent=1, ensure_ascii=False) + "\n")
    with atomic_write(target.with_suffix(".p"), durable=True) as stream:
        pickle.dump(plain, stream, protocol=2)
    return target
