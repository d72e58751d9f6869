"""What a product was made from, as a short text in its header: the ground for "done already"."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from ..errors import FrameError
from ..instruments.rawheader import read_layout

WRITER = "photopipe_gui"
DIGEST_KEY = "PPDIGEST"
WRITER_KEY = "PPWRITER"


def _plain(value: object) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in sorted(value.items(), key=lambda pair: str(pair[0]))}
    if isinstance(value, float):
        return repr(value)
    if value is None or isinstance(value, (str, int, bool)):
        return value
    return str(value)


def digest_of(*parts: object) -> str:
    """Return a digest of values: text, numbers, paths, lists, mappings, dataclasses of these."""
    text = json.dumps(_plain(parts), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def file_mark(path: Path) -> tuple[str, int, int]:
    """Return name, size and time of change (ns) of a file: what tells that it is still the same.

    Raises
    ------
    FrameError
        When the file is gone.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        raise FrameError(path, f"it cannot be found ({error.strerror})", "Choose the frames again.") from error
    return path.name, status.st_size, status.st_mtime_ns


def _card(path: Path, key: str) -> str:
    try:
        return str(read_layout(path).cards.get(key, ""))
    except FrameError:
        return ""


def recorded_digest(path: Path) -> str:
    """Return the digest in a product's header; empty when it has none, or is missing, damaged or cut short."""
    return _card(path, DIGEST_KEY)


def is_ours(path: Path) -> bool:
    """Return whether this program wrote a file."""
    return _card(path, WRITER_KEY) == WRITER


def digest_or_mark(path: Path) -> str:
    """Return the digest of one of our products; for a foreign file a digest of its name, size and time."""
    return (recorded_digest(path) if is_ours(path) else "") or digest_of(file_mark(path))
