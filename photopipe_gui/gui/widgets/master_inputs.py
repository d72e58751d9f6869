"""The inputs of a master as a strip: thumbnail, verdict, residual, outliers."""

from __future__ import annotations

from collections import OrderedDict

from PyQt6.QtCore import QItemSelectionModel, QModelIndex, QRect, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPen, QPixmap, QWheelEvent
from PyQt6.QtWidgets import QAbstractItemView, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from ..models.master_inputs import INPUT_ROLE, InputEntry, InputList
from ..theme import colors, theme
from .badges import paint_badge
from .filmstrip import short_time
from .raster import indexed_image, qt_color_table

_THUMB = 72
_WIDTH = 104
_KEPT = 400


class InputDelegate(QStyledItemDelegate):
    """Draws an input; one that stands out from the others is framed and marked."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._pixmaps: OrderedDict[str, QPixmap] = OrderedDict()
        theme().changed.connect(self._pixmaps.clear)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        return QSize(_WIDTH, _THUMB + 2 * QFontMetrics(_small(option.font)).height() + 14)

    def forget(self) -> None:
        """Another night: its frames may have the same names."""
        self._pixmaps.clear()

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        entry: InputEntry | None = index.data(INPUT_ROLE)
        if painter is None or entry is None:
            return
        named = colors()
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        cell = option.rect.adjusted(2, 2, -2, -2)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if selected or option.state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(named.selection if selected else named.raised))
            painter.drawRoundedRect(QRectF(cell), 4, 4)
        if selected or entry.stands_out:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            tone = named.accent if selected else named.warning
            painter.setPen(QPen(QColor(tone), 1.6, Qt.PenStyle.SolidLine if selected else Qt.PenStyle.DashLine))
            painter.drawRoundedRect(QRectF(cell).adjusted(1, 1, -1, -1), 4, 4)
        frame = QRect(cell.x() + (cell.width() - _THUMB) // 2, cell.y() + 5, _THUMB, _THUMB)
        painter.fillRect(frame, QColor(named.image))
        pixmap = self._pixmap(entry)
        if pixmap is not None:
            painter.setOpacity(1.0 if entry.verdict.keep else 0.45)
            place = pixmap.deviceIndependentSize().toSize()
            target = QRect(0, 0, place.width(), place.height())
            target.moveCenter(frame.center())
            painter.drawPixmap(target, pixmap)
            painter.setOpacity(1.0)
        paint_badge(painter, QRectF(frame.x() + 2, frame.y() + 2, 17, 17), entry.verdict)
        self._paint_text(painter, option, entry, cell, frame.bottom() + 3, selected)
        painter.restore()

    def _paint_text(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        entry: InputEntry,
        cell: QRect,
        top: int,
        selected: bool,
    ) -> None:
        named = colors()
        painter.setFont(_small(option.font))
        height = painter.fontMetrics().height()
        upper = QRect(cell.x() + 6, top, cell.width() - 12, height)
        lower = upper.translated(0, height)
        left, right = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
        painter.setPen(QColor(named.selection_text if selected else named.muted))
        painter.drawText(upper, left, short_time(entry.row))
        level = f"{100 * entry.level:.0f} %" if entry.level == entry.level else ""
        painter.drawText(upper, right, level)
        if not entry.used:
            painter.drawText(lower, Qt.AlignmentFlag.AlignHCenter, "not in it" if entry.verdict.keep else "rejected")
            return
        painter.setPen(QColor(named.warning if entry.stands_out else named.selection_text if selected else named.text))
        painter.drawText(lower, left, entry.residual_text)
        painter.drawText(lower, right, entry.outlier_text)

    def _pixmap(self, entry: InputEntry) -> QPixmap | None:
        name = entry.row.frame_id
        if name in self._pixmaps:
            self._pixmaps.move_to_end(name)
            return self._pixmaps[name]
        if entry.thumbnail is None:
            return None
        # Row 0 is the bottom of the picture.
        image = indexed_image(entry.thumbnail[::-1], qt_color_table("grey", saturated=False))
        parent = self.parent()
        ratio = parent.devicePixelRatioF() if isinstance(parent, QWidget) else 1.0
        side = round(_THUMB * ratio)
        scaled = image.convertToFormat(image.Format.Format_RGB32).scaled(
            side, side, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
        pixmap = QPixmap.fromImage(scaled)
        pixmap.setDevicePixelRatio(ratio)
        self._pixmaps[name] = pixmap
        while len(self._pixmaps) > _KEPT:
            self._pixmaps.popitem(last=False)
        return pixmap


def _small(font: QFont) -> QFont:
    small = QFont(font)
    small.setPointSizeF(max(6.5, font.pointSizeF() - 1.5))
    return small


class InputStrip(QListView):
    """Inputs in one row.

    Signals
    -------
    picked(str)
        Id of the input the observer moved to.
    """

    picked = pyqtSignal(str)

    def __init__(self, model: InputList, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("masterInputs")
        self.setAccessibleName("Inputs of the master")
        self._list = model
        self._delegate = InputDelegate(self)
        self.setItemDelegate(self._delegate)
        self.setModel(model)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(False)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        option = QStyleOptionViewItem()
        option.font = self.font()
        self.setFixedHeight(self._delegate.sizeHint(option, QModelIndex()).height() + 14)

    def selected_ids(self) -> list[str]:
        """Return the ids of the selected inputs, in order of time."""
        rows = sorted(self.selectedIndexes(), key=QModelIndex.row)
        return [index.data(INPUT_ROLE).row.frame_id for index in rows]

    def select(self, frame_id: str) -> None:
        """Go to an input."""
        row = self._list.row_of(frame_id)
        if row >= 0:
            self.selectionModel().setCurrentIndex(
                self._list.index(row), QItemSelectionModel.SelectionFlag.ClearAndSelect
            )

    def forget_pictures(self) -> None:
        """Another night."""
        self._delegate.forget()

    def currentChanged(self, current: QModelIndex, previous: QModelIndex) -> None:
        super().currentChanged(current, previous)
        if current.isValid():
            self.picked.emit(current.data(INPUT_ROLE).row.frame_id)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """A vertical wheel scrolls along the strip."""
        if event is None:
            return
        delta = event.angleDelta()
        bar = self.horizontalScrollBar()
        bar.setValue(bar.value() - (delta.x() or delta.y()))
        event.accept()
