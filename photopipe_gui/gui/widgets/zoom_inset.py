"""The zoomed centre of a science frame; a loupe while the cursor is on the image."""

from __future__ import annotations

from PyQt6.QtCore import QRect, QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QWidget

from ..theme import colors
from .image_view import ImageView

SIDE = 176


class ZoomInset(QWidget):
    """A square in the corner of an image view that shows a part of it enlarged.

    Parameters
    ----------
    view : ImageView
        Shown and followed.
    zoom : float
        Screen pixels for an image pixel (PhotoPipe's ``window_zoom``).
    """

    def __init__(self, view: ImageView, zoom: float = 4.0) -> None:
        super().__init__(view)
        self._view, self.zoom = view, zoom
        self._place: tuple[float, float] | None = None
        self.setFixedSize(SIDE, SIDE)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAccessibleName("Zoomed part of the image")
        view.rendered.connect(self.update)
        view.cursorMoved.connect(self._follow)
        view.cursorLeft.connect(self._centre)

    def _follow(self, x: float, y: float, _value: float) -> None:
        self._place = (x, y)
        self.update()

    def _centre(self) -> None:
        self._place = None
        self.update()

    def place(self) -> None:
        """Move to the upper right corner of the view."""
        self.move(self._view.width() - self.width() - 8, 8)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        named = colors()
        image = self._view.raster()
        if image is None:
            return
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(named.image))
        x, y = self._place or (image.width() / 2, image.height() / 2)
        half = SIDE / self.zoom / 2.0
        source = QRectF(x + 0.5 - half, y + 0.5 - half, 2 * half, 2 * half)
        painter.save()
        # Row 0 of the picture is its bottom.
        painter.translate(0, self.height())
        painter.scale(1, -1)
        painter.drawImage(QRectF(self.rect()), image, source)
        painter.restore()
        painter.setPen(QPen(QColor(named.border), 2))
        painter.drawRect(self.rect().adjusted(1, 1, -1, -1))
        text = f"{'centre' if self._place is None else 'cursor'}  {self.zoom:g}x"
        line = painter.fontMetrics()
        tag = QRect(2, SIDE - line.height() - 6, line.horizontalAdvance(text) + 14, line.height() + 4)
        painter.fillRect(tag, QColor(named.panel))
        painter.setPen(QColor(named.text))
        painter.drawText(tag, Qt.AlignmentFlag.AlignCenter, text)
