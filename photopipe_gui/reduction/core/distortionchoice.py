"""Which distortion the stars justify: none, along the radius, or a polynomial; for one frame or common to several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .distortion import (
    HIGHEST_ORDER,
    Fit,
    Floats,
    Surface,
    design,
    fit_radial,
    fit_surface,
    radial_terms,
    terms,
)

#: A richer map must explain more than chance would with this probability (F-test). Every camera has some distortion
#: along the radius and the one or two parameters cost little; a polynomial that is not needed spoils the corners.
_SIGNIFICANCE = 1e-5
_SIGNIFICANCE_RADIAL = 1e-2
#: A map whose error in a corner exceeds three times that of one star is not admitted.
_MOST_LEVERAGE = 9.0
_FEWEST_FOR_RADIAL = {"r2": 8, "r2 r4": 14, "r2 axis": 16, "r2 r4 axis": 20}

#: here (n, 2), there (n, 2), sigma (n,), star (n,): matched positions in px, their errors, and which star each is.
Pairs = tuple[Floats, Floats, Floats, NDArray[np.intp]]


@dataclass(frozen=True)
class Choice:
    """A kind of map: a fixed distortion first, then a polynomial of an order."""

    order: int = 1
    bend: Surface | None = None


def choose_map(
    here: Floats, there: Floats, sigma: Floats, corners: Floats, axis: Floats, *, highest: int = HIGHEST_ORDER,
    share: float = 1.0,
) -> Choice:
    """Return the map that the pairs justify.

    A map is admitted when there are two and a half pairs for each term of a polynomial and its error nowhere in the
    frame exceeds three times that of a single star. It replaces a simpler one when the leave-one-out residual falls
    (PRESS: residual / (1 - leverage)) and the F-test gives chance less than 1e-5 (catalogue errors and blends have
    longer tails than that test supposes), 1e-2 for distortion along the radius: one to four parameters, found
    long before a polynomial of twenty.

    Parameters
    ----------
    here, there, sigma, corners
        As for `fit_surface`.
    axis : ndarray, shape (2,)
        Where the optical axis is taken to be, in the plane of `here`.
    highest : int
        Highest order tried; 1 for a linear map.
    share : float
        Independent pairs over pairs: below 1 where frames see the same catalogue stars, with the same errors.
    """
    from scipy.stats import f as f_distribution

    linear = fit_surface(here, there, sigma, 1, corners)
    fits: dict[int, Fit] = {1: linear}
    for order in range(2, highest + 1):
        if len(here) * share < 2.5 * terms(order):
            break
        fit = fit_surface(here, there, sigma, order, corners)
        if fit.leverage <= _MOST_LEVERAGE * share:
            fits[order] = fit
    # All maps are judged on the pairs of the most flexible, since a stiff one rejects what it cannot follow, but with
    # the scatter of the stiffest: a flexible one runs through the brightest stars and then takes them for exact.
    used = fits[max(fits)].used
    variance = sigma[used] ** 2 + linear.scatter**2
    root = np.sqrt(np.median(variance) / variance)
    number = float(used.sum()) * share
    centre = corners.mean(axis=0)
    scale = float(np.abs(corners - centre).max())
    points, target = (here[used] - centre) / scale, there[used]
    trials: list[tuple[int, str]] = [(1, "")]
    if highest > 1:
        trials += [(1, kind) for kind, fewest in _FEWEST_FOR_RADIAL.items() if number >= fewest]
    trials += [(order, "") for order in fits if order > 1]
    best, best_press, best_sum, best_size = (1, ""), np.inf, np.inf, 0
    for trial in trials:
        matrix = _stacked(points, trial, _gradient(linear), here[used], axis, scale)
        press, total = _press(matrix, target, root, share)
        size = matrix.shape[1]
        if best_size:
            freedom = 2 * number - size
            if freedom <= 0 or press >= best_press or size <= best_size:
                continue
            ratio = ((best_sum - total) / (size - best_size)) / max(total / freedom, 1e-300)
            limit = _SIGNIFICANCE_RADIAL if trial[1] else _SIGNIFICANCE
            if ratio <= 0 or f_distribution.sf(ratio, size - best_size, freedom) > limit:
                continue
        best, best_press, best_sum, best_size = trial, press, total, size
    if not best[1]:
        return Choice(best[0])
    return Choice(1, fit_radial(here[used], target, root, axis, scale, best[1]))


def _gradient(linear: Fit) -> Floats:
    """Return the matrix of a linear map."""
    return np.asarray(linear.surface.coefficients[1:3].T / linear.surface.scale)


def _stacked(
    points: Floats, trial: tuple[int, str], gradient: Floats, here: Floats, axis: Floats, scale: float
) -> Floats:
    """Return the design of both coordinates, one below the other: polynomial terms, and radial ones in common."""
    order, kind = trial
    bends = radial_terms(here, axis, scale, kind) if kind else []
    block = design(points, order)
    n, m = block.shape
    matrix = np.zeros((2 * n, 2 * m + len(bends)))
    matrix[:n, :m], matrix[n:, m : 2 * m] = block, block
    for k, term in enumerate(bends):
        matrix[:, 2 * m + k] = (term @ gradient.T).T.ravel()
    return matrix


def _press(matrix: Floats, there: Floats, root: Floats, share: float) -> tuple[float, float]:
    """Return the leave-one-out mean square and the plain sum of squares, weighted by the square of `root`."""
    double = np.tile(root, 2)
    q, _ = np.linalg.qr(matrix * double[:, None])
    target = there.T.ravel() * double
    residual = target - q @ (q.T @ target)
    lever = np.clip((q**2).sum(axis=1) / share, 0, 0.999)
    return float(((residual / (1 - lever)) ** 2).mean()), float((residual**2).sum())


def common_distortion(
    pairs: Sequence[Pairs], corners: Floats, axis: Floats, highest: int = HIGHEST_ORDER
) -> Surface | None:
    """Return the distortion that several frames share, or None where they show none.

    Parameters
    ----------
    pairs : sequence of Pairs
        Of each frame; each has a linear map of its own.
    corners : ndarray, shape (m, 2)
        Points that span the frame.
    axis : ndarray, shape (2,)
        Where the optical axis is taken to be.

    Returns
    -------
    Surface or None
        Map of the frame's plane onto an undistorted one, to be followed by a linear map.
    """
    frames = [frame for frame in pairs if len(frame[0]) >= 5]
    if not frames:
        return None
    stars = np.concatenate([frame[3] for frame in frames])
    share = len(np.unique(stars)) / len(stars)
    surface: Surface | None = None
    for _ in range(3):
        reduced = [_without_linear(*frame[:3], corners, surface) for frame in frames]
        here, there, sigma = (np.concatenate(column) for column in zip(*reduced, strict=True))
        choice = choose_map(here, there, sigma, corners, axis, highest=highest, share=share)
        if choice.bend is not None:
            surface = choice.bend
        elif choice.order > 1:
            surface = fit_surface(here, there, sigma, choice.order, corners).surface
        else:
            return None
    return surface


def _without_linear(
    here: Floats, there: Floats, sigma: Floats, corners: Floats, distortion: Surface | None
) -> tuple[Floats, Floats, Floats]:
    """Carry a frame's targets back by its linear map, so that those of all frames share one plane."""
    fit = fit_surface(here, there, sigma, 1, corners, fixed=distortion)
    gradient = _gradient(fit)
    constant = fit.surface.coefficients[0] - gradient @ fit.surface.centre
    back = (there - constant) @ np.linalg.inv(gradient).T
    return here[fit.used], back[fit.used], sigma[fit.used]
