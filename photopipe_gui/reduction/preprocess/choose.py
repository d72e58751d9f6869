"""Choosing calibration and science frames: the published calls, over typed functions that the window shares."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from ...errors import NightError, UsageError
from ...instruments.model import FRAME_TYPES, Instrument
from ...instruments.naming import rename_night
from ...instruments.registry import get
from ..executor import Executor, make_executor
from ..measure import measure
from ..progress import Reporter, SilentReporter
from ..scan import scan
from ..selection import FrameLists, Selection, Verdict, save_selection
from ..session import load_session
from ..table import FrameTable
from .copies import calibration_lists, copy_science
from .rules import DEFAULT_LIMITS, Limits, decide

_log = logging.getLogger(__name__)

#: Below this many frames the workers take longer to start than to measure.
_WORTH_WORKERS = 24


def open_night(folder: Path | str, instrument: Instrument, reporter: Reporter | None = None) -> FrameTable:
    """Give the night's raw frames their standard names where needed, and read their headers.

    A night in which nothing can be renamed (read-only) is read under the names it has.

    Raises
    ------
    NightError
        When the folder is missing or unreadable.
    """
    folder = Path(folder).expanduser().resolve()
    reporter = reporter or SilentReporter()
    try:
        for rename in rename_night(folder, instrument):
            if not rename.new:
                reporter.message(f"{rename.old} keeps its name: {rename.problem}", "warning")
    except NightError as error:
        if not folder.is_dir():
            raise
        reporter.message(f"{error} The frames are read under the names they have.", "warning")
    table = scan(folder, instrument, reporter)
    for note in table.notes:
        reporter.message(note, "warning")
    return table


def camera_numbers(instrument: Instrument, cams: int | Iterable[int] | None) -> tuple[int, ...]:
    """Return the camera numbers asked for that the instrument has.

    Raises
    ------
    UsageError
        When none of them is the instrument's.
    """
    have = [camera.number for camera in instrument.cameras]
    if cams is None:
        return tuple(have)
    asked = [cams] if isinstance(cams, int) else [int(number) for number in cams]
    found = tuple(number for number in asked if number in have)
    if not found:
        names = ", ".join(f"C{number}" for number in have)
        raise UsageError(f"{instrument.title} has the cameras {names}; none of {asked} is one of them.")
    return found


class LogReporter(SilentReporter):
    """Messages go to the log, for calls from scripts."""

    def message(self, text: str, level: str = "info") -> None:
        """Log one sentence."""
        _log.log({"info": logging.INFO, "warning": logging.WARNING}.get(level, logging.ERROR), "%s", text)


def frames_for(
    instrument: Instrument, table: FrameTable, ftype: str, cameras: Iterable[int], reporter: Reporter
) -> FrameTable:
    """Return the frames of one type that the instrument uses; what it does not is named in a warning.

    A camera that takes no bias (no dark) is left out, unless dark frames of it exist where none are needed; a flat
    in a filter that the instrument does not have is left out.
    """
    wanted = []
    for number in cameras:
        camera = instrument.camera(number)
        takes = {"bias": camera.takes_bias, "dark": camera.takes_dark}.get(ftype, True)
        if not takes and (ftype == "bias" or not len(table.where("dark", [number]))):
            reporter.message(f"{instrument.title} {camera.name} takes no {ftype} frames: skipped.", "warning")
            continue
        wanted.append(number)
    rows = table.where(ftype, wanted)
    if ftype != "flat":
        return rows
    known = set(instrument.filters)
    foreign = sorted({row.filter for row in rows if row.filter not in known and not row.problem})
    for name in foreign:
        reporter.message(f"{instrument.title} has no filter {name}: its flats are skipped.", "warning")
    return rows.where(test=lambda row: row.filter in known or bool(row.problem))


def limits_for(ftype: str, auto: bool, reject_sat: bool, amin: float, amax: float) -> Limits:
    """Return the limits of the published calls: with ``auto`` every bias, dark and science frame is taken."""
    if ftype == "flat":
        return Limits(amin, amax, reject_sat)
    if auto or ftype == "object":
        return Limits(0.0, 1.0, False)
    return Limits(amin, amax, reject_sat)


def _take_all(selection: Selection, ftype: str) -> Selection:
    """Every bias and dark that can be read is taken, a full one too: its level is no reason in ``auto``."""
    if ftype not in ("bias", "dark", "object"):
        return selection
    taken = {
        name: Verdict(True, "rule", "") if not verdict.keep and verdict.reason.startswith("SATURATED") else verdict
        for name, verdict in selection.verdicts.items()
    }
    return Selection(taken)


def choose(
    instrument: Instrument,
    table: FrameTable,
    ftype: str,
    limits: Limits,
    hand: Mapping[str, bool],
    reporter: Reporter,
    executor: Executor | None = None,
) -> Selection:
    """Measure frames and judge them by the rules; the observer's earlier verdicts by hand win.

    What is rejected is named with its reason.
    """
    if ftype not in FRAME_TYPES:
        raise UsageError(f"There is no frame type {ftype!r}; there are {', '.join(FRAME_TYPES)}.")
    own = executor is None and len(table) >= _WORTH_WORKERS
    workers = make_executor() if own else executor
    try:
        stats = measure(table, workers, reporter)
    finally:
        if own and workers is not None:
            workers.close()
    selection = decide(table, stats, {ftype: limits}, hand)
    if limits.amin == 0 and limits.amax == 1 and not limits.reject_sat:
        selection = _take_all(selection, ftype)
    for name, verdict in selection.verdicts.items():
        if not verdict.keep:
            reporter.message(f"{name}: rejected, {verdict.reason}", "warning")
    return selection


def _ask_observer(
    instrument: Instrument, night: Path, ftype: str, cameras: tuple[int, ...], limits: Limits
) -> Selection:
    """Open the window on just this choice; found by name, so that the engine does not depend on Qt."""
    window = importlib.import_module("photopipe_gui.gui.app")
    selection = window.choose_in_window(instrument.name, ftype, night, cameras, limits)
    if not isinstance(selection, Selection):
        raise UsageError("The window was closed before the choice was finished; nothing was chosen.")
    return selection


def _select(
    instrument: Instrument, ftype: str, night: Path, cameras: tuple[int, ...], auto: bool, noplot: bool, limits: Limits
) -> tuple[FrameTable, Selection]:
    reporter = LogReporter()
    table = frames_for(instrument, open_night(night, instrument, reporter), ftype, cameras, reporter)
    if auto or not len(table):
        return table, choose(instrument, table, ftype, limits, {}, reporter)
    if noplot:
        _log.warning("noplot=True shows nothing to decide on: the rules and the session's verdicts decide.")
        session, problem = load_session(night)
        if problem:
            _log.warning("%s", problem)
        return table, choose(instrument, table, ftype, limits, session.hand, reporter)
    return table, _ask_observer(instrument, night, ftype, cameras, limits)


def choose_calib(
    instrument: str | Instrument,
    ftype: str,
    workdir: str | Path = ".",
    cams: int | Iterable[int] = (0, 1, 2, 3),
    auto: bool = False,
    reject_sat: bool = True,
    amin: float = 0.2,
    amax: float = 0.8,
    save_select: bool = True,
    figsize: tuple[float, float] = (8, 5),
    noplot: bool = False,
) -> FrameLists:
    """Choose the calibration frames of a night.

    Parameters
    ----------
    instrument : str
        ``ratir``, ``lmi``, ``rimas`` or another registered one.
    ftype : str
        ``bias``, ``dark`` or ``flat``.
    workdir : path
        The night; ``~`` is the home directory.
    cams : int or iterable of int
        Cameras; one that takes no such frames is skipped with a warning.
    auto : bool
        Take every bias and dark, and the flats with a median strictly between ``amin`` and ``amax`` of saturation;
        otherwise the window opens on this choice.
    reject_sat : bool
        Reject a frame with pixels at or above saturation.
    amin, amax : float
        Fractions of the saturation level.
    save_select : bool
        Save the selection in the night as ``<type>_<time>.json`` and ``.p``.
    figsize : tuple
        Taken for compatibility; the window has its own size.
    noplot : bool
        Show nothing.

    Returns
    -------
    dict of str to list of str
        Absolute paths by camera (``C0``) for bias and dark, by filter for flats.

    Raises
    ------
    UsageError
        For an unknown instrument, type or camera, or limits out of order.
    NightError
        When the night is missing or unreadable.
    """
    model = get(instrument)
    if ftype not in ("bias", "dark", "flat"):
        raise UsageError(f"ftype is {ftype!r}; it must be bias, dark or flat. For science frames: choose_science.")
    night = Path(workdir).expanduser().resolve()
    cameras = camera_numbers(model, cams)
    table, selection = _select(
        model, ftype, night, cameras, auto, noplot, limits_for(ftype, auto, reject_sat, amin, amax)
    )
    lists = calibration_lists(model, table, selection, night)
    if save_select:
        save_selection(lists, night, ftype)
    return lists


def choose_science(
    instrument: str | Instrument,
    workdir: str | Path = ".",
    targetdir: str | Path = ".",
    cams: int | Iterable[int] = (0, 1, 2, 3),
    auto: bool = False,
    save_select: bool = True,
    figsize: tuple[float, float] = (10, 10),
    window_zoom: float = 4,
    calibrate: bool = False,
    noplot: bool = False,
) -> FrameLists:
    """Choose the science frames of a night and copy them, cropped and with a standard header, into ``targetdir``.

    Parameters
    ----------
    targetdir : path
        As a rule ``NIGHT/selected``; made when missing. Only files that this program wrote are replaced.
    window_zoom, calibrate, figsize
        How the window shows the frames when ``auto`` is False; the copies stay raw.

    Other parameters as in `choose_calib`.

    Returns
    -------
    dict of str to list of str
        Absolute paths of the copies by filter.
    """
    model = get(instrument)
    night = Path(workdir).expanduser().resolve()
    cameras = camera_numbers(model, cams)
    table, selection = _select(
        model, "object", night, cameras, auto, noplot, limits_for("object", auto, False, 0.0, 1.0)
    )
    lists = copy_science(model, table, selection, Path(targetdir).expanduser().resolve(), LogReporter())
    if save_select:
        save_selection(lists, night, "science")
    return lists


__all__ = ["DEFAULT_LIMITS", "choose", "choose_calib", "choose_science", "frames_for", "open_night"]
