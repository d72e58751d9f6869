"""The window opened for one choice: frames of one type, Done and Cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject, Qt, pyqtSignal
from PyQt6.QtWidgets import QLabel, QPushButton, QToolBar, QWidget

from ..reduction.preprocess.rules import Limits
from ..reduction.selection import Selection
from .models.groups import TYPE_TITLES

if TYPE_CHECKING:
    from .main_window import MainWindow

_NAMES = {"bias": "bias frames", "dark": "dark frames", "flat": "flat fields", "object": "science frames"}


class Choice(QObject):
    """Narrows the window to one type of frame and collects the answer.

    Signals
    -------
    ended()
        Done, Cancel, or the window was closed.
    """

    ended = pyqtSignal()

    def __init__(self, window: MainWindow, ftype: str, cameras: tuple[int, ...], limits: Limits) -> None:
        super().__init__(window)
        self._window, self._ftype, self._cameras, self._limits = window, ftype, cameras, limits
        self.result: Selection | None = None
        self._over = False
        bar = QToolBar("Choice", window)
        bar.setObjectName("choiceBar")
        bar.setMovable(False)
        text = QLabel(f"Choose the {_NAMES.get(ftype, TYPE_TITLES.get(ftype, ftype))}, then press Done.")
        text.setProperty("role", "heading")
        space = QWidget()
        space.setFixedWidth(16)
        done, cancel = QPushButton("Done"), QPushButton("Cancel")
        done.setObjectName("choiceDone")
        done.setProperty("role", "primary")
        cancel.setObjectName("choiceCancel")
        for widget in (text, space, done, cancel):
            bar.addWidget(widget)
        done.clicked.connect(self._done)
        cancel.clicked.connect(self._end)
        window.addToolBarBreak(Qt.ToolBarArea.TopToolBarArea)
        window.addToolBar(Qt.ToolBarArea.TopToolBarArea, bar)
        for index in range(1, window.tabs.count()):
            window.tabs.setTabVisible(index, False)
        if window.session.is_open:
            self.night_opened()

    def night_opened(self) -> None:
        """The night is on the table: show what is to be chosen."""
        session = self._window.session
        wanted = [number for number in self._cameras if any(row.camera == number for row in session.table)]
        if wanted:
            session.set_cameras(wanted)
        session.set_limits(self._ftype, self._limits)
        session.set_group((self._ftype,))
        self._window.show_tab("frames")

    def _done(self) -> None:
        session = self._window.session
        if self._window.loader.busy:
            self._window.say("Some frames are still being measured; a moment, then press Done again.", "warning")
            return
        rows = [row for row in session.rows() if row.ftype == self._ftype]
        self.result = Selection({row.frame_id: session.verdict(row.frame_id) for row in rows})
        self._end()

    def window_closed(self) -> None:
        """Closing the window gives the choice up."""
        self._end()

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._window.session.flush()
            self.ended.emit()
