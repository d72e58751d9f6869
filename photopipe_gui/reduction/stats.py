"""Robust statistics of images: median, biweight sigma, clipped mean. NaN and infinities are left out throughout.

All medians are exact. 16-bit integers are counted into a histogram once, from which everything follows; other types are
partitioned or sorted in a copy.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

MAD_TO_SIGMA = 0.6745
_CUT = 6.0
_CHUNK = 1 << 15  # values worked on at a time, to stay in the cache
_FEW = 1 << 15  # values below which counting into 65536 bins costs more than sorting


class ClippedStats(NamedTuple):
    """Mean, median and standard deviation of the values that clipping leaves; NaN when there are none."""

    mean: float
    median: float
    std: float


def median(a: ArrayLike, overwrite: bool = False) -> float:
    """Return the exact median.

    Parameters
    ----------
    a : array_like
        Any shape; NaN and infinities are left out.
    overwrite : bool
        The array is not needed any more: its pixels may be put in another order, which spares a copy.

    Returns
    -------
    float
        The mean of the two middle values for an even number; NaN when nothing is finite.
    """
    return _median(*_levels(a, overwrite))


def robust_sigma(a: ArrayLike) -> float:
    """Return the standard deviation by Tukey's biweight.

    Parameters
    ----------
    a : array_like
        Any shape; NaN and infinities are left out.

    Returns
    -------
    float
        In the unit of `a`; 0 for constant values, NaN when nothing is finite.

    Notes
    -----
    With M the median and s = MAD / 0.6745 the start, u = (x - M) / (6 s), over |u| < 1:
    sigma^2 = n sum (x - M)^2 (1 - u^2)^4 / (D (D - 1)), D = sum (1 - u^2) (1 - 5 u^2), n the number of all values
    (Mosteller & Tukey 1977; the ROBUST_SIGMA of the IDL Astronomy Library). Where more than half the values are equal,
    s is the mean absolute deviation / 0.8.
    """
    return median_and_sigma(a)[1]


def median_and_sigma(a: ArrayLike) -> tuple[float, float]:
    """Return `median` and `robust_sigma` together, for less than both."""
    values, counts = _levels(a)
    centre = _median(values, counts)
    return centre, _sigma_about(values, counts, centre) if math.isfinite(centre) else math.nan


def _sigma_about(values: NDArray[Any], counts: NDArray[np.float64] | None, centre: float) -> float:
    """Return the biweight sigma about a centre."""
    number = values.size if counts is None else int(counts.sum())
    deviation = np.subtract(values, values.dtype.type(centre), out=values)
    np.abs(deviation, out=deviation)
    if counts is None:
        start = _middle(deviation) / MAD_TO_SIGMA
    else:
        order = np.argsort(deviation, kind="stable")
        start = _weighted_median(deviation[order], counts[order]) / MAD_TO_SIGMA
    if start == 0.0:
        start = float(np.average(deviation, weights=counts)) / 0.8
    if start == 0.0 or number < 3:
        return float(start)
    return _biweight(deviation, counts, start, number)


def _biweight(deviation: NDArray[Any], counts: NDArray[np.float64] | None, start: float, number: int) -> float:
    """Return the biweight scale from absolute deviations, their multiplicities and a start."""
    above = below = 0.0
    scale = deviation.dtype.type(1 / (_CUT * start))
    for first in range(0, deviation.size, _CHUNK):
        square = np.square(deviation[first : first + _CHUNK] * scale)
        rest = np.maximum(1 - square, 0)  # zero beyond the cut, where every term then vanishes
        upper = np.square(rest * rest) * square
        lower = rest * (1 - 5 * square)
        if counts is not None:
            part = counts[first : first + _CHUNK]
            upper, lower = upper * part, lower * part
        above += float(upper.sum())
        below += float(lower.sum())
    variance = number * above / (below * (below - 1)) if below > 1 else 0.0
    return _CUT * start * math.sqrt(variance) if variance > 0 else float(start)


def clipped_stats(a: ArrayLike, sigma: float = 3.0, iters: int = 5) -> ClippedStats:
    """Return mean, median and standard deviation after clipping about the median.

    Parameters
    ----------
    a : array_like
        Any shape; NaN and infinities are left out.
    sigma : float
        Values further than this many standard deviations from the median are left out.
    iters : int
        Most repetitions; it ends when nothing more is left out.
    """
    values, counts = _levels(a)
    if values.size == 0:
        return ClippedStats(math.nan, math.nan, math.nan)
    if counts is None:
        values.sort()
    first, last = 0, values.size
    result = _moments(values, counts)
    for _ in range(iters):
        reach = sigma * result.std
        low = int(np.searchsorted(values, result.median - reach, side="left"))
        high = int(np.searchsorted(values, result.median + reach, side="right"))
        low, high = max(low, first), min(high, last)
        if (low, high) == (first, last) or low >= high:
            break
        first, last = low, high
        result = _moments(values[first:last], None if counts is None else counts[first:last])
    return result


def _moments(ordered: NDArray[Any], counts: NDArray[np.float64] | None) -> ClippedStats:
    """Return mean, median and standard deviation of values in order."""
    if counts is not None:
        number = counts.sum()
        mean = float(ordered @ counts / number)
        return ClippedStats(
            mean, _weighted_median(ordered, counts), math.sqrt(float(np.square(ordered - mean) @ counts) / number)
        )
    middle = ordered.size // 2
    centre = float(ordered[middle]) if ordered.size % 2 else 0.5 * (float(ordered[middle - 1]) + float(ordered[middle]))
    shifted = ordered - ordered.dtype.type(centre)
    mean = float(shifted.sum(dtype=np.float64)) / ordered.size
    square = float(np.square(shifted, out=shifted).sum(dtype=np.float64)) / ordered.size
    return ClippedStats(centre + mean, centre, math.sqrt(max(square - mean * mean, 0.0)))


def _levels(a: ArrayLike, overwrite: bool = False) -> tuple[NDArray[Any], NDArray[np.float64] | None]:
    """Return the finite values, or for many 16-bit integers the levels that occur, in order, and their counts.

    The values may be written to: they are a copy, unless `overwrite` allows otherwise.
    """
    array = np.asarray(a)
    if array.dtype.kind in "bui":
        flat = array.reshape(-1)
        if array.dtype.itemsize > 2 or flat.size < _FEW:
            return flat.astype(np.float64), None
        lowest = int(np.iinfo(array.dtype).min) if array.dtype.kind != "b" else 0
        shifted = flat if lowest == 0 else flat.astype(np.int32) - lowest
        counts = np.bincount(shifted)
        levels = np.flatnonzero(counts)
        return (levels + lowest).astype(np.float64), counts[levels].astype(np.float64)
    kept = np.float32 if array.dtype.kind == "f" and array.dtype.itemsize <= 4 else np.float64
    values = array.astype(kept, copy=not overwrite).reshape(-1)
    with np.errstate(invalid="ignore", over="ignore"):
        spoilt = not math.isfinite(float(np.add.reduce(values)))
    return (values[np.isfinite(values)] if spoilt else values), None


def _median(values: NDArray[Any], counts: NDArray[np.float64] | None) -> float:
    if values.size == 0:
        return math.nan
    return _middle(values) if counts is None else _weighted_median(values, counts)


def _middle(scratch: NDArray[Any]) -> float:
    """Return the median of values, whose order is lost."""
    half = scratch.size // 2
    scratch.partition(half)
    upper = float(scratch[half])
    return upper if scratch.size % 2 else 0.5 * (float(scratch[:half].max()) + upper)


def _weighted_median(ordered: NDArray[Any], counts: NDArray[np.float64]) -> float:
    """Return the median of values in order that occur `counts` times."""
    upto = np.cumsum(counts)
    number = int(upto[-1])
    lower, upper = np.searchsorted(upto, ((number - 1) // 2, number // 2), side="right")
    return 0.5 * (float(ordered[lower]) + float(ordered[upper]))
