"""The frame-by-step matrix of a reduction: one row a frame, one column a step, one outcome a cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt, pyqtSignal

from ...reduction.outcome import Outcome, Status, Value

STATUS_ROLE = Qt.ItemDataRole.UserRole + 1
OUTCOME_ROLE = Qt.ItemDataRole.UserRole + 2
GROUP_ROLE = Qt.ItemDataRole.UserRole + 3

#: What a cell may say beside its shape.
SHOWN = ("state", "seconds", "number")
WORDS = {
    Status.PENDING: "",
    Status.RUNNING: "running",
    Status.DONE: "done",
    Status.SKIPPED: "skipped",
    Status.DROPPED: "dropped",
    Status.FAILED: "failed",
}
#: The number that says most about a step: header card, factor, format.
_NUMBERS: dict[str, tuple[tuple[str, float, str], ...]] = {
    "prepare": (("NSATPIX", 1, "{:.0f} sat"),),
    "flatten": (("SKYCTS", 1, "{:.0f} DN"),),
    "makesky": (("SKYCTS", 1, "{:.0f} DN"), ("SKYLEVEL", 1, "{:.0f} DN")),
    "skysub": (("SKYSIG", 1, "{:.1f} DN"),),
    "crclean": (("NPZAP", 1, "{:.0f} px"),),
    "astrometry": (("ASTRRMS1", 3600, '{:.2f}"'),),
    "zpoint": (("ABSZPT", 1, "{:.3f}"),),
    "stack": (("NEWFLXSC", 1, "x {:.3f}"),),
}
_NONE = QModelIndex()


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """A row: name of the frame (or group product), its target and filter as ``target_filter``."""

    frame: str
    group: str = ""
    product: bool = False


def is_group_row(name: str) -> bool:
    """Return whether a row of a report is of a group's own product: ``[target_filter]``."""
    return name.startswith("[")


def row_label(row: MatrixRow) -> str:
    """Return the short name of a row: time, camera and type of a frame; target and filter of a group."""
    if row.product:
        target, _, filter_name = row.frame.strip("[]").rpartition("_")
        return f"Σ {target} {filter_name}".rstrip()
    head, mark, tail = row.frame.partition("T")
    return tail if mark and len(head) == 8 and head.isdigit() else row.frame


class RunMatrix(QAbstractTableModel):
    """Outcomes by frame and step. Rows are told apart by frame name; rows of one target and filter stand together.

    Signals
    -------
    lostChanged()
        A frame was lost, or came back.
    """

    lostChanged = pyqtSignal()

    def __init__(self, steps: Sequence[tuple[str, str]], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.steps = tuple(name for name, _ in steps)
        self._titles = dict(steps)
        self._rows: list[MatrixRow] = []
        self._place: dict[str, int] = {}
        self._cells: dict[tuple[str, str], Outcome] = {}
        self._lost: dict[str, Outcome] = {}
        self._counts: dict[str, dict[Status, int]] = {}
        self._shown = "state"
        self._active = ""

    # ------------------------------------------------------------- contents

    def set_rows(self, rows: Iterable[MatrixRow]) -> None:
        """Start anew with these frames, all pending."""
        self.beginResetModel()
        self._rows = list(rows)
        self._place = {row.frame: number for number, row in enumerate(self._rows)}
        self._cells.clear()
        self._lost.clear()
        self._counts.clear()
        self.endResetModel()

    def load(self, outcomes: Iterable[Outcome], rows: Iterable[MatrixRow] = ()) -> None:
        """Show the outcomes of a run that is over; frames without a row get one at the end."""
        found = list(outcomes)
        ordered = {row.frame: row for row in rows}
        for outcome in found:
            ordered.setdefault(outcome.frame, MatrixRow(outcome.frame, product=is_group_row(outcome.frame)))
        self.set_rows(ordered.values())
        self.beginResetModel()
        blocked = self.blockSignals(True)
        for outcome in found:
            if outcome.step in self._titles:
                self._cells[outcome.frame, outcome.step] = outcome
                self._note_lost(outcome)
        self.blockSignals(blocked)
        self._counts.clear()
        self.endResetModel()

    def apply(self, outcome: Outcome) -> None:
        """Take one outcome while the run goes on."""
        if outcome.step not in self._titles:
            return
        if outcome.frame not in self._place:
            end = len(self._rows)
            self.beginInsertRows(_NONE, end, end)
            self._rows.append(MatrixRow(outcome.frame, product=is_group_row(outcome.frame)))
            self._place[outcome.frame] = end
            self._counts.clear()
            self.endInsertRows()
        before = self._cells.get((outcome.frame, outcome.step))
        self._cells[outcome.frame, outcome.step] = outcome
        self._count(outcome, before)
        self._note_lost(outcome)
        column, row = self.steps.index(outcome.step), self._place[outcome.frame]
        last = len(self.steps) - 1 if outcome.frame in self._lost else column
        self.dataChanged.emit(self.index(row, column), self.index(row, last))
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, column, column)

    def _count(self, outcome: Outcome, before: Outcome | None) -> None:
        """Keep the counts of a step right without counting all frames again."""
        counts = self._counts.get(outcome.step)
        if counts is None or self._rows[self._place[outcome.frame]].product:
            return
        if before is None and self._lost_before(outcome.frame, outcome.step) is not None:
            del self._counts[outcome.step]
            return
        counts[before.status if before else Status.PENDING] -= 1
        counts[outcome.status] += 1

    def set_active(self, step: str) -> None:
        """Say which step the run is at: its frames without an outcome are in work. Empty: none."""
        if step == self._active:
            return
        before, self._active = self._active, step
        for name in (before, step):
            if name in self.steps:
                column = self.steps.index(name)
                self._touch(column, column)

    def end_run(self) -> None:
        """The run is over: nothing is in work any more."""
        self.set_active("")

    def _touch(self, first: int, last: int) -> None:
        if self._rows:
            self.dataChanged.emit(self.index(0, first), self.index(len(self._rows) - 1, last))

    def set_shown(self, shown: str) -> None:
        """Choose what cells say: `SHOWN`."""
        self._shown = shown if shown in SHOWN else "state"
        self._touch(0, len(self.steps) - 1)

    # ------------------------------------------------------------- questions

    def row_of(self, frame: str) -> int:
        """Return the row of a frame, -1 when it has none."""
        return self._place.get(frame, -1)

    def frames(self) -> tuple[str, ...]:
        """Return the frames in order."""
        return tuple(row.frame for row in self._rows)

    def outcome(self, frame: str, step: str) -> Outcome | None:
        """Return what became of a frame at a step; None while pending."""
        return self._cells.get((frame, step))

    def counts(self, step: str) -> dict[Status, int]:
        """Return how many frames have each status at a step (group products are left out)."""
        if step not in self._counts:
            counts = dict.fromkeys(Status, 0)
            for row in self._rows:
                if not row.product:
                    status = self._status(row, step, self._cells.get((row.frame, step)))
                    counts[Status.PENDING if status is Status.RUNNING else status] += 1
            self._counts[step] = counts
        return self._counts[step]

    def seconds(self) -> dict[str, float]:
        """Return the wall-clock time spent on each step, summed over frames, s."""
        total = dict.fromkeys(self.steps, 0.0)
        for (_, step), outcome in self._cells.items():
            total[step] += outcome.seconds
        return total

    def product(self, frame: str, step: str) -> Path | None:
        """Return the file that a step left for a frame, if it is there."""
        outcome = self._cells.get((frame, step))
        if outcome is None or not outcome.product:
            return None
        path = Path(outcome.product)
        return path if path.is_file() else None

    def why_no_product(self, frame: str, step: str) -> str:
        """Return why there is nothing to show of a frame at a step, in words."""
        outcome, lost = self._cells.get((frame, step)), self._lost_before(frame, step)
        if outcome is None and lost is not None:
            return f"{frame} left the run at {lost.step} ({WORDS[lost.status]}): {lost.reason}"
        why = outcome.reason if outcome is not None and outcome.reason else "there is no product yet"
        return f"{frame}, {step}: {why}"

    def product_before(self, frame: str, step: str) -> tuple[str, Path] | None:
        """Return the file that the given step read (the nearest earlier product other than its own) and who made it."""
        own = self.product(frame, step)
        found: tuple[str, Path] | None = None
        for name in reversed(self.steps[: self.steps.index(step)]):
            path = self.product(frame, name)
            if found is not None and path != found[1]:
                break
            if path is not None and path != own:
                found = name, path
        return found

    def _lost_before(self, frame: str, step: str) -> Outcome | None:
        """Return the outcome by which a frame left the run before a step; None when it did not."""
        lost = self._lost.get(frame)
        if lost is None or self.steps.index(lost.step) >= self.steps.index(step):
            return None
        return lost

    def _note_lost(self, outcome: Outcome) -> None:
        if outcome.status in (Status.FAILED, Status.DROPPED):
            known = self._lost.get(outcome.frame)
            if known is None or self.steps.index(outcome.step) < self.steps.index(known.step):
                self._lost[outcome.frame] = outcome
                self._counts.clear()
                self.lostChanged.emit()
        elif outcome.frame in self._lost and self._lost[outcome.frame].step == outcome.step:
            del self._lost[outcome.frame]
            self._counts.clear()
            self.lostChanged.emit()

    def lost(self) -> list[Outcome]:
        """Return, for each frame that was lost, the outcome that says where and why."""
        return [self._lost[row.frame] for row in self._rows if row.frame in self._lost]

    # ------------------------------------------------------------- Qt's side

    def rowCount(self, parent: QModelIndex = _NONE) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex = _NONE) -> int:
        return 0 if parent.isValid() else len(self.steps)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row, step = self._rows[index.row()], self.steps[index.column()]
        outcome = self._cells.get((row.frame, step))
        status = self._status(row, step, outcome)
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(outcome) if outcome else WORDS[status]
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            lost = None if outcome else self._lost_before(row.frame, step)
            return describe(row.frame, step, outcome) if lost is None else describe_lost(row.frame, step, lost)
        if role == STATUS_ROLE:
            return status
        if role == OUTCOME_ROLE:
            return outcome
        return row.group if role == GROUP_ROLE else None

    def _status(self, row: MatrixRow, step: str, outcome: Outcome | None) -> Status:
        """Return the status of a cell; without an outcome it is in work or pending, or lost at an earlier step."""
        if outcome is not None:
            return outcome.status
        if self._lost_before(row.frame, step) is not None:
            return Status.DROPPED
        return Status.RUNNING if step == self._active and not row.product else Status.PENDING

    def _text(self, outcome: Outcome) -> str:
        if outcome.status is Status.DONE:
            if self._shown == "seconds":
                return f"{outcome.seconds:.1f} s"
            if self._shown == "number":
                return key_number(outcome.step, outcome.measurements) or WORDS[outcome.status]
        return WORDS[outcome.status]

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation == Qt.Orientation.Vertical:
            row = self._rows[section] if section < len(self._rows) else MatrixRow("")
            if role == Qt.ItemDataRole.DisplayRole:
                return row_label(row)
            if role == Qt.ItemDataRole.ToolTipRole:
                return f"{row.frame}\n{row.group.replace('_', ', ', 1)}" if row.group else row.frame
            return None
        if section >= len(self.steps):
            return None
        step = self.steps[section]
        if role == Qt.ItemDataRole.DisplayRole:
            counts = self.counts(step)
            total = sum(counts.values())
            through = counts[Status.DONE] + counts[Status.SKIPPED]
            return f"{step}\n{through}/{total}" if total else step
        if role == Qt.ItemDataRole.ToolTipRole:
            counts = self.counts(step)
            parts = [f"{number} {status}" for status, number in counts.items() if number]
            return "\n".join([f"{step}: {self._titles[step]}", ", ".join(parts)]).strip()
        return None


def key_number(step: str, measurements: Mapping[str, Value]) -> str:
    """Return the number that says most about a step, with its unit; empty when it was not measured."""
    for card, factor, form in _NUMBERS.get(step, ()):
        value = measurements.get(card)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return form.format(value * factor)
    return ""


def describe_lost(frame: str, step: str, lost: Outcome) -> str:
    """Return why a frame never came to a step."""
    return f"{frame}\n{step}: left the run at {lost.step} ({WORDS[lost.status]}): {lost.reason}"


def describe(frame: str, step: str, outcome: Outcome | None) -> str:
    """Return what became of a frame at a step in words, with its measurements."""
    if outcome is None:
        return f"{frame}\n{step}: not done yet"
    lines = [frame, f"{step}: {WORDS[outcome.status]}"]
    if outcome.reason:
        lines[-1] += f". {outcome.reason}" if outcome.status is Status.DONE else f": {outcome.reason}"
    if outcome.seconds:
        lines.append(f"{outcome.seconds:.2f} s")
    for name, value in outcome.measurements.items():
        lines.append(f"{name} = {value:.6g}" if isinstance(value, float) else f"{name} = {value}")
    if outcome.product:
        lines.append(f"file: {Path(outcome.product).name}")
    return "\n".join(lines)
