"""What an earlier run left that still holds: same inputs, same parameters, file whole."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..digest import recorded_digest
from ..outcome import Outcome, Status
from ..workspace import Workspace
from .report import FINISHED, RunReport
from .tasks import FrameTask, GroupTask

if TYPE_CHECKING:
    from .plan import RunPlan
    from .registry import StepSpec

DONE_BEFORE = "done in an earlier run"


class HasPlan(Protocol):
    """What is asked of the pipeline's state here."""

    plan: RunPlan


def nothing_to_do(earlier: RunReport | None, fingerprint: str, workspace: Workspace) -> bool:
    """Return whether a finished run with the same fingerprint left coadds that are all still there."""
    if earlier is None or earlier.state != FINISHED or not earlier.fingerprint:
        return False
    coadds = [Path(name) for name in earlier.coadds]
    return earlier.fingerprint == fingerprint and bool(coadds) and all(recorded_digest(path) for path in coadds)


def _said(earlier: RunReport | None, frame: str, step: str) -> Outcome | None:
    return earlier.outcomes.get((frame, step)) if earlier is not None else None


def known_outcome(earlier: RunReport | None, step: str, task: FrameTask, digest: str, state: HasPlan) -> Outcome | None:
    """Return the outcome of a frame whose product stands with this digest; None when the step must run."""
    before = _said(earlier, task.frame, step)
    measurements = dict(before.measurements) if before is not None else {}
    if recorded_digest(task.target) == digest:
        return Outcome(task.frame, step, Status.SKIPPED, DONE_BEFORE, 0.0, str(task.target), measurements)
    return None


def _dropped_before(
    earlier: RunReport | None, spec: StepSpec, task: FrameTask, digest: str, workspace: Workspace
) -> Outcome | None:
    for place in workspace.dropped(task.target):
        if recorded_digest(place) == digest:
            before = _said(earlier, task.frame, spec.name)
            reason = before.reason if before is not None and before.reason else f"dropped into {place.parent.name}"
            return Outcome(task.frame, spec.name, Status.DROPPED, reason, 0.0, str(place))
    return None


def _frame_digest(task: FrameTask) -> str:
    return next(str(value) for key, value, _ in task.cards if key == "PPDIGEST")


def known_group(
    earlier: RunReport | None, spec: StepSpec, group: GroupTask, digest: str, state: HasPlan
) -> tuple[list[Outcome], list[Path]] | None:
    """Return the outcomes of a group that is done, and its products; None when the step must run.

    A group counts as done when every frame of it has its product, or was dropped, with the digest it would get now.
    """
    workspace = state.plan.workspace
    products: list[Path] = []
    if group.product is not None:
        products = _group_products(
            group.product, digest, workspace, earlier, _said(earlier, f"[{group.key}]", spec.name)
        )
        if not products:
            return None
    outcomes = []
    for task in group.frames:
        before = _said(earlier, task.frame, spec.name)
        if not spec.letter:
            outcomes.append(_as_skipped(task, spec.name, before))
            continue
        known = known_outcome(earlier, spec.name, task, _frame_digest(task), state)
        known = known or _dropped_before(earlier, spec, task, _frame_digest(task), workspace)
        if known is None:
            return None
        outcomes.append(known)
    if products:
        before = _said(earlier, f"[{group.key}]", spec.name)
        facts = dict(before.measurements) if before is not None else {}
        outcomes.append(Outcome(f"[{group.key}]", spec.name, Status.SKIPPED, DONE_BEFORE, 0.0, str(products[0]), facts))
    return outcomes, products


def _as_skipped(task: FrameTask, step: str, before: Outcome | None) -> Outcome:
    """A frame of a group whose product stands: what was said of it holds."""
    if before is not None and before.status in (Status.DROPPED, Status.FAILED):
        return dataclasses.replace(before, seconds=0.0)
    measurements = dict(before.measurements) if before is not None else {}
    return Outcome(task.frame, step, Status.SKIPPED, DONE_BEFORE, 0.0, str(task.source), measurements)


def _group_products(
    place: Path, digest: str, workspace: Workspace, earlier: RunReport | None, said: Outcome | None
) -> list[Path]:
    """Return the group's products with this digest: the file itself, or coadds, the main one first.

    Frames that do not overlap give several coadds: only a run that finished the group knows them all.
    """
    if place.suffix == ".fits":
        return [place] if recorded_digest(place) == digest else []
    found = {path.name: path for path in workspace.find_coadds() if recorded_digest(path) == digest}
    named = [Path(name).name for name in earlier.coadds] if said is not None and earlier is not None else []
    return [found[name] for name in named if name in found]
