"""The one loop over steps and frames: it groups, resumes, times, catches and reports."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import Cancelled, FrameError, NightError
from ..executor import Executor, Failure
from ..outcome import Outcome, Status
from ..progress import Progress, Reporter, check_cancelled
from . import resume
from .bands import write_band_tables
from .plan import PlannedFrame, RunPlan
from .registry import STEPS, StepSpec
from .report import BROKEN, FINISHED, STOPPED, RunReport, load_report, merge_earlier, now
from .state import (
    DriverContext,
    RunState,
    alive,
    failed,
    fingerprint_of,
    frame_task,
    group_task,
    groups,
    outcome_of,
    plain_params,
    sky_path,
)
from .tasks import FrameTask, GroupResult, GroupTask, StepResult

_log = logging.getLogger(__name__)


def run(plan: RunPlan, executor: Executor, reporter: Reporter) -> RunReport:
    """Carry out a plan.

    A frame that fails leaves the run with its reason, the others go on. Products that exist from the same inputs and
    parameters are kept, unless the plan says redo. When the observer stops it, the report says so and what was
    finished stays.

    Returns
    -------
    RunReport
        Also saved in the night as ``photopipe_report.json``.

    Raises
    ------
    NightError
        When products cannot be written at all (read-only night, full disk).
    """
    workspace = plan.workspace
    workspace.make_folders()
    earlier = load_report(workspace.report)
    report = RunReport(tuple(spec.name for spec in plan.steps), params=plain_params(plan))
    report.messages += [*plan.missing, *plan.warnings]
    merge_earlier(report, earlier, (frame.name for frame in plan.frames), report.steps)
    for sentence in report.messages:
        reporter.message(sentence, "warning")
    fingerprint = fingerprint_of(plan)
    if not plan.params.redo and resume.nothing_to_do(earlier, fingerprint, workspace):
        assert earlier is not None
        return _as_before(earlier, reporter)
    with workspace.scratch() as scratch:
        context = DriverContext(reporter, executor, plan.params.memory_mb * 2**20, scratch, plan.catalogs)
        state = RunState(plan, report, context, earlier)
        try:
            _all_steps(state)
            _tables_of_bands(state)
            report.state = FINISHED
            report.fingerprint = fingerprint if not report.lost else ""
            if plan.params.rmifiles and _complete(plan, report):
                _remove_intermediates(plan, reporter)
        except Cancelled:
            report.state = STOPPED
            reporter.message("Stopped. What was finished stays; start again to go on.", "warning")
        except BaseException:
            report.state = BROKEN
            raise
        finally:
            report.finished = now()
            state.save()
    return report


def _as_before(earlier: RunReport, reporter: Reporter) -> RunReport:
    """Nothing changed since a finished run: say so for every cell."""
    for key, outcome in list(earlier.outcomes.items()):
        if outcome.status == Status.DONE:
            outcome = dataclasses.replace(outcome, status=Status.SKIPPED, reason=resume.DONE_BEFORE, seconds=0.0)
            earlier.outcomes[key] = outcome
        reporter.result(outcome)
    reporter.message("Everything is up to date: same frames, masters and options as in the last run.", "info")
    return earlier


def _tables_of_bands(state: RunState) -> None:
    """Write the table of all bands of each target; trouble with it is said, and costs no coadd."""
    if not state.report.coadds:
        return
    (answer,) = state.context.map(write_band_tables, [[Path(name) for name in state.report.coadds]], "tables of bands")
    if isinstance(answer, Failure):
        _log.error("The tables of bands cannot be written:\n%s", answer.trace)
        state.context.reporter.message(f"The tables of bands cannot be written: {answer.error}", "warning")


def _complete(plan: RunPlan, report: RunReport) -> bool:
    return plan.steps[-1].name == "stack" and bool(report.coadds)


def _remove_intermediates(plan: RunPlan, reporter: Reporter) -> None:
    count = 0
    for path in plan.workspace.intermediates():
        path.unlink()
        count += 1
    reporter.message(f"{count} intermediate products were removed.", "info")


def _all_steps(state: RunState) -> None:
    plan = state.plan
    for frame in plan.frames:
        state.current[frame.name] = frame.path
    _catch_up(state)
    for spec in plan.steps:
        check_cancelled(state.context.reporter)
        state.context.step = spec.name
        began = time.monotonic()
        if spec.name == "makesky" and not plan.params.mastersky:
            _skip_all(state, spec, "no sky frame asked for")
        elif spec.scope == "frame":
            _frame_step(state, spec)
        else:
            _group_step(state, spec)
        state.report.seconds[spec.name] = time.monotonic() - began
        state.save()


def _catch_up(state: RunState) -> None:
    """Bring every frame to the product of the step before the first one that runs; what is not there is lost."""
    first = STEPS.index(state.plan.steps[0])
    before = [spec for spec in STEPS[:first] if not (spec.name == "crclean" and state.plan.params.nocrclean)]
    for frame in state.plan.frames:
        path = frame.path
        for spec in before:
            if not spec.letter:
                continue
            product = state.plan.workspace.product(spec.letter, path)
            if product.exists() or spec.name != "crclean":
                path = product
        if not path.exists():
            reason = f"{path.name} is not there; run the steps before {state.plan.steps[0].name} first"
            gone = [place for place in state.plan.workspace.dropped(path) if place.exists()]
            if gone:
                reason = f"it was dropped into {gone[0].parent.name} by an earlier run"
            state.settle(Outcome(frame.name, state.plan.steps[0].name, Status.DROPPED, reason))
        else:
            state.current[frame.name] = path
    if "skysub" in (spec.name for spec in state.plan.steps) and "makesky" not in (s.name for s in state.plan.steps):
        for key, members in groups(state, next(spec for spec in STEPS if spec.name == "makesky")).items():
            sky = sky_path(state, members[0])
            if sky.exists() and state.plan.params.mastersky:
                state.skies[key] = sky


def _skip_all(state: RunState, spec: StepSpec, reason: str) -> None:
    for frame in alive(state):
        state.settle(Outcome(frame.name, spec.name, Status.SKIPPED, reason))


class _RunStep:
    """A frame step with its parameters and the clock, to send to a worker."""

    def __init__(self, spec: StepSpec, params: Any) -> None:
        self.run, self.params = spec.run, params

    def __call__(self, task: FrameTask) -> tuple[StepResult, float]:
        began = time.monotonic()
        assert self.run is not None
        return self.run(task, self.params), time.monotonic() - began


def _frame_step(state: RunState, spec: StepSpec) -> None:
    tasks: list[FrameTask] = []
    for frame in alive(state):
        if spec.name in frame.lost:
            state.settle(Outcome(frame.name, spec.name, Status.FAILED, frame.lost[spec.name]))
            continue
        task, digest = frame_task(state, spec, frame)
        known = None if state.plan.params.redo else resume.known_outcome(state.earlier, spec.name, task, digest, state)
        if known is not None:
            state.settle(known)
            state.current[frame.name] = Path(known.product)
        else:
            tasks.append(task)
    total, done, bad = len(tasks), 0, 0

    def settle(index: int, answer: Any) -> None:
        nonlocal done, bad
        task = tasks[index]
        if isinstance(answer, Failure):
            outcome = failed(task.frame, spec.name, answer.error, answer.trace)
        else:
            outcome = outcome_of(task.frame, spec.name, answer[0], answer[1])
            if answer[0].product is not None and outcome.status in (Status.DONE, Status.SKIPPED):
                state.current[task.frame] = answer[0].product
        done, bad = done + 1, bad + (outcome.status in (Status.FAILED, Status.DROPPED))
        state.settle(outcome)
        state.context.reporter.progress(Progress(spec.name, done, total, bad, task.source.name))

    state.context.reporter.progress(Progress(spec.name, 0, total, 0))
    function = _RunStep(spec, state.plan.step_params[spec.name])
    state.context.executor.map(function, tasks, state.context.reporter, settle)


def _stackable(state: RunState, members: list[PlannedFrame]) -> list[PlannedFrame]:
    """Leave the sky halves out of a stack, unless the target is on no half at all."""
    if not any(frame.target_half for frame in members):
        return members
    for frame in members:
        if frame.target_half is False:
            state.settle(Outcome(frame.name, "stack", Status.SKIPPED, "sky half: the target is on the other half"))
    return [frame for frame in members if frame.target_half is not False]


def _group_step(state: RunState, spec: StepSpec) -> None:
    for key, members in groups(state, spec).items():
        check_cancelled(state.context.reporter)
        if spec.name == "stack":
            members = _stackable(state, members)
        group, digest = group_task(state, spec, key, members)
        known = None if state.plan.params.redo else resume.known_group(state.earlier, spec, group, digest, state)
        if known is not None:
            outcomes, products = known[0], tuple(known[1])
            for outcome in outcomes:
                state.settle(outcome)
                if outcome.product and outcome.status == Status.SKIPPED:
                    state.current[outcome.frame] = Path(outcome.product)
            _take_over_results(state, products)
        else:
            products = _run_group(state, spec, group)
        if products and spec.name == "makesky":
            state.skies[key] = products[0]
        if products and spec.name == "stack":
            _settle_coadds(state, products, digest)


def _take_over_results(state: RunState, products: Sequence[Path]) -> None:
    for product in products:
        if state.earlier is not None and product.name in state.earlier.results:
            state.report.results[product.name] = state.earlier.results[product.name]


def _settle_coadds(state: RunState, products: Sequence[Path], digest: str) -> None:
    """Note the coadds of a group and remove those that an earlier run made of other frames or options."""
    state.report.coadds += [str(product) for product in products]
    for gone in state.plan.workspace.remove_superseded(products[0], digest):
        state.context.reporter.message(f"{gone} is superseded by {products[0].name} and was removed.", "info")


def _run_group(state: RunState, spec: StepSpec, group: GroupTask) -> tuple[Path, ...]:
    """Run a group step on one group and settle its frames; an error loses the group, not the run."""
    state.context.reporter.progress(Progress(spec.name, 0, len(group.frames), 0, group.key))
    began = time.monotonic()
    assert spec.run_group is not None
    try:
        result = spec.run_group(group, state.plan.step_params[spec.name], state.context)
    except (Cancelled, NightError):
        raise
    except Exception as error:
        trace = Failure.of(error).trace
        for task in group.frames:
            state.settle(failed(task.frame, spec.name, error, trace))
        return ()
    share = (time.monotonic() - began) / max(len(group.frames), 1)
    _settle_group(state, spec, group, result, share)
    return () if result.product is None else (result.product, *result.others)


def _settle_group(state: RunState, spec: StepSpec, group: GroupTask, result: GroupResult, share: float) -> None:
    for task in group.frames:
        answer = result.frames.get(task.frame)
        if answer is None:
            answer = FrameError(task.source, "the step gave no answer for it", "See the log.")
        if isinstance(answer, FrameError):
            state.settle(failed(task.frame, spec.name, answer))
            continue
        state.settle(outcome_of(task.frame, spec.name, answer, share))
        if answer.product is not None and spec.letter and not answer.dropped:
            state.current[task.frame] = answer.product
    facts = dict(result.measurements)
    if result.product is not None:
        for path, found in ((result.product, facts), *result.others.items()):
            state.report.results[path.name] = {**found, "group": group.key, "step": spec.name}
    if group.product is not None or facts or result.reason:
        status = Status.SKIPPED if group.product is not None and result.product is None else Status.DONE
        product = str(result.product or "")
        seconds = share * len(group.frames)
        state.settle(Outcome(f"[{group.key}]", spec.name, status, result.reason, seconds, product, facts))
    if result.reason:
        state.context.reporter.message(f"{spec.name} {group.key}: {result.reason}", "warning")
