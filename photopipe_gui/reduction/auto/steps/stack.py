"""stack: the frames of one target and filter on one grid, combined into a coadd with its weight map."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from ....errors import FrameError
from ....instruments.header import safe_name
from ...core.coadd import rows_within
from ...core.reject import Rejection
from ...core.resample import DEFAULT_KERNEL, KERNELS, kernel_for
from ...params import option
from ..tasks import Context, Failure, FrameTask, GroupResult, GroupTask, StepResult
from .coadd_finish import Finished, FinishJob, finish
from .coadd_header import Member, coadd_name, median_time, unused
from .framecards import field_of, frame_wcs
from .stack_jobs import Facts, GridJob, Layout, Placed, PlaceJob, Planes, StripJob, combine_strip, lay_grid, look, place

_BLOCKS_PER_WORKER = 4
_ALWAYS_ALLOWED = 25_000_000  # px of a coadd, however little of it the frames cover


@dataclass(frozen=True)
class StackParams:
    """Options of stack."""

    kernel: str = option("auto", "Interpolating kernel; auto: spline3 for well-sampled stars, else spline5",
                         choices=("auto", *KERNELS))
    reject: bool = option(True, "Leave out values that do not fit the other frames: cosmic rays, trails")
    limit: float = option(4.0, "Values further off than this are left out", unit="sigma", low=2.0, high=50.0)
    clip: float = option(1.0, "Stars further off the coadd's zero point are left out", unit="robust scatters",
                         low=0.5, high=10.0)
    radius: float = option(3.0, "Largest distance of a star from its catalogue entry", unit="arcsec", low=0.2, high=30)
    fewest: int = option(3, "Fewest stars for the coadd's zero point", low=1, high=100)
    catalogue: bool = option(True, "Write a catalogue of the sources beside each coadd")
    largest: int = option(120, "Largest coadd; frames apart that would make it larger are left out", unit="Mpx", low=1,
                          high=10000, advanced=True)


@dataclass
class _Part:
    """Frames that are aligned to each other: one coadd."""

    tasks: list[FrameTask]
    facts: list[Facts]


def run_group(group: GroupTask, params: StackParams, context: Context) -> GroupResult:
    """Make the coadd of a target and filter; frames without common alignment make a coadd for each set of them."""
    results: dict[str, StepResult | FrameError] = {}
    parts: dict[int, _Part] = {}
    answers = context.map(look, [task.source for task in group.frames], f"stack {group.key}: look")
    for task, answer in zip(group.frames, answers, strict=True):
        if isinstance(answer, Failure):
            results[task.frame] = _as_error(answer, task.source)
        else:
            part = parts.setdefault(answer.group, _Part([], []))
            part.tasks.append(task)
            part.facts.append(answer)
    made: list[Finished] = []
    for number, part in enumerate(sorted(parts.values(), key=lambda p: -len(p.tasks))):
        scratch = context.scratch / f"stack-{safe_name(group.key)}-{number}"
        scratch.mkdir(parents=True, exist_ok=True)
        try:
            finished = _stack(group, part, params, context, scratch, results, [done.product for done in made])
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        if finished is not None:
            made.append(finished)
    if not made:
        return GroupResult(results, reason="no frame could be stacked")
    reasons = [finished.reason for finished in made if finished.reason]
    if len(made) > 1:
        names = ", ".join(finished.product.name for finished in made[1:])
        reasons.append(f"frames that are not aligned to each other went into coadds of their own: {names}")
    others = {finished.product: finished.facts for finished in made[1:]}
    return GroupResult(results, made[0].product, made[0].facts, "; ".join(reasons), others)


def _as_error(failure: Failure, source: Path) -> FrameError:
    if isinstance(failure.error, FrameError):
        return failure.error
    return FrameError(source, f"{type(failure.error).__name__}: {failure.error}", "See the log.")


def _stack(
    group: GroupTask,
    part: _Part,
    params: StackParams,
    context: Context,
    scratch: Path,
    results: dict[str, StepResult | FrameError],
    taken: Sequence[Path],
) -> Finished | None:
    """Make one coadd under a name that is not taken; settle its frames in `results`."""
    covered = sum(facts.shape[0] * facts.shape[1] for facts in part.facts)
    largest = min(params.largest * 1_000_000, max(_ALWAYS_ALLOWED, 4 * covered))
    (layout,) = context.map(lay_grid, [GridJob(tuple(part.facts), largest)], f"stack {group.key}: grid")
    if isinstance(layout, Failure):
        results.update({task.frame: _as_error(layout, task.source) for task in part.tasks})
        return None
    part = _inside(part, layout, results)
    if params.kernel == "auto":
        params = replace(params, kernel=_kernel(part.facts))
    jobs = [PlaceJob(facts, layout.grid, scratch, params.kernel) for facts in part.facts]
    answers = context.map(place, jobs, f"stack {group.key}: resample")
    placed: list[tuple[FrameTask, Facts, Placed]] = []
    for task, facts, answer in zip(part.tasks, part.facts, answers, strict=True):
        if isinstance(answer, Failure):
            results[task.frame] = _as_error(answer, task.source)
        else:
            placed.append((task, facts, answer))
    if not placed:
        return None
    planes, rejected = _combine(group, [entry for _, _, entry in placed], layout, params, context, scratch)
    job = _finish_job(group, placed, rejected, planes, layout, params, context)
    job = replace(job, product=unused(job.product, taken))
    finished: Finished | Failure
    (finished,) = context.map(finish, [job], f"stack {group.key}: measure")
    if isinstance(finished, Failure):
        raise finished.error
    total = sum(entry.layer.weight for _, _, entry in placed)
    for (task, facts, entry), count in zip(placed, rejected, strict=True):
        measured: dict[str, Any] = {"NEWFLXSC": round(facts.scale, 6), "WEIGHT": round(entry.layer.weight / total, 5),
                                    "NREJECT": int(count)}
        note = "" if facts.scale_known else "no flux scale: taken as 1"
        results[task.frame] = StepResult(measured, finished.product, reason=note)
    return finished


def _kernel(frames: Sequence[Facts]) -> str:
    """Return the kernel that suits the sharpest frame, one for all."""
    widths = [facts.fwhm for facts in frames]
    return kernel_for(min(widths)) if all(np.isfinite(widths)) else DEFAULT_KERNEL


def _inside(part: _Part, layout: Layout, results: dict[str, StepResult | FrameError]) -> _Part:
    """Leave out the frames that would make the coadd too large."""
    inside = set(layout.inside)
    for k, task in enumerate(part.tasks):
        if k not in inside:
            rows, columns = layout.whole
            results[task.frame] = StepResult(
                dropped=f"it lies apart from the others: one coadd of all would have {columns} x {rows} px"
            )
    keep = [k for k in range(len(part.tasks)) if k in inside]
    return _Part([part.tasks[k] for k in keep], [part.facts[k] for k in keep])


def _combine(
    group: GroupTask, sources: Sequence[Placed], layout: Layout, params: StackParams, context: Context, scratch: Path
) -> tuple[Planes, list[int]]:
    """Combine in the workers, block by block; return the coadd's planes and the values rejected, by frame."""
    rows, columns = layout.grid.shape
    planes = Planes(scratch / "value", scratch / "weight", scratch / "count", scratch / "mask", layout.grid.shape)
    planes.create()
    workers = max(1, context.workers)
    step = rows_within(context.memory_limit // workers // 2, len(sources), columns)
    block = max(step, -(-rows // (workers * _BLOCKS_PER_WORKER)))
    rejection = Rejection(limit=params.limit, enabled=params.reject)
    jobs = [StripJob(tuple(sources), planes, rejection, first, min(first + block, rows), step)
            for first in range(0, rows, block)]
    answers = context.map(combine_strip, jobs, f"stack {group.key}: combine")
    total = np.zeros(len(sources), np.int64)
    for answer in answers:
        if isinstance(answer, Failure):
            raise answer.error
        total += answer
    return planes, [int(count) for count in total]


def _finish_job(
    group: GroupTask,
    placed: Sequence[tuple[FrameTask, Facts, Placed]],
    rejected: Sequence[int],
    planes: Planes,
    layout: Layout,
    params: StackParams,
    context: Context,
) -> FinishJob:
    """Put together what the last worker needs."""
    members = tuple(Member(facts.source.name, facts.header, facts.scale, entry.layer, count)
                    for (_, facts, entry), count in zip(placed, rejected, strict=True))
    fields = tuple(field_of(frame_wcs(fits.Header.fromstring(facts.header), facts.source), facts.shape)
                   for _, facts, _ in placed)
    folder = group.product if group.product is not None else placed[0][1].source.parent
    folder.mkdir(parents=True, exist_ok=True)
    name = coadd_name(group.target_name, median_time([facts.date for _, facts, _ in placed]), group.filter)
    return FinishJob(
        folder / name, planes, layout.grid, members, fields, placed[0][1].group == 0, group.filter, context.catalogs,
        params.kernel, params.radius, params.fewest, params.clip, params.catalogue, group.cards,
    )


