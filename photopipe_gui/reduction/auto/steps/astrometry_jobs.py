"""What the astrometry step does in the workers: detect, solve, find the common distortion, write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....errors import FrameError
from ...core.detect import (
    FLAG_BLEND,
    FLAG_EDGE,
    FLAG_MASKED,
    FLAG_SATURATED,
    Sources,
    detect,
    measure_seeing,
)
from ...core.distortion import Surface
from ...core.distortionchoice import Pairs, common_distortion
from ...core.relative import adjust, corrected, place
from ...core.skyplane import frame_points, from_plane, to_plane
from ...core.wcsfit import Limits, Refusal, Solution, solve
from ...fitsio import read_frame, write_frame
from ...frame import Mask
from ..tasks import FrameTask, StepResult, finish_header
from ..wcsheader import Cards, guess_cards, guesses, moved_to, solution_cards, wcs_of, with_solution

Floats = NDArray[np.float64]

_UNUSABLE = int(Mask.BAD | Mask.NODATA | Mask.COSMIC)
FEWEST = 5


@dataclass(frozen=True)
class DetectJob:
    """A frame to detect stars in."""

    path: Path
    threshold: float
    most: int


@dataclass(frozen=True)
class Stars:
    """The stars of a frame and what its header says of its place.

    Attributes
    ----------
    x, y, flux, sigma : ndarray
        Brightest first, zero-based px; sigma in px.
    seeing : float
        FWHM, px; NaN without stars.
    shape : tuple
        Rows and columns.
    cards : dict
        First guess, see `wcsheader.guess_cards`.
    year : float
        Julian year of the exposure, NaN when unknown.
    centres : tuple of tuple of float
        Sky position of the frame's centre by each first guess, degrees; empty when the header tells none.
    radius : float
        Half the diagonal, degrees.
    scale : float
        Degrees per pixel by the guess.
    turn : float
        Angle of the x axis on the sky by the guess, degrees.
    """

    x: Floats
    y: Floats
    flux: Floats
    sigma: Floats
    seeing: float
    shape: tuple[int, int]
    cards: Cards
    year: float
    centres: tuple[tuple[float, float], ...]
    radius: float
    scale: float
    turn: float

    @property
    def n(self) -> int:
        """Number of stars."""
        return len(self.x)


@dataclass(frozen=True)
class SolveJob:
    """A frame to solve against positions that are true for its epoch.

    ``shared`` is a WCS of the same camera (cards), whose scale, rotation and distortion serve better than the header's.
    """

    stars: Stars
    ra: Floats
    dec: Floats
    mag: Floats | None
    limits: Limits
    distortion: Surface | None = None
    shared: Cards | None = None


@dataclass(frozen=True)
class Solved:
    """A frame's solution as plain values."""

    cards: Cards
    rms1: float
    rms2: float
    matched: int
    shift: float
    rotation: float
    flipped: bool
    order: int
    pairs: Pairs
    corners: Floats
    axis: Floats


@dataclass(frozen=True)
class WriteJob:
    """A product to write."""

    task: FrameTask
    solved: Solved
    catalogue: str
    seeing: float
    n_stars: int
    history: str
    group: int
    note: str


def year_of(date: str) -> float:
    """Return the Julian year of an ISO date, NaN when it is none."""
    from astropy.time import Time

    try:
        return float(Time(date.strip().rstrip("Z"), scale="utc").jyear)
    except Exception:
        return float("nan")


def detect_frame(job: DetectJob) -> Stars:
    """Find a frame's stars.

    Raises
    ------
    FrameError
        When the file cannot be read.
    """
    frame = read_frame(job.path)
    found = detect(
        frame.image, frame.mask & _UNUSABLE, threshold=job.threshold, gain=_positive(frame.header.get("GAIN")),
        saturated=(frame.mask & int(Mask.SATURATED)) != 0,
    )
    found = found.take(slice(job.most))
    shape = (int(frame.image.shape[0]), int(frame.image.shape[1]))
    cards = guess_cards(frame.header)
    centres, radius, scale, turn = _geometry(cards, shape)
    seeing = measure_seeing(found)
    sigma = np.hypot(np.clip(found.centroid_sigma(), 0.01, 2.0), _spoilt(found, shape, seeing))
    return Stars(found.x, found.y, found.flux, sigma, seeing, shape, cards,
                 year_of(str(frame.header.get("DATE-OBS", ""))), centres, radius, scale, turn)


def _spoilt(found: Sources, shape: tuple[int, int], seeing: float) -> Floats:
    """Return the error in px to fear where a star is saturated, blended, cut by the edge or by masked pixels."""
    near = 1.2 * seeing if np.isfinite(seeing) else 4.0
    edge = np.minimum.reduce([found.x, found.y, shape[1] - 1 - found.x, shape[0] - 1 - found.y]) < near
    blended = np.where(found.flags & FLAG_BLEND, 0.1, 0.0)
    cut = np.where(edge | ((found.flags & (FLAG_EDGE | FLAG_MASKED)) != 0), 0.4, 0.0)
    return np.asarray(np.maximum.reduce([blended, cut, np.where(found.flags & FLAG_SATURATED, 0.3, 0.0)]))


def _positive(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) and number > 0 else None


def _geometry(cards: Cards, shape: tuple[int, int]) -> tuple[tuple[tuple[float, float], ...], float, float, float]:
    """Return the centre by each first guess; half diagonal, scale in degrees, and angle by the likeliest."""
    options = guesses(cards, shape)
    scale = _positive(cards.get("PIXSCALE")) or 0.3
    if not options:
        return (), 0.5 * float(np.hypot(*shape)) * scale / 3600, scale / 3600, 0.0
    matrix = options[0].pixel_scale_matrix
    step = float(np.sqrt(abs(np.linalg.det(matrix))))
    middles = [wcs.all_pix2world([(shape[1] - 1) / 2], [(shape[0] - 1) / 2], 0) for wcs in options]
    centres = tuple((float(ra[0]), float(dec[0])) for ra, dec in middles)
    turn = float(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])))
    return centres, 0.5 * float(np.hypot(*shape)) * step, step, turn


def first_guesses(stars: Stars, shared: Cards | None = None) -> list[Any]:
    """Return the frame's first guesses; with a shared WCS that one, moved to where each guess puts the frame."""
    own = guesses(stars.cards, stars.shape)
    if shared is None:
        return own
    model = wcs_of(shared)
    if not own:
        return [model]
    x, y = (stars.shape[1] - 1) / 2, (stars.shape[0] - 1) / 2
    here = [float(v[0]) for v in model.all_pix2world([x], [y], 0)]
    moved = []
    for guess in own:
        ra, dec = (float(v[0]) for v in guess.all_pix2world([x], [y], 0))
        xi, eta = to_plane(np.array([model.wcs.crval[0]]), np.array([model.wcs.crval[1]]), here[0], here[1])
        crval = from_plane(xi, eta, ra, dec)
        moved.append(moved_to(model, float(crval[0][0]), float(crval[1][0])))
    return moved


def solve_frame(job: SolveJob) -> Solved | Refusal:
    """Solve a frame from each of its first guesses in turn."""
    stars = job.stars
    if stars.n < FEWEST:
        return Refusal(f"{stars.n} stars found, {FEWEST} needed")
    options = first_guesses(stars, job.shared)
    if not options:
        return Refusal("the header tells neither a position nor a WCS")
    answer: Solution | Refusal = Refusal("not tried")
    for guess in options:
        tried = solve(stars.x, stars.y, stars.flux, job.ra, job.dec, job.mag, guess, stars.shape, job.limits,
                      sigma=stars.sigma, distortion=job.distortion)
        if isinstance(tried, Solution):
            return as_solved(tried)
        if isinstance(answer, Refusal) and (answer.reason == "not tried" or tried.log10_false < answer.log10_false):
            answer = tried
    assert isinstance(answer, Refusal)
    return answer


def as_solved(solution: Solution) -> Solved:
    """Return a solution as plain values."""
    return Solved(
        solution_cards(solution.wcs), solution.rms1, solution.rms2, solution.n_matched, solution.shift,
        solution.rotation, solution.flipped, solution.order, solution.plane_pairs, solution.plane_corners,
        solution.plane_axis,
    )


def unsolved(stars: Stars, anchor: Stars | None = None) -> Solved:
    """Return the first guess as it stands, for a frame that all others are tied to.

    Where the finder's solved position is known for this frame and for the anchor of the first set of frames, their
    difference places the frame better than the header's pointing.
    """
    options = first_guesses(stars)
    if options and anchor is not None:
        options = [_by_finder(options[0], stars, anchor)]
    if not options:
        from ...core.skyplane import linear_wcs

        centre = ((stars.shape[1] + 1) / 2, (stars.shape[0] + 1) / 2)
        options = [linear_wcs(0.0, 0.0, centre, np.array([[-1.0, 0.0], [0.0, 1.0]]) * stars.scale)]
    cards = _as_tan(options[0], stars.shape)
    none = np.zeros((0, 2))
    no_pairs = (none, none, np.zeros(0), np.zeros(0, np.intp))
    return Solved(cards, float("nan"), float("nan"), 0, 0.0, 0.0, False, 1, no_pairs, none, np.zeros(2))


def _by_finder(guess: Any, stars: Stars, anchor: Stars) -> Any:
    """Move a guess so that it lies from the anchor's as the finder's positions lie from each other."""
    keys = ("SOLVRA", "SOLVDEC")
    base = first_guesses(anchor)
    try:
        here, there = ([float(s.cards[k]) for k in keys] for s in (stars, anchor))
    except (KeyError, ValueError):
        return guess
    if not base or not np.isfinite([*here, *there]).all():
        return guess
    ra, dec = base[0].wcs.crval[0] + here[0] - there[0], base[0].wcs.crval[1] + here[1] - there[1]
    believable = abs((ra - guess.wcs.crval[0] + 180) % 360 - 180) < 0.1 and abs(dec - guess.wcs.crval[1]) < 0.1
    return moved_to(guess, float(ra % 360), float(dec)) if believable else guess


def _as_tan(guess: Any, shape: tuple[int, int]) -> Cards:
    """Write any guess in the form of the solutions."""
    from ...core.skyplane import has_distortion, wcs_from_grid

    curved = has_distortion(guess, shape)
    grid = frame_points(shape, 21 if curved else 5)
    ra, dec = guess.all_pix2world(grid[:, 0], grid[:, 1], 0)
    return solution_cards(wcs_from_grid(shape, grid, ra, dec, 3 if curved else 1))


@dataclass(frozen=True)
class AlignJob:
    """A connected set of frames that were tied to each other one by one."""

    stars: tuple[Stars, ...]
    solved: tuple[Solved, ...]


def align_all(job: AlignJob) -> tuple[Solved, ...]:
    """Bring the frames into line at once; the first stays."""
    placed = [
        place(wcs_of(done.cards), s.x, s.y, s.flux, s.sigma) for s, done in zip(job.stars, job.solved, strict=True)
    ]
    answers = []
    for s, done, correction in zip(job.stars, job.solved, adjust(placed, job.stars[0].scale), strict=True):
        cards = solution_cards(corrected(wcs_of(done.cards), s.shape, correction))
        rms = (float(correction.rms[0]), float(correction.rms[1]))
        answers.append(replace(done, cards=cards, rms1=rms[0], rms2=rms[1], matched=correction.matched))
    return tuple(answers)


@dataclass(frozen=True)
class DistortionJob:
    """Pairs of all frames of a camera, what spans its frame, and its optical axis."""

    pairs: tuple[Pairs, ...]
    corners: Floats
    axis: Floats


def find_common_distortion(job: DistortionJob) -> Surface | None:
    """Return the distortion that the frames share."""
    return common_distortion(job.pairs, job.corners, job.axis)


def write_solution(job: WriteJob) -> StepResult:
    """Write the product: the same pixels and mask under the new WCS.

    Raises
    ------
    FrameError
        When the frame cannot be read.
    """
    frame = read_frame(job.task.source)
    header = with_solution(frame.header, job.solved.cards)
    year = year_of(str(header.get("DATE-OBS", "")))
    if np.isfinite(year) and "MJD-OBS" not in header:
        # Readers of the WCS derive it from DATE-OBS otherwise, each with a warning.
        header["MJD-OBS"] = (51544.5 + (year - 2000.0) * 365.25, "start of exposure")
    measured: dict[str, float | int | str | bool] = {}
    if np.isfinite(job.solved.rms1):
        header["ASTRRMS1"] = (job.solved.rms1, "residual of the stars used along RA, deg")
        header["ASTRRMS2"] = (job.solved.rms2, "residual of the stars used along Dec, deg")
        measured.update(ASTRRMS1=job.solved.rms1, ASTRRMS2=job.solved.rms2)
    header["ASTRNMAT"] = (job.solved.matched, "stars used for the WCS")
    header["ASTRCAT"] = (job.catalogue[:60], "reference positions of the WCS")
    header["ASTRORD"] = (job.solved.order, "order of the map fitted on the first guess")
    measured.update(ASTRNMAT=job.solved.matched, ASTRCAT=job.catalogue[:60], NSTARS=job.n_stars)
    if job.group:
        header["ASTRGRP"] = (job.group, "frames of one number are aligned to each other")
        measured["ASTRGRP"] = job.group
    if np.isfinite(job.seeing):
        header["SEEFWHM"] = (round(job.seeing, 3), "FWHM of the stars, px")
        measured["FWHM"] = round(job.seeing, 3)
    measured.update(SHIFT=round(job.solved.shift, 2), ROTATION=round(job.solved.rotation, 4))
    frame.header = finish_header(header, job.task.cards, "astrometry", job.history)
    write_frame(job.task.target, frame)
    return StepResult(measured, job.task.target, reason=job.note)


def refused(task: FrameTask, reason: str) -> FrameError:
    """Return the failure of a frame in words."""
    return FrameError(task.source, reason, "Look at the frame; if it is good, give a catalogue with --refcat.")


def brightness(magnitudes: Mapping[str, tuple[Floats, Floats]], bands: tuple[str, ...], n: int) -> Floats:
    """Return one magnitude a star for ranking: the first band that has it, the others shifted to it by the median."""
    out = np.full(n, np.nan)
    for band in (*bands, *magnitudes):
        if band not in magnitudes:
            continue
        mag = np.asarray(magnitudes[band][0], dtype=float)
        both = np.isfinite(out) & np.isfinite(mag)
        offset = float(np.median(out[both] - mag[both])) if both.any() else 0.0
        out = np.where(np.isfinite(out), out, mag + offset)
    return out
