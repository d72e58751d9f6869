"""Where the program finds its own files and keeps the user's, from a checkout, a wheel and a frozen application."""

from __future__ import annotations

import sys
from pathlib import Path

APP = "photopipe_gui"


def resources() -> Path:
    """Return the folder of icons, help pages and colour maps.

    A frozen application unpacks it beside its modules, a wheel carries it inside the package, a checkout has it at
    the top.
    """
    package = Path(__file__).resolve().parent
    frozen = getattr(sys, "_MEIPASS", None)
    candidates = [package / "_resources", package.parent / "resources"]
    if frozen:
        candidates.insert(0, Path(frozen) / APP / "_resources")
    return next((folder for folder in candidates if folder.is_dir()), candidates[0])


def resource(*parts: str) -> Path:
    """Return the path of a file below `resources`; it is not checked to be there."""
    return resources().joinpath(*parts)


def log_folder() -> Path:
    """Return the folder of the log file; it is not made."""
    from platformdirs import user_log_path

    return user_log_path(APP, appauthor=False)


def cache_folder() -> Path:
    """Return the folder of what can be made again: thumbnails, fetched catalogues, the demo night; it is not made."""
    from platformdirs import user_cache_path

    return user_cache_path(APP, appauthor=False)


def demo_folder() -> Path:
    """Return where the demo night is kept when no other place is asked for."""
    return cache_folder() / "demo-night"
