"""The filmstrip: thumbnails of the frames shown, drawn as they come into view."""

from __future__ import annotations

from collections import OrderedDict

from PyQt6.QtCore import (
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    pyqtSignal,
)
from PyQt6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent, QPen, QPixmap, QWheelEvent
from PyQt6.QtWidgets import QAbstractItemView, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from ...reduction.table import FrameRow
from ..models.frame_list import ID_ROLE, ROW_ROLE, STATS_ROLE, THUMBNAIL_ROLE, VERDICT_ROLE, FrameFilter
from ..theme import colors, theme
from .badges import paint_badge
from .raster import indexed_image, qt_color_table

THUMB = 84
_MARGIN = 5
_KEPT_PIXMAPS = 600


def short_time(row: FrameRow) -> str:
    """Return the time of day of a frame: ``03:10:09``; empty when unknown."""
    if row.mjd != row.mjd:
        return ""
    seconds = round((row.mjd % 1.0) * 86400.0) % 86400
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


class ThumbnailDelegate(QStyledItemDelegate):
    """Draws a frame: picture, verdict, time and level."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._pixmaps: OrderedDict[str, QPixmap] = OrderedDict()
        theme().changed.connect(self._pixmaps.clear)

    def forget(self) -> None:
        """Another night: its frames may have the same names."""
        self._pixmaps.clear()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        line = QFontMetrics(_small(option.font)).height()
        return QSize(THUMB + 2 * _MARGIN, THUMB + line + 2 * _MARGIN + 2)

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        assert painter is not None
        named = colors()
        row, verdict, stats = index.data(ROW_ROLE), index.data(VERDICT_ROLE), index.data(STATS_ROLE)
        cell = option.rect.adjusted(2, 2, -2, -2)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        view = self.parent()
        current = isinstance(view, QListView) and view.currentIndex() == index
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if selected or option.state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(named.selection if selected else named.raised))
            painter.drawRoundedRect(QRectF(cell), 4, 4)
        if current:
            painter.setPen(QPen(QColor(named.accent), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(cell).adjusted(1, 1, -1, -1), 4, 4)
        frame = QRect(cell.x() + (cell.width() - THUMB) // 2, cell.y() + _MARGIN - 2, THUMB, THUMB)
        self._paint_picture(painter, frame, index, faded=stats is not None and not verdict.keep)
        if stats is not None or row.problem or verdict.by == "hand":
            paint_badge(painter, QRectF(frame.x() + 3, frame.y() + 3, 19, 19), verdict)
        painter.setFont(_small(option.font))
        if row.channel:
            self._paint_tag(painter, frame, row.filter)
        text = QRect(cell.x() + 4, frame.bottom() + 2, cell.width() - 8, cell.bottom() - frame.bottom() - 2)
        painter.setPen(QColor(named.selection_text if selected else named.muted))
        painter.drawText(text, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, short_time(row))
        painter.drawText(text, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, _level(row, stats))
        painter.restore()

    def _paint_picture(self, painter: QPainter, frame: QRect, index: QModelIndex, faded: bool) -> None:
        named = colors()
        pixmap = self._pixmap(index)
        painter.fillRect(frame, QColor(named.image))
        if pixmap is None:
            row = index.data(ROW_ROLE)
            painter.setPen(QColor("#8a94a0" if theme().shown != "red" else named.muted))
            painter.drawText(frame, Qt.AlignmentFlag.AlignCenter, "unreadable" if row.problem else "...")
            return
        painter.setOpacity(0.45 if faded else 1.0)
        target = QRect(0, 0, pixmap.width(), pixmap.height())
        target.moveCenter(frame.center())
        painter.drawPixmap(target, pixmap)
        painter.setOpacity(1.0)

    def _paint_tag(self, painter: QPainter, frame: QRect, text: str) -> None:
        """The filter of a half, in the lower corner."""
        named = colors()
        width = painter.fontMetrics().horizontalAdvance(text) + 8
        tag = QRect(frame.right() - width, frame.bottom() - 15, width, 15)
        painter.fillRect(tag, QColor(named.panel))
        painter.setPen(QColor(named.text))
        painter.drawText(tag, Qt.AlignmentFlag.AlignCenter, text)

    def _pixmap(self, index: QModelIndex) -> QPixmap | None:
        name = index.data(ID_ROLE)
        if name in self._pixmaps:
            self._pixmaps.move_to_end(name)
            return self._pixmaps[name]
        indices = index.data(THUMBNAIL_ROLE)
        if indices is None:
            return None
        # Row 0 is the bottom of the picture.
        image = indexed_image(indices[::-1], qt_color_table("grey", saturated=False))
        ratio = self.parent().devicePixelRatioF() if isinstance(self.parent(), QWidget) else 1.0
        size = round(THUMB * ratio)
        pixmap = QPixmap.fromImage(
            image.convertToFormat(image.Format.Format_RGB32).scaled(
                size, size, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            )
        )
        pixmap.setDevicePixelRatio(ratio)
        self._pixmaps[name] = pixmap
        while len(self._pixmaps) > _KEPT_PIXMAPS:
            self._pixmaps.popitem(last=False)
        return pixmap


def _small(font: QFont) -> QFont:
    small = QFont(font)
    small.setPointSizeF(max(6.5, font.pointSizeF() - 1.5))
    return small


def _level(row: FrameRow, stats: object) -> str:
    median = getattr(stats, "median", float("nan"))
    if median != median or not row.saturation > 0:
        return ""
    percent = 100.0 * median / row.saturation
    return f"{percent:.0f} %" if percent >= 9.95 else f"{percent:.1f} %"


class Filmstrip(QListView):
    """Thumbnails in one row.

    Signals
    -------
    framePicked(str)
        Id of the frame the observer moved to.
    """

    framePicked = pyqtSignal(str)

    def __init__(self, frames: FrameFilter, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("filmstrip")
        self.setAccessibleName("Filmstrip of frames")
        self._frames = frames
        self._empty = ""
        self._delegate = ThumbnailDelegate(self)
        self.setItemDelegate(self._delegate)
        self.setModel(frames)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(False)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self._fit_height()

    def _fit_height(self) -> None:
        option = QStyleOptionViewItem()
        option.font = self.font()
        cell = self._delegate.sizeHint(option, QModelIndex()).height()
        self.setFixedHeight(cell + 14)

    def show_frame(self, frame_id: str, keep_selection: bool = False) -> None:
        """Mark a frame as the one looked at and bring it into view."""
        index = self._frames.index_of(frame_id)
        if not index.isValid() or index == self.currentIndex():
            return
        flag = QItemSelectionModel.SelectionFlag
        self.selectionModel().setCurrentIndex(index, flag.NoUpdate if keep_selection else flag.ClearAndSelect)
        self.scrollTo(index, QAbstractItemView.ScrollHint.EnsureVisible)

    def selected_ids(self) -> list[str]:
        """Ids of the selected frames, in order of time."""
        return [index.data(ID_ROLE) for index in sorted(self.selectedIndexes(), key=QModelIndex.row)]

    def set_empty_text(self, text: str) -> None:
        """Set what is said where there is no frame to show."""
        self._empty = text
        self.viewport().update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        super().paintEvent(event)
        if self._frames.rowCount() == 0 and self._empty:
            painter = QPainter(self.viewport())
            painter.setPen(QColor(colors().muted))
            room = self.viewport().rect().adjusted(20, 0, -20, 0)
            painter.drawText(room, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._empty)

    def forget_pictures(self) -> None:
        """Another night."""
        self._delegate.forget()

    def currentChanged(self, current: QModelIndex, previous: QModelIndex) -> None:
        super().currentChanged(current, previous)
        if current.isValid():
            self.framePicked.emit(current.data(ID_ROLE))

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """A vertical wheel scrolls along the strip."""
        assert event is not None
        delta = event.angleDelta()
        step = delta.x() or delta.y()
        bar = self.horizontalScrollBar()
        bar.setValue(bar.value() - step)
        event.accept()

    def visible_ids(self) -> list[str]:
        """Ids of the frames in view."""
        first = self.indexAt(self.viewport().rect().topLeft())
        last = self.indexAt(self.viewport().rect().bottomRight())
        start = first.row() if first.isValid() else 0
        end = QPersistentModelIndex(last).row() if last.isValid() else self._frames.rowCount() - 1
        return [self._frames.index(i, 0).data(ID_ROLE) for i in range(start, end + 1)]
