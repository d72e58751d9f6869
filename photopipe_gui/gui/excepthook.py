"""Whatever goes wrong in a slot: into the log and a sentence on screen, and the window goes on."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Callable
from types import TracebackType

from PyQt6.QtCore import QObject, pyqtSignal

log = logging.getLogger("photopipe_gui")


class ExceptHook(QObject):
    """Installs itself as ``sys.excepthook`` and ``threading.excepthook``.

    Signals
    -------
    caught(str, str)
        One sentence about an unexpected error, and its level.
    """

    caught = pyqtSignal(str, str)

    def __init__(self) -> None:
        super().__init__()
        self._before: Callable[..., object] = sys.excepthook
        self._before_thread = threading.excepthook

    def install(self) -> None:
        """Start catching."""
        sys.excepthook = self._handle
        threading.excepthook = self._handle_thread

    def remove(self) -> None:
        """Put back what was there."""
        sys.excepthook = self._before
        threading.excepthook = self._before_thread

    def _handle(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            self._before(kind, error, trace)
            return
        log.error("unexpected error:\n%s", "".join(traceback.format_exception(kind, error, trace)))
        text = f"Unexpected error ({kind.__name__}: {error}). Nothing was lost; the details are in the log file."
        self.caught.emit(text, "error")

    def _handle_thread(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            self._handle(args.exc_type, args.exc_value, args.exc_traceback)
