"""The picture itself: an indexed image whose colours can change without touching its pixels."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import QRectF
from PyQt6.QtGui import QColor, QImage, QPainter
from PyQt6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from .. import display
from ..theme import colors, theme


def qt_color_table(color_map: str, *, saturated: bool = True, bad: bool = True) -> list[int]:
    """Return the 256 colours of an indexed image in the present theme.

    Parameters
    ----------
    color_map : str
        One of `display.COLOR_MAPS`.
    saturated, bad : bool
        Show these pixels in their own colour; else as brightest and darkest.
    """
    tint = "#ff5a40" if theme().shown == "red" else "#ffffff"
    rgb = display.color_table(color_map, tint)
    named = colors()
    table = [0xFF000000 | int(r) << 16 | int(g) << 8 | int(b) for r, g, b in rgb]
    table += [table[-1]] * (256 - len(table))
    table[display.CONTOUR] = QColor(named.keep).rgba()
    if saturated:
        table[display.SATURATED] = QColor(named.saturated).rgba()
    table[display.BAD] = QColor(named.bad).rgba() if bad else table[0]
    return table


def indexed_image(indices: NDArray[np.uint8], table: list[int]) -> QImage:
    """Wrap display indices as a QImage that owns its pixels."""
    indices = np.ascontiguousarray(indices)
    ny, nx = indices.shape
    image = QImage(indices.data, nx, ny, nx, QImage.Format.Format_Indexed8).copy()
    image.setColorTable(table)
    return image


class RasterItem(pg.GraphicsObject):
    """Draws display indices; pixel (x, y) is centred on the item coordinates (x, y), row 0 at the bottom.

    When the picture is shown small, a smoothly reduced copy is drawn, so that faint stars do not flicker in and out.
    """

    def __init__(self) -> None:
        super().__init__()
        self._image: QImage | None = None
        self._reduced: dict[int, QImage] = {}
        self._table: list[int] = []

    @property
    def pixel_shape(self) -> tuple[int, int]:
        """Rows and columns, (0, 0) without a picture."""
        return (self._image.height(), self._image.width()) if self._image is not None else (0, 0)

    def set_indices(self, indices: NDArray[np.uint8] | None) -> None:
        """Show other pixels, in the colours that are set."""
        before = self.pixel_shape
        self._image = None if indices is None else indexed_image(indices, self._table)
        self._reduced.clear()
        if self.pixel_shape != before:
            self.prepareGeometryChange()
            self.informViewBoundsChanged()
        self.update()

    def set_table(self, table: list[int]) -> None:
        """Change the colours."""
        self._table = table
        self._reduced.clear()
        if self._image is not None:
            self._image.setColorTable(table)
        self.update()

    def image(self) -> QImage | None:
        """The picture at full size."""
        return self._image

    def boundingRect(self) -> QRectF:
        ny, nx = self.pixel_shape
        return QRectF(-0.5, -0.5, nx, ny)

    def paint(self, painter: QPainter, _option: QStyleOptionGraphicsItem, _widget: QWidget | None = None) -> None:
        if self._image is None:
            return
        transform = painter.deviceTransform()
        scale = math.hypot(transform.m11(), transform.m12())
        level = 0 if scale >= 0.5 else min(6, int(-math.log2(max(scale, 1e-3))))
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, scale < 1.0)
        painter.drawImage(self.boundingRect(), self._at_level(level))

    def _at_level(self, level: int) -> QImage:
        """The picture reduced by 2 to the power of the level, made when first asked for."""
        if level == 0 or self._image is None:
            return self._image  # type: ignore[return-value]
        if level not in self._reduced:
            source = self._at_level(level - 1).convertToFormat(QImage.Format.Format_RGB32)
            self._reduced[level] = halved(source)
        return self._reduced[level]


def halved(image: QImage) -> QImage:
    """Return an RGB32 picture at half the size, each pixel the mean of four."""
    ny, nx = image.height() // 2, image.width() // 2
    if not (nx and ny):
        return image
    bits = image.constBits()
    bits.setsize(image.sizeInBytes())
    pixels = np.frombuffer(bits, np.uint32).reshape(image.height(), image.bytesPerLine() // 4)
    quads = [pixels[j : 2 * ny : 2, i : 2 * nx : 2] for j in (0, 1) for i in (0, 1)]
    # Two colour channels are summed at a time, each with eight bits of room above it.
    even = sum((quad & np.uint32(0x00FF00FF)) for quad in quads) >> np.uint32(2)
    odd = sum(((quad >> np.uint32(8)) & np.uint32(0x00FF00FF)) for quad in quads) >> np.uint32(2)
    mean = (even & np.uint32(0x00FF00FF)) | ((odd & np.uint32(0x00FF00FF)) << np.uint32(8))
    mean = np.ascontiguousarray(mean | np.uint32(0xFF000000))
    return QImage(mean.data, nx, ny, nx * 4, QImage.Format.Format_RGB32).copy()
