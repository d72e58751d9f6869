"""The night as a tree: type, camera and filter, exposure; kept of total, and whether that is enough."""

from __future__ import annotations

from typing import Any

from PyQt6.QtCore import QAbstractItemModel, QModelIndex, QObject, Qt, QTimer

from .groups import Group, GroupKey, build_groups
from .night import NightModel

STATE_ROLE = int(Qt.ItemDataRole.UserRole) + 1
KEY_ROLE = STATE_ROLE + 1
COLUMNS = ("Frames", "Kept")


class NightTreeModel(QAbstractItemModel):
    """Two columns: what, and kept/total. The whole night is the first row."""

    def __init__(self, night: NightModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._night = night
        self._root = Group((), "")
        self._timer = QTimer(self, singleShot=True, interval=60)
        self._timer.timeout.connect(self._count)
        night.tableChanged.connect(self._reload)
        night.measured.connect(self._schedule)
        night.verdictsChanged.connect(self._schedule)
        self._reload()

    def _reload(self) -> None:
        self.beginResetModel()
        whole = build_groups(self._night.rows())
        whole.count(self._night.selection.verdicts)
        whole.label = "All frames"
        # The root stays out of sight; its children are "All frames" and the types beside it.
        self._root = Group((), "")
        if whole.total:
            top = Group((), whole.label, self._root, [], whole.kept, whole.total, whole.by_hand, whole.ids)
            self._root.children = [top, *whole.children]
            for child in whole.children:
                child.parent = self._root
        self.endResetModel()

    def _schedule(self, _ids: object) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _count(self) -> None:
        for child in self._root.children:
            child.count(self._night.selection.verdicts)
        self._emit_changed(QModelIndex())

    def _emit_changed(self, parent: QModelIndex) -> None:
        rows = self.rowCount(parent)
        if not rows:
            return
        self.dataChanged.emit(self.index(0, 0, parent), self.index(rows - 1, 1, parent))
        for place in range(rows):
            self._emit_changed(self.index(place, 0, parent))

    def group(self, index: QModelIndex) -> Group:
        """The branch of an index."""
        return index.internalPointer() if index.isValid() else self._root

    def index_of(self, key: GroupKey) -> QModelIndex:
        """The index of a branch; that of all frames for the empty key."""

        def search(parent: QModelIndex) -> QModelIndex:
            for place in range(self.rowCount(parent)):
                index = self.index(place, 0, parent)
                if self.group(index).key == tuple(key):
                    return index
                found = search(index)
                if found.isValid():
                    return found
            return QModelIndex()

        return search(QModelIndex())

    # ------------------------------------------------------ Qt's questions

    def index(self, row: int, column: int, parent: QModelIndex = QModelIndex()) -> QModelIndex:  # noqa: B008
        children = self.group(parent).children
        if not (0 <= row < len(children) and 0 <= column < len(COLUMNS)):
            return QModelIndex()
        return self.createIndex(row, column, children[row])

    def parent(self, index: QModelIndex) -> QModelIndex:  # type: ignore[override]
        if not index.isValid():
            return QModelIndex()
        above = self.group(index).parent
        if above is None or above is self._root or above.parent is None:
            return QModelIndex()
        return self.createIndex(above.parent.children.index(above), 0, above)

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.column() > 0 else len(self.group(parent).children)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        return len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        return None

    def data(self, index: QModelIndex, role: int = int(Qt.ItemDataRole.DisplayRole)) -> Any:
        if not index.isValid():
            return None
        group = self.group(index)
        if role == Qt.ItemDataRole.DisplayRole:
            return group.label if index.column() == 0 else f"{group.kept}/{group.total}"
        if role == KEY_ROLE:
            return group.key
        if role == STATE_ROLE:
            return group.state(self._night.fmin) if group.key else ""
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() == 1:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return self._sentence(group)
        return None

    def _sentence(self, group: Group) -> str:
        text = f"{group.label}: {group.kept} of {group.total} kept, {group.by_hand} set by hand"
        if not group.key or group.key[0] == "object":
            return text
        state = group.state(self._night.fmin)
        need = self._night.fmin
        return text + {
            "enough": ". Enough for a master frame.",
            "few": f". Fewer than {need}: a master frame needs your word for it.",
            "none": ". None kept: no master frame can be made.",
        }[state]
