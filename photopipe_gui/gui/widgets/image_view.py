"""The image: zoom, pan, stretch, colours, overlays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, Qt, QThreadPool, pyqtSignal
from PyQt6.QtGui import QAction, QActionGroup, QContextMenuEvent, QGuiApplication, QImage
from PyQt6.QtWidgets import QLabel, QMenu, QVBoxLayout, QWidget

from .. import display
from ..theme import colors, theme
from .image_parts import Answer, ImageBox, Scaling
from .raster import RasterItem, qt_color_table

#: Larger images are scaled in a thread; smaller ones take a few milliseconds.
_IMMEDIATE_PIXELS = 2_500_000


class ImageView(QWidget):
    """Shows one image.

    Zoom, pan, stretch and colours stay from image to image; with `set_locked` the limits of the stretch stay as well.

    Signals
    -------
    cursorMoved(float, float, float)
        Column, row (zero-based, whole) and value (NaN when there is none) of the pixel under the cursor.
    cursorLeft()
        The cursor is on no pixel.
    clicked(float, float)
        Column and row of a click, with fractions.
    stretchChanged()
        Stretch, limits, lock, colours or overlays changed.
    rendered()
        Another picture is on screen.
    """

    cursorMoved = pyqtSignal(float, float, float)
    cursorLeft = pyqtSignal()
    clicked = pyqtSignal(float, float)
    stretchChanged = pyqtSignal()
    rendered = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pixels: NDArray[Any] | None = None
        self._bad: NDArray[np.bool_] | None = None
        self._shape: tuple[int, int] | None = None
        self._saturation: float | None = None
        self._stretch, self._color_map = "zscale", "grey"
        self._limits = (0.0, 1.0)
        self._locked = self._manual = self._contour = False
        self._show_saturated = self._show_bad = True
        self._serial = 0
        self._answer = Answer(self)
        self._answer.done.connect(self._scaled)

        self._graphics = pg.GraphicsView(self, background=None)
        self._graphics.setMinimumSize(60, 60)
        self._box = ImageBox()
        self._graphics.setCentralItem(self._box)
        self._raster = RasterItem()
        self._box.addItem(self._raster)
        self._box.clicked.connect(self.clicked)
        self._box.fitted.connect(self.fit)
        self._graphics.scene().sigMouseMoved.connect(self._mouse_moved)
        self._note = QLabel(self._graphics)
        self._note.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._note.setWordWrap(True)
        self._note.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._note.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._graphics)
        self.setAccessibleName("Image")
        theme().changed.connect(self._restyle)
        self._restyle()

    # ---------------------------------------------------------------- image

    def set_image(
        self,
        image: NDArray[Any] | None,
        mask: NDArray[Any] | None = None,
        saturation: float | None = None,
    ) -> None:
        """Show an image.

        Parameters
        ----------
        image : ndarray, shape (ny, nx), or None
            uint16 or float32 (other types are converted); NaN is shown as a bad pixel. None clears.
        mask : ndarray, shape (ny, nx), optional
            Non-zero where a pixel is bad. With the bits of `reduction.frame.Mask`, pass ``mask & Mask.BAD``.
        saturation : float, optional
            DN; pixels at or above it are shown in the colour of saturation.
        """
        self.set_note("")
        if image is None:
            self._pixels = self._bad = None
            self._serial += 1
            self._raster.set_indices(None)
            self.rendered.emit()
            return
        if image.ndim != 2 or 0 in image.shape:
            raise ValueError(f"an image has rows and columns; this array has the shape {image.shape}")
        self._pixels = image if image.dtype in (np.uint16, np.float32) else image.astype(np.float32)
        self._bad = None if mask is None else np.asarray(mask) != 0
        self._saturation = saturation if saturation is not None and np.isfinite(saturation) else None
        if not (self._locked or self._manual) or self._shape is None:
            self._limits = display.limits(self._pixels, self._stretch)
        self._render()
        if self._shape != image.shape:
            self._shape = image.shape
            self.fit()

    def clear(self, note: str = "") -> None:
        """Show no image, with a sentence in its place."""
        self.set_image(None)
        self.set_note(note)

    def set_note(self, text: str) -> None:
        """Show a sentence over the middle of the view; empty text removes it."""
        self._note.setText(text)
        self._note.setVisible(bool(text))
        self._note.setGeometry(self._graphics.rect().adjusted(30, 10, -30, -10))

    def pixels(self) -> NDArray[Any] | None:
        """The image as it was given."""
        return self._pixels

    def value(self, x: float, y: float) -> float:
        """The value of the pixel at a column and row, NaN outside."""
        if self._pixels is None:
            return float("nan")
        column, row = round(x), round(y)
        ny, nx = self._pixels.shape
        return float(self._pixels[row, column]) if 0 <= row < ny and 0 <= column < nx else float("nan")

    def picture(self) -> QImage:
        """What is on screen, for saving as PNG."""
        return self._graphics.grab().toImage()

    # ------------------------------------------------------------- stretch

    @property
    def stretch(self) -> str:
        """One of `display.STRETCHES`."""
        return self._stretch

    @property
    def limits(self) -> tuple[float, float]:
        """The values shown darkest and brightest."""
        return self._limits

    @property
    def color_map(self) -> str:
        """One of `display.COLOR_MAPS`."""
        return self._color_map

    @property
    def locked(self) -> bool:
        """True when the limits stay from image to image."""
        return self._locked

    @property
    def shows_saturated(self) -> bool:
        """True when saturated pixels have a colour of their own."""
        return self._show_saturated

    @property
    def shows_bad(self) -> bool:
        """True when bad pixels have a colour of their own."""
        return self._show_bad

    @property
    def shows_contour(self) -> bool:
        """True when the contour at the upper limit is drawn."""
        return self._contour

    def set_stretch(self, stretch: str) -> None:
        """Choose the stretch; its limits are found anew."""
        if stretch not in display.STRETCHES:
            raise ValueError(f"{stretch} is no stretch; there are {', '.join(display.STRETCHES)}")
        self._stretch, self._manual = stretch, False
        if self._pixels is not None:
            self._limits = display.limits(self._pixels, stretch)
        self._render()
        self.stretchChanged.emit()

    def next_stretch(self) -> None:
        """Go on to the next stretch in the list."""
        order = display.STRETCHES
        self.set_stretch(order[(order.index(self._stretch) + 1) % len(order)])

    def set_limits(self, low: float, high: float) -> None:
        """Set the values shown darkest and brightest by hand; they stay until another stretch is chosen."""
        if high > low:
            self._limits, self._manual = (low, high), True
            self._render()
            self.stretchChanged.emit()

    def set_locked(self, locked: bool) -> None:
        """Keep the present limits for the images to come."""
        self._locked = locked
        if not locked and self._pixels is not None and not self._manual:
            self._limits = display.limits(self._pixels, self._stretch)
            self._render()
        self.stretchChanged.emit()

    def set_color_map(self, name: str) -> None:
        """Choose the colours."""
        self._color_map = name
        self._restyle()
        self.rendered.emit()
        self.stretchChanged.emit()

    def set_show_saturated(self, on: bool) -> None:
        """Show saturated pixels in their own colour."""
        self._show_saturated = on
        self._render()
        self.stretchChanged.emit()

    def set_show_bad(self, on: bool) -> None:
        """Show bad pixels in their own colour."""
        self._show_bad = on
        self._restyle()
        self._render()
        self.stretchChanged.emit()

    def set_show_contour(self, on: bool) -> None:
        """Draw a contour at the upper limit of zscale."""
        self._contour = on
        self._render()
        self.stretchChanged.emit()

    # ---------------------------------------------------------------- view

    def fit(self) -> None:
        """Show the whole image, and keep doing so when the view is resized."""
        self._box.enableAutoRange()

    def actual_size(self) -> None:
        """One image pixel for one pixel of the screen, about the present centre."""
        self.zoom_to(1.0)

    def zoom_to(self, factor: float, x: float | None = None, y: float | None = None) -> None:
        """Show ``factor`` screen pixels for an image pixel, about a column and row (or the present centre)."""
        area = self._box.viewRect()
        center = QPointF(area.center().x() if x is None else x, area.center().y() if y is None else y)
        ratio = self.devicePixelRatioF() * factor
        width, height = self._box.width() * ratio / factor**2, self._box.height() * ratio / factor**2
        self._box.setRange(
            xRange=(center.x() - width / 2, center.x() + width / 2),
            yRange=(center.y() - height / 2, center.y() + height / 2),
            padding=0,
        )

    def link_to(self, other: ImageView | None) -> None:
        """Zoom and pan together with another view."""
        wanted = other._box if other else None
        if self._box.linkedView(0) is not wanted:
            self._box.setXLink(wanted)
            self._box.setYLink(wanted)

    def raster(self) -> QImage | None:
        """The whole picture at full size, row 0 first; None when there is none."""
        return self._raster.image()

    def view_box(self) -> pg.ViewBox:
        """The view box, to add markers to; pixel (x, y) is centred on (x, y)."""
        return self._box

    # ------------------------------------------------------------- private

    def _render(self) -> None:
        if self._pixels is None:
            return
        self._serial += 1
        request = {
            "image": self._pixels,
            "low": self._limits[0],
            "high": self._limits[1],
            "stretch": self._stretch,
            "saturation": self._saturation if self._show_saturated else None,
            "bad": self._bad if self._show_bad else None,
            "contour": display.limits(self._pixels, "zscale")[1] if self._contour else None,
        }
        if self._pixels.size <= _IMMEDIATE_PIXELS:
            self._scaled(self._serial, display.to_indices(**request))
        else:
            QThreadPool.globalInstance().start(Scaling(self._answer, self._serial, request))

    def _scaled(self, serial: int, indices: NDArray[np.uint8]) -> None:
        if serial == self._serial:
            self._raster.set_indices(indices)
            self.rendered.emit()

    def _restyle(self) -> None:
        self._raster.set_table(qt_color_table(self._color_map, bad=self._show_bad))
        named = colors()
        self._graphics.setBackground(named.image)
        tone = "#a03c32" if theme().shown == "red" else "#9aa5b1"
        self._note.setStyleSheet(f"color: {tone}; background: transparent; font-size: 11pt;")

    def _mouse_moved(self, position: QPointF) -> None:
        if self._pixels is None:
            return
        point = self._box.mapSceneToView(position)
        column, row = round(point.x()), round(point.y())
        ny, nx = self._pixels.shape
        if 0 <= column < nx and 0 <= row < ny:
            self.cursorMoved.emit(float(column), float(row), float(self._pixels[row, column]))
        else:
            self.cursorLeft.emit()

    def leaveEvent(self, event: Any) -> None:
        self.cursorLeft.emit()
        super().leaveEvent(event)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self._note.setGeometry(self.rect().adjusted(30, 10, -30, -10))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = self.build_menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    def build_menu(self) -> QMenu:
        """A menu with everything that can be set here."""
        menu = QMenu(self)
        add_choices(menu.addMenu("Stretch"), display.STRETCHES, self._stretch, self.set_stretch)
        add_choices(menu.addMenu("Colours"), display.COLOR_MAPS, self._color_map, self.set_color_map)
        for text, on, slot in (
            ("Lock stretch", self._locked, self.set_locked),
            ("Saturated pixels", self._show_saturated, self.set_show_saturated),
            ("Bad pixels", self._show_bad, self.set_show_bad),
            ("Contour at the upper level", self._contour, self.set_show_contour),
        ):
            action = QAction(text, menu, checkable=True, checked=on)
            action.toggled.connect(slot)
            menu.addAction(action)
        menu.addSeparator()
        menu.addAction("Fit", self.fit)
        menu.addAction("Actual size", self.actual_size)
        menu.addAction("Copy the view", self._copy)
        return menu

    def _copy(self) -> None:
        QGuiApplication.clipboard().setImage(self.picture())


def add_choices(menu: QMenu, names: tuple[str, ...], current: str, chosen: Any) -> None:
    """Fill a menu with names of which one is checked; ``chosen`` is called with the name."""
    group = QActionGroup(menu)
    for name in names:
        action = QAction(name, menu, checkable=True, checked=name == current)
        action.triggered.connect(lambda _checked, name=name: chosen(name))
        group.addAction(action)
        menu.addAction(action)
