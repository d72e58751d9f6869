"""The frames looked at: one, the two halves of a split camera, or several side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PyQt6.QtCore import QEvent, QObject, QRectF, QSize, QTimer, pyqtSignal
from PyQt6.QtGui import QPainter, QPaintEvent
from PyQt6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from ...reduction.selection import Verdict
from ...reduction.table import FrameRow
from ..models.picture import FramePicture
from ..theme import colors, theme
from .badges import paint_badge, verdict_word
from .image_view import ImageView
from .zoom_inset import SIDE, ZoomInset

#: A frame that comes sooner than this replaces the one before without a flicker.
_PATIENCE_MS = 250


class Badge(QWidget):
    """A verdict as a small sign."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._verdict: Verdict | None = None
        self.setFixedSize(QSize(19, 19))
        theme().changed.connect(self.update)

    def set_verdict(self, verdict: Verdict | None) -> None:
        """Show a verdict, or nothing."""
        self._verdict = verdict
        self.setAccessibleName("" if verdict is None else verdict_word(verdict))
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        if self._verdict is not None:
            paint_badge(QPainter(self), QRectF(self.rect()), self._verdict)


class Tile(QFrame):
    """One frame: a heading (only when there are several) over its image."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.row: FrameRow | None = None
        self.view = ImageView()
        self.inset = ZoomInset(self.view)
        self.inset.hide()
        self._badge = Badge()
        self._title = QLabel()
        self._title.setMinimumWidth(10)
        self._head = QFrame()
        self._head.setProperty("role", "bar")
        head = QHBoxLayout(self._head)
        head.setContentsMargins(8, 2, 8, 2)
        head.addWidget(self._badge)
        head.addWidget(self._title, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._head)
        layout.addWidget(self.view, 1)
        self._patience = QTimer(self, singleShot=True, interval=_PATIENCE_MS)
        self._patience.timeout.connect(self._still_reading)
        self.view.installEventFilter(self)
        # Tiles share the room evenly, whatever their headings say.
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)

    def expect(self, row: FrameRow, verdict: Verdict) -> None:
        """A frame is on its way; the one before stays for a moment."""
        self.row = row
        self.set_verdict(verdict)
        self._patience.start()

    def show_picture(self, picture: FramePicture) -> None:
        """Show the frame that was expected."""
        self._patience.stop()
        saturation = self.row.saturation if self.row is not None else None
        self.view.set_image(picture.pixels, saturation=saturation)

    def show_problem(self, text: str) -> None:
        """Show why there is no image."""
        self._patience.stop()
        self.view.clear(text)

    def set_verdict(self, verdict: Verdict) -> None:
        """Show the verdict in the heading."""
        self._badge.set_verdict(verdict)
        if self.row is not None:
            half = f"{self.row.filter} · " if self.row.channel else ""
            self._title.setText(f"{half}{self.row.frame_id} · {verdict_word(verdict)}")

    def set_heading(self, on: bool, current: bool) -> None:
        """Show the heading; the frame that keys act on has a line of accent."""
        self._head.setVisible(on)
        tone = colors().accent if current else colors().window
        line = f"border-top: 2px solid {tone};" if on else ""
        sheet = f"Tile {{ border: none; {line} }}"
        if sheet != self.styleSheet():
            self.setStyleSheet(sheet)

    def _still_reading(self) -> None:
        if self.row is not None:
            self.view.clear(f"Reading {self.row.path.name} ...")

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if event is not None and event.type() == QEvent.Type.Resize:
            self.inset.place()
        return super().eventFilter(watched, event)

    def set_inset(self, on: bool) -> None:
        """Show the zoomed part where there is room for it."""
        room = self.view.width() > 2.2 * SIDE and self.view.height() > 1.3 * SIDE
        self.inset.setVisible(on and (room or not self.view.isVisible()))
        self.inset.place()


class PicturePanel(QWidget):
    """Up to four tiles with one stretch.

    Signals
    -------
    cursorMoved(float, float, float), cursorLeft()
        As `ImageView`, of whichever tile the cursor is on.
    tilePicked(str)
        Id of the frame whose tile was clicked.
    settingsChanged()
        Stretch, colours or overlays changed.
    """

    cursorMoved = pyqtSignal(float, float, float)
    cursorLeft = pyqtSignal()
    tilePicked = pyqtSignal(str)
    settingsChanged = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tiles: list[Tile] = []
        self._shown = 1
        self._inset_wanted = True
        self._current = ""
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(2)
        self._add_tile()
        theme().changed.connect(self._mark)

    @property
    def view(self) -> ImageView:
        """The view whose settings count for all."""
        return self._tiles[0].view

    def tiles(self) -> list[Tile]:
        """The tiles on screen."""
        return self._tiles[: self._shown]

    def _add_tile(self) -> None:
        tile = Tile(self)
        number = len(self._tiles)
        tile.view.setObjectName("frameView" if number == 0 else f"frameView{number + 1}")
        tile.view.cursorMoved.connect(self.cursorMoved)
        tile.view.cursorLeft.connect(self.cursorLeft)
        tile.view.clicked.connect(self._clicked)
        if self._tiles:
            self._copy_settings(tile.view)
        else:
            tile.view.stretchChanged.connect(self._settings_changed)
        self._tiles.append(tile)

    def set_frames(self, rows: Sequence[FrameRow], current: str, verdict: Callable[[str], Verdict]) -> None:
        """Make room for these frames (one to four); their pictures follow by `deliver`."""
        rows = list(rows[:4])
        while len(self._tiles) < len(rows):
            self._add_tile()
        self._shown, self._current = max(1, len(rows)), current
        columns = 1 if self._shown == 1 else 2
        for number, tile in enumerate(self._tiles):
            self._grid.removeWidget(tile)
            tile.setVisible(number < self._shown)
            if number < self._shown:
                self._grid.addWidget(tile, number // columns, number % columns)
        for place in range(2):
            self._grid.setColumnStretch(place, int(place < columns))
            self._grid.setRowStretch(place, int(place * columns < self._shown))
        for tile, row in zip(self._tiles, rows, strict=False):
            tile.expect(row, verdict(row.frame_id))
            tile.set_inset(self._inset_wanted and row.ftype == "object")
        self._link(rows)
        self._mark()

    def _link(self, rows: Sequence[FrameRow]) -> None:
        """Frames of one camera and half zoom and pan together; the halves of a split camera do not."""
        first = self._tiles[0]
        for tile, row in zip(self._tiles[1:], rows[1:], strict=False):
            alike = (row.camera, row.channel, row.shape) == (rows[0].camera, rows[0].channel, rows[0].shape)
            tile.view.link_to(first.view if alike else None)
        for tile in self._tiles[len(rows) :]:
            tile.view.link_to(None)

    def set_current(self, frame_id: str) -> None:
        """Mark the tile that keys act on."""
        self._current = frame_id
        self._mark()

    def _mark(self) -> None:
        for tile in self._tiles:
            current = tile.row is not None and tile.row.frame_id == self._current
            tile.set_heading(self._shown > 1, current)

    def deliver(self, frame_id: str, picture: FramePicture | str) -> None:
        """Show a picture that was read, or why it was not."""
        for tile in self.tiles():
            if tile.row is not None and tile.row.frame_id == frame_id:
                if isinstance(picture, str):
                    tile.show_problem(picture)
                else:
                    tile.show_picture(picture)

    def refresh_verdicts(self, verdict: Callable[[str], Verdict]) -> None:
        """Verdicts changed."""
        for tile in self.tiles():
            if tile.row is not None:
                tile.set_verdict(verdict(tile.row.frame_id))

    def clear(self, note: str = "") -> None:
        """Show no frame."""
        self._shown = 1
        for number, tile in enumerate(self._tiles):
            tile.row = None
            tile.setVisible(number == 0)
            tile.show_problem(note)
        self._mark()

    def set_inset(self, on: bool) -> None:
        """Show the zoomed centre of science frames."""
        self._inset_wanted = on
        for tile in self._tiles:
            tile.set_inset(on and tile.row is not None and tile.row.ftype == "object")

    @property
    def inset_wanted(self) -> bool:
        """True when science frames get a zoomed centre."""
        return self._inset_wanted

    def each(self, change: Callable[[ImageView], None]) -> None:
        """Do something with every view."""
        for tile in self._tiles:
            change(tile.view)

    def _settings_changed(self) -> None:
        for tile in self._tiles[1:]:
            self._copy_settings(tile.view)
        self.settingsChanged.emit()

    def _copy_settings(self, other: ImageView) -> None:
        first = self.view
        for now, wanted, change in (
            (other.stretch, first.stretch, other.set_stretch),
            (other.color_map, first.color_map, other.set_color_map),
            (other.locked, first.locked, other.set_locked),
            (other.shows_saturated, first.shows_saturated, other.set_show_saturated),
            (other.shows_bad, first.shows_bad, other.set_show_bad),
            (other.shows_contour, first.shows_contour, other.set_show_contour),
        ):
            if now != wanted:
                change(wanted)

    def _clicked(self, _x: float, _y: float) -> None:
        for tile in self._tiles:
            if tile.view is self.sender() and tile.row is not None:
                self.tilePicked.emit(tile.row.frame_id)

    def keyPressEvent(self, event: object) -> None:
        """Keys are the window's."""
        event.ignore()  # type: ignore[attr-defined]

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 140)

