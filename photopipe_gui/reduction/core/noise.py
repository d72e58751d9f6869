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
    """Return the noise of every pixel from its own scatter and that of its neighbourhood.

    With few frames a pixel's own scatter is itself very uncertain, and a clip that used it would throw away good values
    where it is small by chance. Both variances are therefore averaged, weighted by their degrees of freedom
    (empirical Bayes, Smyth 2004, Stat. Appl. Genet. Mol. Biol. 3, 3).

    Parameters
    ----------
    own : ndarray of float32, shape (ny, nx)
        Standard deviation of each pixel over the frames; NaN where unknown. The first row and column must lie
        on a cell boundary (`CELL_ROWS`, `CELL_COLUMNS`) of the image for a result that does not depend on the strip.
    n : int
        Number of frames behind it.

    Returns
    -------
    ndarray of float32, shape (ny, nx)
        Standard deviation of one frame; NaN where the neighbourhood has none.
    """
    around = _neighbourhood(own)
    freedom = _EFFICIENCY * (n - 1) if n >= _FEWEST_OWN else 0.0
    if freedom == 0.0:
        return around
    weight = np.float32(freedom / (freedom + _NEIGHBOURS))
    variance = np.square(around)
    mixed = np.square(own)
    mixed -= variance
    mixed *= weight
    mixed += variance
    mixed = np.sqrt(mixed, out=mixed)
    return np.where(np.isnan(mixed), around, mixed) if np.isnan(mixed.sum()) else mixed


def _neighbourhood(own: FloatArray) -> FloatArray:
    """Return the mean deviation of each cell, values cut at three times its median, spread over its pixels."""
    rows, columns = own.shape
    down, across = -(-rows // CELL_ROWS), -(-columns // CELL_COLUMNS)
    short = ((0, down * CELL_ROWS - rows), (0, across * CELL_COLUMNS - columns))
    whole = np.pad(own, short, mode="edge") if any(end for _, end in short) else own
    cells = whole.reshape(down, CELL_ROWS, across, CELL_COLUMNS).swapaxes(1, 2).reshape(down, across, -1)
    if np.isnan(cells.sum()):
        ordered = np.sort(cells, axis=-1)
        known = np.count_nonzero(~np.isnan(ordered), axis=-1)
        middle = np.take_along_axis(ordered, np.maximum(known - 1, 0)[..., None] // 2, axis=-1)
        capped = np.where(np.isnan(ordered), 0, np.minimum(ordered, 3 * middle))
        level = capped.sum(axis=-1) / np.where(known > 0, known, np.nan)
    else:
        sample = cells[..., ::2]
        middle = np.partition(sample, sample.shape[-1] // 2, axis=-1)[..., sample.shape[-1] // 2, None]
        level = np.minimum(cells, 3 * middle).mean(axis=-1, dtype=np.float32)
    spread = np.repeat(np.repeat(level.astype(np.float32), CELL_ROWS, axis=0), CELL_COLUMNS, axis=1)
    return spread[:rows, :columns]
