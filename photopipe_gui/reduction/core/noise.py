"""The noise of a stack of images from its own order statistics."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

CELL_ROWS = 8
CELL_COLUMNS = 64
_NEIGHBOURS = 20.0  # degrees of freedom that the neighbourhood's noise counts for against the pixel's own
_FEWEST_OWN = 4  # frames below which one outlier alone could make a pixel's own scatter
_MOST_EXACT = 64  # values for which the expectation of an order statistic is worked out in full
_EFFICIENCY = 0.55  # of the scatter from two order statistics, against the standard deviation

FloatArray = NDArray[np.float32]


def spread_ranks(n: int) -> tuple[int, int]:
    """Return the ranks whose distance measures the scatter of `n` values: a fifth in from both ends (from 4 on)."""
    inner = max(n // 5, 1) if n >= _FEWEST_OWN else 0
    return inner, n - 1 - inner


def spread_to_sigma(n: int, noise: NDArray[np.float64]) -> float:
    """Return what turns the distance of the `spread_ranks` of `n` values into a standard deviation.

    Parameters
    ----------
    n : int
        Number of values.
    noise : ndarray
        Relative noise of the frames of the stack, of which some may have no value; the deviation found is that of a
        frame of relative noise 1.

    Returns
    -------
    float
        Factor; NaN for fewer than 2 values. From the exact expectation of the order statistics for up to 64 values;
        for more, and for unequal frames of which some are missing, from the quantile (r - 0.375) / (n + 0.25) of the
        mixed normal distribution, r counted from 1 (Blom 1958).
    """
    if n < 2:
        return math.nan
    rank = spread_ranks(n)[1] + 1
    scales, counts = np.unique(noise, return_counts=True)
    if n <= _MOST_EXACT and (scales.size == 1 or n == noise.size):
        return 0.5 / _expected_order_statistic(rank, noise if n == noise.size else np.full(n, scales[0]))
    probability = (rank - 0.375) / (n + 0.25)
    low, high = 0.0, 20.0 * float(scales.max())
    for _ in range(60):
        middle = 0.5 * (low + high)
        below = float(np.average(_normal_below(middle / scales), weights=counts))
        low, high = (middle, high) if below < probability else (low, middle)
    return 0.5 / middle


def _normal_below(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cumulative normal distribution."""
    return np.array([0.5 + 0.5 * math.erf(value / math.sqrt(2.0)) for value in x.ravel()]).reshape(x.shape)


def _expected_order_statistic(rank: int, noise: NDArray[np.float64]) -> float:
    """Return the expectation of the order statistic `rank` (from 1) of centred normal values of unequal deviations.

    The number K of values below x is a sum of unequal coin tosses; E = int_0^inf [P(K < rank) - P(K <= n - rank)] dx,
    the second term from the symmetry of the values.
    """
    n = noise.size
    scales, which = np.unique(noise, return_inverse=True)
    x = np.linspace(0.0, 5.5 * float(scales[-1]), 500)
    below = _normal_below(x / scales[:, None])
    number = np.zeros((n + 1, x.size))
    number[0] = 1.0
    for i, kind in enumerate(which.tolist()):
        number[1 : i + 2] += below[kind] * (number[: i + 1] - number[1 : i + 2])
        number[0] *= 1 - below[kind]
    integrand = number[:rank].sum(axis=0) - number[: n - rank + 1].sum(axis=0)
    return float((integrand.sum() - 0.5 * (integrand[0] + integrand[-1])) * (x[1] - x[0]))


def median_error_factor(n: NDArray[np.float64], noise: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard error of the median of `n` values in units of the deviation of a frame of noise 1.

    The variance is pi / 2 / (n + 0.57) for odd and pi / 2 / (n + 1.14) for even n, within 1 % of the exact values
    from n = 2 on, and scales with the mean density of the frames' distributions at their centre.
    """
    shift = np.where(np.mod(n, 2) == 1, 0.5 * np.pi - 1.0, np.pi - 2.0)
    density = float(np.mean(1.0 / noise))
    return np.asarray(np.sqrt(0.5 * np.pi / (n + shift)) / density)


def moderated_sigma(own: FloatArray, n: int) -> FloatArray:
    """Turn every pixel's own scatter into its noise, with the help of its neighbourhood.

    With few frames a pixel's own scatter is itself very uncertain, and a clip that used it would throw away good values
    where it is small by chance. Both variances are therefore averaged, weighted by their degrees of freedom
    (empirical Bayes, Smyth 2004, Stat. Appl. Genet. Mol. Biol. 3, 3).

    Parameters
    ----------
    own : ndarray of float32, shape (ny, nx)
        Standard deviation of each pixel over the frames; NaN where unknown. Overwritten. The first row and column must
        lie on a cell boundary (`CELL_ROWS`, `CELL_COLUMNS`) for a result that does not depend on the strip.
    n : int
        Number of frames behind it.

    Returns
    -------
    ndarray of float32, shape (ny, nx)
        `own`, now the standard deviation of one frame; NaN where the neighbourhood has none.
    """
    freedom = _EFFICIENCY * (n - 1) if n >= _FEWEST_OWN else 0.0
    weight = np.float32(freedom / (freedom + _NEIGHBOURS))
    rows, columns = own.shape
    down, across = -(-rows // CELL_ROWS), -(-columns // CELL_COLUMNS)
    if rows == down * CELL_ROWS and columns == across * CELL_COLUMNS:
        _mix(own.reshape(down, CELL_ROWS, across, CELL_COLUMNS), weight)
        return own
    short = ((0, down * CELL_ROWS - rows), (0, across * CELL_COLUMNS - columns))
    whole = np.pad(own, short, mode="edge")
    _mix(whole.reshape(down, CELL_ROWS, across, CELL_COLUMNS), weight)
    own[...] = whole[:rows, :columns]
    return own


def _mix(own: FloatArray, weight: np.float32) -> None:
    """Replace the deviations of cells, shape (down, rows, across, columns), by those mixed with the cell's level."""
    around = _levels(own)[:, None, :, None]
    if weight == 0:
        own[...] = around
        return
    np.square(own, out=own)
    own *= weight
    own += (1 - weight) * np.square(around)
    np.sqrt(own, out=own)
    if np.isnan(own.sum()):
        np.copyto(own, around, where=np.isnan(own))


def _levels(own: FloatArray) -> FloatArray:
    """Return the mean deviation of each cell, shape (down, across), values cut at three times the cell's median.

    Every second column is enough for it.
    """
    cells = np.array(own[..., ::2].swapaxes(1, 2), order="C").reshape(own.shape[0] * own.shape[2], -1)
    gappy = np.flatnonzero(np.isnan(cells.sum(axis=-1)))
    levels_of_gappy = [_level_of_known(cells[i]) for i in gappy.tolist()]
    half = cells.shape[-1] // 2
    cells.partition(half, axis=-1)
    np.minimum(cells, 3 * cells[:, half, None], out=cells)
    level: FloatArray = cells.mean(axis=-1, dtype=np.float32)
    level[gappy] = levels_of_gappy
    return level.reshape(own.shape[0], own.shape[2])


def _level_of_known(cell: FloatArray) -> float:
    """Return the level of a cell in which some deviations are unknown; NaN when all are."""
    known = np.sort(cell[~np.isnan(cell)])
    return float(np.minimum(known, 3 * known[known.size // 2]).mean()) if known.size else math.nan
