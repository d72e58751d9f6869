"""The list of masters: state as a mark, inputs counted, a light against the number wanted."""

from __future__ import annotations

from PyQt6.QtCore import QModelIndex, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QFont, QFontMetrics, QPainter
from PyQt6.QtWidgets import QAbstractItemView, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from ..models.masters import ENTRY_ROLE, MasterEntry, MasterList, State
from ..theme import colors, theme
from .status_mark import OF_STATE, paint_mark

_MARK = 14


class MasterDelegate(QStyledItemDelegate):
    """Two lines: type and key with the count of inputs; state with its reason."""

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        entry: MasterEntry | None = index.data(ENTRY_ROLE)
        if painter is None or entry is None:
            return
        named = colors()
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.save()
        if selected:
            painter.fillRect(option.rect, QColor(named.selection))
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(option.rect, QColor(named.raised))
        text = named.selection_text if selected else named.text
        faint = named.selection_text if selected else named.muted
        cell = QRectF(option.rect).adjusted(10, 5, -10, -5)
        line = cell.height() / 2
        shape, tone = OF_STATE[entry.state]
        mark = QRectF(cell.left(), cell.top() + (line - _MARK) / 2, _MARK, _MARK)
        paint_mark(painter, mark, shape, QColor(getattr(named, tone)), QColor(named.base))
        bold, small = QFont(option.font), QFont(option.font)
        bold.setWeight(QFont.Weight.DemiBold)
        small.setPointSizeF(max(7.0, option.font.pointSizeF() - 1))
        left = mark.right() + 8
        upper = QRectF(left, cell.top(), cell.right() - left, line)
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setFont(option.font)
        count = f"{len(entry.kept)}/{len(entry.given)}"
        self._light(painter, upper, entry, count, option, text)
        painter.setFont(bold)
        painter.setPen(QColor(text))
        painter.drawText(upper, middle | Qt.AlignmentFlag.AlignLeft, entry.title)
        painter.setFont(small)
        painter.setPen(QColor(faint))
        lower = QRectF(left, cell.top() + line, cell.right() - left, line)
        words = "approved" if entry.approved else str(entry.state)
        if entry.state in (State.STALE, State.FAILED, State.MISSING) and entry.reason:
            words += f": {entry.reason[0].lower()}{entry.reason[1:]}"
        said = QFontMetrics(small).elidedText(words, Qt.TextElideMode.ElideRight, int(lower.width()))
        painter.drawText(lower, middle | Qt.AlignmentFlag.AlignLeft, said)
        painter.restore()

    def _light(
        self, painter: QPainter, place: QRectF, entry: MasterEntry, count: str, option: QStyleOptionViewItem, text: str
    ) -> None:
        """The count, and a light: filled when there are enough frames, half when too few, hollow when none."""
        named = colors()
        model = option.widget.model() if isinstance(option.widget, QListView) else None
        fmin = model.fmin if isinstance(model, MasterList) else 5
        enough, few = len(entry.kept) >= fmin, entry.too_few(fmin)
        tone = QColor(named.keep if enough else named.warning if few else named.muted)
        lamp = QRectF(place.right() - 9, place.center().y() - 4, 8, 8)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(tone)
        painter.setBrush(tone if enough else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(lamp)
        if few:
            painter.setBrush(tone)
            painter.drawPie(lamp, 180 * 16, 180 * 16)
        painter.setPen(QColor(text))
        side = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.drawText(place.adjusted(0, 0, -15, 0), side, count)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        return QSize(150, 2 * QFontMetrics(option.font).height() + 14)


class MasterListView(QListView):
    """Masters of the night, one selected, several for building."""

    def __init__(self, model: MasterList, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("masterList")
        self.setAccessibleName("Master frames of the night")
        self.setItemDelegate(MasterDelegate(self))
        self.setModel(model)
        self.setMouseTracking(True)
        self.setUniformItemSizes(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        theme().changed.connect(self.viewport().update)

    def selected(self) -> tuple[MasterEntry, ...]:
        """Return the selected masters in order."""
        rows = sorted(self.selectedIndexes(), key=QModelIndex.row)
        return tuple(index.data(ENTRY_ROLE) for index in rows)
