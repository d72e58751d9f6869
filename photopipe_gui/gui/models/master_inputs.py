"""The inputs of one master: what each gave, and how far it lies from the rest."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QAbstractListModel, QModelIndex, QObject, Qt

from ...reduction.preprocess.master_types import MasterInput
from ...reduction.selection import Verdict
from ...reduction.table import FrameRow

INPUT_ROLE = Qt.ItemDataRole.UserRole + 1
#: An input this far off stands out: fraction of outlying pixels, and mean residual in sigma.
MANY_OUTLIERS = 0.005
FAR_OFF = 0.5
_NONE = QModelIndex()


@dataclass(frozen=True)
class InputEntry:
    """One frame of a master's type and key.

    Attributes
    ----------
    row : FrameRow
    verdict : Verdict
    level : float
        Median as a fraction of saturation; NaN when unknown.
    thumbnail : ndarray of uint8 or None
        Display indices.
    used : bool
        Whether it is in the master on disk.
    residual : float
        Mean of (input - master) / sigma; NaN when not known.
    outliers : float
        Fraction of pixels far from the master; NaN when not known.
    rejected : int
        Pixels rejected when it was combined.
    problem : str
        Why it was left out of the master.
    """

    row: FrameRow
    verdict: Verdict
    level: float = math.nan
    thumbnail: NDArray[np.uint8] | None = None
    used: bool = False
    residual: float = math.nan
    outliers: float = math.nan
    rejected: int = 0
    problem: str = ""

    @property
    def stands_out(self) -> bool:
        """Whether it lies far from the other inputs."""
        return self.used and (self.outliers > MANY_OUTLIERS or abs(self.residual) > FAR_OFF)

    @property
    def residual_text(self) -> str:
        """Mean residual as shown: ``+0.02 σ``."""
        return f"{self.residual:+.2f} σ" if math.isfinite(self.residual) else ""

    @property
    def outlier_text(self) -> str:
        """Fraction of outlying pixels as shown."""
        if not math.isfinite(self.outliers):
            return ""
        percent = 100.0 * self.outliers
        if percent == 0 or percent >= 0.1:
            return f"{percent:.1f} %"
        return f"{percent:.2f} %" if percent >= 0.01 else "<0.01 %"

    def with_result(self, item: MasterInput) -> InputEntry:
        """Return the input with what it gave to the master."""
        return replace(
            self,
            residual=item.mean_residual,
            outliers=item.outlier_fraction,
            rejected=item.n_rejected,
            problem=item.problem,
        )

    def describe(self) -> str:
        """Return all that is known of it in words."""
        lines = [self.row.path.name]
        if math.isfinite(self.level):
            lines.append(f"median {100 * self.level:.1f} % of saturation")
        state = "in this master" if self.used else "not in this master"
        lines.append(f"{'kept' if self.verdict.keep else 'rejected'}, {state}")
        if self.verdict.reason:
            lines.append(self.verdict.reason)
        if self.problem:
            lines.append(f"left out: {self.problem}")
        if self.residual_text:
            lines.append(f"mean residual {self.residual_text}, {self.outlier_text} of its pixels are outliers")
        if self.rejected:
            lines.append(f"{self.rejected} pixels rejected when combined")
        return "\n".join(lines)


class InputList(QAbstractListModel):
    """Inputs in order of time."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._inputs: list[InputEntry] = []

    @property
    def inputs(self) -> tuple[InputEntry, ...]:
        """All inputs, in order."""
        return tuple(self._inputs)

    def set_inputs(self, inputs: Iterable[InputEntry]) -> None:
        """Show these inputs; when they are the same frames, the view keeps its place."""
        fresh = list(inputs)
        if [e.row.frame_id for e in fresh] == [e.row.frame_id for e in self._inputs]:
            self._inputs = fresh
            if fresh:
                self.dataChanged.emit(self.index(0), self.index(len(fresh) - 1))
            return
        self.beginResetModel()
        self._inputs = fresh
        self.endResetModel()

    def set_numbers(self, numbers: Mapping[str, tuple[float, float]]) -> None:
        """Take mean residual and fraction of outliers by frame id."""
        for row, entry in enumerate(self._inputs):
            if entry.row.frame_id in numbers:
                residual, outliers = numbers[entry.row.frame_id]
                self._inputs[row] = replace(entry, residual=residual, outliers=outliers)
                self.dataChanged.emit(self.index(row), self.index(row))

    def entry(self, row: int) -> InputEntry | None:
        """Return the input of a row."""
        return self._inputs[row] if 0 <= row < len(self._inputs) else None

    def row_of(self, frame_id: str) -> int:
        """Return the row of a frame, -1 when it has none."""
        return next((n for n, entry in enumerate(self._inputs) if entry.row.frame_id == frame_id), -1)

    def rowCount(self, parent: QModelIndex = _NONE) -> int:
        return 0 if parent.isValid() else len(self._inputs)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        entry = self.entry(index.row()) if index.isValid() else None
        if entry is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return entry.row.frame_id
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return entry.describe()
        return entry if role == INPUT_ROLE else None
