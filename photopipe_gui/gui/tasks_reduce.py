"""What the Reduce tab asks of the engine: run, redo, read back what is on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from ..errors import NightError
from ..instruments.model import Instrument
from ..reduction.auto.pipeline import run
from ..reduction.auto.plan import AutoprocParams, RunPlan, plan
from ..reduction.auto.registry import STEP_NAMES
from ..reduction.auto.report import RunReport, load_report
from ..reduction.digest import is_ours
from ..reduction.executor import Executor
from ..reduction.outcome import Outcome, Status
from ..reduction.preprocess.copies import copy_science
from ..reduction.progress import Reporter
from ..reduction.selection import Selection, save_selection
from ..reduction.table import FrameTable
from ..reduction.workspace import Workspace
from .models.results import Result, read_result
from .models.run_matrix import MatrixRow, is_group_row


@dataclass(frozen=True)
class ReduceRequest:
    """All that a run needs, frozen when the observer pressed the button.

    Attributes
    ----------
    table : FrameTable
        Frames of the cameras in use.
    redo_frames : tuple of str
        Frames whose products are made anew from ``redo_step`` on; with a step and no frames: all of them.
    """

    night: Path
    instrument: Instrument
    table: FrameTable
    selection: Selection
    params: AutoprocParams
    redo_step: str = ""
    redo_frames: tuple[str, ...] = ()


@dataclass(frozen=True)
class Planned:
    """Sent when the plan of a run is made: the rows of the matrix, and what is missing."""

    rows: tuple[MatrixRow, ...]
    steps: tuple[str, ...]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunState:
    """What is on disk of the last run of a night.

    Attributes
    ----------
    rows : tuple of MatrixRow
    outcomes : tuple of Outcome
    seconds : mapping of step to wall-clock seconds
    results : tuple of Result
    state : str
        ``running`` (or killed), ``finished``, ``stopped``, ``broken``; empty when there was no run.
    finished : str
        When, ISO, UTC.
    """

    rows: tuple[MatrixRow, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    seconds: tuple[tuple[str, float], ...] = ()
    results: tuple[Result, ...] = ()
    state: str = ""
    finished: str = ""
    messages: tuple[str, ...] = ()


def _rows_of_plan(planned: RunPlan) -> tuple[MatrixRow, ...]:
    rows = [MatrixRow(frame.name, f"{frame.target}_{frame.filter}") for frame in planned.frames]
    return tuple(sorted(rows, key=lambda row: (row.group, row.frame)))


def reduce_night(request: ReduceRequest, executor: Executor) -> Callable[[Reporter], RunState]:
    """Return the job that copies the kept science frames, plans and runs; rows and outcomes come as results."""

    def job(reporter: Reporter) -> RunState:
        workspace = Workspace.of_night(request.night)
        lists = copy_science(
            request.instrument, request.table, request.selection, workspace.data, reporter
        )
        if not lists:
            raise NightError("No science frames are kept. Accept some in the Frames tab, then reduce.")
        save_selection(lists, request.night, "object")
        if request.redo_step:
            remove_from(workspace, request.redo_step, request.redo_frames)
        planned = plan(workspace, request.params)
        reporter.result(
            Planned(_rows_of_plan(planned), tuple(spec.name for spec in planned.steps), tuple(planned.missing))
        )
        run(planned, executor, reporter)
        return read_run(request.night)

    return job


def remove_from(workspace: Workspace, step: str, frames: Iterable[str]) -> list[Path]:
    """Remove the products of a step and the later ones, of these frames (none given: of all) and of their groups.

    Only files that this program wrote below the night's ``reduced`` and ``coadd`` folders are removed.

    Returns
    -------
    list of Path
        What was removed.
    """
    report = load_report(workspace.report)
    if report is None:
        return []
    chosen = set(frames)
    later = STEP_NAMES[STEP_NAMES.index(step) :]
    before = {o.product for o in report.outcomes.values() if o.product and o.step not in later}
    removed = []
    for outcome in report.outcomes.values():
        if outcome.step not in later or not outcome.product or outcome.product in before:
            continue
        mine = not chosen or outcome.frame in chosen or is_group_row(outcome.frame)
        path = Path(outcome.product)
        inside = any(folder in path.parents for folder in (workspace.images, workspace.coadds))
        if mine and inside and path.is_file() and is_ours(path):
            path.unlink()
            removed.append(path)
    return removed


def read_run(night: Path) -> RunState:
    """Read what is on disk of the last run: the report, checked against the products, and the coadds' headers."""
    workspace = Workspace.of_night(night)
    report = load_report(workspace.report)
    given: dict[tuple[str, str], int] = {}
    rows: list[MatrixRow] = []
    outcomes: list[Outcome] = []
    if report is not None:
        rows, outcomes = _rows_of_report(report, workspace)
        # The half of a split camera without the target is sky: it is not meant for the coadd.
        sky = {o.frame for o in outcomes if o.step == "stack" and o.status is Status.SKIPPED and not o.product}
        for row in rows:
            if not row.product and row.group and row.frame not in sky:
                target, _, filter_name = row.group.rpartition("_")
                given[target, filter_name] = given.get((target, filter_name), 0) + 1
    results = [read_result(path) for path in workspace.find_coadds()]
    results = [
        replace(result, given=given.get(result.group, 0), measured=_frames_of(result.path, outcomes))
        for result in results
    ]
    if report is None:
        return RunState(results=tuple(results))
    return RunState(
        tuple(rows),
        tuple(outcomes),
        tuple(report.seconds.items()),
        tuple(results),
        report.state,
        report.finished or report.started,
        tuple(report.messages),
    )


def _frames_of(coadd: Path, outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """Return medians of the astrometry of the frames in a coadd, and the catalogue's name."""
    known = list(outcomes)
    frames = {o.frame for o in known if o.step == "stack" and o.product and Path(o.product) == coadd}
    solved = [o.measurements for o in known if o.step == "astrometry" and o.frame in frames]
    found: dict[str, Any] = {}
    for key in ("ASTRRMS1", "ASTRRMS2", "ASTRNMAT"):
        values = [m[key] for m in solved if isinstance(m.get(key), (int, float))]
        if values:
            found[key] = float(median(values))
    names = {str(m["ASTRCAT"]) for m in solved if m.get("ASTRCAT")}
    return {**found, "ASTRCAT": ", ".join(sorted(names))} if names else found


def _rows_of_report(report: RunReport, workspace: Workspace) -> tuple[list[MatrixRow], list[Outcome]]:
    """Return rows by group, the group's own last, and outcomes; a product that is gone since is said to be."""
    names = dict.fromkeys(outcome.frame for outcome in report.outcomes.values())
    groups = {name: name.strip("[]") if is_group_row(name) else _group_of(name, workspace) for name in names}
    rows = [MatrixRow(name, groups[name], is_group_row(name)) for name in names]
    rows.sort(key=lambda row: (row.group, row.product, row.frame))
    outcomes = []
    for outcome in report.outcomes.values():
        if outcome.product and not Path(outcome.product).is_file():
            outcome = replace(outcome, product="", reason=outcome.reason or "its product was removed since")
        outcomes.append(outcome)
    return rows, outcomes


def _group_of(frame: str, workspace: Workspace) -> str:
    """Return target and filter of a selected frame, from its header; empty when it is gone."""
    result = read_result(workspace.data / f"{frame}.fits")
    target, filter_name = result.group
    return f"{target}_{filter_name}" if filter_name else ""



class Closing:
    """A job that lets go of its workers when it ends, however it ends."""

    def __init__(self, job: Callable[[Reporter], Any], executor: Executor) -> None:
        self._job, self._executor = job, executor

    def __call__(self, reporter: Reporter) -> Any:
        try:
            return self._job(reporter)
        finally:
            self._executor.close()


def summary(state: RunState) -> str:
    """Return how the last run ended, in one line."""
    coadds = "1 coadd" if len(state.results) == 1 else f"{len(state.results)} coadds"
    if not state.state:
        return f"{coadds}, no report of a run." if state.results else "No run yet."
    lost = {o.frame for o in state.outcomes if o.status in (Status.FAILED, Status.DROPPED)}
    lost -= {name for name in lost if is_group_row(name)}
    frames = sum(not row.product for row in state.rows)
    ways = {"finished": "Finished", "stopped": "Stopped by the observer", "broken": "Ended by an error"}
    when = f" {state.finished[:16].replace('T', ' ')} UTC" if state.finished else ""
    lost_text = f", {len(lost)} lost" if lost else ""
    return f"{ways.get(state.state, 'Interrupted')}{when}: {frames} frames{lost_text}, {coadds}"
