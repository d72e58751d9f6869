"""The log: what happened, in sentences, with time and level."""

from __future__ import annotations

import html
import time

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QPlainTextEdit, QWidget

from ..theme import colors, theme

_MARKS = {"info": "", "warning": "! ", "error": "✕ "}
_LINES = 5000


class LogView(QPlainTextEdit):
    """Read-only lines; warnings and errors are told by a mark as well as by colour.

    Signals
    -------
    noticed(str)
        A warning or an error arrived.
    """

    noticed = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("logView")
        self.setAccessibleName("Log")
        self.setReadOnly(True)
        self.setUndoRedoEnabled(False)
        self.setMaximumBlockCount(_LINES)
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.WidgetWidth)
        self._entries: list[tuple[str, str, str]] = []
        theme().changed.connect(self._redraw)

    def add(self, text: str, level: str = "info") -> None:
        """Add a sentence; ``level`` is ``info``, ``warning`` or ``error``."""
        entry = (time.strftime("%H:%M:%S"), text, level)
        self._entries.append(entry)
        del self._entries[:-_LINES]
        self._append(*entry)
        if level != "info":
            self.noticed.emit(text)

    def _append(self, clock: str, text: str, level: str) -> None:
        named = colors()
        tone = {"warning": named.warning, "error": named.reject}.get(level, named.text)
        body = html.escape(text).replace("\n", "<br>")
        self.appendHtml(
            f'<span style="color:{named.muted}">{clock}</span>&nbsp; '
            f'<span style="color:{tone}">{_MARKS.get(level, "")}{body}</span>'
        )

    def _redraw(self) -> None:
        self.clear()
        for entry in self._entries[-500:]:
            self._append(*entry)

    def entries(self) -> list[tuple[str, str, str]]:
        """(time, text, level) of what was said."""
        return list(self._entries)
