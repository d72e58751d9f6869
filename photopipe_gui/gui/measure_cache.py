"""Measurements and thumbnails kept between sessions, so that a night opens at once the second time."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import sqlite3
import time
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..reduction.measure import FrameStats
from ..reduction.table import FrameRow

log = logging.getLogger(__name__)

#: Raised whenever what is measured, or how, changes: older entries are then measured again.
VERSION = 1
#: Some 12,000 frames; the longest unused go first.
LIMIT_BYTES = 500 * 1024**2
_AT_ONCE = 400
_THUMBNAIL = "thumbnail"
_NOT_KEPT = "preview"  # the thumbnail is kept instead

Entry = tuple[FrameStats, NDArray[np.uint8] | None]


def key_of(row: FrameRow) -> str:
    """Return what identifies a measurement: the file as it is now, the part of it, the level it is compared with.

    Empty when the file cannot be looked at.
    """
    try:
        stat = row.path.stat()
    except OSError:
        return ""
    area = tuple(row.area) if row.area is not None else ()
    what = (VERSION, str(row.path), stat.st_size, stat.st_mtime_ns, row.frame_id, row.ftype, area, row.saturation)
    return json.dumps(what)


class MeasureCache:
    """A small database in the user's cache folder. Trouble with it costs time, never a measurement."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        base = sqlite3.connect(self._path, timeout=5)
        try:
            base.execute(
                "create table if not exists frames"
                " (key text primary key, used real, plain text, arrays blob)"
            )
            yield base
            base.commit()
        finally:
            base.close()

    def load(self, rows: Sequence[FrameRow]) -> dict[str, Entry]:
        """Return what is known of frames, by frame id."""
        keys = {key: row for row in rows if (key := key_of(row))}
        found: dict[str, Entry] = {}
        try:
            with self._open() as base:
                names = list(keys)
                for start in range(0, len(names), _AT_ONCE):
                    part = names[start : start + _AT_ONCE]
                    marks = ",".join("?" * len(part))
                    query = f"select key, plain, arrays from frames where key in ({marks})"
                    for key, plain, arrays in base.execute(query, part):
                        found[keys[key].frame_id] = _unpacked(plain, arrays)
                    base.execute(f"update frames set used = ? where key in ({marks})", (time.time(), *part))
        except (sqlite3.Error, OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
            log.warning("The measurements of earlier sessions cannot be read (%s): frames are measured again.", error)
            self._remove()
            return {}
        return found

    def store(self, entries: Iterable[tuple[FrameRow, FrameStats, NDArray[np.uint8] | None]]) -> None:
        """Keep measurements; frames with a problem are not kept, they may be whole next time."""
        rows = []
        for row, stats, thumbnail in entries:
            key = key_of(row)
            if key and not stats.problem:
                rows.append((key, time.time(), *_packed(stats, thumbnail)))
        try:
            with self._open() as base:
                base.executemany("insert or replace into frames values (?,?,?,?)", rows)
                self._shorten(base)
        except (sqlite3.Error, OSError) as error:
            log.warning("Measurements cannot be kept for the next session (%s).", error)

    def _shorten(self, base: sqlite3.Connection) -> None:
        """Remove the longest unused quarter when the file is too large."""
        if self._path.stat().st_size < LIMIT_BYTES:
            return
        count = base.execute("select count(*) from frames").fetchone()[0]
        base.execute("delete from frames where key in (select key from frames order by used limit ?)", (count // 4,))
        base.commit()
        base.execute("vacuum")

    def _remove(self) -> None:
        """A damaged file would be in the way for ever."""
        with contextlib.suppress(OSError):
            self._path.unlink()


def _packed(stats: FrameStats, thumbnail: NDArray[np.uint8] | None) -> tuple[str, bytes]:
    """Return the numbers as text, and the arrays as one block of bytes."""
    values = {one.name: getattr(stats, one.name) for one in fields(stats) if one.name != _NOT_KEPT}
    arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    if thumbnail is not None:
        arrays[_THUMBNAIL] = thumbnail
    block = io.BytesIO()
    np.savez(block, **arrays)
    return json.dumps({name: value for name, value in values.items() if name not in arrays}), block.getvalue()


def _unpacked(plain: str, arrays: bytes) -> Entry:
    with np.load(io.BytesIO(arrays), allow_pickle=False) as block:
        kept = {name: block[name] for name in block.files}
    thumbnail = kept.pop(_THUMBNAIL, None)
    return FrameStats(**json.loads(plain), **kept), thumbnail
