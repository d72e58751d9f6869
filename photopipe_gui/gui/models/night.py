"""The night on the table: frames, measurements, limits, verdicts; every decision saved at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from ...errors import PhotopipeError
from ...instruments.model import Instrument
from ...reduction.measure import FrameStats
from ...reduction.preprocess.rules import DEFAULT_LIMITS, Limits, decide
from ...reduction.selection import Selection, Verdict
from ...reduction.session import Session, save_session
from ...reduction.table import FrameRow, FrameTable
from .groups import Group, GroupKey, build_groups, contains
from .history import Bounds, Hand, History, Step

Thumbnail = NDArray[np.uint8]
EMPTY_TABLE = FrameTable(Path(), "")
_UI_DELAY_MS = 250
_FIELDS = ("amin", "amax", "reject_sat")


def _bounds(limits: Limits) -> Bounds:
    return limits.amin, limits.amax, limits.reject_sat


class NightModel(QObject):
    """A night and the observer's decisions in it.

    Signals
    -------
    opened()
        Another night, or none; everything changed.
    tableChanged()
        Frames came or went, or other cameras are shown.
    measured(list)
        Ids of frames whose statistics arrived.
    verdictsChanged(set)
        Ids of frames whose verdict changed.
    limitsChanged(str)
        Frame type whose limits changed.
    currentChanged(str)
        Id of the frame looked at, or an empty text.
    groupChanged()
        Another branch of the night is shown.
    historyChanged()
        Undo or redo became possible or impossible.
    said(str, str)
        A sentence for the observer, and its level.
    """

    opened = pyqtSignal()
    tableChanged = pyqtSignal()
    measured = pyqtSignal(list)
    verdictsChanged = pyqtSignal(set)
    limitsChanged = pyqtSignal(str)
    currentChanged = pyqtSignal(str)
    groupChanged = pyqtSignal()
    historyChanged = pyqtSignal()
    said = pyqtSignal(str, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._ui_timer = QTimer(self, singleShot=True, interval=_UI_DELAY_MS)
        self._ui_timer.timeout.connect(self.save)
        self._reset()

    def _reset(self) -> None:
        self.night: Path | None = None
        self.instrument: Instrument | None = None
        self.table = EMPTY_TABLE
        self.cameras: tuple[int, ...] = ()
        self.stats: dict[str, FrameStats] = {}
        self.thumbnails: dict[str, Thumbnail] = {}
        self.limits: dict[str, Limits] = dict(DEFAULT_LIMITS)
        self.hand: dict[str, bool] = {}
        self.selection = Selection()
        self.history = History()
        self.current = ""
        self.group: GroupKey = ()
        self.ui: dict[str, Any] = {}
        self.fmin = 5
        self._save_failed = False

    # ------------------------------------------------------------- opening

    def open(self, night: Path, instrument: Instrument, table: FrameTable, session: Session) -> None:
        """Put a scanned night on the table, with the decisions of its session."""
        self.flush()
        self._reset()
        self.night, self.instrument, self.table = night, instrument, table
        present = {row.camera for row in table}
        same = session.instrument in ("", instrument.name)
        if same:
            self.cameras = tuple(number for number in session.cameras if number in present)
            self.limits.update({name: value for name, value in session.limits.items() if name in DEFAULT_LIMITS})
            self.hand = dict(session.hand)
            self.ui = dict(session.ui)
            self.history.load(session.history, self.ui.get("undo_position"))
        self.cameras = self.cameras or tuple(sorted(present))
        self._decide(None)
        self.group = self._saved_group()
        wanted = str(self.ui.get("frame", ""))
        self.current = wanted if wanted in table else self._first_frame()
        self.opened.emit()
        self.tableChanged.emit()
        self.groupChanged.emit()
        self.currentChanged.emit(self.current)
        self.historyChanged.emit()

    def close_night(self) -> None:
        """Save, and show nothing."""
        self.flush()
        self._reset()
        self.opened.emit()
        self.tableChanged.emit()
        self.groupChanged.emit()
        self.currentChanged.emit("")
        self.historyChanged.emit()

    def _saved_group(self) -> GroupKey:
        saved = self.ui.get("group", ())
        group = tuple(saved) if isinstance(saved, (list, tuple)) else ()
        return group if any(contains(group, row) for row in self.table) else ()

    def _first_frame(self) -> str:
        rows = self.rows()
        return rows[0].frame_id if rows else ""

    # -------------------------------------------------------------- frames

    @property
    def is_open(self) -> bool:
        """True when a night is on the table."""
        return self.night is not None

    def rows(self) -> tuple[FrameRow, ...]:
        """Rows of the cameras shown, in order of time."""
        return tuple(row for row in self.table if row.camera in self.cameras)

    def shown_rows(self) -> tuple[FrameRow, ...]:
        """Rows of the branch shown."""
        return tuple(row for row in self.rows() if contains(self.group, row)) if self.group else self.rows()

    def groups(self) -> Group:
        """The tree of the cameras shown, counted."""
        root = build_groups(self.rows())
        root.count(self.selection.verdicts)
        return root

    def row(self, frame_id: str) -> FrameRow | None:
        """The row of a frame id, None when there is none."""
        return self.table.by_id(frame_id) if frame_id in self.table else None

    def verdict(self, frame_id: str) -> Verdict:
        """The verdict on a frame."""
        return self.selection.verdicts.get(frame_id, Verdict(False, "rule", "not measured yet"))

    def unmeasured(self) -> bool:
        """Return whether frames of the cameras shown still lack their statistics."""
        return any(row.frame_id not in self.stats for row in self.rows())

    def level(self, frame_id: str) -> float:
        """Median as a fraction of saturation; NaN when unknown."""
        row, stats = self.row(frame_id), self.stats.get(frame_id)
        if row is None or stats is None or not row.saturation > 0:
            return float("nan")
        return stats.median / row.saturation

    def count(self, rows: Iterable[FrameRow]) -> tuple[int, int]:
        """How many of some rows are kept, and how many were set by hand."""
        verdicts = self.selection.verdicts
        found = [verdicts[row.frame_id] for row in rows if row.frame_id in verdicts]
        return sum(one.keep for one in found), sum(one.by == "hand" for one in found)

    def add_rows(self, table: FrameTable) -> list[FrameRow]:
        """Take over a new scan of the night; return the rows that are new."""
        fresh = [row for row in table if row.frame_id not in self.table]
        for row in table:
            before = self.row(row.frame_id)
            if before is not None and before.problem != row.problem:
                # The file was still being written: what was measured of it counts no more.
                self.stats.pop(row.frame_id, None)
        known_cameras = {row.camera for row in self.table}
        self.table = table
        new_cameras = {row.camera for row in fresh} - known_cameras
        self.cameras = tuple(sorted({*self.cameras, *new_cameras}))
        self._decide(None)
        self.tableChanged.emit()
        if not self.current:
            self.set_current(self._first_frame())
        return fresh

    def add_measurements(self, found: Iterable[tuple[FrameStats, Thumbnail | None]]) -> None:
        """Take in statistics as they arrive; the rules judge the frames at once."""
        ids = []
        for stats, thumbnail in found:
            if stats.frame_id not in self.table:
                continue
            self.stats[stats.frame_id] = stats
            if thumbnail is not None:
                self.thumbnails[stats.frame_id] = thumbnail
            ids.append(stats.frame_id)
        if not ids:
            return
        changed = self._decide(ids)
        self.measured.emit(ids)
        if changed:
            self.verdictsChanged.emit(changed)

    # ------------------------------------------------------- what is shown

    def set_cameras(self, cameras: Iterable[int]) -> None:
        """Show and use these cameras only."""
        chosen = tuple(sorted(set(cameras)))
        if chosen == self.cameras:
            return
        self.cameras = chosen
        if not any(contains(self.group, row) for row in self.rows()):
            self.group = ()
        self.tableChanged.emit()
        self.groupChanged.emit()
        self._keep_current_shown()
        self.save()

    def set_group(self, group: GroupKey) -> None:
        """Show a branch of the night."""
        group = tuple(group)
        if group == self.group:
            return
        self.group = group
        self.groupChanged.emit()
        self._keep_current_shown()
        self._ui_timer.start()

    def set_current(self, frame_id: str) -> None:
        """Look at a frame."""
        if frame_id == self.current or (frame_id and frame_id not in self.table):
            return
        self.current = frame_id
        self.currentChanged.emit(frame_id)
        self._ui_timer.start()

    def _keep_current_shown(self) -> None:
        rows = self.shown_rows()
        if rows and self.current not in {row.frame_id for row in rows}:
            self.set_current(rows[0].frame_id)

    def remember(self, name: str, value: Any) -> None:
        """Keep a plain value of the window's state in the session."""
        if self.ui.get(name) != value:
            self.ui[name] = value
            self._ui_timer.start()

    # ----------------------------------------------------------- decisions

    def set_hand(self, frame_ids: Iterable[str], keep: bool | None) -> None:
        """Decide by hand: keep, reject, or (None) back to the rule. One step of undo, saved at once."""
        pairs: dict[str, tuple[Hand, Hand]] = {}
        for name in frame_ids:
            if name in self.table and self.hand.get(name) is not keep:
                pairs[name] = (self.hand.get(name), keep)
        if not pairs:
            return
        word = {True: "keep", False: "reject", None: "back to the rule for"}[keep]
        subject = next(iter(pairs)) if len(pairs) == 1 else f"{len(pairs)} frames"
        step = Step(f"{word} {subject}", hand=pairs)
        self.history.push(step)
        self._apply(step, 1)

    def set_limits(self, ftype: str, limits: Limits, dragging: bool = False) -> None:
        """Set the limits of a type; while ``dragging`` the changes make one step of undo."""
        before = self.limits[ftype]
        if before == limits:
            return
        text = f"{ftype} limits {limits.amin:.0%} to {limits.amax:.0%}"
        step = Step(text, limits={ftype: (_bounds(before), _bounds(limits))})
        self.history.push(step, merge=dragging)
        self._apply(step, 1, save=not dragging)

    def end_drag(self) -> None:
        """The slider was let go: close the step of undo and save."""
        self.history.close()
        self.save()

    def undo(self) -> str:
        """Take back the last step; return what it was."""
        step = self.history.undo()
        if step is None:
            return ""
        self._apply(step, 0)
        return step.text

    def redo(self) -> str:
        """Take an undone step again; return what it was."""
        step = self.history.redo()
        if step is None:
            return ""
        self._apply(step, 1)
        return step.text

    def _apply(self, step: Step, side: int, save: bool = True) -> None:
        """Bring a step into effect (side 1) or out of it (side 0)."""
        for name, pair in step.hand.items():
            value = pair[side]
            if value is None:
                self.hand.pop(name, None)
            else:
                self.hand[name] = value
        touched: set[str] | None = set(step.hand)
        for ftype, bounds in step.limits.items():
            self.limits[ftype] = replace(self.limits[ftype], **dict(zip(_FIELDS, bounds[side], strict=True)))
            touched.update(row.frame_id for row in self.table if row.ftype == ftype)
        changed = self._decide(touched)
        if save:
            self.save()
        else:
            self._ui_timer.start()
        for ftype in step.limits:
            self.limitsChanged.emit(ftype)
        if changed:
            self.verdictsChanged.emit(changed)
        self.historyChanged.emit()

    def _decide(self, frame_ids: Iterable[str] | None) -> set[str]:
        """Judge some frames (None: all) anew; return the ids whose verdict changed."""
        if frame_ids is None:
            table, old = self.table, {}
        else:
            rows = self._judged_with(self.table.by_id(name) for name in frame_ids if name in self.table)
            table, old = FrameTable(self.table.folder, self.table.instrument, rows), dict(self.selection.verdicts)
        fresh = decide(table, self.stats, self.limits, self.hand).verdicts
        changed = {name for name, verdict in fresh.items() if old.get(name) != verdict}
        self.selection = Selection({**old, **fresh})
        return changed

    def _judged_with(self, rows: Iterable[FrameRow]) -> tuple[FrameRow, ...]:
        """Rows and those whose verdict depends on them: saturated pixels are judged over all frames of a kind."""
        rows = tuple(rows)
        kinds = {
            (row.ftype, row.camera, row.channel, row.filter) for row in rows if self.limits[row.ftype].reject_sat
        }
        if not kinds:
            return rows
        names = {row.frame_id for row in rows}
        return tuple(
            row
            for row in self.table
            if row.frame_id in names or (row.ftype, row.camera, row.channel, row.filter) in kinds
        )

    # -------------------------------------------------------------- saving

    def session(self) -> Session:
        """What is saved."""
        steps, position = self.history.as_json()
        ui = {**self.ui, "frame": self.current, "group": list(self.group), "undo_position": position}
        return Session(
            self.instrument.name if self.instrument else "",
            self.cameras,
            dict(self.limits),
            dict(self.hand),
            dict(self.selection.verdicts),
            tuple(steps),
            ui,
        )

    def save(self) -> None:
        """Write the session now; trouble is said once, in words, and nothing in memory is lost."""
        self._ui_timer.stop()
        # A folder without frames (perhaps opened as of a wrong instrument) holds no decisions to keep.
        if self.night is None or not len(self.table):
            return
        try:
            save_session(self.night, self.session())
        except PhotopipeError as error:
            if not self._save_failed:
                self.said.emit(f"Decisions are kept in memory only: {error}", "error")
            self._save_failed = True
            return
        if self._save_failed:
            self.said.emit("Decisions are saved in the night again.", "info")
        self._save_failed = False

    def flush(self) -> None:
        """Write what waits to be written."""
        if self._ui_timer.isActive():
            self.save()
