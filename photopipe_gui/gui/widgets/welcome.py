"""What the window shows without a night: what to do."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PyQt6.QtCore import QMimeData, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QDragEnterEvent, QDropEvent
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from .elided import ElidedLabel
from .icons import bind_icon


def dropped_folder(data: QMimeData | None) -> Path | None:
    """Return the folder that is being dropped (of a file: the folder it lies in), None for anything else."""
    urls = data.urls() if data is not None else []
    if not urls or not urls[0].isLocalFile():
        return None
    path = Path(urls[0].toLocalFile())
    return path if path.is_dir() else path.parent


class Welcome(QWidget):
    """Open, demo night, recent nights, and a place to drop a folder.

    Signals
    -------
    openAsked(), demoAsked()
    nightPicked(Path)
    """

    openAsked = pyqtSignal()
    demoAsked = pyqtSignal()
    nightPicked = pyqtSignal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("welcome")
        self.setAcceptDrops(True)
        card = QFrame()
        card.setProperty("role", "card")
        card.setFixedWidth(560)
        column = QVBoxLayout(card)
        column.setContentsMargins(36, 30, 36, 30)
        column.setSpacing(10)
        title = QLabel("Open a night")
        title.setProperty("role", "title")
        text = QLabel(
            "A night is a folder of raw frames from RATIR, LMI or RIMAS. Look at the frames and decide, build the "
            "masters, reduce to coadds. Raw frames are never changed."
        )
        text.setWordWrap(True)
        text.setProperty("role", "muted")
        self.open_button = QPushButton("Open a folder ...")
        self.open_button.setObjectName("welcomeOpenButton")
        self.open_button.setProperty("role", "primary")
        self.open_button.clicked.connect(self.openAsked)
        self.demo_button = QPushButton("Try the demo night")
        self.demo_button.setObjectName("demoButton")
        bind_icon(self.demo_button, "demo")
        self.demo_button.clicked.connect(self.demoAsked)
        buttons = QHBoxLayout()
        buttons.addWidget(self.open_button)
        buttons.addWidget(self.demo_button)
        buttons.addStretch(1)
        hint = QLabel("or drop a folder here")
        hint.setProperty("role", "muted")
        self._problem = QLabel()
        self._problem.setObjectName("welcomeProblem")
        self._problem.setProperty("role", "error")
        self._problem.setWordWrap(True)
        self._problem.hide()
        self._recent_title = QLabel("Recent nights")
        self._recent_title.setProperty("role", "heading")
        self._recent = QVBoxLayout()
        self._recent.setSpacing(0)
        for item in (title, text):
            column.addWidget(item)
        column.addSpacing(4)
        column.addWidget(self._problem)
        column.addLayout(buttons)
        column.addWidget(hint)
        column.addSpacing(8)
        column.addWidget(self._recent_title)
        column.addLayout(self._recent)
        across = QHBoxLayout()
        across.addStretch(1)
        across.addWidget(card)
        across.addStretch(1)
        outer = QVBoxLayout(self)
        outer.addStretch(2)
        outer.addLayout(across)
        outer.addStretch(3)
        self.set_recent([])

    def set_recent(self, nights: list[Path]) -> None:
        """List nights that were opened before."""
        while (item := self._recent.takeAt(0)) is not None:
            if item.widget() is not None:
                item.widget().deleteLater()
        self._recent_title.setVisible(bool(nights))
        for night in nights[:6]:
            self._recent.addWidget(self._line(night))

    def _line(self, night: Path) -> QWidget:
        line = QWidget()
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        button = QPushButton(night.name)
        button.setProperty("role", "link")
        button.setIconSize(QSize(15, 15))
        bind_icon(button, "recent", "accent")
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        button.setToolTip(str(night))
        button.clicked.connect(partial(self.nightPicked.emit, night))
        where = ElidedLabel()
        where.set_text(str(night.parent))
        row.addWidget(button)
        row.addWidget(where, 1)
        return line

    def set_problem(self, text: str) -> None:
        """Say why a night could not be opened; empty text removes it."""
        self._problem.setText(text)
        self._problem.setVisible(bool(text))

    def problem(self) -> str:
        """What is said about a night that could not be opened."""
        return self._problem.text()

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        if event is not None and dropped_folder(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        folder = dropped_folder(event.mimeData()) if event is not None else None
        if folder is not None:
            self.nightPicked.emit(folder)
