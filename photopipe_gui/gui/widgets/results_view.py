"""Results of a night: the table of coadds, the coadd itself, and ways to the files."""

from __future__ import annotations

from PyQt6.QtCore import QModelIndex, Qt, pyqtSignal
from PyQt6.QtGui import QResizeEvent
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

from ..models.results import ResultTable
from ..reader import Reader
from .bind import dress
from .coadd_viewer import CoaddViewer


class ResultsView(QWidget):
    """Table of coadds over the viewer of the one selected.

    Signals
    -------
    folderWanted()
        Open the folder of the coadds.
    reportWanted()
        Open the report of the run.
    """

    folderWanted = pyqtSignal()
    reportWanted = pyqtSignal()

    def __init__(self, model: ResultTable, reader: Reader, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self.table = QTableView()
        self.table.setObjectName("resultTable")
        self.table.setAccessibleName("Coadds")
        self.table.setModel(model)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setShowGrid(False)
        self.table.setAlternatingRowColors(True)
        self.table.setSortingEnabled(True)
        self.table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 8)
        across = self.table.horizontalHeader()
        across.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        across.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        across.setHighlightSections(False)
        self.viewer = CoaddViewer(reader)
        self._summary = QLabel()
        self._summary.setProperty("role", "muted")
        self._summary.setWordWrap(True)
        self._folder = QPushButton("Folder")
        dress(self._folder, "folder", "Open the folder of the coadds")
        self._folder.clicked.connect(self.folderWanted)
        self._report = QPushButton("Report")
        dress(self._report, "file", "Open the report of the run")
        self._report.clicked.connect(self.reportWanted)
        self._build()
        self.table.selectionModel().currentRowChanged.connect(self._picked)
        model.modelReset.connect(self._reset)
        self._reset()

    def _build(self) -> None:
        line = QHBoxLayout()
        line.setContentsMargins(6, 3, 6, 3)
        line.addWidget(self._summary, 1)
        line.addWidget(self._report)
        line.addWidget(self._folder)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(line)
        layout.addWidget(self.table)
        layout.addWidget(self.viewer, 1)

    def set_summary(self, text: str, report: bool) -> None:
        """Say how the run ended, and whether there is a report."""
        self._summary.setText(text)
        self._report.setEnabled(report)

    def _fit_table(self) -> None:
        """Five coadds are seen at once; the image has the rest."""
        rows = max(1, min(5, self._model.rowCount()))
        bar = self.table.horizontalScrollBar()
        extra = bar.sizeHint().height() if bar is not None and bar.maximum() > 0 else 0
        height = self.table.horizontalHeader().sizeHint().height() + extra + 4
        self.table.setFixedHeight(height + rows * self.table.verticalHeader().defaultSectionSize())

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self._fit_table()

    def _reset(self) -> None:
        self._fit_table()
        self._folder.setEnabled(bool(self._model.results))
        shown = self.viewer.result
        again = [row for row, result in enumerate(self._model.results) if shown and result.path == shown.path]
        row = again[0] if again else 0
        if self._model.results:
            self.table.selectRow(row)
            self.viewer.set_result(self._model.result(row))
        else:
            self.viewer.set_result(None)

    def _picked(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if current.isValid():
            self.viewer.set_result(self._model.result(current.row()))
