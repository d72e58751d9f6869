"""The coadds of a night and what they are worth: one row a target and filter."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt

from ...errors import FrameError
from ...reduction.fitsio import read_layout

RESULT_ROLE = Qt.ItemDataRole.UserRole + 1
_NONE = QModelIndex()


@dataclass(frozen=True)
class Result:
    """One coadd.

    Attributes
    ----------
    path : Path
        The coadd; its weight map lies beside it.
    cards : mapping
        Its header cards.
    given : int
        Frames of its target and filter that the run was given; 0 when unknown.
    problem : str
        Why the file cannot be used; empty when it can.
    measured : mapping
        What the report says of its frames: medians of ``ASTRRMS1``, ``ASTRRMS2`` (deg) and ``ASTRNMAT``, ``ASTRCAT``.
    """

    path: Path
    cards: Mapping[str, Any] = field(default_factory=dict)
    given: int = 0
    problem: str = ""
    measured: Mapping[str, Any] = field(default_factory=dict)

    def number(self, key: str) -> float:
        """Return a number from the header, NaN when there is none."""
        value = self.cards.get(key, self.measured.get(key))
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan

    def text(self, key: str) -> str:
        """Return a header value as text; empty when there is none."""
        value = self.cards.get(key, self.measured.get(key))
        return "" if value is None else str(value).strip()

    @property
    def group(self) -> tuple[str, str]:
        """Target and filter."""
        return self.text("TARGNAME"), self.text("FILTER")

    @property
    def used(self) -> int:
        """Frames that went into it."""
        number = self.number("NSTACK")
        return int(number) if math.isfinite(number) else 0

    @property
    def seeing(self) -> float:
        """FWHM, arcsec; NaN when not measured."""
        return self.number("SEEPIX") * self.number("PIXSCALE")

    @property
    def weight(self) -> Path:
        """The weight map beside it."""
        return self.path.with_name(f"{self.path.stem}.weight.fits")

    @property
    def astrometric_rms(self) -> float:
        """Rms of the astrometric residuals per axis, arcsec; NaN when not measured."""
        first, second = self.number("ASTRRMS1"), self.number("ASTRRMS2")
        return 3600.0 * math.sqrt((first**2 + second**2) / 2.0)


def read_result(path: Path, given: int = 0) -> Result:
    """Read the header of a coadd; one that cannot be read gives a row that says so."""
    try:
        cards = read_layout(path).cards
    except FrameError as error:
        return Result(path, given=given, problem=f"{error.reason}. {error.remedy}".strip())
    return Result(path, dict(cards), given)


def _plain(value: float, form: str) -> str:
    return form.format(value) if math.isfinite(value) else "—"


def _zero_point(result: Result) -> str:
    value = result.number("ABSZPT")
    if not math.isfinite(value):
        return "no reference"
    error = result.number("ABSZPERR")
    return f"{value:.3f}" + (f" ± {error:.3f}" if math.isfinite(error) else "")


def _frames(result: Result) -> str:
    return f"{result.used} of {result.given}" if result.given else str(result.used or "—")


def _astrometry(result: Result) -> str:
    value = result.astrometric_rms
    if not math.isfinite(value):
        return "relative"
    return f'{value:.3f}"' + (" rel." if result.text("ASTRCAT") == "relative" else "")


#: Title, help, text, value to sort by.
COLUMNS: tuple[tuple[str, str, Callable[[Result], str], Callable[[Result], Any]], ...] = (
    ("Target", "TARGNAME", lambda r: r.text("TARGNAME") or r.path.stem, lambda r: r.text("TARGNAME")),
    ("Filter", "FILTER", lambda r: r.text("FILTER"), lambda r: r.text("FILTER")),
    ("Frames", "Frames used of those given to the run (NSTACK)", _frames, lambda r: r.used),
    ("Exposure", "Total exposure (TOTALEXP)", lambda r: _plain(r.number("TOTALEXP"), "{:.0f} s"),
     lambda r: r.number("TOTALEXP")),
    ("Zero point", "Magnitude of 1 DN and its error (ABSZPT, ABSZPERR)", _zero_point, lambda r: r.number("ABSZPT")),
    ("Seeing", "FWHM of stars on the coadd (SEEPIX x PIXSCALE)", lambda r: _plain(r.seeing, '{:.2f}"'),
     lambda r: r.seeing),
    ("Astrometry", "Rms of residuals per axis against the catalogue, median of the frames; relative: no catalogue",
     _astrometry, lambda r: r.astrometric_rms),
    ("Airmass", "Median airmass (AIRMASS)", lambda r: _plain(r.number("AIRMASS"), "{:.2f}"),
     lambda r: r.number("AIRMASS")),
)  # fmt: skip


class ResultTable(QAbstractTableModel):
    """Coadds by target and filter."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._results: list[Result] = []

    def set_results(self, results: Iterable[Result]) -> None:
        """Show these coadds."""
        self.beginResetModel()
        self._results = list(results)
        self.endResetModel()

    @property
    def results(self) -> tuple[Result, ...]:
        """All coadds in order."""
        return tuple(self._results)

    def result(self, row: int) -> Result | None:
        """Return the coadd of a row."""
        return self._results[row] if 0 <= row < len(self._results) else None

    def rowCount(self, parent: QModelIndex = _NONE) -> int:
        return 0 if parent.isValid() else len(self._results)

    def columnCount(self, parent: QModelIndex = _NONE) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        if not 0 <= column < len(COLUMNS):
            return
        key = COLUMNS[column][3]
        self.layoutAboutToBeChanged.emit()
        before = {id(result): row for row, result in enumerate(self._results)}
        self._results.sort(key=lambda result: _sortable(key(result)), reverse=order == Qt.SortOrder.DescendingOrder)
        places = {before[id(result)]: row for row, result in enumerate(self._results)}
        for old in self.persistentIndexList():
            self.changePersistentIndex(old, self.index(places[old.row()], old.column()))
        self.layoutChanged.emit()

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        result = self._results[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            if result.problem:
                return (result.path.name, "", result.problem)[index.column()] if index.column() < 3 else ""
            return COLUMNS[index.column()][2](result)
        if role == Qt.ItemDataRole.ToolTipRole:
            return result.problem or f"{result.path.name}\n{COLUMNS[index.column()][1]}"
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() >= 2:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return result if role == RESULT_ROLE else None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation == Qt.Orientation.Horizontal and section < len(COLUMNS):
            if role == Qt.ItemDataRole.DisplayRole:
                return COLUMNS[section][0]
            if role == Qt.ItemDataRole.ToolTipRole:
                return COLUMNS[section][1]
            if role == Qt.ItemDataRole.TextAlignmentRole:
                side = Qt.AlignmentFlag.AlignRight if section >= 2 else Qt.AlignmentFlag.AlignLeft
                return side | Qt.AlignmentFlag.AlignVCenter
        return None


def _sortable(value: Any) -> tuple[int, Any]:
    """NaN after everything else; text after text."""
    if isinstance(value, float) and math.isnan(value):
        return (1, 0.0)
    return (0, value)
