"""Maps between two planes: polynomials and radial distortion, fitted with weights and rejection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Highest total power of a polynomial map.
HIGHEST_ORDER = 5
#: Scatter beyond the photon noise that is always assumed, px.
_LEAST_SCATTER = 0.02
#: Degrees of freedom of the distribution that residuals are taken to have.
_TAIL = 5.0
#: Scatter beyond the photon noise that is always assumed, px.
_LEAST_SCATTER = 0.02
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
    scatter : float
        Scatter per axis found beyond the errors given.
    rms : ndarray, shape (2,)
        Of the used pairs, corrected for the parameters fitted.
    leverage : float
        Greatest variance of the map over the frame in units of the variance of one star.
    """

    surface: Surface
    used: Bools
    weight: Floats
    residual: Floats
    scatter: float
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
    return Fit(surface, used, weight, residual, extra, rms, leverage)


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


Term = tuple[dict[tuple[int, int], float], dict[tuple[int, int], float]]

# Displacements in x and in y as polynomials: along the radius, and what a shift of the axis adds to the first.
_ALONG_R2: Term = ({(3, 0): 1, (1, 2): 1}, {(2, 1): 1, (0, 3): 1})
_ALONG_R4: Term = ({(5, 0): 1, (3, 2): 2, (1, 4): 1}, {(4, 1): 1, (2, 3): 2, (0, 5): 1})
_AXIS: tuple[Term, Term] = (({(2, 0): 3, (0, 2): 1}, {(1, 1): 2}), ({(1, 1): 2}, {(2, 0): 1, (0, 2): 3}))
#: Kinds of distortion along the radius by name: v r^2, and v r^4, about the axis given or about one near it.
RADIAL: dict[str, tuple[Term, ...]] = {
    "r2": (_ALONG_R2,),
    "r2 r4": (_ALONG_R2, _ALONG_R4),
    "r2 axis": (_ALONG_R2, *_AXIS),
    "r2 r4 axis": (_ALONG_R2, _ALONG_R4, *_AXIS),
}


def radial_terms(points: Floats, axis: Floats, scale: float, kind: str) -> list[Floats]:
    """Return the displacements (px) of a kind of `RADIAL` at points, v = (point - axis) / scale."""
    x, y = ((points - axis) / scale).T
    return [
        scale * np.column_stack([sum(f * x**i * y**j for (i, j), f in part.items()) for part in term])
        for term in RADIAL[kind]
    ]


def radial_surface(strength: Floats, axis: Floats, scale: float, kind: str = "r2") -> Surface:
    """Return the map that adds the displacements of a kind of `RADIAL`, with their strengths, to each position."""
    order = max(i + j for term in RADIAL[kind] for part in term for i, j in part)
    row = {power: k for k, power in enumerate(powers(order))}
    coefficients = np.zeros((terms(order), 2))
    coefficients[0] = axis
    coefficients[row[1, 0], 0] = coefficients[row[0, 1], 1] = scale
    for k, term in zip(strength, RADIAL[kind], strict=True):
        for output, part in enumerate(term):
            for power, factor in part.items():
                coefficients[row[power], output] += scale * k * factor
    return Surface(order, coefficients, np.asarray(axis, dtype=float), scale)


def fit_radial(here: Floats, there: Floats, root: Floats, axis: Floats, scale: float, kind: str) -> Surface:
    """Fit a distortion along the radius from an axis, to be followed by a linear map.

    Parameters
    ----------
    here, there : ndarray, shape (n, 2)
        Pairs of positions, px.
    root : ndarray, shape (n,)
        Square roots of their weights.
    axis : ndarray, shape (2,)
        Where the optical axis meets the plane of `here`.
    scale : float
        Length taken as one.
    kind : str
        One of `RADIAL`.
    """
    n = len(here)
    basis = radial_terms(here, axis, scale, kind)
    count = len(basis)
    plain = np.column_stack([np.ones(n), (here - axis) / scale])
    matrix = np.zeros((2 * n, 6 + count))
    matrix[:n, :3], matrix[n:, 3:6] = plain, plain
    matrix[:, 6:] = np.column_stack([b.T.ravel() for b in basis])
    double = np.tile(root, 2)[:, None]
    strength = np.zeros(count)
    for _ in range(3):
        bent = here + sum(k * b for k, b in zip(strength, basis, strict=True))
        linear = np.column_stack([np.ones(n), bent])
        solution = least_squares(linear * root[:, None], there * root[:, None])
        back = (there - solution[0]) @ np.linalg.inv(solution[1:])
        # In the plane of `here` the linear map has become one: what is left is radial.
        target = (back - here).T.ravel()[:, None]
        strength = least_squares(matrix * double, target * double)[6:, 0]
    return radial_surface(strength, axis, scale, kind)
