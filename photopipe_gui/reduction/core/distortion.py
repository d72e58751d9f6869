"""Polynomials between two planes: fitted with weights and rejection, of an order that the stars themselves justify."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: A higher order must explain this much more than chance would (F-test).
_SIGNIFICANCE = 1e-5
HIGHEST_ORDER = 5
#: Scatter beyond the photon noise that is always assumed, px.
_LEAST_SCATTER = 0.005
#: Degrees of freedom of the distribution that residuals are taken to have.
_TAIL = 5.0
#: An order whose error in a corner exceeds three times that of one star is not admitted.
_MOST_LEVERAGE = 9.0


@dataclass(frozen=True)
class Surface:
    """A polynomial map of the plane.

    Attributes
    ----------
    order : int
        Highest total power.
    coefficients : ndarray, shape (terms, 2)
        For the two outputs, terms in the order of `powers`.
    centre : ndarray, shape (2,)
        Input position taken as zero.
    scale : float
        Input length taken as one.
    """

    order: int
    coefficients: Floats
    centre: Floats
    scale: float

    def __call__(self, points: Floats) -> Floats:
        """Map points, shape (n, 2)."""
        return np.asarray(design((points - self.centre) / self.scale, self.order) @ self.coefficients)


def powers(order: int) -> list[tuple[int, int]]:
    """Return the exponents (of x, of y) of all terms up to a total power, lowest first."""
    return [(n - j, j) for n in range(order + 1) for j in range(n + 1)]


def terms(order: int) -> int:
    """Return how many terms a polynomial of two variables has."""
    return (order + 1) * (order + 2) // 2


def design(points: Floats, order: int) -> Floats:
    """Return the terms of a polynomial at normalised points, shape (n, terms)."""
    x = points[:, :1] ** np.arange(order + 1)
    y = points[:, 1:2] ** np.arange(order + 1)
    return np.stack([x[:, i] * y[:, j] for i, j in powers(order)], axis=1)


def least_squares(matrix: Floats, target: Floats) -> Floats:
    """Return the solution of an overdetermined linear system."""
    return np.asarray(np.linalg.lstsq(matrix, target, rcond=None)[0], dtype=np.float64)


@dataclass(frozen=True)
class Fit:
    """A fitted map and how good it is.

    Attributes
    ----------
    surface : Surface
    used : ndarray of bool
        Pairs that were not rejected.
    weight : ndarray
        Weights of all pairs, 1 for the median one.
    residual : ndarray, shape (n, 2)
        Target minus map, of all pairs.
    rms : ndarray, shape (2,)
        Of the used pairs, corrected for the parameters fitted.
    leverage : float
        Greatest variance of the map over the frame in units of the variance of one star.
    """

    surface: Surface
    used: Bools
    weight: Floats
    residual: Floats
    rms: Floats
    leverage: float


def fit_surface(
    here: Floats, there: Floats, sigma: Floats, order: int, corners: Floats, clip: float = 3.5,
    fixed: Surface | None = None, rigid: bool = False,
) -> Fit:
    """Fit a polynomial map with outlier rejection.

    Parameters
    ----------
    here, there : ndarray, shape (n, 2)
        Pairs of positions.
    sigma : ndarray, shape (n,)
        Expected error of each pair per axis by its signal to noise; a common scatter is found and added in quadrature.
    order : int
        Order of the map.
    corners : ndarray, shape (m, 2)
        Points that span the frame, for normalising and for the leverage.
    clip : float
        Pairs farther than this many sigma are rejected, anew in each round.
    fixed : Surface, optional
        Distortion applied to `here` first and held.
    rigid : bool
        Order 1 without shear, four parameters: for few pairs.
    """
    centre = corners.mean(axis=0)
    scale = float(np.abs(corners - centre).max())
    base = here if fixed is None else fixed(here)
    matrix = design((base - centre) / scale, order)
    used = np.ones(len(here), dtype=bool)
    weight = np.ones(len(here))
    solution: Floats = np.zeros((matrix.shape[1], 2))
    for turn in range(12):
        root = np.sqrt(weight[used])[:, None]
        if rigid:
            solution = _rigid(matrix[used, 1:3], there[used], weight[used])
        else:
            solution = least_squares(matrix[used] * root, there[used] * root)
        residual = there - matrix @ solution
        extra = _common_scatter(residual[used], sigma[used], matrix.shape[1])
        variance = sigma**2 + extra**2
        distance = (residual**2).sum(axis=1) / variance
        # Student's distribution again: what lies at two or three sigma counts less, without a threshold.
        weight = np.median(variance) / variance * (_TAIL + 2) / (_TAIL + distance)
        kept = np.asarray(distance <= clip**2)
        if kept.sum() < matrix.shape[1] + 1 or (turn > 3 and (kept == used).all()):
            break
        used = kept
    freedom = max(int(used.sum()) - (2 if rigid else matrix.shape[1]), 1)
    rms = np.sqrt((residual[used] ** 2).sum(axis=0) / freedom)
    spread = design(((corners if fixed is None else fixed(corners)) - centre) / scale, order)
    leverage = _leverage(matrix[used] * np.sqrt(weight[used])[:, None], spread)
    surface = Surface(order, solution, centre, scale)
    return Fit(surface, used, weight, residual, rms, leverage)


def _rigid(points: Floats, there: Floats, weight: Floats) -> Floats:
    """Return the coefficients of the similarity, of either parity, in weighted least squares."""
    share = (weight / weight.sum())[:, None]
    mean_here, mean_there = (points * share).sum(axis=0), (there * share).sum(axis=0)
    z, w = ((v - m) @ np.array([1, 1j]) for v, m in ((points, mean_here), (there, mean_there)))
    power = max(float((weight * np.abs(z) ** 2).sum()), 1e-300)
    straight, mirrored = (weight * np.conj(z) * w).sum() / power, (weight * z * w).sum() / power
    sign = -1.0 if abs(mirrored) > abs(straight) else 1.0
    alpha = mirrored if sign < 0 else straight
    gradient = np.array([[alpha.real, alpha.imag], [-sign * alpha.imag, sign * alpha.real]])
    return np.vstack([mean_there - mean_here @ gradient, gradient])


def _common_scatter(residual: Floats, sigma: Floats, parameters: int) -> float:
    """Return the scatter per axis beyond `sigma` that makes the residuals likeliest, in px.

    Catalogue errors, undersampling and blends add to the photon noise of every star; it is the bright ones that show
    how much. Likelihood of Student's distribution, so that a few wrong pairs do not matter.
    """
    r2 = (residual**2).sum(axis=1) * len(residual) / max(len(residual) - parameters, 0.3 * len(residual))
    top = max(float(np.sqrt(np.median(r2))) * 2, 2 * _LEAST_SCATTER)
    trial = np.geomspace(_LEAST_SCATTER, top, 25)
    variance = sigma[:, None] ** 2 + trial**2
    cost = (np.log(variance) + (_TAIL / 2 + 1) * np.log1p(r2[:, None] / (_TAIL * variance))).sum(axis=0)
    return float(trial[int(np.argmin(cost))])


def _leverage(matrix: Floats, spread: Floats) -> float:
    """Return the greatest variance of a fit at the points `spread`, in units of one star's."""
    try:
        r = np.asarray(np.linalg.qr(matrix, mode="r"))
        rows = np.linalg.solve(r.T, spread.T)
    except np.linalg.LinAlgError:
        return float("inf")
    return float((rows**2).sum(axis=0).max())


def choose_order(
    here: Floats, there: Floats, sigma: Floats, corners: Floats, highest: int = HIGHEST_ORDER, share: float = 1.0
) -> int:
    """Return the order of the map that the pairs justify.

    An order is admitted when there are at least two and a half pairs for each of its terms and its error nowhere in the
    frame exceeds three times that of a single star; it replaces a lower one when the leave-one-out residual falls
    (PRESS: residual / (1 - leverage)) and the F-test gives chance less than 1e-5: catalogue errors and
    blends have longer tails than the test supposes, and a needless order costs accuracy in the corners.

    Parameters
    ----------
    here, there, sigma, corners
        As for `fit_surface`.
    highest : int
        Highest order tried.
    share : float
        Independent pairs over pairs: below 1 where frames see the same catalogue stars, with the same errors.
    """
    from scipy.stats import f as f_distribution

    fits = {1: fit_surface(here, there, sigma, 1, corners)}
    for order in range(2, highest + 1):
        if len(here) * share < 2.5 * terms(order):
            break
        fit = fit_surface(here, there, sigma, order, corners)
        if fit.leverage <= _MOST_LEVERAGE * share:
            fits[order] = fit
    # All orders are judged on the pairs and weights of the most flexible: a stiff one rejects what it cannot follow.
    judge = fits[max(fits)]
    used, root = judge.used, np.sqrt(judge.weight[judge.used])
    number = float(used.sum()) * share
    best, best_press, best_sum = 0, np.inf, np.inf
    for order in fits:
        press, total = _press(here[used], there[used], root, order, corners, share)
        if best:
            added, freedom = 2 * (terms(order) - terms(best)), 2 * (number - terms(order))
            if freedom <= 0 or press >= best_press:
                continue
            ratio = ((best_sum - total) / added) / max(total / freedom, 1e-300)
            if ratio <= 0 or f_distribution.sf(ratio, added, freedom) > _SIGNIFICANCE:
                continue
        best, best_press, best_sum = order, press, total
    return best


def _press(
    here: Floats, there: Floats, root: Floats, order: int, corners: Floats, share: float
) -> tuple[float, float]:
    """Return the leave-one-out mean square and the plain sum of squares, weighted by the square of `root`."""
    centre = corners.mean(axis=0)
    scale = float(np.abs(corners - centre).max())
    matrix = design((here - centre) / scale, order) * root[:, None]
    q, _ = np.linalg.qr(matrix)
    target = there * root[:, None]
    residual = target - q @ (q.T @ target)
    lever = np.clip((q**2).sum(axis=1) / share, 0, 0.999)
    return float(((residual / (1 - lever)[:, None]) ** 2).mean()), float((residual**2).sum())


Pairs = tuple[Floats, Floats, Floats, NDArray[np.intp]]


def common_distortion(pairs: Sequence[Pairs], corners: Floats, highest: int = HIGHEST_ORDER) -> Surface | None:
    """Return the distortion that several frames share, or None where they show none.

    Parameters
    ----------
    pairs : sequence of (here, there, sigma, star)
        Matched positions of each frame, and which catalogue star each is; each frame has a linear map of its own.
    corners : ndarray, shape (m, 2)
        Points that span the frame.

    Returns
    -------
    Surface or None
        Map of the frame's plane onto an undistorted one, to be followed by a linear map.
    """
    frames = [frame[:3] for frame in pairs if len(frame[0]) >= 5]
    if not frames:
        return None
    stars = np.concatenate([frame[3] for frame in pairs if len(frame[0]) >= 5])
    share = len(np.unique(stars)) / len(stars)
    reduced = [_without_linear(*frame, corners) for frame in frames]
    here, there, sigma = (np.concatenate(column) for column in zip(*reduced, strict=True))
    order = choose_order(here, there, sigma, corners, highest, share)
    # Each frame's linear map has used up three pairs of its own.
    if order < 2 or len(here) - 3 * len(reduced) < 2.5 * terms(order):
        return None
    surface = fit_surface(here, there, sigma, order, corners).surface
    for _ in range(3):
        again = [_without_linear(*frame, corners, surface) for frame in frames]
        here, there, sigma = (np.concatenate(column) for column in zip(*again, strict=True))
        surface = fit_surface(here, there, sigma, order, corners).surface
    return surface


def _without_linear(
    here: Floats, there: Floats, sigma: Floats, corners: Floats, distortion: Surface | None = None
) -> tuple[Floats, Floats, Floats]:
    """Carry a frame's targets back by its linear map, so that those of all frames share one plane."""
    fit = fit_surface(here, there, sigma, 1, corners, fixed=distortion)
    linear = fit.surface
    gradient = linear.coefficients[1:].T / linear.scale
    constant = linear.coefficients[0] - gradient @ linear.centre
    back = (there - constant) @ np.linalg.inv(gradient).T
    return here[fit.used], back[fit.used], sigma[fit.used]
