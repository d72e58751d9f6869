"""astrometry: a WCS for every frame, from a reference catalogue or, without one, from the frames among themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ....errors import FrameError
from ...catalogs.bands import band_of
from ...catalogs.lookup import astrometric
from ...catalogs.model import ReferenceCatalog, separation
from ...core.distortion import Surface
from ...core.relative import Placed, make_mosaic, place, tie_limits
from ...core.wcsfit import Limits
from ...params import option
from ..tasks import Context, Failure, FrameTask, GroupResult, GroupTask, StepResult
from ..wcsheader import wcs_of
from .astrometry_jobs import (
    FEWEST,
    AlignJob,
    DetectJob,
    DistortionJob,
    Solved,
    SolveJob,
    Stars,
    WriteJob,
    align_all,
    brightness,
    detect_frame,
    find_common_distortion,
    refused,
    solve_frame,
    unsolved,
    write_solution,
)

_BY_WAVELENGTH = ("u", "U", "B", "g", "BP", "V", "G", "r", "R", "RP", "i", "I", "z", "y", "J", "H", "K")
_MOST_STARS = 30000
_WIDER = 0.2


@dataclass(frozen=True)
class AstrometryParams:
    """Options of astrometry."""

    threshold: float = option(5.0, "Faintest peak taken as a star", unit="sigma", low=2.0, high=100.0)
    max_stars: int = option(500, "Most stars used of a frame", low=20, high=5000, advanced=True)
    pointing: float = option(3.0, "Largest error of the header's pointing at first", unit="arcmin", low=0.1, high=60.0)
    rotation: float = option(5.0, "Largest error of the header's rotation at first", unit="deg", low=0.1, high=180.0)
    scale: float = option(0.03, "Largest relative error of the pixel scale at first", low=0.001, high=0.5)
    wide: bool = option(True, "Search the whole catalogue field when the header's pointing leads nowhere")
    highest_order: int = option(5, "Highest order of the distortion", low=1, high=5, advanced=True)


@dataclass
class _Run:
    """One group's way through the step."""

    group: GroupTask
    params: AstrometryParams
    context: Context
    stars: dict[str, Stars] = field(default_factory=dict)
    solved: dict[str, Solved] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    name: dict[str, str] = field(default_factory=dict)
    note: dict[str, str] = field(default_factory=dict)
    component: dict[str, int] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    cones: dict[tuple[float, float, float], tuple[ReferenceCatalog | None, str]] = field(default_factory=dict)
    distortion: Surface | None = None

    @property
    def open(self) -> list[str]:
        """Frames with stars enough and no solution yet."""
        return [f for f, s in self.stars.items() if f not in self.solved and f not in self.lost and s.n >= FEWEST]

    def cone(self, ra: float, dec: float, radius: float) -> tuple[ReferenceCatalog | None, str]:
        """Return the reference catalogue about a position, asked for once."""
        key = (ra, dec, radius)
        if key not in self.cones:
            self.cones[key] = astrometric(self.context.catalogs, ra, dec, radius)
        return self.cones[key]

    @property
    def limits(self) -> Limits:
        """Limits of the first attempt."""
        p = self.params
        return Limits(p.pointing, p.rotation, p.scale, wide=False, highest_order=p.highest_order)


def run_group(group: GroupTask, params: AstrometryParams, context: Context) -> GroupResult:
    """Solve the frames of one target and filter and write them under their new WCS."""
    run = _Run(group, params, context)
    results = _detect(run)
    reason = _solve_with_catalogue(run)
    if run.solved:
        _share_distortion(run)
        _tie_to_solved(run)
        _align(run, "", least=2)
    else:
        _align(run, reason)
    jobs = [_write_job(run, task) for task in group.frames if task.frame in run.solved]
    written = context.map(write_solution, jobs, f"astrometry {group.key}: write")
    for job, answer in zip(jobs, written, strict=True):
        results[job.task.frame] = _or_failure(answer, job.task)
    for task in group.frames:
        if task.frame not in results:
            results[task.frame] = refused(task, _in_words(run, task.frame))
    return GroupResult(results)


def _or_failure(answer: StepResult | Failure, task: FrameTask) -> StepResult | FrameError:
    if not isinstance(answer, Failure):
        return answer
    error = answer.error
    return error if isinstance(error, FrameError) else FrameError(task.source, f"{type(error).__name__}: {error}")


def _in_words(run: _Run, frame: str) -> str:
    found = run.stars[frame].n
    return run.why.get(frame, f"{found} stars found, {FEWEST} needed")


def _detect(run: _Run) -> dict[str, StepResult | FrameError]:
    """Find the stars of all frames; return the frames that cannot be read."""
    jobs = [DetectJob(t.source, run.params.threshold, run.params.max_stars) for t in run.group.frames]
    answers = run.context.map(detect_frame, jobs, f"astrometry {run.group.key}: detect")
    results: dict[str, StepResult | FrameError] = {}
    for task, answer in zip(run.group.frames, answers, strict=True):
        if isinstance(answer, Failure):
            results[task.frame] = _or_failure(answer, task)
        else:
            run.stars[task.frame] = answer
    return results


def _solve(run: _Run, jobs: dict[str, SolveJob], name: str, label: str) -> list[str]:
    """Solve frames in the workers; return those that were solved."""
    answers = run.context.map(solve_frame, list(jobs.values()), f"astrometry {run.group.key}: {label}")
    done = []
    for frame, answer in zip(jobs, answers, strict=True):
        if isinstance(answer, Solved):
            run.solved[frame], run.name[frame] = answer, name
            done.append(frame)
        else:
            run.why[frame] = str(answer.error) if isinstance(answer, Failure) else answer.reason
    return done


def _fields(run: _Run, frames: Sequence[str], which: int = 0) -> list[tuple[float, float, float, list[str]]]:
    """Group frames by where a first guess puts them: centre and radius in degrees.

    They are rounded, so that the filters of a target share a cone.
    """
    fields: list[tuple[float, float, float, list[str]]] = []
    placed = [(f, run.stars[f].centres[which]) for f in frames if len(run.stars[f].centres) > which]
    while placed:
        ra, dec = placed[0][1]
        inside = separation(ra, dec, np.array([c[0] for _, c in placed]), np.array([c[1] for _, c in placed])) < 0.3
        near = [p for p, keep in zip(placed, inside, strict=True) if keep]
        placed = [p for p, keep in zip(placed, inside, strict=True) if not keep]
        ra, dec = round(ra, 2) % 360, round(dec, 2)
        reach = float(separation(ra, dec, np.array([c[0] for _, c in near]), np.array([c[1] for _, c in near])).max())
        radius = reach + max(run.stars[f].radius for f, _ in near) + run.params.pointing / 60
        fields.append((ra, dec, float(np.ceil(radius * 20) / 20), [f for f, _ in near]))
    return fields


def _solve_with_catalogue(run: _Run) -> str:
    """Solve what the reference catalogue solves; return why there is no catalogue, empty when there was one."""
    reason = "" if run.open else "no stars"
    for wide, which in ((False, 0), (False, 1), (True, 0), (True, 1)):
        if wide and not run.params.wide:
            break
        for ra, dec, radius, frames in _fields(run, run.open, which):
            catalogue, told = run.cone(ra, dec, radius + (_WIDER if wide else 0.0))
            if catalogue is None:
                reason = told
                continue
            limits = replace(run.limits, wide=wide, near=not wide)
            jobs = {f: _job(run, run.stars[f], catalogue, limits) for f in frames}
            _solve(run, jobs, catalogue.name, "search wider" if wide else "solve")
    if run.open and not any(run.stars[f].centres for f in run.open):
        reason = reason or "the header tells no position"
    return reason


def _job(run: _Run, stars: Stars, catalogue: ReferenceCatalog, limits: Limits) -> SolveJob:
    ra, dec = catalogue.at_epoch(stars.year)
    mag = brightness(catalogue.magnitudes, _bands_near(run.group.filter), len(catalogue))
    if len(ra) > _MOST_STARS:
        few = np.argsort(np.nan_to_num(mag, nan=99.0), kind="stable")[:_MOST_STARS]
        ra, dec, mag = ra[few], dec[few], mag[few]
    return SolveJob(stars, ra, dec, mag if np.isfinite(mag).any() else None, limits, run.distortion)


def _bands_near(filter_name: str) -> tuple[str, ...]:
    """Return the bands by nearness in wavelength to a filter."""
    band = band_of(filter_name)
    place_ = _BY_WAVELENGTH.index(band) if band in _BY_WAVELENGTH else _BY_WAVELENGTH.index("r")
    return tuple(sorted(_BY_WAVELENGTH, key=lambda b: abs(_BY_WAVELENGTH.index(b) - place_)))


def _share_distortion(run: _Run) -> None:
    """Find the distortion common to the frames and solve them again with it held."""
    turn = float(np.median([run.stars[f].turn for f in run.solved]))
    alike = [f for f in run.solved if abs((run.stars[f].turn - turn + 180) % 360 - 180) < 0.5
             and run.stars[f].shape == run.stars[next(iter(run.solved))].shape]
    if len(alike) < 2:
        return
    pairs = tuple(run.solved[f].pairs for f in alike)
    job = DistortionJob(pairs, run.solved[alike[0]].corners, run.solved[alike[0]].axis)
    surface = run.context.map(find_common_distortion, [job], f"astrometry {run.group.key}: distortion")[0]
    if not isinstance(surface, Surface):
        return
    run.distortion = surface
    before = dict(run.solved)
    by_name = {run.name[f] for f in alike}
    for ra, dec, radius, frames in _fields(run, alike):
        catalogue, _ = run.cone(ra, dec, radius)
        if catalogue is None or catalogue.name not in by_name:
            continue
        jobs = {f: _job(run, run.stars[f], catalogue, run.limits) for f in frames}
        _solve(run, jobs, catalogue.name, "solve with the common distortion")
    # A frame that the common distortion does not suit keeps its own solution.
    for frame in alike:
        if run.solved[frame].matched < 0.8 * before[frame].matched:
            run.solved[frame] = before[frame]
    run.why = {f: w for f, w in run.why.items() if f not in run.solved}


def _placed(run: _Run, frame: str) -> Placed:
    stars = run.stars[frame]
    return place(wcs_of(run.solved[frame].cards), stars.x, stars.y, stars.flux, stars.sigma)


def _tie_jobs(run: _Run, placed: Sequence[Placed], frames: Sequence[str], shared: str | None) -> dict[str, SolveJob]:
    """Return the jobs that tie frames to the stars of others."""
    if not frames or not placed:
        return {}
    first = run.stars[frames[0]]
    mosaic = make_mosaic(placed, 2.5 * first.scale)
    jobs = {}
    for frame in frames:
        stars = run.stars[frame]
        model = shared or (next(iter(run.solved)) if not stars.centres else None)
        cards = None if model is None else run.solved[model].cards
        limits = tie_limits(stars.shape, stars.scale)
        jobs[frame] = SolveJob(stars, mosaic.ra, mosaic.dec, mosaic.magnitude, limits, shared=cards)
    return jobs


def _tie_to_solved(run: _Run) -> None:
    """Tie the frames that the catalogue did not solve to those that it did."""
    while run.open:
        anchors = [f for f in run.solved if run.stars[f].shape == run.stars[run.open[0]].shape] or list(run.solved)
        best = max(anchors, key=lambda f: run.solved[f].matched)
        before = dict(run.why)
        jobs = _tie_jobs(run, [_placed(run, f) for f in anchors], run.open, best)
        done = _solve(run, jobs, f"{run.name[best]}, by other frames", "tie")
        for frame in done:
            run.note[frame] = f"too few catalogue stars of its own: tied to {len(anchors)} solved frames"
        run.why.update({f: f"{before[f]}; nor does it overlap a solved frame" for f in run.open if f in before})
        if not done:
            return


def _align(run: _Run, reason: str, least: int = 1) -> None:
    """Align the frames to each other, each connected set about the first guess of its richest frame.

    Sets of fewer than `least` frames are given up: where other frames were solved, one that was not and that nothing
    confirms had better not be stacked.
    """
    because = "no reference catalogue" if reason else "no match with the reference catalogue"
    if reason and run.open:
        run.context.reporter.message(f"{run.group.key}: no reference catalogue ({reason})", "warning")
    number = 0
    while run.open:
        number += 1
        hub = max(run.open, key=lambda f: run.stars[f].n)
        first = next((f for f, n in run.component.items() if n == 1), None)
        start = unsolved(run.stars[hub], run.stars[first] if first is not None else None)
        run.solved[hub], run.component[hub] = start, number
        members, fresh = [hub], [hub]
        while fresh and run.open:
            jobs = _tie_jobs(run, [_placed(run, f) for f in members], run.open, None)
            fresh = _solve(run, jobs, "relative", "align")
            members += fresh
        if len(members) < least:
            del run.solved[hub], run.component[hub]
            run.lost.add(hub)
            number -= 1
            continue
        for frame in members:
            run.name[frame], run.component[frame] = "relative", number
            others = "1 other frame" if len(members) == 2 else f"{len(members) - 1} other frames"
            run.note[frame] = f"{because}: aligned relative to {others}"
        if len(members) == 1:
            run.note[hub] = f"{because}: no other frame overlaps, the header's position stands"
        else:
            _refine_alignment(run, members)


def _refine_alignment(run: _Run, members: list[str]) -> None:
    """Bring the frames of a connected set into line at once; the first keeps its place."""
    job = AlignJob(tuple(run.stars[f] for f in members), tuple(run.solved[f] for f in members))
    answer = run.context.map(align_all, [job], f"astrometry {run.group.key}: align all")[0]
    if not isinstance(answer, Failure):
        run.solved.update(zip(members, answer, strict=True))


def _write_job(run: _Run, task: FrameTask) -> WriteJob:
    solved, stars = run.solved[task.frame], run.stars[task.frame]
    name = run.name[task.frame]
    if name == "relative":
        history = f"WCS relative to the other frames, {solved.matched} stars; {run.note[task.frame]}"
    else:
        history = f"WCS from {solved.matched} stars of {name}, order {solved.order}"
    return WriteJob(task, solved, name, stars.seeing, stars.n, history[:200], run.component.get(task.frame, 0),
                    run.note.get(task.frame, ""))


