"""How a verdict looks: shape first, colour second, the same everywhere."""

from __future__ import annotations

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPen

from ...reduction.selection import Verdict
from ..theme import colors


def paint_badge(painter: QPainter, area: QRectF, verdict: Verdict) -> None:
    """Draw a verdict: a filled disc with a tick (kept), a hollow one with a cross (rejected), ringed when by hand."""
    named = colors()
    tone = QColor(named.keep if verdict.keep else named.reject)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    disc = area.adjusted(2.5, 2.5, -2.5, -2.5)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(named.base))
    painter.drawEllipse(area if verdict.by == "hand" else disc.adjusted(-1, -1, 1, 1))
    if verdict.by == "hand":
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(named.hand), 1.8))
        painter.drawEllipse(area.adjusted(0.5, 0.5, -0.5, -0.5))
    painter.setPen(QPen(tone, 1.6))
    painter.setBrush(tone if verdict.keep else QColor(named.base))
    painter.drawEllipse(disc.adjusted(0.5, 0.5, -0.5, -0.5))
    mark = QColor(named.base) if verdict.keep else tone
    painter.setPen(QPen(mark, 1.8, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
    x, y, w = disc.x(), disc.y(), disc.width()
    if verdict.keep:
        painter.drawPolyline([QPointF(x + w * a, y + w * b) for a, b in ((0.27, 0.53), (0.44, 0.70), (0.74, 0.34))])
    else:
        painter.drawLine(QPointF(x + w * 0.32, y + w * 0.32), QPointF(x + w * 0.68, y + w * 0.68))
        painter.drawLine(QPointF(x + w * 0.68, y + w * 0.32), QPointF(x + w * 0.32, y + w * 0.68))
    painter.restore()


def verdict_word(verdict: Verdict) -> str:
    """Return a verdict in two words: ``kept by rule``."""
    if verdict.reason == "not measured yet":
        return "not measured yet"
    return f"{'kept' if verdict.keep else 'rejected'} {'by hand' if verdict.by == 'hand' else 'by rule'}"
