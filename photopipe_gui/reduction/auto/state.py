"""Where a run stands, and the tasks that follow from it."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import FrameError, NightError, PhotopipeError
from ..digest import DIGEST_KEY, WRITER, WRITER_KEY, digest_of, digest_or_mark
from ..executor import Executor, Failure
from ..outcome import Outcome, Status
from ..progress import Progress, Reporter
from .plan import PlannedFrame, RunPlan
from .registry import StepSpec
from .report import RunReport, save_report
from .tasks import Card, FrameTask, GroupTask, StepResult

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
class RunState:
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


def alive(state: RunState) -> list[PlannedFrame]:
    """Return the frames still in the run."""
    return [frame for frame in state.plan.frames if frame.name in state.current]


def _cards(step: str, digest: str, sources: Iterable[Path]) -> tuple[Card, ...]:
    cards: list[Card] = [
        (WRITER_KEY, WRITER, "program that wrote this file"),
        (DIGEST_KEY, digest, "inputs and parameters"),
        ("PPSTEP", step, "last step"),
    ]
    return (*cards, *((f"PPAID{n}", path.name[:60], "used") for n, path in enumerate(sources, 1)))


def frame_task(state: RunState, spec: StepSpec, frame: PlannedFrame) -> tuple[FrameTask, str]:
    """Return the task of a frame at a frame step and the digest of its product."""
    source = state.current[frame.name]
    aids = {name: frame.aids[name] for name in spec.aids if name in frame.aids}
    sky = state.skies.get(group_key(state, frame)) if "sky" in spec.aids else None
    if sky is not None:
        aids["sky"] = sky
    marks = {name: digest_or_mark(path) for name, path in aids.items()}
    digest = digest_of(spec.name, spec.version, state.plan.step_params[spec.name], digest_or_mark(source), marks)
    target = state.plan.workspace.product(spec.letter, source)
    return FrameTask(frame.name, source, target, aids, _cards(spec.name, digest, aids.values())), digest


def outcome_of(frame: str, step: str, result: StepResult, seconds: float) -> Outcome:
    """Return the outcome that a step's answer on a frame amounts to."""
    status, reason = Status.DONE, result.reason
    if result.dropped:
        status, reason = Status.DROPPED, result.dropped
    elif result.skipped:
        status, reason = Status.SKIPPED, result.skipped
    product = "" if result.product is None else str(result.product)
    return Outcome(frame, step, status, reason, seconds, product, dict(result.measurements))


def failed(frame: str, step: str, error: BaseException, trace: str = "") -> Outcome:
    """Return the outcome of a frame whose step raised; a full or read-only disk ends the run instead."""
    if isinstance(error, NightError):
        raise error
    if isinstance(error, FrameError):
        return Outcome(frame, step, Status.FAILED, f"{error.reason}. {error.remedy}".strip())
    if isinstance(error, PhotopipeError):
        return Outcome(frame, step, Status.FAILED, str(error))
    _log.error("%s failed at %s:\n%s", frame, step, trace or repr(error))
    return Outcome(frame, step, Status.FAILED, f"error in the program ({type(error).__name__}: {error}); see the log")


def group_key(state: RunState, frame: PlannedFrame) -> str:
    """Return the key of the frame's sky frame: target and filter, or the filter alone when the run asks for that."""
    if not state.plan.params.skyflattarg:
        return frame.filter
    return f"{frame.target}_{frame.filter}"


def sky_path(state: RunState, frame: PlannedFrame) -> Path:
    """Return where the sky frame of a frame's group lies."""
    target = frame.target if state.plan.params.skyflattarg else ""
    return state.plan.workspace.sky(frame.filter, target)


def groups(state: RunState, spec: StepSpec) -> dict[str, list[PlannedFrame]]:
    """Return the frames still in the run by target and filter (sky frames: by filter alone when asked)."""
    groups: dict[str, list[PlannedFrame]] = {}
    for frame in alive(state):
        key = group_key(state, frame) if spec.name == "makesky" else f"{frame.target}_{frame.filter}"
        groups.setdefault(key, []).append(frame)
    return groups


def group_task(state: RunState, spec: StepSpec, key: str, members: list[PlannedFrame]) -> tuple[GroupTask, str]:
    """Return the task of a group and the digest of its product."""
    sources = {frame.name: state.current[frame.name] for frame in members}
    marks = {name: digest_or_mark(path) for name, path in sources.items()}
    params = state.plan.step_params[spec.name]
    group_digest = digest_of(spec.name, spec.version, params, marks, state.plan.catalogs, catalog_marks(state.plan))
    workspace = state.plan.workspace
    tasks = []
    for frame in members:
        source = sources[frame.name]
        digest = digest_of(group_digest, marks[frame.name])
        target = workspace.product(spec.letter, source) if spec.letter else source
        tasks.append(FrameTask(frame.name, source, target, {}, _cards(spec.name, digest, ())))
    product = {"makesky": sky_path(state, members[0]), "stack": workspace.coadds}.get(spec.name)
    task = GroupTask(
        key, members[0].target, members[0].filter, tuple(tasks), product, _cards(spec.name, group_digest, ())
    )
    return task, group_digest


def plain_params(plan: RunPlan) -> dict[str, Any]:
    """Return the run's options as JSON types."""
    values = dataclasses.asdict(plan.params)
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def fingerprint_of(plan: RunPlan) -> str:
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
    return digest_of(frames, steps, switches, plan.catalogs, catalog_marks(plan))


def catalog_marks(plan: RunPlan) -> list[str]:
    """Return what tells that the catalogue files are still the same."""
    files = (plan.catalogs.refcat, plan.catalogs.customcat)
    return [digest_or_mark(path) for path in files if path is not None]
