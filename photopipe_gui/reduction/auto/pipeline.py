"""The one loop over steps and frames: it groups, resumes, times, catches and reports."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import Cancelled, FrameError, NightError, PhotopipeError
from ..digest import DIGEST_KEY, WRITER, WRITER_KEY, digest_of, digest_or_mark, recorded_digest
from ..executor import Executor, Failure
from ..outcome import Outcome, Status, Value
from ..progress import Progress, Reporter, check_cancelled
from . import resume
from .plan import PlannedFrame, RunPlan
from .registry import STEPS, StepSpec
from .report import BROKEN, FINISHED, STOPPED, RunReport, load_report, merge_earlier, now, save_report
from .tasks import Card, FrameTask, GroupResult, GroupTask, StepResult

_log = logging.getLogger(__name__)
_SAVE_EVERY = 2.0


@dataclass
class DriverContext:
    """What group steps have at hand; `map` goes through the executor."""

    reporter: Reporter
    executor: Executor
    memory_limit: int
    scratch: Path
    catalogs: Any
    step: str = ""

    @property
    def workers(self) -> int:
        """Number of workers."""
        return self.executor.workers

    def map(self, function: Callable[[Any], Any], items: Sequence[Any], label: str = "") -> list[Any]:
        """Run over items in the workers, in order, with progress; an exception becomes a `Failure`."""
        done = failed = 0

        def note(index: int, result: Any) -> None:
            nonlocal done, failed
            done, failed = done + 1, failed + isinstance(result, Failure)
            self.reporter.progress(Progress(label or self.step, done, len(items), failed))

        return self.executor.map(function, items, self.reporter, note)


@dataclass
class _State:
    """Where each frame stands: its latest file, or nothing once it is out."""

    plan: RunPlan
    report: RunReport
    context: DriverContext
    earlier: RunReport | None
    current: dict[str, Path] = field(default_factory=dict)
    skies: dict[str, Path] = field(default_factory=dict)
    saved: float = 0.0

    def settle(self, outcome: Outcome) -> None:
        """Record an outcome, tell the observer, and save the report now and then."""
        self.report.add(outcome)
        self.context.reporter.result(outcome)
        if outcome.status in (Status.FAILED, Status.DROPPED):
            self.current.pop(outcome.frame, None)
        if time.monotonic() - self.saved > _SAVE_EVERY:
            self.save()

    def save(self) -> None:
        """Write the report."""
        save_report(self.plan.workspace.report, self.report)
        self.saved = time.monotonic()


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
    report = RunReport(tuple(spec.name for spec in plan.steps), params=_plain_params(plan))
    report.messages += [*plan.missing, *plan.warnings]
    merge_earlier(report, earlier, (frame.name for frame in plan.frames), report.steps)
    for sentence in report.messages:
        reporter.message(sentence, "warning")
    fingerprint = _fingerprint(plan)
    if not plan.params.redo and resume.nothing_to_do(earlier, fingerprint, workspace):
        assert earlier is not None
        return _as_before(earlier, reporter)
    with workspace.scratch() as scratch:
        context = DriverContext(reporter, executor, plan.params.memory_mb * 2**20, scratch, plan.catalogs)
        state = _State(plan, report, context, earlier)
        try:
            _all_steps(state)
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


def _plain_params(plan: RunPlan) -> dict[str, Any]:
    values = dataclasses.asdict(plan.params)
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def _fingerprint(plan: RunPlan) -> str:
    """What the whole run depends on: selected frames, masters, parameters, catalogues."""
    frames = [
        (
            frame.name,
            digest_or_mark(frame.path),
            {k: digest_or_mark(p) for k, p in frame.aids.items()},
            dict(frame.lost),
        )
        for frame in plan.frames
    ]
    steps = [(spec.name, spec.version, plan.step_params[spec.name]) for spec in plan.steps]
    switches = (plan.params.mastersky, plan.params.skyflattarg, plan.params.nocrclean)
    return digest_of(frames, steps, switches, plan.catalogs, _catalog_marks(plan))


def _catalog_marks(plan: RunPlan) -> list[str]:
    files = (plan.catalogs.refcat, plan.catalogs.customcat)
    return [digest_or_mark(path) for path in files if path is not None]


def _as_before(earlier: RunReport, reporter: Reporter) -> RunReport:
    """Nothing changed since a finished run: say so for every cell."""
    for key, outcome in list(earlier.outcomes.items()):
        if outcome.status == Status.DONE:
            outcome = dataclasses.replace(outcome, status=Status.SKIPPED, reason=resume.DONE_BEFORE, seconds=0.0)
            earlier.outcomes[key] = outcome
        reporter.result(outcome)
    reporter.message("Everything is up to date: same frames, masters and options as in the last run.", "info")
    return earlier


def _complete(plan: RunPlan, report: RunReport) -> bool:
    return plan.steps[-1].name == "stack" and bool(report.coadds)


def _remove_intermediates(plan: RunPlan, reporter: Reporter) -> None:
    count = 0
    for path in plan.workspace.intermediates():
        path.unlink()
        count += 1
    reporter.message(f"{count} intermediate products were removed.", "info")


def _all_steps(state: _State) -> None:
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


def _catch_up(state: _State) -> None:
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
        for key, members in _groups(state, next(spec for spec in STEPS if spec.name == "makesky")).items():
            sky = _sky_path(state, members[0])
            if sky.exists() and state.plan.params.mastersky:
                state.skies[key] = sky


def _alive(state: _State) -> list[PlannedFrame]:
    return [frame for frame in state.plan.frames if frame.name in state.current]


def _skip_all(state: _State, spec: StepSpec, reason: str) -> None:
    for frame in _alive(state):
        state.settle(Outcome(frame.name, spec.name, Status.SKIPPED, reason))


def _cards(step: str, digest: str, sources: Iterable[Path]) -> tuple[Card, ...]:
    cards: list[Card] = [
        (WRITER_KEY, WRITER, "program that wrote this file"),
        (DIGEST_KEY, digest, "inputs and parameters"),
        ("PPSTEP", step, "last step"),
    ]
    return (*cards, *((f"PPAID{n}", path.name[:60], "used") for n, path in enumerate(sources, 1)))


def _frame_task(state: _State, spec: StepSpec, frame: PlannedFrame) -> tuple[FrameTask, str]:
    """Return the task of a frame at a frame step and the digest of its product."""
    source = state.current[frame.name]
    aids = {name: frame.aids[name] for name in spec.aids if name in frame.aids}
    sky = state.skies.get(_group_key(state, frame)) if "sky" in spec.aids else None
    if sky is not None:
        aids["sky"] = sky
    marks = {name: digest_or_mark(path) for name, path in aids.items()}
    digest = digest_of(spec.name, spec.version, state.plan.step_params[spec.name], digest_or_mark(source), marks)
    target = state.plan.workspace.product(spec.letter, source)
    return FrameTask(frame.name, source, target, aids, _cards(spec.name, digest, aids.values())), digest


class _RunStep:
    """A frame step with its parameters and the clock, to send to a worker."""

    def __init__(self, spec: StepSpec, params: Any) -> None:
        self.run, self.params = spec.run, params

    def __call__(self, task: FrameTask) -> tuple[StepResult, float]:
        began = time.monotonic()
        assert self.run is not None
        return self.run(task, self.params), time.monotonic() - began


def _frame_step(state: _State, spec: StepSpec) -> None:
    tasks: list[FrameTask] = []
    for frame in _alive(state):
        if spec.name in frame.lost:
            state.settle(Outcome(frame.name, spec.name, Status.FAILED, frame.lost[spec.name]))
            continue
        task, digest = _frame_task(state, spec, frame)
        known = None if state.plan.params.redo else resume.known_outcome(state.earlier, spec.name, task, digest, state)
        if known is not None:
            state.settle(known)
            state.current[frame.name] = Path(known.product)
        else:
            tasks.append(task)
    total, done, failed = len(tasks), 0, 0

    def settle(index: int, answer: Any) -> None:
        nonlocal done, failed
        task = tasks[index]
        if isinstance(answer, Failure):
            outcome = _failed(task.frame, spec.name, answer.error, answer.trace)
        else:
            outcome = _outcome(task.frame, spec.name, answer[0], answer[1])
            if answer[0].product is not None and outcome.status in (Status.DONE, Status.SKIPPED):
                state.current[task.frame] = answer[0].product
        done, failed = done + 1, failed + (outcome.status in (Status.FAILED, Status.DROPPED))
        state.settle(outcome)
        state.context.reporter.progress(Progress(spec.name, done, total, failed, task.source.name))

    state.context.reporter.progress(Progress(spec.name, 0, total, 0))
    function = _RunStep(spec, state.plan.step_params[spec.name])
    state.context.executor.map(function, tasks, state.context.reporter, settle)


def _outcome(frame: str, step: str, result: StepResult, seconds: float) -> Outcome:
    status, reason = Status.DONE, result.reason
    if result.dropped:
        status, reason = Status.DROPPED, result.dropped
    elif result.skipped:
        status, reason = Status.SKIPPED, result.skipped
    product = "" if result.product is None else str(result.product)
    return Outcome(frame, step, status, reason, seconds, product, dict(result.measurements))


def _failed(frame: str, step: str, error: BaseException, trace: str = "") -> Outcome:
    """Return the outcome of a frame whose step raised; a full or read-only disk ends the run instead."""
    if isinstance(error, NightError):
        raise error
    if isinstance(error, FrameError):
        return Outcome(frame, step, Status.FAILED, f"{error.reason}. {error.remedy}".strip())
    if isinstance(error, PhotopipeError):
        return Outcome(frame, step, Status.FAILED, str(error))
    _log.error("%s failed at %s:\n%s", frame, step, trace or repr(error))
    return Outcome(frame, step, Status.FAILED, f"error in the program ({type(error).__name__}: {error}); see the log")


def _group_key(state: _State, frame: PlannedFrame) -> str:
    if not state.plan.params.skyflattarg:
        return frame.filter
    return f"{frame.target}_{frame.filter}"


def _sky_path(state: _State, frame: PlannedFrame) -> Path:
    target = frame.target if state.plan.params.skyflattarg else ""
    return state.plan.workspace.sky(frame.filter, target)


def _groups(state: _State, spec: StepSpec) -> dict[str, list[PlannedFrame]]:
    """Return the frames still in the run by target and filter (sky frames: by filter alone when asked)."""
    groups: dict[str, list[PlannedFrame]] = {}
    for frame in _alive(state):
        key = _group_key(state, frame) if spec.name == "makesky" else f"{frame.target}_{frame.filter}"
        groups.setdefault(key, []).append(frame)
    return groups


def _group_task(state: _State, spec: StepSpec, key: str, members: list[PlannedFrame]) -> tuple[GroupTask, str]:
    sources = {frame.name: state.current[frame.name] for frame in members}
    marks = {name: digest_or_mark(path) for name, path in sources.items()}
    params = state.plan.step_params[spec.name]
    group_digest = digest_of(spec.name, spec.version, params, marks, state.plan.catalogs, _catalog_marks(state.plan))
    workspace = state.plan.workspace
    tasks = []
    for frame in members:
        source = sources[frame.name]
        digest = digest_of(group_digest, marks[frame.name])
        target = workspace.product(spec.letter, source) if spec.letter else source
        tasks.append(FrameTask(frame.name, source, target, {}, _cards(spec.name, digest, ())))
    product = {"makesky": _sky_path(state, members[0]), "stack": workspace.coadds}.get(spec.name)
    task = GroupTask(
        key, members[0].target, members[0].filter, tuple(tasks), product, _cards(spec.name, group_digest, ())
    )
    return task, group_digest


def _stackable(state: _State, members: list[PlannedFrame]) -> list[PlannedFrame]:
    """Leave the sky halves out of a stack, unless the target is on no half at all."""
    if not any(frame.target_half for frame in members):
        return members
    for frame in members:
        if frame.target_half is False:
            state.settle(Outcome(frame.name, "stack", Status.SKIPPED, "sky half: the target is on the other half"))
    return [frame for frame in members if frame.target_half is not False]


def _group_step(state: _State, spec: StepSpec) -> None:
    groups = _groups(state, spec)
    for key, members in groups.items():
        check_cancelled(state.context.reporter)
        if spec.name == "stack":
            members = _stackable(state, members)
        group, digest = _group_task(state, spec, key, members)
        known = None if state.plan.params.redo else resume.known_group(state.earlier, spec, group, digest, state)
        if known is not None:
            outcomes, product = known
            for outcome in outcomes:
                state.settle(outcome)
                if outcome.product and outcome.status == Status.SKIPPED:
                    state.current[outcome.frame] = Path(outcome.product)
        else:
            product = _run_group(state, spec, group)
        if product is not None and spec.name == "makesky":
            state.skies[key] = product
        if product is not None and spec.name == "stack":
            state.report.coadds.append(str(product))


def _run_group(state: _State, spec: StepSpec, group: GroupTask) -> Path | None:
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
            state.settle(_failed(task.frame, spec.name, error, trace))
        return None
    share = (time.monotonic() - began) / max(len(group.frames), 1)
    _settle_group(state, spec, group, result, share)
    return result.product


def _settle_group(state: _State, spec: StepSpec, group: GroupTask, result: GroupResult, share: float) -> None:
    for task in group.frames:
        answer = result.frames.get(task.frame)
        if answer is None:
            answer = FrameError(task.source, "the step gave no answer for it", "See the log.")
        if isinstance(answer, FrameError):
            state.settle(_failed(task.frame, spec.name, answer))
            continue
        state.settle(_outcome(task.frame, spec.name, answer, share))
        if answer.product is not None and spec.letter and not answer.dropped:
            state.current[task.frame] = answer.product
    if result.product is not None:
        facts: Mapping[str, Value] = result.measurements
        state.report.results[result.product.name] = {**facts, "group": group.key, "step": spec.name}
        status, reason = Status.DONE, result.reason
    else:
        status, reason = Status.SKIPPED, result.reason or "no product"
    state.settle(
        Outcome(
            f"[{group.key}]",
            spec.name,
            status,
            reason,
            share * len(group.frames),
            str(result.product or ""),
            dict(result.measurements),
        )
    )
    if result.reason:
        state.context.reporter.message(f"{spec.name} {group.key}: {result.reason}", "warning")


__all__ = ["DriverContext", "recorded_digest", "run"]
