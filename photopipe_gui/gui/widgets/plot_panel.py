"""Level plot, limits and live count, bound to the night."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PyQt6.QtCore import Qt, QTimer, pyqtSignal
from PyQt6.QtWidgets import QCheckBox, QComboBox, QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from ...reduction.table import FrameRow
from ..models.frame_list import FrameFilter
from ..models.groups import TYPE_TITLES
from ..models.metrics import METRICS, TimeScale, hours_of, metric
from ..models.night import NightModel
from .bind import describe, quiet
from .elided import ElidedLabel
from .level_plot import LevelPlot, PlotPoint
from .level_slider import LevelSlider


class PlotPanel(QWidget):
    """The frames shown, against time; the limits of the type of the frame looked at.

    Signals
    -------
    picked(str)
        Id of a frame clicked in the plot.
    banded(list)
        Ids of the frames in a rubber band.
    """

    picked = pyqtSignal(str)
    banded = pyqtSignal(list)

    def __init__(self, session: NightModel, frames: FrameFilter, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._frames = session, frames
        self._ftype = ""
        #: The rows that have their places, and the places; rows are the same list until others are shown.
        self._placed: list[FrameRow] | None = None
        self._places: list[float] = []
        self._scale = TimeScale()
        self._dirty = QTimer(self, singleShot=True, interval=40)
        self._dirty.timeout.connect(self._draw_same)
        self.plot = LevelPlot()
        self.plot.setMinimumHeight(100)
        self.slider = LevelSlider()
        self._reject_sat = QCheckBox("reject saturated")
        describe(self._reject_sat, "Reject saturated", "Reject frames of this type that have saturated pixels")
        self._type = QLabel()
        self._type.setProperty("role", "heading")
        self._count = ElidedLabel(muted=False)
        self._count.setObjectName("countLabel")
        self._count.setFixedWidth(self.fontMetrics().horizontalAdvance("keeps 100 of 100 · 10 set by hand"))
        self._count.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.metric = QComboBox()
        self.metric.setObjectName("metricPicker")
        for one in METRICS:
            self.metric.addItem(one.short, one.name)
            self.metric.setItemData(self.metric.count() - 1, one.title, Qt.ItemDataRole.ToolTipRole)
        describe(self.metric, "Plotted against time", "What is plotted against time")
        controls = QFrame()
        controls.setProperty("role", "bar")
        row = QHBoxLayout(controls)
        row.setContentsMargins(8, 3, 8, 3)
        row.setSpacing(8)
        row.addWidget(self._type)
        row.addWidget(self.slider, 1)
        row.addWidget(self._reject_sat)
        row.addWidget(self._count)
        row.addWidget(self.metric)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.plot, 1)
        layout.addWidget(controls)
        self._connect()
        self.reload()

    def _connect(self) -> None:
        self.plot.picked.connect(self.picked)
        self.plot.banded.connect(self.banded)
        self.plot.limitsDragged.connect(self._dragged)
        self.plot.dragEnded.connect(self._session.end_drag)
        self.slider.valueChanged.connect(self._slid)
        self.slider.released.connect(self._session.end_drag)
        self._reject_sat.toggled.connect(self._sat_toggled)
        self.metric.currentIndexChanged.connect(self.reload)
        self._session.limitsChanged.connect(self._limits_changed)

    # ------------------------------------------------------------- showing

    def reload(self, _index: int = 0) -> None:
        """Other frames, or another metric."""
        self._draw(same=False)

    def refresh(self) -> None:
        """Verdicts or values changed; drawn soon, so that a flood of measurements costs little."""
        self._count_kept()
        if not self._dirty.isActive():
            self._dirty.start()

    def set_current(self, frame_id: str) -> None:
        """Another frame is looked at."""
        row = self._session.row(frame_id)
        ftype = row.ftype if row is not None else ""
        if ftype != self._ftype:
            self._ftype = ftype
            self._show_limits()
            self._draw(same=False)
        self.plot.set_current(frame_id)

    def _draw_same(self) -> None:
        self._draw(same=True)

    def _draw(self, same: bool) -> None:
        chosen = metric(str(self.metric.currentData()))
        rows = self._frames.rows()
        if rows is not self._placed:
            times = hours_of(rows)
            self._scale = TimeScale(times)
            self._places = [self._scale.place(hours) for hours in times]
            self._placed, same = rows, False
        points = []
        for row, place in zip(rows, self._places, strict=True):
            stats = self._session.stats.get(row.frame_id)
            value = float("nan") if stats is None else chosen.value(row, stats)
            points.append(PlotPoint(row.frame_id, place, value, self._session.verdict(row.frame_id), row.channel))
        before = {point.frame_id for point in self.plot.points() if point.value == point.value}
        same = same and before == {point.frame_id for point in points if point.value == point.value}
        self._show_limits()
        if not same:
            self.plot.set_scale(self._scale)
        self.plot.set_points(points, chosen.name == "level", same_frames=same)
        self._count_kept()

    def _show_limits(self) -> None:
        known = self._ftype in self._session.limits
        for widget in (self.slider, self._reject_sat):
            widget.setEnabled(known)
        self._type.setText(TYPE_TITLES.get(self._ftype, ""))
        if not known:
            self.plot.hide_limits()
            return
        limits = self._session.limits[self._ftype]
        with quiet(self.slider, self._reject_sat):
            self.slider.setValue((limits.amin, limits.amax))
            self._reject_sat.setChecked(limits.reject_sat)
        if self.metric.currentData() == "level":
            self.plot.set_limits(limits.amin, limits.amax)
        else:
            self.plot.hide_limits()

    def _count_kept(self) -> None:
        rows = self._frames.rows()
        kept, by_hand = self._session.count(rows)
        hand = f" · {by_hand} set by hand" if by_hand else ""
        self._count.set_text(f"keeps {kept} of {len(rows)}{hand}" if rows else "")

    def count_text(self) -> str:
        """What the live count says."""
        return self._count.full_text()

    # ------------------------------------------------------------- changes

    def _change(self, dragging: bool, **values: Any) -> None:
        if self._ftype in self._session.limits:
            limits = replace(self._session.limits[self._ftype], **values)
            self._session.set_limits(self._ftype, limits, dragging=dragging)

    def _dragged(self, amin: float, amax: float) -> None:
        self._change(True, amin=round(amin, 3), amax=round(amax, 3))

    def _slid(self, value: tuple[float, float]) -> None:
        self._change(True, amin=value[0], amax=value[1])

    def _sat_toggled(self, on: bool) -> None:
        self._change(False, reject_sat=on)

    def _limits_changed(self, ftype: str) -> None:
        if ftype == self._ftype:
            self._show_limits()
            self._count_kept()
