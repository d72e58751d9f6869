"""The frames as a list for views, and the filter that shows a branch of the night."""

from __future__ import annotations

from typing import Any

from PyQt6.QtCore import QAbstractListModel, QModelIndex, QObject, QSortFilterProxyModel, Qt

from ...reduction.table import FrameRow
from .groups import contains
from .night import NightModel

_ROLE = int(Qt.ItemDataRole.UserRole)
ID_ROLE, ROW_ROLE, VERDICT_ROLE, STATS_ROLE, THUMBNAIL_ROLE = range(_ROLE + 1, _ROLE + 6)


def describe_row(row: FrameRow) -> str:
    """Return a frame in a few words: ``flat · i · 10 s``."""
    parts = [row.ftype if row.ftype != "object" else row.target or "science"]
    if row.filter and row.ftype in ("flat", "object"):
        parts.append(row.filter)
    else:
        parts.append(f"C{row.camera}")
    if row.exptime == row.exptime:
        parts.append(f"{row.exptime:g} s")
    return " · ".join(parts)


class FrameListModel(QAbstractListModel):
    """One row a frame (or half), in order of time; rows of the cameras shown."""

    def __init__(self, night: NightModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._night = night
        self._rows: tuple[FrameRow, ...] = night.rows()
        self._places = {row.frame_id: i for i, row in enumerate(self._rows)}
        night.tableChanged.connect(self._reload)
        night.measured.connect(self._refresh)
        night.verdictsChanged.connect(self._refresh)

    def _reload(self) -> None:
        self.beginResetModel()
        self._rows = self._night.rows()
        self._places = {row.frame_id: i for i, row in enumerate(self._rows)}
        self.endResetModel()

    def _refresh(self, frame_ids: Any) -> None:
        places = sorted(self._places[name] for name in frame_ids if name in self._places)
        start = previous = None
        for place in places:
            if previous is not None and place == previous + 1:
                previous = place
                continue
            if start is not None:
                self.dataChanged.emit(self.index(start), self.index(previous))
            start = previous = place
        if start is not None:
            self.dataChanged.emit(self.index(start), self.index(previous))

    def index_of(self, frame_id: str) -> QModelIndex:
        """The index of a frame id; invalid when it is not listed."""
        place = self._places.get(frame_id)
        return QModelIndex() if place is None else self.index(place)

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: QModelIndex, role: int = int(Qt.ItemDataRole.DisplayRole)) -> Any:
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        row = self._rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole or role == ID_ROLE:
            return row.frame_id
        if role == ROW_ROLE:
            return row
        if role == VERDICT_ROLE:
            return self._night.verdict(row.frame_id)
        if role == STATS_ROLE:
            return self._night.stats.get(row.frame_id)
        if role == THUMBNAIL_ROLE:
            return self._night.thumbnails.get(row.frame_id)
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return self._sentence(row)
        return None

    def _sentence(self, row: FrameRow) -> str:
        verdict = self._night.verdict(row.frame_id)
        word = "kept" if verdict.keep else "rejected"
        by = "by hand" if verdict.by == "hand" else "by rule"
        why = verdict.reason or "within the limits"
        return f"{row.frame_id}\n{describe_row(row)}\n{word} {by}: {why}"


class FrameFilter(QSortFilterProxyModel):
    """Shows the branch of the night that is chosen, and of it what fits the words in the find box."""

    def __init__(self, night: NightModel, source: FrameListModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._night = night
        self._words: tuple[str, ...] = ()
        self._shown: list[FrameRow] | None = None
        self.setSourceModel(source)
        for changed in (self.modelReset, self.rowsInserted, self.rowsRemoved, self.layoutChanged):
            changed.connect(self._forget_shown)
        night.groupChanged.connect(self._again)

    def _again(self) -> None:
        self.invalidate()
        self._forget_shown()

    def _forget_shown(self) -> None:
        self._shown = None

    def set_find(self, text: str) -> None:
        """Show only frames whose name, target, filter, type or verdict holds every word."""
        self._words = tuple(text.lower().split())
        self._again()

    @property
    def finds(self) -> bool:
        """True while words narrow the list."""
        return bool(self._words)

    def filterAcceptsRow(self, source_row: int, source_parent: QModelIndex) -> bool:
        index = self.sourceModel().index(source_row, 0, source_parent)
        row: FrameRow = index.data(ROW_ROLE)
        if not contains(self._night.group, row):
            return False
        if not self._words:
            return True
        verdict = self._night.verdict(row.frame_id)
        state = f"{'kept' if verdict.keep else 'rejected'} {verdict.by} {verdict.reason}"
        text = f"{row.frame_id} {row.target} {row.filter} {row.ftype} C{row.camera} {state}".lower()
        return all(word in text for word in self._words)

    def frame_ids(self) -> list[str]:
        """Ids of the frames shown, in order."""
        return [row.frame_id for row in self.rows()]

    def rows(self) -> list[FrameRow]:
        """Rows shown, in order."""
        if self._shown is None:
            self._shown = [self.index(i, 0).data(ROW_ROLE) for i in range(self.rowCount())]
        return self._shown

    def index_of(self, frame_id: str) -> QModelIndex:
        """The index of a frame id; invalid when it is not shown."""
        source = self.sourceModel()
        assert isinstance(source, FrameListModel)
        return self.mapFromSource(source.index_of(frame_id))
