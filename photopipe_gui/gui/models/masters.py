"""The master frames a night calls for: their inputs and their state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QAbstractListModel, QModelIndex, QObject, Qt

from ...instruments.model import Instrument
from ...reduction.calibration import master_name, needs_of
from ...reduction.selection import Selection
from ...reduction.table import FrameTable

ENTRY_ROLE = Qt.ItemDataRole.UserRole + 1
STATE_ROLE = Qt.ItemDataRole.UserRole + 2
MASTER_TYPES = ("bias", "dark", "flat")
#: Header card of a master that was taken over from another night: that night's name.
ADOPTED_KEY = "ADOPTED"
_NONE = QModelIndex()


class State(StrEnum):
    """State of a master frame."""

    NO_INPUTS = "no frames"
    MISSING = "not built"
    CURRENT = "up to date"
    STALE = "out of date"
    BUILDING = "building"
    FAILED = "failed"


@dataclass(frozen=True)
class MasterFacts:
    """What the header of a master on disk says.

    Attributes
    ----------
    path : Path
    inputs : tuple of str
        Frame ids that went into it (``IMCMB000`` ...).
    cards : mapping of str to value
        Its header cards, for the facts panel.
    changed : float
        Time of change of the file, s since the epoch.
    problem : str
        Why it cannot be used; empty when it can.
    """

    path: Path
    inputs: tuple[str, ...] = ()
    cards: Mapping[str, Any] | None = None
    changed: float = 0.0
    problem: str = ""


@dataclass(frozen=True)
class MasterEntry:
    """One master of the night.

    Attributes
    ----------
    mtype, key : str
        ``flat`` and ``i``.
    kept, given : tuple of str
        Frame ids chosen for it, and all there are.
    path : Path
        Where it is or will be.
    needed : bool
        Whether science frames of the night ask for it.
    state : State
    reason : str
        Why it is in this state, in words.
    approved : bool
        Whether the observer approved the file as it is.
    """

    mtype: str
    key: str
    kept: tuple[str, ...]
    given: tuple[str, ...]
    path: Path
    needed: bool = False
    state: State = State.MISSING
    reason: str = ""
    approved: bool = False

    @property
    def ident(self) -> tuple[str, str]:
        """Type and key."""
        return self.mtype, self.key

    @property
    def title(self) -> str:
        """As the observer calls it."""
        return f"{self.mtype} {self.key}"

    def too_few(self, fmin: int) -> bool:
        """Return whether there are fewer frames than wanted (and at least one)."""
        return 0 < len(self.kept) < fmin


def list_masters(
    instrument: Instrument, table: FrameTable, selection: Selection, folder: Path
) -> tuple[MasterEntry, ...]:
    """Return the masters that the frames of a night make or need: bias and dark by camera, flats by filter.

    Parameters
    ----------
    folder : Path
        Where masters are kept, as a rule ``NIGHT/calibration``.
    """
    wanted: dict[tuple[str, str], bool] = {}
    takes = {camera.number: camera for camera in instrument.cameras}
    for row in table:
        camera = takes.get(row.camera)
        if row.ftype in MASTER_TYPES and camera is not None:
            if row.ftype == "bias" and not camera.takes_bias:
                continue
            if row.ftype == "flat" and row.filter not in instrument.filters:
                continue
            wanted.setdefault((row.ftype, row.key), False)
        elif row.ftype == "object" and camera is not None and not row.problem:
            for need in needs_of(instrument, row.camera, row.filter):
                present = (need.mtype, need.key) in wanted
                if need.required or present or camera.takes_dark:
                    wanted[need.mtype, need.key] = wanted.get((need.mtype, need.key), False) or need.required
    order = {name: place for place, name in enumerate(instrument.filters)}
    idents = sorted(wanted, key=lambda ident: (MASTER_TYPES.index(ident[0]), order.get(ident[1], 99), ident[1]))
    entries = []
    for mtype, key in idents:
        rows = [row for row in table if row.ftype == mtype and row.key == key]
        kept = tuple(row.frame_id for row in rows if selection.keeps(row.frame_id))
        given = tuple(row.frame_id for row in rows)
        entries.append(
            MasterEntry(mtype, key, kept, given, folder / master_name(mtype, key), wanted[mtype, key])
        )
    return tuple(entries)


def judge_state(
    entry: MasterEntry, facts: Mapping[Path, MasterFacts], failures: Mapping[tuple[str, str], str], fmin: int
) -> MasterEntry:
    """Return the entry with its state and reason, from the file on disk and what became of the last build."""
    if entry.ident in failures:
        return replace(entry, state=State.FAILED, reason=failures[entry.ident])
    known = facts.get(entry.path)
    if known is None:
        if not entry.given:
            reason = f"The night has no {entry.mtype} frames for {entry.key}"
            reason += ": use a master of another night, or go on without." if entry.needed else "."
            return replace(entry, state=State.NO_INPUTS, reason=reason)
        if not entry.kept:
            reason = f"All {len(entry.given)} frames are rejected: accept some in Frames."
            return replace(entry, state=State.NO_INPUTS, reason=reason)
        count = len(entry.kept)
        few = f"Only {count} of the {fmin} frames wanted"
        return replace(entry, state=State.MISSING, reason=few if count < fmin else f"{count} frames are ready")
    if known.problem:
        return replace(entry, state=State.FAILED, reason=known.problem)
    adopted = str((known.cards or {}).get(ADOPTED_KEY, ""))
    if adopted:
        if not entry.kept:
            return replace(entry, state=State.CURRENT, reason=f"Of another night: {adopted}")
        own = f"this night has {len(entry.kept)} frames of its own"
        return replace(entry, state=State.STALE, reason=f"A master of another night ({adopted}); {own}")
    if not entry.given:
        return replace(entry, state=State.CURRENT, reason="The file is there; the night has no such frames.")
    if not known.inputs:
        return replace(entry, state=State.CURRENT, reason="A master made elsewhere: its header names no inputs.")
    before, now = set(known.inputs), set(entry.kept)
    if before != now:
        came, went = len(now - before), len(before - now)
        changes = [f"{came} added"] * bool(came) + [f"{went} taken out"] * bool(went)
        return replace(entry, state=State.STALE, reason=f"The selection changed since: {', '.join(changes)}")
    older = _rebuilt_below(entry, known, facts)
    if older:
        return replace(entry, state=State.STALE, reason=f"The master {older} was built anew since")
    return replace(entry, state=State.CURRENT, reason=f"Built from these {len(entry.kept)} frames")


def _rebuilt_below(entry: MasterEntry, known: MasterFacts, facts: Mapping[Path, MasterFacts]) -> str:
    """Return the title of a bias or dark that this master used and that changed later; empty when none did."""
    cards = known.cards or {}
    camera = cards.get("CAMERA")
    key = f"C{camera}" if isinstance(camera, int) else ""
    for mtype in {"dark": ("bias",), "flat": ("bias", "dark")}.get(entry.mtype, ()):
        used = facts.get(entry.path.with_name(master_name(mtype, key))) if key else None
        if used is not None and used.changed > known.changed + 1e-3:
            return f"{mtype} {key}"
    return ""


class MasterList(QAbstractListModel):
    """Masters of the night in order: bias, dark, flat."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._entries: list[MasterEntry] = []
        self._facts: dict[Path, MasterFacts] = {}
        self._failures: dict[tuple[str, str], str] = {}
        self._building: set[tuple[str, str]] = set()
        self._approved: dict[str, float] = {}
        self.fmin = 5

    # ------------------------------------------------------------- contents

    def set_entries(self, entries: Iterable[MasterEntry]) -> None:
        """Show these masters; facts and failures that are known stay."""
        fresh = [self._judged(entry) for entry in entries]
        if [entry.ident for entry in fresh] == [entry.ident for entry in self._entries]:
            self._entries = fresh
            self._all_changed()
            return
        self.beginResetModel()
        self._entries = fresh
        self.endResetModel()

    def clear(self) -> None:
        """Another night: forget everything."""
        self.beginResetModel()
        self._entries, self._facts, self._failures, self._building = [], {}, {}, set()
        self._approved = {}
        self.endResetModel()

    def set_fmin(self, fmin: int) -> None:
        """Set the number of frames below which a master is asked about."""
        self.fmin = fmin
        self._rejudge()

    def set_facts(self, facts: MasterFacts) -> None:
        """Take what the header of a master on disk says."""
        self._facts[facts.path] = facts
        self._rejudge()

    def forget_facts(self, path: Path) -> None:
        """The file is gone."""
        if self._facts.pop(path, None) is not None:
            self._rejudge()

    def set_failed(self, ident: tuple[str, str], reason: str) -> None:
        """Note that a build failed, and why."""
        self._building.discard(ident)
        self._failures[ident] = reason
        self._rejudge()

    def set_building(self, idents: Iterable[tuple[str, str]]) -> None:
        """Note which masters are being built; an empty collection ends it."""
        self._building = set(idents)
        for ident in self._building:
            self._failures.pop(ident, None)
        self._rejudge()

    def set_built(self, ident: tuple[str, str]) -> None:
        """Note that one of them is finished."""
        self._building.discard(ident)
        self._failures.pop(ident, None)
        self._rejudge()

    def set_approved(self, approved: Mapping[str, float]) -> None:
        """Take the approvals kept in the session: file name -> time of change of the file approved."""
        self._approved = dict(approved)
        self._rejudge()

    def approve(self, entry: MasterEntry, on: bool = True) -> dict[str, float]:
        """Approve a master as it is on disk (or take it back); return all approvals, to be kept in the session."""
        known = self._facts.get(entry.path)
        if on and known is not None:
            self._approved[entry.path.name] = known.changed
        else:
            self._approved.pop(entry.path.name, None)
        self._rejudge()
        return dict(self._approved)

    # ------------------------------------------------------------- questions

    @property
    def entries(self) -> tuple[MasterEntry, ...]:
        """All masters, in order."""
        return tuple(self._entries)

    def entry(self, ident: tuple[str, str]) -> MasterEntry | None:
        """Return the master of a type and key."""
        return next((entry for entry in self._entries if entry.ident == ident), None)

    def facts(self, entry: MasterEntry) -> MasterFacts | None:
        """Return what the file on disk says, None when there is none (or it was not read yet)."""
        return self._facts.get(entry.path)

    def row_of(self, ident: tuple[str, str]) -> int:
        """Return the row of a master, -1 when there is none."""
        return next((row for row, entry in enumerate(self._entries) if entry.ident == ident), -1)

    def to_build(self) -> tuple[MasterEntry, ...]:
        """Return the masters that have frames and are not up to date."""
        return tuple(e for e in self._entries if e.kept and e.state is not State.CURRENT)

    def _judged(self, entry: MasterEntry) -> MasterEntry:
        if entry.ident in self._building:
            return replace(entry, state=State.BUILDING, reason=f"from {len(entry.kept)} frames", approved=False)
        judged = judge_state(entry, self._facts, self._failures, self.fmin)
        known = self._facts.get(entry.path)
        approved = known is not None and self._approved.get(entry.path.name) == known.changed
        return replace(judged, approved=approved and judged.state is State.CURRENT)

    def _rejudge(self) -> None:
        self._entries = [self._judged(entry) for entry in self._entries]
        self._all_changed()

    def _all_changed(self) -> None:
        if self._entries:
            self.dataChanged.emit(self.index(0), self.index(len(self._entries) - 1))

    # ------------------------------------------------------------- Qt's side

    def rowCount(self, parent: QModelIndex = _NONE) -> int:
        return 0 if parent.isValid() else len(self._entries)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._entries):
            return None
        entry = self._entries[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return entry.title
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            approved = "\nApproved by the observer." if entry.approved else ""
            kept = f"{len(entry.kept)} of {len(entry.given)} frames kept"
            return f"{entry.title}: {entry.state}\n{kept}\n{entry.reason}{approved}"
        if role == ENTRY_ROLE:
            return entry
        return entry.state if role == STATE_ROLE else None
