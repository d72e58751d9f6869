"""The frames that did not reach the end of a run: where each was lost, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PyQt6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt

from ...reduction.outcome import Outcome
from .run_matrix import WORDS, RunMatrix

OUTCOME_ROLE = Qt.ItemDataRole.UserRole + 1
_TITLES = ("Frame", "Step", "", "Why")
_NONE = QModelIndex()


class LostFrames(QAbstractTableModel):
    """One row a lost frame, drawn from the matrix."""

    def __init__(self, matrix: RunMatrix, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._matrix = matrix
        self._lost: list[Outcome] = []
        matrix.modelReset.connect(self.refresh)
        matrix.lostChanged.connect(self.refresh)

    @property
    def lost(self) -> Sequence[Outcome]:
        """The outcomes by which frames were lost."""
        return self._lost

    def refresh(self) -> None:
        """Take over what the matrix says."""
        fresh = self._matrix.lost()
        if fresh != self._lost:
            self.beginResetModel()
            self._lost = fresh
            self.endResetModel()

    def rowCount(self, parent: QModelIndex = _NONE) -> int:
        return 0 if parent.isValid() else len(self._lost)

    def columnCount(self, parent: QModelIndex = _NONE) -> int:
        return 0 if parent.isValid() else len(_TITLES)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        outcome = self._lost[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return (outcome.frame, outcome.step, WORDS[outcome.status], outcome.reason)[index.column()]
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{outcome.frame}, {outcome.step}: {WORDS[outcome.status]}\n{outcome.reason}"
        return outcome if role == OUTCOME_ROLE else None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return _TITLES[section]
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        return None
