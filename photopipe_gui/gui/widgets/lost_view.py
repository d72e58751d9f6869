"""What dropped out of a run and why, with what can be done about it."""

from __future__ import annotations

from PyQt6.QtCore import QModelIndex, pyqtSignal
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from ...reduction.outcome import Outcome
from ..models.lost_frames import OUTCOME_ROLE, LostFrames
from .bind import dress


class LostView(QWidget):
    """Table of lost frames; the selected ones can be tried again or left out.

    Signals
    -------
    opened(str, str)
        Frame and step of a row that was clicked.
    againWanted(str, tuple)
        Step from which, and frames which, are to be tried again.
    leaveOutWanted(tuple)
        Frames to reject by hand.
    """

    opened = pyqtSignal(str, str)
    againWanted = pyqtSignal(str, tuple)
    leaveOutWanted = pyqtSignal(tuple)

    def __init__(self, model: LostFrames, steps: tuple[str, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._steps = steps
        self._model = model
        self.table = QTableView()
        self.table.setModel(model)
        self.table.setAccessibleName("Frames that were lost")
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setShowGrid(False)
        self.table.setAlternatingRowColors(True)
        self.table.setWordWrap(False)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 8)
        across = self.table.horizontalHeader()
        across.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        across.setStretchLastSection(True)
        across.setHighlightSections(False)
        self.again = QPushButton("Try again")
        dress(self.again, "refresh", "Try again: the selected frames, from the step that lost them")
        self.leave = QPushButton("Leave out")
        dress(self.leave, "reject", "Leave out: reject the selected frames, by hand")
        self._text = QLabel()
        self._text.setProperty("role", "muted")
        line = QHBoxLayout()
        line.setContentsMargins(6, 3, 6, 3)
        line.addWidget(self._text, 1)
        line.addWidget(self.again)
        line.addWidget(self.leave)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(line)
        layout.addWidget(self.table, 1)
        self.again.clicked.connect(self._again)
        self.leave.clicked.connect(self._leave_out)
        self.table.clicked.connect(self._open)
        self.table.selectionModel().selectionChanged.connect(self._selected)
        model.modelReset.connect(self._selected)
        self._selected()

    def selected(self) -> tuple[Outcome, ...]:
        """Return the outcomes of the selected rows."""
        chosen = self.table.selectionModel()
        rows = sorted(index.row() for index in chosen.selectedRows()) if chosen is not None else []
        return tuple(self._model.index(row, 0).data(OUTCOME_ROLE) for row in rows)

    def _selected(self) -> None:
        count, any_chosen = self._model.rowCount(), bool(self.selected())
        self.again.setEnabled(any_chosen)
        self.leave.setEnabled(any_chosen)
        lost = "1 frame was lost." if count == 1 else f"{count} frames were lost."
        self._text.setText(f"{lost} The others went on." if count else "No frame was lost.")

    def _open(self, index: QModelIndex) -> None:
        outcome = index.data(OUTCOME_ROLE)
        if outcome is not None:
            self.opened.emit(outcome.frame, outcome.step)

    def _again(self) -> None:
        chosen = self.selected()
        if chosen:
            first = min((outcome.step for outcome in chosen), key=self._steps.index)
            self.againWanted.emit(first, tuple(outcome.frame for outcome in chosen))

    def _leave_out(self) -> None:
        self.leaveOutWanted.emit(tuple(outcome.frame for outcome in self.selected()))
