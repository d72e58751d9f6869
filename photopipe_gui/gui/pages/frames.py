"""The Frames tab: look at frames and decide."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from PyQt6.QtCore import QPoint, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QCursor
from PyQt6.QtWidgets import QMenu, QSplitter, QVBoxLayout, QWidget

from ...reduction.table import FrameRow
from ..jobs import Jobs
from ..models.frame_list import FrameFilter, FrameListModel
from ..models.night import NightModel
from ..models.picture import FramePicture
from ..tasks import read_picture
from ..theme import Theme
from ..widgets.filmstrip import Filmstrip
from ..widgets.gallery import PictureOrGallery
from ..widgets.picture_panel import PicturePanel
from ..widgets.plot_panel import PlotPanel
from ..widgets.verdict_bar import VerdictBar
from ..widgets.view_bar import ViewBar

_AHEAD = (1, 2, -1, 3)


class FramesPage(QWidget):
    """Image, verdict, level against time, filmstrip.

    Signals
    -------
    pictureShown(object)
        The `FramePicture` of the current frame, or None.
    cursorMoved(float, float, float), cursorLeft()
        As `ImageView`.
    """

    pictureShown = pyqtSignal(object)
    cursorMoved = pyqtSignal(float, float, float)
    cursorLeft = pyqtSignal()

    def __init__(self, session: NightModel, jobs: Jobs, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._reader = session, jobs.reader
        jobs.main.finished.connect(self._masters_may_differ)
        self._tiles_wanted = 1
        self._comparison = ""
        self._before_flip = ""
        self._going = 1
        self._masters_age = 1
        self.frames = FrameFilter(session, FrameListModel(session, self), self)
        self.panel = PicturePanel()
        self.bar = ViewBar(self.panel)
        self.verdict = VerdictBar()
        self.plot = PlotPanel(session, self.frames)
        self.strip = Filmstrip(self.frames)
        self.stage = PictureOrGallery(self.panel, self.frames, self.strip)
        self._blink = QTimer(self)
        self._blink.timeout.connect(self._blink_on)
        self._build()
        self._connect()

    def _build(self) -> None:
        upper = QWidget()
        column = QVBoxLayout(upper)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.bar)
        column.addWidget(self.stage, 1)
        column.addWidget(self.verdict)
        self.splitter = QSplitter(Qt.Orientation.Vertical)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setHandleWidth(4)
        self.splitter.addWidget(upper)
        self.splitter.addWidget(self.plot)
        self.splitter.setStretchFactor(0, 5)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setSizes([560, 180])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.splitter, 1)
        layout.addWidget(self.strip)

    def _connect(self) -> None:
        session = self._session
        session.opened.connect(self._opened)
        session.currentChanged.connect(self._show_current)
        session.groupChanged.connect(self._group_changed)
        session.tableChanged.connect(self._group_changed)
        session.verdictsChanged.connect(self._refresh)
        session.measured.connect(self._refresh)
        self._reader.ready.connect(self._picture_ready)
        self._reader.failed.connect(self._picture_failed)
        self.strip.framePicked.connect(session.set_current)
        self.plot.picked.connect(session.set_current)
        self.plot.banded.connect(self._ask_about)
        self.panel.tilePicked.connect(session.set_current)
        self.panel.cursorMoved.connect(self.cursorMoved)
        self.panel.cursorLeft.connect(self.cursorLeft)
        self.bar.playToggled.connect(self._play)
        self.bar.rate.valueChanged.connect(self._set_rate)
        self.bar.tilesChanged.connect(self._set_tiles)
        self.bar.findChanged.connect(self._find)
        self.bar.findLeft.connect(self.strip.setFocus)
        self.bar.gallery.toggled.connect(self.stage.show_gallery)
        self.stage.galleryToggled.connect(self.bar.gallery.setChecked)
        self.stage.galleryToggled.connect(self.strip.setHidden)
        self.bar.calibrate.toggled.connect(self._calibrate_toggled)
        self.verdict.accept.clicked.connect(self.accept)
        self.verdict.reject.clicked.connect(self.reject)
        self.verdict.rule.clicked.connect(self.back_to_rule)

    # ------------------------------------------------------------ commands

    def commands(self) -> dict[str, Callable[[], Any]]:
        """What the window's keys do on this tab, by name of the action."""
        view = self.panel.view
        return {
            "previous": partial(self.go, -1),
            "next": partial(self.go, 1),
            "accept": self.accept,
            "reject": self.reject,
            "rule": self.back_to_rule,
            "accept_next": partial(self._and_next, self.accept),
            "reject_next": partial(self._and_next, self.reject),
            "rule_next": partial(self._and_next, self.back_to_rule),
            "play": partial(self._toggle_play, 1),
            "play_back": partial(self._toggle_play, -1),
            "flip": self.flip,
            "set_comparison": self.set_comparison,
            "actual": self.bar._actual,
            "fit": self.bar._fit,
            "stretch": view.next_stretch,
            "lock": self.bar.lock.toggle,
            "saturated": self.bar.saturated.toggle,
            "bad": self.bar.bad.toggle,
            "contour": self.bar.contour.toggle,
            "loupe": self.bar.inset.toggle,
            "gallery": self.stage.toggle,
            "calibrate": self.bar.calibrate.toggle,
            "find": self._focus_find,
            "first": partial(self.go_to_end, -1),
            "last": partial(self.go_to_end, 1),
        }

    def _targets(self) -> list[str]:
        """Frames that a verdict goes to: the selected ones when the current is among them, else the current."""
        selected = self.strip.selected_ids()
        current = self._session.current
        if len(selected) > 1 and current in selected:
            return selected
        return [current] if current else []

    def accept(self) -> None:
        """Keep the current or selected frames."""
        self._decide(True)

    def reject(self) -> None:
        """Leave the current or selected frames out."""
        self._decide(False)

    def back_to_rule(self) -> None:
        """Leave the current or selected frames to the rule again."""
        self._decide(None)

    def _decide(self, keep: bool | None) -> None:
        self._session.set_hand(self._targets(), keep)
        # A checked button that was clicked again must stay as the verdict says.
        self._refresh_verdict()

    def _and_next(self, decide: Callable[[], None]) -> None:
        decide()
        self.go(1)

    def go(self, step: int) -> None:
        """Go to the next (1) or previous (-1) frame shown."""
        count = self.frames.rowCount()
        index = self.frames.index_of(self._session.current)
        place = index.row() + step if index.isValid() else 0
        if count and 0 <= place < count:
            self._going = step
            self._session.set_current(self.frames.index(place, 0).data())

    def go_to_end(self, side: int) -> None:
        """Go to the first (-1) or last (1) frame shown."""
        count = self.frames.rowCount()
        if count:
            self._session.set_current(self.frames.index(0 if side < 0 else count - 1, 0).data())

    def set_comparison(self) -> None:
        """Make the current frame the one that `flip` goes to."""
        self._comparison = self._session.current
        if self._comparison:
            self._session.said.emit(f"{self._comparison} is the comparison frame: B flips to it and back.", "info")

    def flip(self) -> None:
        """Flip between the frame and the comparison frame (the one before, when none was set)."""
        session = self._session
        target = self._comparison if self._comparison in session.table else self._before_flip
        if target == session.current:
            target = self._before_flip
        if target and target in session.table and target != session.current:
            self._before_flip, here = session.current, session.current
            session.set_current(target)
            self._before_flip = here

    def _focus_find(self) -> None:
        self.bar.find.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.bar.find.selectAll()

    # ---------------------------------------------------------------- blink

    def _toggle_play(self, direction: int) -> None:
        if self._blink.isActive() and direction != self._going:
            self._going = direction
            return
        self._going = direction
        self.bar.play.toggle()

    def _play(self, on: bool) -> None:
        if on and self.frames.rowCount() > 1:
            self._set_rate(self.bar.rate.value())
            self._blink.start()
        else:
            self._blink.stop()
            if on:
                self.bar.play.setChecked(False)

    def _set_rate(self, rate: int) -> None:
        self._blink.setInterval(max(1, round(1000 / rate)))

    def _blink_on(self) -> None:
        """Show the following frame, unless the one before is still being read."""
        row = self._session.row(self._session.current)
        if row is not None and self._reader.peek(self._key(row)) is None and not row.problem:
            return
        count = self.frames.rowCount()
        index = self.frames.index_of(self._session.current)
        if count:
            place = (index.row() + self._going) % count
            self._session.set_current(self.frames.index(place, 0).data())

    # ------------------------------------------------------------- showing

    def _opened(self) -> None:
        self._reader.clear()
        self.strip.forget_pictures()
        self.stage.gallery.forget_pictures()
        self._comparison = self._before_flip = ""
        self.bar.play.setChecked(False)
        self.bar.find.clear()

    def _group_changed(self) -> None:
        self.plot.reload()
        self._say_empty()
        self._show_current(self._session.current)

    def _find(self, text: str) -> None:
        self.frames.set_find(text)
        self.plot.reload()
        shown = self.frames.frame_ids()
        if shown and self._session.current not in shown:
            self._session.set_current(shown[0])
        self.strip.show_frame(self._session.current)
        self._say_empty()

    def _say_empty(self) -> None:
        """Where there is nothing to show, say what to do."""
        session = self._session
        if self.frames.finds:
            text = "No frame has these words. Escape in the find box clears them."
        elif session.is_open and not len(session.table):
            title = session.instrument.title if session.instrument else "this instrument"
            text = f"There are no raw frames of {title} in this folder. Choose another instrument, or Watch for frames."
        else:
            text = ""
        self.strip.set_empty_text(text)

    def _set_tiles(self, count: int) -> None:
        self._tiles_wanted = count
        self._show_current(self._session.current)

    def _rows_to_show(self, row: FrameRow) -> list[FrameRow]:
        """The frame with its other half, or as many frames in order as there are tiles."""
        if self._tiles_wanted == 1:
            return sorted(self._session.table.siblings(row), key=lambda half: half.channel) if row.channel else [row]
        rows = self.frames.rows()
        place = next((i for i, other in enumerate(rows) if other.frame_id == row.frame_id), -1)
        if place < 0:
            return [row]
        start = min(place, max(0, len(rows) - self._tiles_wanted))
        return rows[start : start + self._tiles_wanted]

    def _show_current(self, frame_id: str) -> None:
        row = self._session.row(frame_id)
        self.plot.set_current(frame_id)
        self._refresh_verdict()
        if row is None:
            self.panel.clear("No frames here yet." if self._session.is_open else "")
            self.pictureShown.emit(None)
            return
        shown = {tile.row.frame_id for tile in self.panel.tiles() if tile.row is not None}
        if self._before_flip != frame_id and self._comparison != frame_id:
            self._before_flip = frame_id
        rows = self._rows_to_show(row)
        self._reader.forget_waiting()
        if {one.frame_id for one in rows} == shown and len(rows) > 1:
            self.panel.set_current(frame_id)
        else:
            self.panel.set_frames(rows, frame_id, self._session.verdict)
        self.strip.show_frame(frame_id, keep_selection=frame_id in self.strip.selected_ids())
        for one in [other for other in rows if other.frame_id != frame_id] + [row]:
            self._request(one)
        self._read_ahead(row)

    def _request(self, row: FrameRow, ahead: bool = False) -> None:
        """Have a frame read; with its masters applied when that is wanted and it is a science frame."""
        session, masters = self._session, None
        if row.ftype == "object" and self.bar.calibrate.isChecked() and session.instrument and session.night:
            masters = (session.instrument, session.night / "calibration")
        self._reader.request(self._key(row), partial(read_picture, row, masters), ahead=ahead)

    def _calibrate_toggled(self, _on: bool = False) -> None:
        """Show the same frame another way."""
        row = self._session.row(self._session.current)
        if row is not None and row.ftype == "object":
            self._show_current(row.frame_id)

    def _masters_may_differ(self) -> None:
        """A job ended: masters may have been built."""
        self._masters_age += 1
        if self.bar.calibrate.isChecked():
            self._calibrate_toggled()

    def _read_ahead(self, row: FrameRow) -> None:
        index = self.frames.index_of(row.frame_id)
        if not index.isValid():
            return
        for step in _AHEAD:
            other = self.frames.index(index.row() + step * self._going, 0)
            if other.isValid():
                near = self._session.row(other.data())
                if near is not None:
                    self._request(near, ahead=True)

    def _key(self, row: FrameRow) -> tuple[str, str, str, int]:
        """Names the picture of a frame: as it is (0), or with the masters of now."""
        calibrated = row.ftype == "object" and self.bar.calibrate.isChecked()
        return ("picture", str(row.path), row.frame_id, self._masters_age if calibrated else 0)

    def _picture_ready(self, key: Any, picture: Any) -> None:
        row = self._session.row(picture.frame_id) if isinstance(picture, FramePicture) else None
        if row is None or key != self._key(row):
            return
        self.panel.deliver(picture.frame_id, picture)
        if picture.frame_id == self._session.current:
            self.pictureShown.emit(picture)
            if key[3] and not picture.calibrated:
                self._session.said.emit("There are no masters for this frame yet: it is shown as it is.", "info")

    def _picture_failed(self, key: Any, reason: str) -> None:
        if isinstance(key, tuple) and key[0] == "picture":
            self.panel.deliver(key[2], reason)
            if key[2] == self._session.current:
                self.pictureShown.emit(None)

    def _refresh(self, frame_ids: Any) -> None:
        self.panel.refresh_verdicts(self._session.verdict)
        if self._session.current in frame_ids:
            self._refresh_verdict()
        self.plot.refresh()

    def _refresh_verdict(self) -> None:
        session = self._session
        row = session.row(session.current)
        verdict = session.verdict(session.current) if row is not None else None
        self.verdict.show_frame(row, session.stats.get(session.current), verdict)

    def _ask_about(self, frame_ids: list[str]) -> None:
        """A rubber band was drawn: what about these frames?"""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        what = "1 frame" if len(frame_ids) == 1 else f"{len(frame_ids)} frames"
        for text, keep in ((f"Keep {what}", True), (f"Reject {what}", False), ("Back to the rule", None)):
            menu.addAction(text, partial(self._session.set_hand, frame_ids, keep))
        menu.popup(QCursor.pos() + QPoint(2, 2))
