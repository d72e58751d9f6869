"""Small marks for states: each has a shape of its own, so that colour is never alone."""

from __future__ import annotations

from PyQt6.QtCore import QPointF, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QPainter, QPen, QPolygonF
from PyQt6.QtWidgets import QSizePolicy, QWidget

from ...reduction.outcome import Status
from ..models.masters import State
from ..theme import colors, theme

#: Mark and theme colour of each state.
OF_STATUS: dict[Status, tuple[str, str]] = {
    Status.PENDING: ("dot", "border"),
    Status.RUNNING: ("arc", "accent"),
    Status.DONE: ("check", "keep"),
    Status.SKIPPED: ("ring", "muted"),
    Status.DROPPED: ("down", "warning"),
    Status.FAILED: ("cross", "reject"),
}
OF_STATE: dict[State, tuple[str, str]] = {
    State.NO_INPUTS: ("minus", "muted"),
    State.MISSING: ("ring", "accent"),
    State.CURRENT: ("check", "keep"),
    State.STALE: ("alert", "warning"),
    State.BUILDING: ("arc", "accent"),
    State.FAILED: ("cross", "reject"),
}


def paint_mark(painter: QPainter, box: QRectF, shape: str, tone: QColor, ground: QColor) -> None:
    """Draw a mark into a box.

    Parameters
    ----------
    box : QRectF
        Square to fill.
    shape : str
        ``check`` (disc with a tick), ``ring``, ``arc`` (open ring), ``down`` (triangle), ``alert`` (triangle up with a
        stroke), ``cross`` (square with a cross), ``minus`` (ring with a bar), ``dot``.
    tone, ground : QColor
        Colour of the mark, and of the sign cut out of it.
    """
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    size, middle = box.width(), box.center()
    inner = box.adjusted(size * 0.08, size * 0.08, -size * 0.08, -size * 0.08)
    line = QPen(tone, max(1.4, size * 0.13), Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
    cut = QPen(line)
    cut.setColor(ground)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(tone)
    if shape == "check":
        painter.drawEllipse(inner)
        painter.setPen(cut)
        tick = [(-0.2, 0.02), (-0.05, 0.17), (0.22, -0.15)]
        painter.drawPolyline(QPolygonF([QPointF(middle.x() + x * size, middle.y() + y * size) for x, y in tick]))
    elif shape == "cross":
        painter.drawRoundedRect(inner, size * 0.16, size * 0.16)
        painter.setPen(cut)
        reach = size * 0.17
        for sign in (1, -1):
            painter.drawLine(
                QPointF(middle.x() - reach, middle.y() - sign * reach),
                QPointF(middle.x() + reach, middle.y() + sign * reach),
            )
    elif shape in ("down", "alert"):
        _triangle(painter, inner, up=shape == "alert")
        if shape == "alert":
            painter.setPen(cut)
            x, y = middle.x(), middle.y()
            painter.drawLine(QPointF(x, y - 0.08 * size), QPointF(x, y + 0.1 * size))
            painter.drawPoint(QPointF(x, y + 0.29 * size))
    elif shape == "dot":
        painter.drawEllipse(middle, size * 0.13, size * 0.13)
    else:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(line)
        ring = inner.adjusted(1, 1, -1, -1)
        if shape == "arc":
            painter.drawArc(ring, 30 * 16, 270 * 16)
        else:
            painter.drawEllipse(ring)
        if shape == "minus":
            painter.drawLine(
                QPointF(middle.x() - 0.16 * size, middle.y()), QPointF(middle.x() + 0.16 * size, middle.y())
            )
    painter.restore()


def _triangle(painter: QPainter, box: QRectF, up: bool) -> None:
    if up:
        points = [QPointF(box.center().x(), box.top()), box.bottomRight(), box.bottomLeft()]
    else:
        points = [box.topLeft(), box.topRight(), QPointF(box.center().x(), box.bottom())]
    painter.drawPolygon(QPolygonF(points))


class StatusMark(QWidget):
    """A mark on its own, as tall as the text beside it."""

    def __init__(self, shape: str = "dot", tone: str = "muted", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shape, self._tone = shape, tone
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self.update)

    def set_mark(self, shape: str, tone: str) -> None:
        """Show another mark, in a colour of the theme by name."""
        self._shape, self._tone = shape, tone
        self.update()

    def sizeHint(self) -> QSize:
        side = max(12, self.fontMetrics().ascent() + 1)
        return QSize(side, side)

    def paintEvent(self, _event: object) -> None:
        painter = QPainter(self)
        named = colors()
        side = min(self.width(), self.height())
        box = QRectF((self.width() - side) / 2, (self.height() - side) / 2, side, side)
        paint_mark(painter, box, self._shape, QColor(getattr(named, self._tone)), QColor(named.panel))
        painter.end()
