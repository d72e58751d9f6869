"""A question asked in place, without a box that holds up the work."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QWidget

from .bind import dress


class Notice(QFrame):
    """A sentence with buttons; hidden while there is nothing to ask.

    Signals
    -------
    chosen(str)
        Name of the button pressed.
    """

    chosen = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "notice")
        self._label = QLabel()
        self._label.setWordWrap(True)
        self._label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._close = QToolButton()
        dress(self._close, "clear", "Put this away")
        self._close.clicked.connect(self._put_away)
        self._buttons: dict[str, QPushButton] = {}
        self._line = QHBoxLayout(self)
        self._line.setContentsMargins(10, 5, 6, 5)
        self._line.setSpacing(8)
        self._line.addWidget(self._label, 1)
        self._line.addWidget(self._close)
        self.hide()

    @property
    def text(self) -> str:
        """The sentence shown, empty when there is none."""
        return self._label.text()

    def button(self, name: str) -> QPushButton:
        """Return a button by name; KeyError when it is not shown."""
        return self._buttons[name]

    def ask(self, text: str, choices: tuple[tuple[str, str], ...] = ()) -> None:
        """Show a sentence and buttons as (name, title); empty text puts it away."""
        for button in self._buttons.values():
            self._line.removeWidget(button)
            button.deleteLater()
        self._buttons.clear()
        self._label.setText(text)
        for place, (name, title) in enumerate(choices):
            button = QPushButton(title)
            button.clicked.connect(lambda _on, name=name: self.chosen.emit(name))
            self._buttons[name] = button
            self._line.insertWidget(1 + place, button)
        self.setVisible(bool(text))

    def _put_away(self) -> None:
        self.ask("")
