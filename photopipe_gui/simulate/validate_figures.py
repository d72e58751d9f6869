"""What is asked of a reduced night, and what it reached: one figure a line."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .score import AstrometryScore, NightScore, ZeroPointScore
from .validate_sky import DepthScore, SkyScore

#: A solution further off than this (px) is of another place.
WRONG = 3.0
_MEDIAN_OVER_BEST, _CLIPPED_OVER_BEST = 1.26, 1.1
_FEWEST_STARS = 8


@dataclass(frozen=True)
class Figure:
    """One figure: what is measured, the limit, whether it is the least or the most, what was reached, and on what.

    A figure that could not be measured (NaN) is not met when ``needed``, and left out of the count otherwise.
    """

    topic: str
    name: str
    asked: float
    reached: float
    least: bool = False
    unit: str = ""
    sample: str = ""
    needed: bool = False

    @property
    def measured(self) -> bool:
        """Whether there is a number."""
        return math.isfinite(self.reached)

    @property
    def met(self) -> bool:
        """Whether the figure is reached; one that could not be measured counts as met unless it is needed."""
        if not self.measured:
            return not self.needed
        return self.reached >= self.asked if self.least else self.reached <= self.asked

    @property
    def sign(self) -> str:
        """``>=`` or ``<=``."""
        return ">=" if self.least else "<="


def _known(values: Iterable[float]) -> np.ndarray:
    found = np.array([value for value in values if math.isfinite(value)], dtype=float)
    return found


def _of(values: Iterable[float], statistic: Callable[[np.ndarray], float]) -> float:
    """Return a statistic of the numbers that are known; NaN when none is."""
    known = _known(values)
    return float(statistic(known)) if known.size else math.nan


def master_figures(score: NightScore, method: str) -> list[Figure]:
    """Return the error of each kind of master over the best that its frames allow: the worst master counts."""
    limit = _MEDIAN_OVER_BEST if method == "median" else _CLIPPED_OVER_BEST
    figures = []
    for kind in ("bias", "dark", "flat"):
        masters = [one for one in score.masters if one.kind == kind]
        if masters:
            worst = max(masters, key=lambda one: one.ratio)
            name = f"{kind}: rms error over the best ({method}), worst master"
            figures.append(Figure("masters", name, limit, worst.ratio, sample=f"{len(masters)}, worst {worst.key}"))
    return figures


def sky_figures(sky: Sequence[SkyScore]) -> list[Figure]:
    """Return what is left of the sky, by filter."""
    figures = []
    for name in sorted({one.filter for one in sky}):
        frames = [one for one in sky if one.filter == name]
        worst = _of((one.residual for one in frames), np.max)
        figures.append(Figure("sky", f"{name}: residual on 32 px, worst frame", 0.2, worst, unit="sky noise",
                              sample=f"{len(frames)} frames"))  # fmt: skip
    return figures


def cosmic_figures(score: NightScore) -> list[Figure]:
    """Return completeness and star pixels touched, over all frames."""
    hits = sum(one.hits for one in score.cosmics)
    stars = sum(one.star_pixels for one in score.cosmics)
    found = sum(one.found for one in score.cosmics) / hits if hits else math.nan
    touched = sum(one.star_pixels_touched for one in score.cosmics) / stars if stars else math.nan
    return [
        Figure("cosmic rays", "hits over 10 sigma found", 0.95, found, True, sample=f"{hits} hits"),
        Figure("cosmic rays", "star pixels touched", 0.001, touched, sample=f"{stars} star pixels"),
    ]


def star_noise(frame: AstrometryScore) -> float:
    """Return the median error (px) of a WCS of five numbers an axis that the residuals of its stars allow.

    The variance of a least-squares fit of p numbers to n stars is p / n of a star's, on average over them; the length
    of a vector with Gaussian components has its median at 1.18 of their scatter.
    """
    if not frame.matched or not math.isfinite(frame.stated):
        return 0.0
    return 1.18 * frame.stated * math.sqrt(5 / frame.matched)


def astrometry_figures(score: NightScore, science: int) -> list[Figure]:
    """Return frames solved, wrong solutions and errors.

    Parameters
    ----------
    science : int
        Science frames that the night has, halves of split cameras counted once each.
    """
    absolute = [one for one in score.astrometry if one.catalogue]
    wrong = [one for one in absolute if one.median > WRONG]
    share = len(absolute) / science if science else math.nan
    figures = [
        Figure("astrometry", "frames solved against the catalogue", 1.0, share, True, sample=f"of {science}",
               needed=True),
        Figure("astrometry", f"wrong solutions (off by more than {WRONG:g} px)", 0, len(wrong),
               sample=f"of {len(absolute)}"),
    ]  # fmt: skip
    for name in sorted({one.filter for one in absolute}):
        frames = [one for one in absolute if one.filter == name and one.matched >= _FEWEST_STARS]
        noise = _of((star_noise(one) for one in frames), np.median)
        limit = max(0.03, noise) if math.isfinite(noise) else 0.03
        stars = _of((one.matched for one in frames), np.median)
        figures.append(Figure("astrometry", f"{name}: median error (0.03, or the stars' noise)", round(limit, 4),
                              _of((one.median for one in frames), np.median), unit="px",
                              sample=f"{len(frames)} frames, {stars:.0f} stars"))  # fmt: skip
    return figures


def pull(one: ZeroPointScore) -> float:
    """Return a zero point's error in units of its stated error."""
    return one.error / one.stated if one.stated > 0 else math.nan


def zero_point_figures(score: NightScore) -> list[Figure]:
    """Return the error of zero points by filter, and the width of their pulls over all."""
    figures = []
    for name in sorted({one.filter for one in score.zero_points}):
        frames = [one for one in score.zero_points if one.filter == name]
        error = abs(_of((one.error for one in frames), np.median))
        stated = _of((one.stated for one in frames), np.median)
        limit = max(0.005, stated) if math.isfinite(stated) else 0.005
        figures.append(Figure("zero points", f"{name}: median error (0.005, or the stated error)", round(limit, 4),
                              error, unit="mag", sample=f"{len(frames)} frames"))  # fmt: skip
    pulls = _known(pull(one) for one in score.zero_points)
    width = float(np.sqrt(np.mean(pulls**2))) if pulls.size else math.nan
    beyond = float(np.mean(np.abs(pulls) > 2)) if pulls.size else math.nan
    sample = f"{pulls.size} frames"
    figures.append(Figure("zero points", "pulls: rms of error over stated error", 1.3, width, sample=sample))
    figures.append(Figure("zero points", "share beyond 2 sigma of the stated error", 0.05, beyond, sample=sample))
    return figures


def coadd_figures(score: NightScore, depth: Sequence[DepthScore]) -> list[Figure]:
    """Return photometry, noise, sharpness and leftovers of the coadds, by filter."""
    figures = [Figure("coadds", "coadds made", 1, len(score.coadds), True, needed=True)]
    for one in score.coadds:
        sample = f"{one.frames} frames, {one.stars} stars"
        stars = 1.2533 * one.scatter / math.sqrt(one.stars) if one.stars else math.nan
        limit = max(0.005, 2 * stars) if math.isfinite(stars) else 0.005
        figures.append(Figure("coadds", f"{one.filter}: photometry, median error (0.005, or 2 sigma of the stars')",
                              round(limit, 4), abs(one.offset), unit="mag", sample=sample))  # fmt: skip
    for deep in depth:
        sample = f"{deep.frames} frames"
        figures += [
            Figure("coadds", f"{deep.filter}: noise over the optimum", 1.03, deep.noise_ratio, sample=sample),
            Figure("coadds", f"{deep.filter}: FWHM over the frames' mean", 1.03, deep.fwhm_ratio, sample=sample),
        ]
        if deep.frames >= 5:
            figures.append(Figure("coadds", f"{deep.filter}: empty pixels off by 6 sigma", 1e-5, deep.leftovers,
                                  sample=sample))  # fmt: skip
    return figures


def all_figures(
    score: NightScore, sky: Sequence[SkyScore], depth: Sequence[DepthScore], science: int, method: str
) -> list[Figure]:
    """Return every figure of a night."""
    return [
        *master_figures(score, method),
        *sky_figures(sky),
        *cosmic_figures(score),
        *astrometry_figures(score, science),
        *zero_point_figures(score),
        *coadd_figures(score, depth),
    ]
