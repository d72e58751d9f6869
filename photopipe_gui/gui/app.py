"""Starting the window: from the command line, from a script, from a test."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QEventLoop, Qt, QTimer
from PyQt6.QtWidgets import QApplication

from ..errors import UsageError
from ..paths import APP, resource
from ..reduction.preprocess.rules import Limits
from ..reduction.selection import Selection

if TYPE_CHECKING:
    from .main_window import MainWindow

log = logging.getLogger(__name__)

#: Ctrl-C in the terminal, and the end of the desktop session.
_END_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def application(argv: Sequence[str] = ()) -> QApplication:
    """Return the application, made and dressed when there is none."""
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    QApplication.setHighDpiScaleFactorRoundingPolicy(Qt.HighDpiScaleFactorRoundingPolicy.PassThrough)
    app = QApplication([APP, *argv])
    app.setApplicationName(APP)
    app.setApplicationDisplayName("photopipe")
    app.setDesktopFileName(APP)
    return app


#: Keeps the application alive for scripts that hold the window alone.
_kept: list[QApplication] = []


def create_window(night: Path | str | None = None, instrument: str | None = None) -> MainWindow:
    """Return the main window, not shown.

    Parameters
    ----------
    night : path, optional
        Opened at once; reading goes on in the background, see ``window.session.opened``.
    instrument : str, optional
        ``ratir``, ``lmi``, ``rimas`` or another registered name; found from the headers when not given.

    Raises
    ------
    UsageError
        For an unknown instrument.
    """
    from ..instruments import registry

    name = registry.get(instrument).name if instrument else None
    app = application()
    if app not in _kept:
        _kept.append(app)
    from .main_window import MainWindow
    from .settings import Settings
    from .theme import theme
    from .widgets.app_icon import app_icon

    settings = Settings()
    theme().set_name(settings.text("theme", "system"))
    app.setWindowIcon(app_icon(resource("icons")))
    window = MainWindow(settings)
    if night is not None:
        window.open_night(night, name)
    return window


def main(night: Path | str | None = None, instrument: str | None = None) -> int:
    """Show the window and run until it is closed; return the exit status."""
    from .excepthook import ExceptHook

    app = application(sys.argv[1:2])
    hook = ExceptHook()
    window = create_window(night, instrument)
    hook.caught.connect(window.say)
    hook.install()
    window.show()
    # Python looks at signals only between its own instructions: a timer gives it the chance while Qt waits.
    heed = QTimer(interval=300)
    heed.timeout.connect(lambda: None)
    heed.start()
    before = {number: signal.signal(number, lambda *_: window.close_at_once()) for number in _END_SIGNALS}
    try:
        return int(app.exec())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        hook.remove()


def choose_in_window(
    instrument: str, ftype: str, night: Path | str, cameras: Sequence[int], limits: Limits
) -> Selection | None:
    """Open the window on one choice and wait for the observer; for scripts.

    Parameters
    ----------
    instrument : str
        Name of the instrument.
    ftype : str
        ``bias``, ``dark``, ``flat`` or ``object``.
    night : path
    cameras : sequence of int
    limits : Limits
        To begin with; the observer may move them.

    Returns
    -------
    Selection or None
        Verdicts on the frames of that type; None when the window was closed without finishing.

    Raises
    ------
    UsageError
        When there is no display to open a window on.
    """
    if not _has_display():
        raise UsageError("There is no display to choose on: pass auto=True or noplot=True, or set DISPLAY.")
    application()
    window = create_window(night, instrument)
    window.begin_choice(ftype, tuple(cameras), limits)
    window.show()
    loop = QEventLoop()
    window.choiceEnded.connect(loop.quit)
    loop.exec()
    chosen = window.choice_result()
    window.close()
    window.deleteLater()
    return chosen


def _has_display() -> bool:
    import os

    if not sys.platform.startswith("linux") or isinstance(QApplication.instance(), QApplication):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))
