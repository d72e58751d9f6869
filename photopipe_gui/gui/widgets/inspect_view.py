"""Numbers: of the frame, and of the pixel under the cursor."""

from __future__ import annotations

import math

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from ...reduction.measure import FrameStats
from ...reduction.table import FrameRow

_FIELDS = (
    ("median", "Median"),
    ("sigma", "Robust sigma"),
    ("range", "Range"),
    ("saturation", "Saturation"),
    ("saturated", "Saturated"),
    ("gain", "Gain"),
    ("fwhm", "FWHM"),
    ("ellipticity", "Ellipticity"),
    ("stars", "Stars"),
    ("airmass", "Airmass"),
    ("area", "Area"),
    ("pixel", "Pixel"),
)


def _number(value: float, pattern: str, unit: str = "") -> str:
    return f"{value:{pattern}} {unit}".strip() if math.isfinite(value) else "-"


class InspectView(QWidget):
    """A column of names and numbers."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Numbers of the frame")
        self._values: dict[str, QLabel] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(10, 8, 10, 8)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        for line, (name, title) in enumerate(_FIELDS):
            label = QLabel(title)
            label.setProperty("role", "muted")
            value = QLabel("-")
            value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            value.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            value.setAccessibleName(title)
            grid.addWidget(label, line, 0)
            grid.addWidget(value, line, 1)
            self._values[name] = value
        grid.setRowStretch(len(_FIELDS), 1)

    def show_frame(self, row: FrameRow | None, stats: FrameStats | None) -> None:
        """Show the numbers of a frame."""
        texts = dict.fromkeys(self._values, "-")
        if row is not None:
            texts["saturation"] = _number(row.saturation, ".0f", "DN")
            texts["gain"] = _number(row.gain, ".2f", "e-/DN")
            texts["airmass"] = _number(row.airmass, ".2f")
            if row.area is not None:
                texts["area"] = f"{row.area.x1 - row.area.x0} x {row.area.y1 - row.area.y0} px"
        if stats is not None:
            texts["median"] = _number(stats.median, ".1f", "DN")
            texts["sigma"] = _number(stats.robust_sigma, ".2f", "DN")
            if math.isfinite(stats.minimum):
                texts["range"] = f"{stats.minimum:.0f} to {stats.maximum:.0f} DN"
                texts["saturated"] = f"{stats.n_saturated} px"
            texts["fwhm"] = _number(stats.fwhm, ".2f", "px")
            texts["ellipticity"] = _number(stats.ellipticity, ".2f")
            texts["stars"] = _number(stats.n_stars, ".0f")
        texts["pixel"] = self._values["pixel"].text()
        for name, text in texts.items():
            self._values[name].setText(text)

    def show_pixel(self, x: float, y: float, value: float) -> None:
        """Show the pixel under the cursor."""
        self._values["pixel"].setText(f"({x:.0f}, {y:.0f})  {value:.6g}")

    def show_no_pixel(self) -> None:
        """The cursor left the image."""
        self._values["pixel"].setText("-")
