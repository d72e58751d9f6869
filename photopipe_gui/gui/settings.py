"""What is kept between nights: theme, layout, recent nights, last folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import platformdirs
from PyQt6.QtCore import QByteArray, QSettings

#: Names another folder for the settings; tests and portable installations use it.
FOLDER_VARIABLE = "PHOTOPIPE_CONFIG_DIR"
RECENT = 10


def config_folder() -> Path:
    """The folder of the settings."""
    return Path(os.environ.get(FOLDER_VARIABLE) or platformdirs.user_config_dir("photopipe_gui", appauthor=False))


class Settings:
    """A small front over an ini file; a file that cannot be written costs the settings, nothing else."""

    def __init__(self, path: Path | None = None) -> None:
        self._store = QSettings(str(path or config_folder() / "window.ini"), QSettings.Format.IniFormat)

    def text(self, name: str, default: str = "") -> str:
        """A text value."""
        value = self._store.value(name, default)
        return value if isinstance(value, str) else default

    def set_text(self, name: str, value: str) -> None:
        """Keep a text value."""
        self._store.setValue(name, value)

    def blob(self, name: str) -> QByteArray:
        """Bytes Qt made, such as the layout of the docks; empty when there are none."""
        value: Any = self._store.value(name)
        return value if isinstance(value, QByteArray) else QByteArray()

    def set_blob(self, name: str, value: QByteArray) -> None:
        """Keep bytes."""
        self._store.setValue(name, value)

    def remove(self, name: str) -> None:
        """Forget a value."""
        self._store.remove(name)

    def recent(self) -> list[Path]:
        """Nights opened before, newest first, those that still exist."""
        saved = self._store.value("recent", [])
        names = [saved] if isinstance(saved, str) else list(saved or [])
        return [Path(name) for name in names if name and Path(name).is_dir()]

    def add_recent(self, night: Path) -> None:
        """Put a night first among the recent ones."""
        names = [str(night), *(str(path) for path in self.recent() if path != night)]
        self._store.setValue("recent", names[:RECENT])

    def sync(self) -> None:
        """Write now."""
        self._store.sync()
