"""The preflight list: one line a check, with what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QGridLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from ..models.preflight import Check, Level
from .status_mark import StatusMark

_MARKS = {
    Level.OK: ("check", "keep"),
    Level.NOTE: ("dot", "muted"),
    Level.WARNING: ("alert", "warning"),
    Level.STOP: ("cross", "reject"),
}
_ACTIONS = {"masters": "Build masters", "frames": "Show frames", "refcat": "Choose a catalogue"}


class PreflightView(QWidget):
    """Shows the checks.

    Signals
    -------
    actionWanted(str)
        ``masters``, ``frames`` or ``refcat``.
    """

    actionWanted = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Before the run")
        self._checks: tuple[Check, ...] = ()
        self._body: QWidget | None = None
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self.set_checks(())

    @property
    def checks(self) -> tuple[Check, ...]:
        """The lines shown."""
        return self._checks

    def set_checks(self, checks: Sequence[Check]) -> None:
        """Show these lines."""
        if self._body is not None and tuple(checks) == self._checks:
            return
        self._checks = tuple(checks)
        if self._body is not None:
            self._layout.removeWidget(self._body)
            self._body.deleteLater()
        self._body = self._build()
        self._layout.addWidget(self._body)

    def _build(self) -> QWidget:
        body = QWidget()
        grid = QGridLayout(body)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(7)
        grid.setVerticalSpacing(5)
        grid.setColumnStretch(1, 1)
        actions_shown: set[str] = set()
        for number, line in enumerate(self._checks):
            mark = StatusMark(*_MARKS[line.level])
            mark.setToolTip(str(line.level))
            grid.addWidget(mark, number, 0, Qt.AlignmentFlag.AlignTop)
            cell = QWidget()
            stack = QVBoxLayout(cell)
            stack.setContentsMargins(0, 0, 0, 0)
            stack.setSpacing(1)
            stack.addWidget(_wrapped(line.text, "error" if line.level is Level.STOP else ""))
            if line.remedy:
                stack.addWidget(_wrapped(line.remedy, "muted"))
            later = [other.action for other in self._checks[number + 1 :]]
            # One button for a run of lines with the same remedy: under the last of them.
            if line.action and line.action not in later and line.action not in actions_shown:
                actions_shown.add(line.action)
                stack.addWidget(self._button(line.action))
            grid.addWidget(cell, number, 1)
        return body

    def _button(self, action: str) -> QPushButton:
        button = QPushButton(_ACTIONS.get(action, action))
        button.setProperty("role", "link")
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        button.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        button.clicked.connect(lambda: self.actionWanted.emit(action))
        return button


def _wrapped(text: str, role: str) -> QLabel:
    label = QLabel(text)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    if role:
        label.setProperty("role", role)
    return label
