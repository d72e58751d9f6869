"""Level against time: a point a frame, limits that can be dragged, and a rubber band to keep or reject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import QPointF, QRectF, Qt, pyqtSignal
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QGraphicsRectItem, QVBoxLayout, QWidget

from ...reduction.selection import Verdict
from ..models.metrics import TimeScale
from ..theme import colors, theme
from .time_axis import TimeAxis

_REACH_PX = 14  # a click this near a point picks it


@dataclass(frozen=True, slots=True)
class PlotPoint:
    """A frame in the plot: ``place`` on the time scale, ``value`` (NaN: not shown), channel ``''``, ``a`` or ``b``."""

    frame_id: str
    place: float
    value: float
    verdict: Verdict
    channel: str = ""


class _BandBox(pg.ViewBox):
    """A left drag draws a rubber band; the wheel zooms time; a double click shows everything."""

    banded = pyqtSignal(QRectF)
    clicked = pyqtSignal(QPointF)
    reset = pyqtSignal()

    def __init__(self) -> None:
        super().__init__(enableMenu=False)
        self.setMouseEnabled(x=True, y=False)
        self._band = QGraphicsRectItem()
        self._band.setZValue(1e6)
        self._band.hide()
        self.addItem(self._band, ignoreBounds=True)

    def mouseDragEvent(self, ev: Any, axis: int | None = None) -> None:
        if ev.button() != Qt.MouseButton.LeftButton:
            super().mouseDragEvent(ev, axis=0)
            return
        ev.accept()
        area = QRectF(self.mapToView(ev.buttonDownPos()), self.mapToView(ev.pos())).normalized()
        if ev.isFinish():
            self._band.hide()
            self.banded.emit(area)
            return
        named = colors()
        fill = QColor(named.accent)
        fill.setAlpha(40)
        self._band.setPen(pg.mkPen(named.accent))
        self._band.setBrush(fill)
        self._band.setRect(area)
        self._band.show()

    def mouseClickEvent(self, ev: Any) -> None:
        if ev.button() != Qt.MouseButton.LeftButton:
            return
        ev.accept()
        if ev.double():
            self.reset.emit()
        else:
            self.clicked.emit(self.mapToView(ev.pos()))


class LevelPlot(QWidget):
    """Points of the frames shown.

    Signals
    -------
    limitsDragged(float, float)
        amin and amax as fractions, while a line moves.
    dragEnded()
        A line was let go.
    picked(str)
        Id of the frame that was clicked.
    banded(list)
        Ids of the frames in the rubber band.
    """

    limitsDragged = pyqtSignal(float, float)
    dragEnded = pyqtSignal()
    picked = pyqtSignal(str)
    banded = pyqtSignal(list)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("levelPlot")
        self.setAccessibleName("Level against time")
        self._points: tuple[PlotPoint, ...] = ()
        self._current = ""
        self._gaps: list[pg.InfiniteLine] = []
        self._limits: tuple[float, float] | None = None
        self._box = _BandBox()
        self._axis = TimeAxis()
        self._plot = pg.PlotWidget(self, viewBox=self._box, axisItems={"bottom": self._axis})
        self._plot.setMenuEnabled(False)
        self._plot.hideButtons()
        frame = self._plot.getPlotItem()
        frame.showGrid(x=False, y=True, alpha=0.15)
        frame.getAxis("left").setWidth(40)
        frame.getAxis("left").enableAutoSIPrefix(False)
        for side in ("left", "bottom"):
            frame.getAxis(side).setStyle(tickLength=-4)
        self._ceiling = pg.InfiniteLine(angle=0, pos=100.0)
        self._where = pg.InfiniteLine(angle=90)
        self._hands = pg.ScatterPlotItem(pxMode=True, size=17)
        self._rejected = pg.ScatterPlotItem(pxMode=True, size=9)
        self._kept = pg.ScatterPlotItem(pxMode=True, size=9)
        self._marked = pg.ScatterPlotItem(pxMode=True, size=13)
        self._lines = [pg.InfiniteLine(angle=0, movable=True) for _ in range(2)]
        for line in (self._ceiling, self._where):
            self._plot.addItem(line, ignoreBounds=True)
        for item in (self._hands, self._rejected, self._kept, self._marked):
            self._plot.addItem(item)
        for line, label in zip(self._lines, ("amin", "amax"), strict=True):
            line.label = pg.InfLineLabel(line, label, position=0.995, anchors=[(1, 1), (1, 1)])
            line.setZValue(20)
            line.sigDragged.connect(self._dragged)
            line.sigPositionChangeFinished.connect(self.dragEnded)
            self._plot.addItem(line, ignoreBounds=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._plot)
        self._box.clicked.connect(self._clicked)
        self._box.banded.connect(self._in_band)
        self._box.reset.connect(self.show_all)
        theme().changed.connect(self._restyle)
        self._restyle()

    # ------------------------------------------------------------- content

    def set_scale(self, scale: TimeScale) -> None:
        """Use a time scale; the points come with places on it."""
        self._axis.set_scale(scale)
        for line in self._gaps:
            self._plot.removeItem(line)
        self._gaps = []
        for _, _, origin in scale.stretches[1:]:
            line = pg.InfiniteLine(angle=90, pos=origin - scale.room / 2.0)
            self._plot.addItem(line, ignoreBounds=True)
            self._gaps.append(line)
        self._restyle_gaps()

    def set_points(self, points: Sequence[PlotPoint], percent: bool, same_frames: bool = False) -> None:
        """Show points; ``percent`` says that the vertical axis runs from 0 to saturation.

        With ``same_frames`` only verdicts or values changed: the zoom in time stays.
        """
        self._points = tuple(points)
        self._percent = percent
        self._draw()
        if not same_frames:
            self.show_all()

    def set_limits(self, amin: float, amax: float) -> None:
        """Show the limits (fractions of saturation)."""
        self._limits = (amin, amax)
        for line, value in zip(self._lines, self._limits, strict=True):
            line.setVisible(True)
            if abs(line.value() - 100.0 * value) > 1e-6:
                blocked = line.blockSignals(True)
                line.setValue(100.0 * value)
                line.blockSignals(blocked)

    def hide_limits(self) -> None:
        """Show no limits: they do not belong to what is plotted."""
        self._limits = None
        for line in self._lines:
            line.hide()

    def set_current(self, frame_id: str) -> None:
        """Mark the frame looked at."""
        self._current = frame_id
        self._draw()

    def show_all(self) -> None:
        """Zoom to all points."""
        points = [point for point in self._points if point.value == point.value]
        if not points:
            self._box.setRange(xRange=(0.0, 1.0), yRange=(0.0, 100.0), padding=0)
            return
        places = [point.place for point in points]
        margin = max((max(places) - min(places)) * 0.03, 0.01)
        self._box.setXRange(min(places) - margin, max(places) + margin, padding=0)
        self._box.setYRange(*self._value_range([point.value for point in points]), padding=0)

    def points(self) -> tuple[PlotPoint, ...]:
        """What is shown."""
        return self._points

    def limits(self) -> tuple[float, float] | None:
        """amin and amax shown, as fractions; None when hidden."""
        return self._limits

    def _value_range(self, values: list[float]) -> tuple[float, float]:
        low, high = min(values), max(values)
        bounded = self._limits is not None and (self._limits[0] > 0 or self._limits[1] < 1)
        if self._percent and (bounded or high > 40.0):
            return min(-5.0, low - 5.0), max(113.0, high + 8.0)
        margin = max((high - low) * 0.15, abs(high) * 0.02, 1e-6)
        return low - margin, high + margin

    # ------------------------------------------------------------- drawing

    def _draw(self) -> None:
        shown = [point for point in self._points if point.value == point.value]
        kept = [point for point in shown if point.verdict.keep]
        rejected = [point for point in shown if not point.verdict.keep]
        by_hand = [point for point in shown if point.verdict.by == "hand"]
        current = [point for point in shown if point.frame_id == self._current]
        for item, points in (
            (self._kept, kept),
            (self._rejected, rejected),
            (self._hands, by_hand),
            (self._marked, current),
        ):
            halves = any(point.channel == "b" for point in points) and item is not self._hands
            symbol = ["t1" if point.channel == "b" else "o" for point in points] if halves else "o"
            item.setData([point.place for point in points], [point.value for point in points], symbol=symbol)
        self._where.setVisible(bool(current))
        if current:
            self._where.setValue(current[0].place)
        self._ceiling.setVisible(self._percent)

    _percent = True

    def _restyle(self) -> None:
        named = colors()
        self._plot.setBackground(named.plot)
        for side in ("left", "bottom"):
            axis = self._plot.getPlotItem().getAxis(side)
            axis.setPen(named.border)
            axis.setTextPen(named.muted)
            axis.setGrid(60 if side == "left" else 0)
        dashed = Qt.PenStyle.DashLine
        for line in self._lines:
            line.setPen(pg.mkPen(named.limit, width=1.6, style=dashed))
            line.setHoverPen(pg.mkPen(named.limit, width=3))
            line.label.setColor(named.limit)
        self._ceiling.setPen(pg.mkPen(named.reject, width=1, style=Qt.PenStyle.DotLine))
        faint = QColor(named.accent)
        faint.setAlpha(90)
        self._where.setPen(pg.mkPen(faint, width=1))
        keep, reject = QColor(named.keep), QColor(named.reject)
        self._kept.setPen(pg.mkPen(keep, width=1.6))
        self._kept.setBrush(pg.mkBrush(keep))
        self._rejected.setPen(pg.mkPen(reject, width=1.6))
        self._rejected.setBrush(pg.mkBrush(named.plot))
        self._hands.setPen(pg.mkPen(named.hand, width=1.8))
        self._hands.setBrush(pg.mkBrush(None))
        self._marked.setPen(pg.mkPen(named.accent, width=2.5))
        self._marked.setBrush(pg.mkBrush(None))
        self._restyle_gaps()
        self._draw()

    def _restyle_gaps(self) -> None:
        for line in self._gaps:
            line.setPen(pg.mkPen(colors().border, width=1, style=Qt.PenStyle.DotLine))

    # ---------------------------------------------------------- the mouse

    def _dragged(self, line: pg.InfiniteLine) -> None:
        low, high = (one.value() / 100.0 for one in self._lines)
        if line is self._lines[0]:
            low = min(max(low, 0.0), high - 0.005)
        else:
            high = max(min(high, 1.0), low + 0.005)
        low, high = max(low, 0.0), min(high, 1.0)
        self._limits = (low, high)
        for one, value in zip(self._lines, self._limits, strict=True):
            blocked = one.blockSignals(True)
            one.setValue(100.0 * value)
            one.blockSignals(blocked)
        self.limitsDragged.emit(low, high)

    def _clicked(self, place: QPointF) -> None:
        points = [point for point in self._points if point.value == point.value]
        if not points:
            return
        wide, high = self._box.viewPixelSize()
        dx = (np.array([point.place for point in points]) - place.x()) / max(wide, 1e-12)
        dy = (np.array([point.value for point in points]) - place.y()) / max(high, 1e-12)
        distance = np.hypot(dx, dy)
        nearest = int(np.argmin(distance))
        if distance[nearest] <= _REACH_PX:
            self.picked.emit(points[nearest].frame_id)

    def _in_band(self, area: QRectF) -> None:
        inside = [
            point.frame_id
            for point in self._points
            if point.value == point.value and area.contains(QPointF(point.place, point.value))
        ]
        if inside:
            self.banded.emit(inside)
