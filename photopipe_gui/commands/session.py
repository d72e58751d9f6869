"""What every command shares: the log, errors in words, exit status, and Ctrl-C."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import Cancelled, PhotopipeError
from ..logs import log_file, set_up_log

DONE, FRAMES_LOST, BAD_INPUT, BROKEN, INTERRUPTED = 0, 1, 2, 70, 130
_log = logging.getLogger(__name__)


def say(text: str) -> None:
    """Print one line on the error stream; a stream that is gone is no error."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def run_guarded(call: Callable[[], Any]) -> int:
    """Run a command, turn every way it can end into an exit status, and say errors in words.

    A traceback goes into the log file alone, and the file is named.
    """
    set_up_log()
    try:
        status = call()
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else BAD_INPUT if exit_.code else DONE
    except (Cancelled, KeyboardInterrupt):
        say("Interrupted. What was finished stays.")
        return INTERRUPTED
    except PhotopipeError as error:
        _log.warning("The command ended with an error.", exc_info=True)
        say(f"Error: {error}")
        return BAD_INPUT
    except BrokenPipeError:
        # The reader of our output (head, a pager) went away: the rest of it has no one to go to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:
        _log.exception("Error in the program.")
        file = log_file()
        where = f" The details are in {file}." if file else ""
        say(f"Error in the program: {type(error).__name__}: {error}.{where}")
        return BROKEN
    return status if isinstance(status, int) else DONE


class Interrupt:
    """Ctrl-C as a wish: the first one asks the job to stop, the second one ends it at once.

    ``on_kill`` ends what would otherwise go on (worker processes).
    """

    def __init__(self) -> None:
        self.event = threading.Event()
        self.on_kill: Callable[[], None] | None = None

    def _take(self, number: int, frame: object) -> None:
        if not self.event.is_set():
            self.event.set()
            say("Stopping after the files in work; press Ctrl-C again to stop at once.")
            return
        if self.on_kill is not None:
            with contextlib.suppress(Exception):
                self.on_kill()
        raise KeyboardInterrupt

    @contextlib.contextmanager
    def watched(self) -> Iterator[Interrupt]:
        """Take Ctrl-C and a polite kill while the block runs."""
        taken = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                taken[number] = signal.signal(number, self._take)
        try:
            yield self
        finally:
            for number, before in taken.items():
                signal.signal(number, before)
