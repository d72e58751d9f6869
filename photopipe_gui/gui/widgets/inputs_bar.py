"""The line over the inputs: what is known of the one selected, and what can be done with it."""

from __future__ import annotations

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from ..models.master_inputs import InputEntry
from ..models.masters import MasterEntry, State
from .bind import dress, quiet
from .elided import ElidedLabel


class InputsBar(QFrame):
    """Send an input back, take it again, rebuild, approve.

    Signals
    -------
    sendBack(), takeBack(), rebuild()
        The buttons.
    approve(bool)
        Approve the master, or take that back.
    adopt()
        Take a master of another night.
    """

    sendBack = pyqtSignal()
    takeBack = pyqtSignal()
    rebuild = pyqtSignal()
    approve = pyqtSignal(bool)
    adopt = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "bar")
        self._entry: MasterEntry | None = None
        self._busy = False
        heading = QLabel("Inputs")
        heading.setProperty("role", "heading")
        self._text = ElidedLabel()
        self.send_button = QPushButton("Send back")
        dress(self.send_button, "reject", "Send back: reject the selected inputs, by hand", "X", "reject")
        self.take_button = QPushButton("Accept")
        dress(self.take_button, "accept", "Accept: take the selected inputs, by hand", "A", "keep")
        self.rebuild_button = QPushButton("Rebuild")
        dress(self.rebuild_button, "refresh", "Rebuild: from the frames that are kept now")
        self.adopt_button = QPushButton("Use a master of another night")
        dress(self.adopt_button, "folder", "Use a master of another night: it is copied, and its header says so")
        self.adopt_button.clicked.connect(self.adopt)
        self.approve_button = QPushButton("Approve")
        self.approve_button.setCheckable(True)
        dress(self.approve_button, "done", "Approve: this master is good as it is")
        self.send_button.clicked.connect(self.sendBack)
        self.take_button.clicked.connect(self.takeBack)
        self.rebuild_button.clicked.connect(self.rebuild)
        self.approve_button.toggled.connect(self.approve)
        line = QHBoxLayout(self)
        line.setContentsMargins(8, 4, 8, 4)
        line.setSpacing(6)
        line.addWidget(heading)
        line.addWidget(self._text, 1)
        for button in (self.adopt_button, self.take_button, self.send_button, self.rebuild_button, self.approve_button):
            line.addWidget(button)
        self.show_entry(None)
        self.show_input(None)

    def show_entry(self, entry: MasterEntry | None) -> None:
        """Show what can be done with a master."""
        self._entry = entry
        stale = entry is not None and bool(entry.kept) and entry.state in (State.STALE, State.MISSING, State.FAILED)
        current = entry is not None and entry.state is State.CURRENT
        self.rebuild_button.setEnabled(stale and not self._busy)
        self.rebuild_button.setText("Build" if entry is not None and entry.state is State.MISSING else "Rebuild")
        self.rebuild_button.setProperty("role", "primary" if stale else "")
        style = self.rebuild_button.style()
        if style is not None:
            style.unpolish(self.rebuild_button)
            style.polish(self.rebuild_button)
        lacking = entry is not None and not entry.kept
        self.adopt_button.setVisible(lacking)
        for button in (self.take_button, self.send_button, self.rebuild_button):
            button.setVisible(not lacking or (entry is not None and bool(entry.given)))
        self.approve_button.setEnabled(current)
        with quiet(self.approve_button):
            self.approve_button.setChecked(entry is not None and entry.approved)
        self.approve_button.setText("Approved" if entry is not None and entry.approved else "Approve")

    def set_busy(self, busy: bool) -> None:
        """A job runs: nothing can be rebuilt now."""
        self._busy = busy
        self.show_entry(self._entry)

    def show_input(self, chosen: InputEntry | None) -> None:
        """Show what is known of the input selected."""
        self.send_button.setEnabled(chosen is not None and chosen.verdict.keep)
        self.take_button.setEnabled(chosen is not None and not chosen.verdict.keep)
        self._text.set_text("" if chosen is None else " · ".join(chosen.describe().split("\n")))
