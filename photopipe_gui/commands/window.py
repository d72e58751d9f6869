"""``photopipe-gui [NIGHT]``: the window."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from .common import InstrumentName

HELP = "With NIGHT the window opens on that night, else on the welcome page."


def display_missing() -> str:
    """Return why no window can be opened here; empty when one can."""
    if sys.platform != "linux":
        return ""
    platform = os.environ.get("QT_QPA_PLATFORM", "")
    if platform and not platform.startswith(("xcb", "wayland")):
        return ""
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return ""
    return "There is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set)"


def open_window(night: Path | None, instrument: str) -> int:
    """Open the window and return its exit status.

    Raises
    ------
    UsageError
        When Qt cannot be loaded, with what it lacks.
    """
    try:
        from ..gui.app import main
    except ImportError as error:
        raise UsageError(
            f"Qt cannot be loaded ({error}). On Debian or Ubuntu: bash packaging/run installs what it needs, or "
            "apt-get install libegl1 libgl1 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 "
            "libxcb-shape0 libdbus-1-3."
        ) from error
    return int(main(night, instrument or None))


def command(
    night: Annotated[
        Path | None,
        typer.Argument(metavar="NIGHT", help="Folder that holds the raw frames.", show_default=False),
    ] = None,
    instrument: InstrumentName = "",
) -> int:
    """Open the window."""
    from ..cli import near_command

    if night is not None and not night.expanduser().is_dir():
        near = near_command(night.name) if night.name == str(night) else ""
        hint = f" Did you mean the command {near}?" if near else ""
        kind = "is a file, not a folder" if night.expanduser().exists() else "does not exist"
        raise UsageError(f"{night} {kind}. Give the folder that holds the night's raw frames.{hint}")
    missing = display_missing()
    if missing:
        raise UsageError(f"{missing}, so the window cannot open. Without it: photopipe-gui reduce NIGHT.")
    return open_window(night.expanduser().resolve() if night else None, instrument)
