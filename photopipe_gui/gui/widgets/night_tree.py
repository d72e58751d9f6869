"""The tree of the night, with lights."""

from __future__ import annotations

from PyQt6.QtCore import QModelIndex, QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPen
from PyQt6.QtWidgets import QHeaderView, QStyledItemDelegate, QStyleOptionViewItem, QTreeView, QWidget

from ..models.night import NightModel
from ..models.night_tree import KEY_ROLE, STATE_ROLE, NightTreeModel
from ..theme import colors

_LIGHT = 9


class _LightDelegate(QStyledItemDelegate):
    """Kept of total with a light: a disc (enough), a half disc (few), a ring (none)."""

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        assert painter is not None
        state = index.data(STATE_ROLE)
        text_area = QStyleOptionViewItem(option)
        text_area.rect = option.rect.adjusted(0, 0, -(_LIGHT + 10), 0)
        super().paint(painter, option, QModelIndex())
        super().paint(painter, text_area, index)
        if not state:
            return
        named = colors()
        tone = QColor({"enough": named.keep, "few": named.warning}.get(state, named.reject))
        center = option.rect.center()
        disc = QRectF(option.rect.right() - _LIGHT - 5, center.y() - _LIGHT / 2 + 0.5, _LIGHT, _LIGHT)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(tone, 1.5))
        painter.setBrush(tone if state == "enough" else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(disc)
        if state == "few":
            painter.setBrush(tone)
            painter.drawChord(disc, 180 * 16, 180 * 16)
        painter.restore()


class NightTree(QTreeView):
    """Click a branch: filmstrip and plots show it."""

    def __init__(self, session: NightModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("nightTree")
        self.setAccessibleName("Frames of the night by type, camera and filter")
        self._session = session
        self._tree = NightTreeModel(session, self)
        self.setModel(self._tree)
        self.setItemDelegateForColumn(1, _LightDelegate(self))
        self.setHeaderHidden(True)
        self.setUniformRowHeights(True)
        self.setIndentation(14)
        self.header().setStretchLastSection(False)
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.header().setSectionResizeMode(1, QHeaderView.ResizeMode.Fixed)
        self.header().resizeSection(1, self.fontMetrics().horizontalAdvance("1000/1000") + _LIGHT + 22)
        self._tree.modelReset.connect(self._restore)
        session.groupChanged.connect(self._mark)
        self.selectionModel().currentChanged.connect(self._picked)
        self._restore()

    def _restore(self) -> None:
        self.expandAll()
        self._mark()

    def _mark(self) -> None:
        index = self._tree.index_of(self._session.group)
        if index.isValid() and index.data(KEY_ROLE) != self.currentIndex().data(KEY_ROLE):
            self.setCurrentIndex(index)

    def _picked(self, current: QModelIndex, _previous: QModelIndex) -> None:
        key = current.siblingAtColumn(0).data(KEY_ROLE)
        if key is not None:
            self._session.set_group(key)
