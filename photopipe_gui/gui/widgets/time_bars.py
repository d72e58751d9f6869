"""Time spent on each step, as bars."""

from __future__ import annotations

from collections.abc import Mapping

from PyQt6.QtCore import QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QPainter
from PyQt6.QtWidgets import QWidget

from ..theme import colors, theme

_LINE = 24


def duration_text(seconds: float) -> str:
    """Return a time as the observer reads it: ``0.4 s``, ``12 s``, ``3:05``, ``1:02:00``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d}"
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


class TimeBars(QWidget):
    """One bar a step, in order, with its time and its part of the whole."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._seconds: dict[str, float] = {}
        self.setAccessibleName("Time per step")
        theme().changed.connect(self.update)

    def set_seconds(self, seconds: Mapping[str, float]) -> None:
        """Show these times, s, by step."""
        self._seconds = dict(seconds)
        total = sum(self._seconds.values())
        spoken = ", ".join(f"{name} {duration_text(value)}" for name, value in self._seconds.items())
        self.setAccessibleDescription(f"{spoken}; in all {duration_text(total)}")
        self.setMinimumHeight(_LINE * (len(self._seconds) + 1) + 12)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(360, _LINE * 9 + 12)

    def paintEvent(self, _event: object) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        named = colors()
        if not any(self._seconds.values()):
            painter.setPen(QColor(named.muted))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "No run yet: the times of its steps come here.")
            painter.end()
            return
        total, longest = sum(self._seconds.values()), max(self._seconds.values())
        metrics = painter.fontMetrics()
        names = 14 + max(metrics.horizontalAdvance(name) for name in self._seconds)
        figures = 20 + metrics.horizontalAdvance("00:00:00   100 %")
        room = max(40, min(560, self.width() - names - figures - 10))
        middle = Qt.AlignmentFlag.AlignVCenter
        for row, (name, value) in enumerate(self._seconds.items()):
            top = 6 + row * _LINE
            painter.setPen(QColor(named.text))
            painter.drawText(QRectF(0, top, names - 8, _LINE), middle | Qt.AlignmentFlag.AlignRight, name)
            width = max(1.5, room * value / longest)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(named.bars))
            painter.drawRoundedRect(QRectF(names, top + 5, width, _LINE - 10), 2, 2)
            painter.setPen(QColor(named.muted))
            text = f"{duration_text(value)}   {100 * value / total:.0f} %"
            painter.drawText(QRectF(names + width + 8, top, figures, _LINE), middle, text)
        painter.setPen(QColor(named.text))
        bottom = 6 + len(self._seconds) * _LINE
        painter.drawText(QRectF(0, bottom, names - 8, _LINE), middle | Qt.AlignmentFlag.AlignRight, "in all")
        painter.drawText(QRectF(names, bottom, figures, _LINE), middle, duration_text(total))
        painter.end()
