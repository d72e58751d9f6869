"""The frame-by-step matrix on screen: each cell a mark, a colour and a word."""

from __future__ import annotations

from PyQt6.QtCore import QModelIndex, QPoint, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QFontMetrics, QKeyEvent, QPainter
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from ...reduction.outcome import Status
from ..models.run_matrix import OUTCOME_ROLE, STATUS_ROLE, RunMatrix, is_group_row
from ..theme import colors, theme
from .status_mark import OF_STATUS, paint_mark

_MARK = 12


class StatusDelegate(QStyledItemDelegate):
    """Paints a cell: a faint ground, the mark of its status, and the text when there is room."""

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        if painter is None:
            return
        named = colors()
        status = index.data(STATUS_ROLE) or Status.PENDING
        shape, tone_name = OF_STATUS[status]
        # Lost at an earlier step: said quietly, the loud cell is the one that lost it.
        quiet = status is Status.DROPPED and index.data(OUTCOME_ROLE) is None
        if quiet:
            tone_name = "border"
        tone, ground = QColor(getattr(named, tone_name)), QColor(named.base)
        box = QRectF(option.rect).adjusted(1, 1, -1, -1)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if status is not Status.PENDING and not quiet:
            fill = QColor(tone)
            fill.setAlpha(26 if status in (Status.DONE, Status.SKIPPED) else 52)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(fill)
            painter.drawRoundedRect(box, 3, 3)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setPen(QColor(named.accent))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
        text = index.data(Qt.ItemDataRole.DisplayRole) or ""
        metrics = QFontMetrics(option.font)
        room = box.width() - _MARK - 14
        word = text if text and metrics.horizontalAdvance(text) <= room else ""
        left = box.left() + (6 if word else (box.width() - _MARK) / 2)
        mark = QRectF(left, box.center().y() - _MARK / 2, _MARK, _MARK)
        paint_mark(painter, mark, shape, tone, ground)
        if word:
            painter.setFont(option.font)
            plain = status in (Status.DONE, Status.SKIPPED)
            faint = status is Status.SKIPPED or quiet
            painter.setPen(QColor(named.muted if faint else named.text if plain else tone))
            place = QRectF(mark.right() + 5, box.top(), room + 2, box.height())
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, word)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        return QSize(40, max(22, QFontMetrics(option.font).height() + 7))


class RunMatrixView(QTableView):
    """Table of frames by steps.

    Signals
    -------
    opened(str, str)
        Frame and step of a cell that was clicked or entered.
    redoWanted(str, str)
        Frame and step from which to reduce anew; an empty frame means all frames.
    revealWanted(str, str)
        Frame and step whose product is to be shown in its folder.
    leaveOutWanted(tuple)
        Frames to reject by hand.
    """

    opened = pyqtSignal(str, str)
    leaveOutWanted = pyqtSignal(tuple)
    redoWanted = pyqtSignal(str, str)
    revealWanted = pyqtSignal(str, str)

    def __init__(self, model: RunMatrix, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("runMatrix")
        self.setAccessibleName("Frames by steps")
        self._matrix = model
        self.setModel(model)
        self.setItemDelegate(StatusDelegate(self))
        self.setShowGrid(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._menu)
        self.setWordWrap(False)
        across, down = self.horizontalHeader(), self.verticalHeader()
        across.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        small = self.font()
        small.setPointSizeF(max(7.0, small.pointSizeF() - 1.5))
        across.setFont(small)
        across.setStyleSheet("QHeaderView::section { padding: 3px 1px; }")
        widest = max(QFontMetrics(small).horizontalAdvance(step) for step in model.steps)
        across.setMinimumSectionSize(widest + 8)
        across.setHighlightSections(False)
        across.setDefaultAlignment(Qt.AlignmentFlag.AlignCenter)
        down.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        down.setDefaultSectionSize(max(22, self.fontMetrics().height() + 7))
        down.setHighlightSections(True)
        down.setMaximumWidth(self.fontMetrics().horizontalAdvance("235959C3o_SDSS-Z") + 14)
        down.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        down.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.clicked.connect(self._open)
        self.activated.connect(self._open)
        theme().changed.connect(self.viewport().update)

    def content_height(self) -> int:
        """Return the height at which every row is seen."""
        rows = self._matrix.rowCount() * self.verticalHeader().defaultSectionSize()
        return self.horizontalHeader().sizeHint().height() + rows + 2 * self.frameWidth() + 4

    def show_frame(self, frame: str, step: str) -> None:
        """Select a cell and bring it into view."""
        row = self._matrix.row_of(frame)
        if row >= 0 and step in self._matrix.steps:
            cell = self._matrix.index(row, self._matrix.steps.index(step))
            self.setCurrentIndex(cell)
            self.scrollTo(cell)

    def _names(self, index: QModelIndex) -> tuple[str, str]:
        return self._matrix.frames()[index.row()], self._matrix.steps[index.column()]

    def _open(self, index: QModelIndex) -> None:
        if index.isValid():
            self.opened.emit(*self._names(index))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        super().keyPressEvent(event)
        moved = event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down)
        if moved and self.currentIndex().isValid():
            self._open(self.currentIndex())

    def _menu(self, place: QPoint) -> None:
        index = self.indexAt(place)
        if index.isValid():
            menu = self.build_menu(*self._names(index))
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(self.viewport().mapToGlobal(place))

    def build_menu(self, frame: str, step: str) -> QMenu:
        """Return the menu of a cell."""
        menu = QMenu(self)
        menu.addAction(f"Open the product of {step}", lambda: self.opened.emit(frame, step))
        there = self._matrix.product(frame, step) is not None
        menu.actions()[-1].setEnabled(there)
        menu.addAction("Show the file in its folder", lambda: self.revealWanted.emit(frame, step)).setEnabled(there)
        menu.addSeparator()
        menu.addAction(f"Redo this frame from {step}", lambda: self.redoWanted.emit(frame, step))
        menu.addAction(f"Redo all frames from {step}", lambda: self.redoWanted.emit("", step))
        if not is_group_row(frame):
            menu.addSeparator()
            menu.addAction("Leave this frame out", lambda: self.leaveOutWanted.emit((frame,)))
        return menu
