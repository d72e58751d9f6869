"""Key sheet, help pages, about: windows that do not block."""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from pathlib import Path

from PyQt6.QtCore import PYQT_VERSION_STR, QT_VERSION_STR, Qt, QUrl
from PyQt6.QtGui import QGuiApplication, QKeySequence
from PyQt6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QPushButton,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from ... import __version__
from ..actions import ACTIONS

_PACKAGES = ("numpy", "astropy", "scipy", "sep", "astroscrappy", "pyqtgraph", "superqt", "loky")


def _keys(keys: tuple[str, ...]) -> str:
    texts = [QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText) for key in keys]
    return " or ".join({"Left": "←", "Right": "→"}.get(text, text) for text in texts)


class KeySheet(QDialog):
    """Every key, by what it is for."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        groups: dict[str, list[tuple[str, str]]] = {}
        for spec in ACTIONS:
            if spec.keys:
                groups.setdefault(spec.group, []).append((_keys(spec.keys), spec.text))
        columns = QHBoxLayout(self)
        columns.setContentsMargins(24, 20, 24, 20)
        columns.setSpacing(36)
        left, right = QVBoxLayout(), QVBoxLayout()
        lengths = [0, 0]
        for title, lines in groups.items():
            side = 0 if lengths[0] <= lengths[1] else 1
            lengths[side] += len(lines) + 2
            (left, right)[side].addLayout(self._group(title, lines))
        for column in (left, right):
            column.setSpacing(16)
            column.addStretch(1)
            columns.addLayout(column)

    def _group(self, title: str, lines: list[tuple[str, str]]) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(3)
        heading = QLabel(title)
        heading.setProperty("role", "heading")
        grid.addWidget(heading, 0, 0, 1, 2)
        for number, (keys, text) in enumerate(lines, 1):
            key = QLabel(keys)
            key.setStyleSheet("font-weight: 600;")
            what = QLabel(text)
            what.setProperty("role", "muted")
            grid.addWidget(key, number, 0)
            grid.addWidget(what, number, 1)
        grid.setColumnMinimumWidth(0, 130)
        grid.setColumnStretch(1, 1)
        return grid


class HelpWindow(QDialog):
    """The help pages: a list and the page."""

    def __init__(self, folder: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Help")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(820, 560)
        self._pages = sorted(folder.glob("*.md"))
        self._list = QListWidget()
        self._list.setFixedWidth(190)
        self._list.setSpacing(3)
        self._list.setAccessibleName("Help pages")
        self._page = QTextBrowser()
        self._page.setOpenExternalLinks(True)
        self._page.document().setDocumentMargin(18)
        for path in self._pages:
            first = path.read_text(encoding="utf-8").splitlines()[0]
            self._list.addItem(first.lstrip("# ").strip() or path.stem)
        self._list.currentRowChanged.connect(self._show)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self._list)
        row.addWidget(self._page, 1)
        if self._pages:
            self._list.setCurrentRow(0)
        else:
            self._page.setPlainText(f"The help pages are missing from {folder}. Install the program again.")

    def _show(self, number: int) -> None:
        if 0 <= number < len(self._pages):
            self._page.setSearchPaths([str(self._pages[number].parent)])
            self._page.setSource(QUrl())
            self._page.setMarkdown(self._pages[number].read_text(encoding="utf-8"))


def diagnostics() -> str:
    """Return versions and the system, for a report of trouble."""
    lines = [
        f"photopipe_gui {__version__}",
        f"Python {sys.version.split()[0]}, Qt {QT_VERSION_STR}, PyQt {PYQT_VERSION_STR}",
        f"{platform.platform()}, {QGuiApplication.platformName()}",
    ]
    for name in _PACKAGES:
        try:
            lines.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            lines.append(f"{name} is not installed")
    return "\n".join(lines)


class AboutWindow(QDialog):
    """Versions, licence, diagnostics to copy."""

    def __init__(self, log: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("About")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._log = log
        title = QLabel("photopipe")
        title.setProperty("role", "title")
        what = QLabel(
            "Choose a night's frames, build its masters, reduce it to calibrated coadds.\n"
            "Free software under the GNU General Public License, version 3 or later."
        )
        what.setProperty("role", "muted")
        versions = QLabel(diagnostics())
        versions.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        copy = QPushButton("Copy diagnostics")
        copy.clicked.connect(self._copy)
        column = QVBoxLayout(self)
        column.setContentsMargins(28, 24, 28, 24)
        column.setSpacing(12)
        for widget in (title, what, versions):
            column.addWidget(widget)
        column.addWidget(copy, 0, Qt.AlignmentFlag.AlignLeft)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(f"{diagnostics()}\n\n{self._log}")
