"""The whole job on a night: choose frames, build masters, copy the science frames, reduce them to coadds."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import FrameError, NightError
from ..instruments import registry
from ..instruments.model import Instrument
from ..instruments.naming import fits_files, parse_standard
from ..instruments.rawheader import read_layout
from .auto.autoproc import executor_for
from .auto.pipeline import run
from .auto.plan import AutoprocParams, catalog_config, plan, step_parameters
from .auto.registry import STEP_NAMES, steps_between
from .auto.report import STOPPED, RunReport
from .executor import Executor
from .params import validate
from .preprocess.choose import camera_numbers, choose, frames_for, open_night
from .preprocess.copies import calibration_lists, copy_science
from .preprocess.master import make_masters
from .preprocess.master_types import MasterParams, MasterResult
from .preprocess.rules import DEFAULT_LIMITS, Limits
from .progress import Reporter
from .selection import FrameLists, Selection, load_selection, save_selection
from .session import Session, load_session
from .table import FrameTable
from .workspace import CALIBRATION, Workspace

CALIBRATION_TYPES = ("bias", "dark", "flat")
#: Name of each frame type in the names of saved selections.
SELECTION_NAMES = {"bias": "bias", "dark": "dark", "flat": "flat", "object": "science"}


@dataclass(frozen=True)
class LimitsAsked:
    """Limits asked for; what is None is taken from the saved session, else from `DEFAULT_LIMITS`."""

    amin: float | None = None
    amax: float | None = None
    reject_sat: bool | None = None

    def over(self, limits: Limits) -> Limits:
        """Return limits with those asked for in their place."""
        asked = {name: getattr(self, name) for name in ("amin", "amax", "reject_sat")}
        return replace(limits, **{name: value for name, value in asked.items() if value is not None})


@dataclass(frozen=True)
class NightOptions:
    """What the observer asks of a night.

    Attributes
    ----------
    cameras : tuple of int or None
        Cameras; None: those of the saved session, else all.
    limits : mapping of frame type to LimitsAsked
    masters : MasterParams
    confirmed : bool
        Make masters from fewer than ``fmin`` frames too.
    run : AutoprocParams
    """

    cameras: tuple[int, ...] | None = None
    limits: Mapping[str, LimitsAsked] = field(default_factory=dict)
    masters: MasterParams = field(default_factory=MasterParams)
    confirmed: bool = False
    run: AutoprocParams = field(default_factory=AutoprocParams)


@dataclass
class OpenNight:
    """A night that was opened: its frames, and what the observer decided before.

    Attributes
    ----------
    table : FrameTable
        Frames of the cameras in use.
    session : Session
        Limits and verdicts by hand saved in the night; empty when there are none.
    unreadable : tuple of str
        One sentence for each raw file that cannot be read, nor told what it is by its name.
    """

    folder: Path
    instrument: Instrument
    cameras: tuple[int, ...]
    table: FrameTable
    session: Session
    unreadable: tuple[str, ...] = ()

    def limits(self, ftype: str, asked: Mapping[str, LimitsAsked]) -> Limits:
        """Return the limits of a frame type: asked for, saved in the night, or the default."""
        saved = self.session.limits.get(ftype) or DEFAULT_LIMITS[ftype]
        return asked.get(ftype, LimitsAsked()).over(saved)


@dataclass
class NightResult:
    """What became of a night.

    Attributes
    ----------
    selections : dict of frame type to Selection
    lists : dict of frame type to FrameLists
        What went into masters and reduction.
    masters : list of MasterResult
    report : RunReport or None
        None when the eight steps did not run.
    lost : list of str
        One sentence for each frame, or master, that should have been used and was not.
    seconds : dict of str to float
        Wall-clock seconds of each part.
    """

    night: OpenNight
    selections: dict[str, Selection] = field(default_factory=dict)
    lists: dict[str, FrameLists] = field(default_factory=dict)
    masters: list[MasterResult] = field(default_factory=list)
    report: RunReport | None = None
    lost: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lost += self.night.unreadable

    @property
    def stopped(self) -> bool:
        """Whether the observer stopped it."""
        return self.report is not None and self.report.state == STOPPED

    @property
    def coadds(self) -> list[Path]:
        """The coadds of the run."""
        return [Path(name) for name in self.report.coadds] if self.report is not None else []

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Note the seconds of the block under the name of a part."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[part] = self.seconds.get(part, 0.0) + time.monotonic() - began


def find_instrument(folder: Path | str, name: str = "", reporter: Reporter | None = None) -> Instrument:
    """Return the instrument asked for, else the one that the night's headers tell.

    Raises
    ------
    UsageError
        For an unknown name.
    NightError
        When the folder is missing, holds no FITS files, or frames of no known instrument.
    """
    if name:
        return registry.get(name)
    folder = Path(folder).expanduser().resolve()
    found = registry.detect(folder)
    if found is None:
        known = ", ".join(registry.names())
        raise NightError(
            f"{folder} holds no raw frames of a known instrument ({known}). Check the path of the night, or name the "
            "instrument with --instrument."
        )
    if reporter is not None:
        reporter.message(f"The headers say that these are frames of {found.title}.")
    return found


def open_for_work(folder: Path | str, instrument: str, cameras: Iterable[int] | None, reporter: Reporter) -> OpenNight:
    """Rename raw frames where needed, read headers and the saved session.

    Raises
    ------
    NightError
        When there are no frames of the instrument.
    """
    folder = Path(folder).expanduser().resolve()
    session, problem = load_session(folder)
    saved = session.instrument if session.instrument in registry.names() else ""
    model = find_instrument(folder, instrument or saved, reporter)
    if problem:
        reporter.message(problem, "warning")
    numbers = camera_numbers(model, cameras if cameras is not None else (session.cameras or None))
    table = open_night(folder, model, reporter)
    if all("not a frame of" in row.problem for row in table):
        other = registry.detect(folder)
        hint = f" The headers say {other.title}: ask for {other.name}." if other not in (None, model) else ""
        raise NightError(f"{folder} holds no raw frames of {model.title}. Check the path and the instrument.{hint}")
    mine = table.where(cameras=numbers)
    if cameras is None:
        numbers = tuple(number for number in numbers if len(mine.where(cameras=[number]))) or numbers
    if not len(mine):
        names = ", ".join(f"C{number}" for number in numbers)
        raise NightError(f"{folder} holds no frames of {names} of {model.title}. Ask for other cameras.")
    counts = {ftype: len(mine.where(ftype)) for ftype in DEFAULT_LIMITS}
    told = ", ".join(f"{count} {SELECTION_NAMES[ftype]}" for ftype, count in counts.items() if count)
    halves = ", halves of split cameras counted apart" if any(row.channel for row in mine) else ""
    reporter.message(f"{folder.name}: {told} ({model.title}{halves}).")
    if session.hand:
        reporter.message(f"{len(session.hand)} verdicts by hand, saved in the night, are kept.")
    return OpenNight(folder, model, numbers, mine, session, _unreadable(folder, model))


def _unreadable(folder: Path, instrument: Instrument) -> tuple[str, ...]:
    """Return why raw files that still have the instrument's own names cannot be read."""
    pattern = instrument.naming.pattern
    told = []
    for path in fits_files(folder):
        if pattern is None or not pattern.match(path.name) or parse_standard(path.name):
            continue
        try:
            read_layout(path)
        except FrameError as error:
            told.append(str(error))
    return tuple(told)


def save_if_changed(lists: FrameLists, night: Path, ftype: str) -> Path | None:
    """Save a selection unless the newest of its type says the same; return the new file."""
    name = SELECTION_NAMES[ftype]
    saved = sorted(night.glob(f"{name}_*T*.json"), key=lambda path: path.stat().st_mtime_ns)
    if saved:
        try:
            if load_selection(saved[-1]) == lists:
                return None
        except ValueError:
            pass  # A damaged selection file says nothing; a new one is written beside it.
    return save_selection(lists, night, name)


def select_type(result: NightResult, ftype: str, options: NightOptions, reporter: Reporter, executor: Executor) -> None:
    """Choose the frames of one type by the rules and the verdicts by hand, and save the selection."""
    night = result.night
    numbers = night.cameras
    if options.cameras is None:
        # Nobody asked for these cameras by name: one that has no such frames needs no warning.
        numbers = tuple(number for number in numbers if len(night.table.where(ftype, [number])))
    frames = frames_for(night.instrument, night.table, ftype, numbers, reporter)
    limits = night.limits(ftype, options.limits)
    selection = choose(night.instrument, frames, ftype, limits, night.session.hand, reporter, executor)
    if ftype == "object":
        lists = copy_science(night.instrument, frames, selection, night.folder / "selected", reporter)
    else:
        lists = calibration_lists(night.instrument, frames, selection, night.folder)
    result.selections[ftype], result.lists[ftype] = selection, lists
    if lists:
        save_if_changed(lists, night.folder, ftype)
    _note_lost(result, frames, selection, ftype)
    kept = ", ".join(f"{len(names)} {key}" for key, names in lists.items()) or "none"
    if len(frames):
        reporter.message(f"{SELECTION_NAMES[ftype]}: kept {kept} (of {len(frames)})")


def _note_lost(result: NightResult, frames: FrameTable, selection: Selection, ftype: str) -> None:
    """Name the frames that cannot be used, and those that were kept but could not be copied."""
    listed = {Path(name).stem for names in result.lists[ftype].values() for name in names}
    for row in frames:
        verdict = selection.verdicts[row.frame_id]
        if verdict.by == "rule" and verdict.reason.startswith("cannot be used"):
            result.lost.append(f"{row.frame_id} ({ftype}): {verdict.reason}")
        elif verdict.keep and ftype == "object" and row.frame_id not in listed:
            result.lost.append(f"{row.frame_id} ({ftype}): it could not be copied")


def build_masters(result: NightResult, options: NightOptions, reporter: Reporter) -> None:
    """Build the masters from the frames chosen: bias, then dark, then flat."""
    folder = result.night.folder / CALIBRATION
    for ftype in CALIBRATION_TYPES:
        lists = result.lists.get(ftype)
        if not lists:
            continue
        made = make_masters(result.night.instrument, lists, ftype, options.masters, folder, reporter, options.confirmed)
        result.masters += made
        for one in made:
            title = f"master {ftype} {one.key}"
            result.lost += [f"{title}: {one.problem}"] if one.problem else []
            result.lost += [f"{item.path.name} ({title}): {item.problem}" for item in one.inputs if item.problem]


def check_options(options: NightOptions, night: OpenNight) -> None:
    """Refuse options that would only be found wrong when half of the work is done.

    Raises
    ------
    UsageError
        For limits out of order, an unknown step or option, a value outside its limits, a catalogue file that is not
        there.
    """
    for ftype in DEFAULT_LIMITS:
        night.limits(ftype, options.limits)
    validate(options.masters)
    validate(options.run)
    step_parameters(options.run)
    catalog_config(options.run)
    steps_between(options.run.start or None, options.run.stop or None, options.run.only or None)


def prepares_night(options: NightOptions, night: OpenNight) -> bool:
    """Return whether frames are chosen and masters built: not when the run starts at a later step."""
    first = steps_between(options.run.start or None, options.run.stop or None, options.run.only or None)[0]
    return first.name == STEP_NAMES[0] or not Workspace.of_night(night.folder).selected()


def reduce_night(
    folder: Path | str,
    instrument: str,
    options: NightOptions,
    reporter: Reporter,
    executor: Executor | None = None,
) -> NightResult:
    """Do the whole job on a night.

    Frames are chosen by the rules and by the verdicts by hand saved in the night; masters and products that exist
    from the same inputs and options are kept. When the run starts at a step after prepare, the choice and the masters
    of the last run are used.

    Parameters
    ----------
    folder : path
        The night.
    instrument : str
        Name of the instrument; empty: from the headers.
    executor : Executor, optional
        By default the one that the options ask for.

    Returns
    -------
    NightResult

    Raises
    ------
    UsageError, NightError
        When the options or the night cannot be used.
    Cancelled
        When it was stopped before the eight steps; later the report says so.
    """
    night = open_for_work(folder, instrument, options.cameras, reporter)
    check_options(options, night)
    result = NightResult(night)
    prepare = prepares_night(options, night)
    workers = executor or executor_for(options.run)
    try:
        if prepare:
            for ftype in CALIBRATION_TYPES:
                with result.timed("select"):
                    select_type(result, ftype, options, reporter, workers)
            with result.timed("masters"):
                build_masters(result, options, reporter)
            with result.timed("select"):
                select_type(result, "object", options, reporter, workers)
            if not result.lists["object"]:
                raise NightError(
                    f"No science frames of {night.folder.name} are kept, so there is nothing to reduce. Look at the "
                    "reasons above, or accept frames in the window."
                )
        else:
            reporter.message("The choice of frames and the masters of the last run are used.")
        with result.timed("reduce"):
            planned = plan(Workspace.of_night(night.folder), options.run)
            result.report = run(planned, workers, reporter)
        result.lost += result.report.lost_sentences()
    finally:
        if executor is None:
            workers.close()
    return result
