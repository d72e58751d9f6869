"""The icon of the program."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtGui import QIcon


def app_icon(folder: Path) -> QIcon:
    """Return the icon at all sizes that lie in a folder."""
    icon = QIcon()
    for path in sorted(folder.glob("photopipe-*.png")):
        icon.addFile(str(path))
    return icon
