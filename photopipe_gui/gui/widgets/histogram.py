"""Histogram of a frame: logarithmic counts from zero to saturation, with the limits and the median."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import ArrayLike
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QLabel, QVBoxLayout, QWidget

from ..theme import colors, theme


class HistogramView(QWidget):
    """Shows how many pixels have which level; amin, amax (dashed) and the median (solid) are marked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._saturation = float("nan")
        self._plot = pg.PlotWidget(self, enableMenu=False)
        self._plot.setMouseEnabled(x=False, y=False)
        self._plot.hideButtons()
        item = self._plot.getPlotItem()
        item.setLogMode(x=False, y=False)
        item.getAxis("left").setWidth(26)
        item.getAxis("left").setStyle(tickLength=-3)
        item.getAxis("bottom").setStyle(tickLength=-3)
        item.getAxis("bottom").enableAutoSIPrefix(False)
        self._bars = pg.PlotCurveItem([0.0, 1.0], [0.0], stepMode="center", fillLevel=0.0)
        self._plot.addItem(self._bars)
        self._lines = {name: pg.InfiniteLine(angle=90, movable=False) for name in ("amin", "amax", "median")}
        for line in self._lines.values():
            line.hide()
            self._plot.addItem(line)
        self._caption = QLabel()
        self._caption.setProperty("role", "muted")
        self._caption.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 6, 4)
        layout.setSpacing(2)
        layout.addWidget(self._plot)
        layout.addWidget(self._caption)
        self.setMinimumHeight(120)
        self.setAccessibleName("Histogram")
        theme().changed.connect(self._restyle)
        self._restyle()

    def set_histogram(
        self,
        counts: ArrayLike,
        edges: ArrayLike | None = None,
        saturation: float | None = None,
        *,
        median: float | None = None,
        amin: float | None = None,
        amax: float | None = None,
        unit: str = "DN",
    ) -> None:
        """Show a histogram.

        Parameters
        ----------
        counts : array, shape (n,)
            Pixels in each bin.
        edges : array, shape (n + 1,), optional
            Bin edges in DN; evenly from 0 to the saturation when not given.
        saturation : float, optional
            DN; the axis is then in per cent of it, else in DN.
        median : float, optional
            DN.
        amin, amax : float, optional
            Fractions of the saturation.
        unit : str
            Of the levels, for the caption.
        """
        values = np.asarray(counts, dtype=float)
        known = saturation is not None and np.isfinite(saturation) and saturation > 0
        self._saturation = float(saturation) if known else float("nan")
        if edges is None:
            edges = np.linspace(0.0, self._saturation if known else len(values), len(values) + 1)
        places = np.asarray(edges, dtype=float) * self._unit()
        with np.errstate(divide="ignore"):
            heights = np.where(values > 0, np.log10(np.maximum(values, 1.0)) + 0.15, 0.0)
        self._bars.setData(places, heights)
        top = max(1.0, float(heights.max(initial=0.0)))
        self._plot.setYRange(0.0, top * 1.05, padding=0)
        self._plot.setXRange(places[0], places[-1], padding=0.01)
        ticks = [(power + 0.15, str(10**power) if power < 3 else f"1e{power}") for power in range(0, int(top) + 1, 2)]
        self._plot.getPlotItem().getAxis("left").setTicks([ticks])
        self._caption.setText("level, % of saturation" if known else f"level, {unit}")
        self._place("median", None if median is None else median * self._unit())
        self.set_limits(amin, amax)

    def set_limits(self, amin: float | None, amax: float | None) -> None:
        """Move the marks of amin and amax (fractions of the saturation); None hides them."""
        scale = 100.0 if np.isfinite(self._saturation) else float("nan")
        self._place("amin", None if amin is None else amin * scale)
        self._place("amax", None if amax is None else amax * scale)

    def clear(self) -> None:
        """Show nothing."""
        self._bars.setData([0.0, 100.0], [0.0])
        self._plot.setXRange(0.0, 100.0, padding=0.01)
        self._plot.setYRange(0.0, 1.0, padding=0)
        self._plot.getPlotItem().getAxis("left").setTicks([[]])
        self._caption.setText("no histogram")
        for line in self._lines.values():
            line.hide()

    def _unit(self) -> float:
        return 100.0 / self._saturation if np.isfinite(self._saturation) else 1.0

    def _place(self, name: str, value: Any) -> None:
        line = self._lines[name]
        shown = value is not None and bool(np.isfinite(value))
        line.setVisible(shown)
        if shown:
            line.setValue(value)

    def _restyle(self) -> None:
        named = colors()
        self._plot.setBackground(named.plot)
        for side in ("left", "bottom"):
            axis = self._plot.getPlotItem().getAxis(side)
            axis.setPen(named.border)
            axis.setTextPen(named.muted)
        fill = QColor(named.bars)
        fill.setAlpha(190)
        self._bars.setBrush(fill)
        self._bars.setPen(pg.mkPen(named.bars))
        dashed = Qt.PenStyle.DashLine
        for name, tone, style in (
            ("amin", named.limit, dashed),
            ("amax", named.limit, dashed),
            ("median", named.median, Qt.PenStyle.SolidLine),
        ):
            self._lines[name].setPen(pg.mkPen(tone, width=1.5, style=style))
