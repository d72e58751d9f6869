"""The tree of the night, with lights."""

from __future__ import annotations

from PyQt6.QtCore import QModelIndex, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QPainter, QPen
from PyQt6.QtWidgets import QHeaderView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QTreeView, QWidget

from ..models.night import NightModel
from ..models.night_tree import KEY_ROLE, STATE_ROLE, NightTreeModel
from ..theme import colors

_LIGHT = 9


class _LightDelegate(QStyledItemDelegate):
    """Kept of total with a light: a disc (enough), a half disc (few), a ring (none)."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        hint = super().sizeHint(option, index)
        return QSize(hint.width() + _LIGHT + 14, hint.height())

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        assert painter is not None
        state = index.data(STATE_ROLE)
        named = colors()
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        if selected:
            painter.fillRect(option.rect, QColor(named.selection))
        painter.setPen(QColor(named.selection_text if selected else named.muted))
        text_area = option.rect.adjusted(0, 0, -(_LIGHT + 13), 0)
        painter.drawText(text_area, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, index.data())
        if not state:
            return
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
        self.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
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
