"""Master frames: `make_masters` for the window and the command line, `mkmaster` for scripts."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import UsageError
from ...instruments.model import Instrument
from ...instruments.registry import get
from ..params import validate
from ..progress import Level, Reporter, SilentReporter, check_cancelled
from ..selection import load_selection
from .master_file import is_current, read_master
from .master_maker import MasterMaker
from .master_types import MASTER_TYPES, MasterInput, MasterParams, MasterResult

__all__ = ["MasterInput", "MasterParams", "MasterResult", "is_current", "make_masters", "mkmaster", "read_master"]

_log = logging.getLogger(__name__)


class _LogReporter(SilentReporter):
    """Messages go to the log, for calls from scripts."""

    def message(self, text: str, level: Level = "info") -> None:
        """Log one sentence."""
        _log.log({"info": logging.INFO, "warning": logging.WARNING}.get(level, logging.ERROR), "%s", text)


def mkmaster(
    instrument: str | Instrument,
    fn_dict: Mapping[str, Sequence[str]] | str | os.PathLike[str],
    mtype: str,
    fmin: int = 5,
    master_dir: str | os.PathLike[str] | None = None,
    yes: bool = False,
) -> dict[str, str]:
    """Make master frames from a script: the median of the frames of each key.

    Parameters
    ----------
    instrument : str or Instrument
        Name, e.g. ``'ratir'``.
    fn_dict : mapping or path
        Frames by key (camera ``C0`` for bias and dark, filter for flat), or a saved selection, ``.json`` or ``.p``.
    mtype : str
        ``bias``, ``dark`` or ``flat``.
    fmin : int
        Fewest frames; with fewer, a warning and no master unless `yes`.
    master_dir : path, optional
        Where the masters go and the master bias and dark are looked for; by default the folder ``calibration`` of the
        frames' night.
    yes : bool
        Make masters of fewer than `fmin` frames.

    Returns
    -------
    dict of str to str
        Path of the master by key; keys that failed are missing, with the reason in the log.

    Raises
    ------
    UsageError
        For an unknown instrument or type, or a selection that cannot be read.
    NightError
        When the folder cannot be written to.
    """
    params = MasterParams(method="median", fmin=fmin)
    results = make_masters(instrument, fn_dict, mtype, params, master_dir, _LogReporter(), confirmed=bool(yes))
    return {result.key: str(result.path) for result in results if result.path is not None}


def make_masters(
    instrument: str | Instrument,
    fn_dict: Mapping[str, Sequence[str | os.PathLike[str]]] | str | os.PathLike[str],
    mtype: str,
    params: MasterParams | None = None,
    master_dir: str | os.PathLike[str] | None = None,
    reporter: Reporter | None = None,
    confirmed: bool | Collection[str] = False,
    redo: bool = False,
) -> list[MasterResult]:
    """Make master frames.

    Parameters
    ----------
    instrument, fn_dict, mtype, master_dir
        As `mkmaster`.
    params : MasterParams, optional
        Method, limits, memory.
    confirmed : bool or collection of str
        Keys (or True: all) for which a master of fewer than `fmin` frames is made.
    redo : bool
        Make a master again that is there already, from the same frames in the same way.

    Returns
    -------
    list of MasterResult
        One per key, in order, also handed to ``reporter.result`` as they come. A key that fails has a problem in words
        and does not keep the others from being made.

    Raises
    ------
    UsageError
        For an unknown instrument, type or option, or a selection that cannot be read.
    NightError
        When the folder of the masters cannot be made.
    Cancelled
        When the observer stopped it.
    """
    camera_set = get(instrument)
    params = params or MasterParams()
    validate(params)
    if mtype not in MASTER_TYPES:
        raise UsageError(f"There is no master {mtype!r}; there are {', '.join(MASTER_TYPES)}.")
    reporter = reporter or SilentReporter()
    lists = _lists(fn_dict)
    if not any(lists.values()):
        reporter.message(f"No {mtype} frames were given: no master {mtype}.", "warning")
    results = []
    for key, paths in lists.items():
        check_cancelled(reporter)
        sure = confirmed if isinstance(confirmed, bool) else key in confirmed
        begun = time.perf_counter()
        maker = MasterMaker(camera_set, mtype, key, params, reporter, sure, redo)
        result = replace(maker.make(paths, master_dir), seconds=time.perf_counter() - begun)
        if result.problem:
            reporter.message(result.problem, "warning" if result.needs_confirmation else "error")
        reporter.result(result)
        results.append(result)
    return results


def _lists(
    fn_dict: Mapping[str, Sequence[str | os.PathLike[str]]] | str | os.PathLike[str],
) -> dict[str, list[Path]]:
    """Return absolute paths by key; those of a saved selection may also be relative to its folder."""
    folder = Path.cwd()
    given: Mapping[str, Sequence[str | os.PathLike[str]]]
    if isinstance(fn_dict, Mapping):
        given = fn_dict
    else:
        file = Path(fn_dict).expanduser()
        given, folder = load_selection(file), file.resolve().parent
    lists: dict[str, list[Path]] = {}
    for key, names in given.items():
        if isinstance(names, (str, os.PathLike)):
            names = [names]
        paths = [Path(name).expanduser() for name in names]
        paths = [path if path.is_absolute() or path.exists() else folder / path for path in paths]
        lists[str(key)] = list(dict.fromkeys(path.absolute() for path in paths))
    return lists
