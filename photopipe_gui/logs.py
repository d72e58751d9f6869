"""The log file: everything the program says, and the tracebacks that the screen is spared."""

from __future__ import annotations

import logging
import logging.handlers
import sys
from pathlib import Path

from . import __version__
from .paths import APP, log_folder

_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_BYTES, _KEPT = 2_000_000, 4


def set_up_log(folder: Path | None = None, level: int = logging.INFO) -> Path | None:
    """Send the log of the program and warnings of libraries to a file that is renewed when it is full.

    A second call changes nothing. The numbers of the processes in the file tell runs at the same time apart.

    Parameters
    ----------
    folder : Path, optional
        The user's log folder by default.
    level : int
        Least level written.

    Returns
    -------
    Path or None
        The log file; None when it cannot be written (read-only home directory): the program runs without one.
    """
    root = logging.getLogger()
    present = [handler for handler in root.handlers if isinstance(handler, logging.handlers.RotatingFileHandler)]
    if present:
        return Path(present[0].baseFilename)
    file = (folder or log_folder()) / f"{APP}.log"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(
            file, maxBytes=_BYTES, backupCount=_KEPT, encoding="utf-8", delay=False
        )
    except OSError:
        return None
    handler.setFormatter(logging.Formatter(f"%(process)d {_FORMAT}"))
    root.addHandler(handler)
    logging.getLogger(APP).setLevel(level)
    logging.captureWarnings(True)
    logging.getLogger(APP).info(
        "photopipe_gui %s, Python %s on %s: %s", __version__, sys.version.split()[0], sys.platform, sys.argv[1:]
    )
    return file


def log_file() -> Path | None:
    """Return the log file in use; None when there is none."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.handlers.RotatingFileHandler):
            return Path(handler.baseFilename)
    return None
