"""A list of facts: names on the left, values on the right."""

from __future__ import annotations

from collections.abc import Iterable

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

Fact = tuple[str, str, str]


class FactsView(QWidget):
    """Shows facts as (name, value, tooltip); values can be selected and copied."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._facts: tuple[Fact, ...] = ()
        self._body: QWidget | None = None
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)

    @property
    def facts(self) -> tuple[Fact, ...]:
        """What is shown."""
        return self._facts

    def set_facts(self, facts: Iterable[Fact]) -> None:
        """Show these facts."""
        fresh = tuple(facts)
        if self._body is not None:
            if fresh == self._facts:
                return
            self._layout.removeWidget(self._body)
            self._body.deleteLater()
        self._facts = fresh
        self._body = QWidget()
        grid = QGridLayout(self._body)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        for row, (name, value, tip) in enumerate(fresh):
            title, text = QLabel(name), QLabel(value)
            title.setProperty("role", "muted")
            text.setWordWrap(True)
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            for label in (title, text):
                label.setToolTip(tip)
                label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
            grid.addWidget(title, row, 0)
            grid.addWidget(text, row, 1)
        self._layout.addWidget(self._body)
