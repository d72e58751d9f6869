"""The bar over the image: stretch, colours, overlays, zoom, side by side, blink."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QKeySequence, QShortcut
from PyQt6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLineEdit, QSpinBox, QToolButton, QWidget

from .. import display
from .bind import describe, dress, quiet
from .icons import bind_icon
from .picture_panel import PicturePanel


class ViewBar(QFrame):
    """Bound to a `PicturePanel`.

    Signals
    -------
    playToggled(bool)
        Blink through the frames, or stop.
    tilesChanged(int)
        1 (a frame with its halves), 2 or 4 frames side by side.
    findChanged(str)
        Words that narrow the frames shown.
    findLeft()
        The observer is done with the find box (Enter, or Escape, which clears it).
    """

    playToggled = pyqtSignal(bool)
    tilesChanged = pyqtSignal(int)
    findChanged = pyqtSignal(str)
    findLeft = pyqtSignal()

    def __init__(self, panel: PicturePanel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "bar")
        self._panel = panel
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(6, 3, 6, 3)
        self._row.setSpacing(2)
        self._add_stretch()
        self._add_overlays()
        self._add_zoom_and_tiles()
        self._add_blink()
        self._row.addStretch(1)
        self._add_find()
        panel.settingsChanged.connect(self.refresh)
        self.refresh()

    def _add_stretch(self) -> None:
        row, panel = self._row, self._panel
        self.stretch = QComboBox()
        self.stretch.addItems(display.STRETCHES)
        self.stretch.setObjectName("stretchPicker")
        describe(self.stretch, "Stretch", "Stretch: how levels become brightness", "Z: next")
        self.stretch.currentTextChanged.connect(panel.view.set_stretch)
        self.color = QComboBox()
        self.color.addItems(display.COLOR_MAPS)
        self.color.setObjectName("colorPicker")
        describe(self.color, "Colours", "Colours of the image")
        self.color.currentTextChanged.connect(panel.view.set_color_map)
        row.addWidget(self.stretch)
        self.lock = self._toggle("lock", "Lock the stretch: keep its limits from frame to frame", "H")
        self.lock.toggled.connect(panel.view.set_locked)
        row.addWidget(self.lock)
        row.addSpacing(4)
        row.addWidget(self.color)
        row.addSpacing(4)

    def _add_overlays(self) -> None:
        row, panel = self._row, self._panel
        self.saturated = self._toggle("saturated", "Saturated pixels in red", "S")
        self.saturated.toggled.connect(panel.view.set_show_saturated)
        self.bad = self._toggle("bad", "Bad pixels in their own colour", "M")
        self.bad.toggled.connect(panel.view.set_show_bad)
        self.contour = self._toggle("contour", "Contour at the upper zscale level", "C")
        self.contour.toggled.connect(panel.view.set_show_contour)
        self.inset = self._toggle("zoom", "Zoomed centre of science frames, loupe under the cursor", "L")
        self.inset.toggled.connect(panel.set_inset)
        self.calibrate = self._toggle("masters", "Calibrate: show science frames with their masters applied", "V")
        self.calibrate.setObjectName("calibrateButton")
        for button in (self.saturated, self.bad, self.contour, self.inset, self.calibrate):
            row.addWidget(button)
        row.addSpacing(8)

    def _add_zoom_and_tiles(self) -> None:
        row = self._row
        fit = self._button("fit", "Fit: show the whole image", "F")
        fit.clicked.connect(self._fit)
        actual = self._button("actual", "Actual size: one image pixel on one screen pixel", "1")
        actual.clicked.connect(self._actual)
        row.addWidget(fit)
        row.addWidget(actual)
        row.addSpacing(8)
        self._tiles = {
            1: self._toggle("single", "One frame, with both halves of a split camera", ""),
            2: self._toggle("two_up", "Two frames side by side", ""),
            4: self._toggle("four_up", "Four frames side by side", ""),
        }
        for count, button in self._tiles.items():
            button.setAutoExclusive(True)
            button.setProperty("tiles", count)
            button.toggled.connect(self._tiles_toggled)
            row.addWidget(button)
        row.addSpacing(8)

        self.gallery = self._toggle("frames", "Gallery: all frames shown as thumbnails", "G")
        self.gallery.setObjectName("galleryButton")
        row.addWidget(self.gallery)
        row.addSpacing(8)

    def _add_blink(self) -> None:
        self.play = self._toggle("play", "Blink: play the frames", "Space")
        self.play.toggled.connect(self._play_toggled)
        self.rate = QSpinBox()
        self.rate.setRange(1, 30)
        self.rate.setValue(4)
        self.rate.setSuffix(" /s")
        self.rate.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
        self.rate.setFixedWidth(self.rate.fontMetrics().horizontalAdvance("30 /s") + 16)
        self.rate.setAlignment(Qt.AlignmentFlag.AlignRight)
        describe(self.rate, "Blink rate", "Frames a second when blinking")
        self._row.addWidget(self.play)
        self._row.addWidget(self.rate)

    def _add_find(self) -> None:
        self.find = QLineEdit()
        self.find.setObjectName("findBox")
        self.find.setPlaceholderText("Find frames")
        self.find.setClearButtonEnabled(True)
        self.find.setMaximumWidth(190)
        self.find.setMinimumWidth(90)
        describe(self.find, "Find frames", "Frames whose name, target, filter, type or verdict holds these words", "/")
        self.find.textChanged.connect(self.findChanged)
        self.find.returnPressed.connect(self.findLeft)
        escape = QShortcut(QKeySequence(Qt.Key.Key_Escape), self.find)
        escape.setContext(Qt.ShortcutContext.WidgetShortcut)
        escape.activated.connect(self._escape)
        self._row.addWidget(self.find, 1)

    def _button(self, icon: str, tip: str, keys: str) -> QToolButton:
        button = QToolButton()
        dress(button, icon, tip, keys)
        return button

    def _toggle(self, icon: str, tip: str, keys: str) -> QToolButton:
        button = self._button(icon, tip, keys)
        button.setCheckable(True)
        return button

    def refresh(self) -> None:
        """Show what is set in the view."""
        view = self._panel.view
        controls = (self.stretch, self.color, self.lock, self.saturated, self.bad, self.contour, self.inset)
        with quiet(*controls):
            self.stretch.setCurrentText(view.stretch)
            self.color.setCurrentText(view.color_map)
            self.lock.setChecked(view.locked)
            self.saturated.setChecked(view.shows_saturated)
            self.bad.setChecked(view.shows_bad)
            self.contour.setChecked(view.shows_contour)
            self.inset.setChecked(self._panel.inset_wanted)
        bind_icon(self.lock, "lock" if view.locked else "unlock")

    def set_tiles(self, count: int) -> None:
        """Check the button of 1, 2 or 4 frames."""
        self._tiles[count].setChecked(True)

    def _tiles_toggled(self, on: bool) -> None:
        if on:
            self.tilesChanged.emit(int(self.sender().property("tiles")))  # type: ignore[union-attr]

    def _play_toggled(self, on: bool) -> None:
        bind_icon(self.play, "pause" if on else "play")
        self.playToggled.emit(on)

    def _escape(self) -> None:
        self.find.clear()
        self.findLeft.emit()

    def _fit(self) -> None:
        for tile in self._panel.tiles():
            tile.view.fit()

    def _actual(self) -> None:
        for tile in self._panel.tiles():
            tile.view.actual_size()
