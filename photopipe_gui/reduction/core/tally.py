"""Which values of a stack are outliers, what is left without them, and what each input gave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .strips import Recipe

OUTLYING = 6.0  # sigma from the master at which a pixel of an input counts as outlying
_WRAP = 65536

FloatArray = NDArray[np.float32]
Holes = list[NDArray[np.bool_] | None]


class Sums(NamedTuple):
    """Sums over the frames, pixel by pixel; valid until the next strip.

    Attributes
    ----------
    total : ndarray of float32
        Sum of weight x (value - median) over the values kept, those pulled in with their limit.
    weight : ndarray of float32
        Sum of their weights.
    kept : ndarray of int32
        Number of values kept.
    """

    total: FloatArray
    weight: FloatArray
    kept: NDArray[np.int32]


class Judge:
    """Finds the outliers of strips; holds the working memory of one thread.

    Outliers are few: all values are looked at in a few calls over the whole stack, and only what was found is looked at
    one by one.
    """

    def __init__(self, recipe: Recipe, size: int) -> None:
        self._recipe = recipe
        self._work = np.empty(len(recipe.inputs) * size, recipe.stored)
        self._flags = np.empty(len(recipe.inputs) * size, np.bool_)
        self._inverse, self._floor, self._reach, self._weight = (np.empty(size, np.float32) for _ in range(4))
        self._lowest, self._width = (np.empty(size, np.uint16) for _ in range(2))
        self._sum, self._count = np.empty(size, np.uint32), np.empty(size, np.int32)

    def judge(
        self, stack: NDArray[Any], holes: Holes, median: FloatArray, sigma: FloatArray, tally: NDArray[np.float64]
    ) -> Sums | None:
        """Judge the values of a strip.

        Parameters
        ----------
        stack : ndarray, shape (n, pixels)
            Without NaN; values of holes are ignored.
        holes : list of ndarray of bool, or None
            Per input, where it has no value.
        median, sigma : ndarray of float32, shape (pixels,)
            Median of the stack, and noise of a frame of relative noise 1.
        tally : ndarray, shape (4, n)
            Receives per input the numbers of valid, rejected and outlying pixels and the sum of the residuals.

        Returns
        -------
        Sums or None
            None for the plain median.
        """
        size = median.size
        inverse = np.divide(np.float32(1.0), sigma, out=self._inverse[:size])
        tally[0] = [size if hole is None else size - np.count_nonzero(hole) for hole in holes]
        if stack.dtype.kind == "u":
            return self._integers(stack, median, sigma, inverse, tally)
        return self._floats(stack, holes, median, sigma, inverse, tally)

    @property
    def _limit(self) -> float:
        """Sigma beyond which a value is looked at."""
        recipe = self._recipe
        return OUTLYING if recipe.method == "median" else min(recipe.low, recipe.high, OUTLYING)

    def _integers(
        self,
        stack: NDArray[Any],
        median: FloatArray,
        sigma: FloatArray,
        inverse: FloatArray,
        tally: NDArray[np.float64],
    ) -> Sums | None:
        """Judge unsigned 16-bit values of equal weight by their distance from the lower limit, which wraps below it."""
        (n, size), recipe = stack.shape, self._recipe
        reach, floor = self._reach[:size], self._floor[:size]
        lowest, width = self._lowest[:size], self._width[:size]
        np.multiply(sigma, np.float32(self._limit), out=reach)
        np.ceil(np.subtract(median, reach, out=floor), out=floor)
        lowest[...] = np.clip(floor, 0, _WRAP - 1, out=floor)
        np.floor(np.add(median, reach, out=reach), out=reach)
        reach -= floor
        width[...] = np.clip(reach, 0, _WRAP - 1 - floor, out=reach)
        above = np.subtract(stack, lowest, out=self._work[: n * size].reshape(n, size))
        flags = np.greater(above, width, out=self._flags[: n * size].reshape(n, size))
        at = np.flatnonzero(flags)
        frame, column = np.divmod(at, size)
        values = stack.reshape(-1)[at].astype(np.float32)
        wrapped = values < floor[column]
        residual = (values - median[column]) * inverse[column]
        offset = np.subtract(floor, median, out=floor)  # from the median to the lower limit
        # Not a matrix product: the library behind it would start threads of its own.
        tally[3] = np.einsum("ij,j->i", above, inverse, dtype=np.float32, casting="unsafe")
        tally[3] += float(np.multiply(offset, inverse, out=reach).sum(dtype=np.float64))
        tally[3] -= _WRAP * np.bincount(frame[wrapped], inverse[column[wrapped]], n)
        rejected = self._count_outliers(frame, residual, tally)
        if rejected is None:
            return None
        count, weight = self._count[:size], self._weight[:size]
        count[...] = n
        above.reshape(-1)[at[rejected]] = 0
        np.subtract.at(count, column[rejected], 1)
        total = np.add.reduce(above, axis=0, dtype=np.uint32, out=self._sum[:size])
        np.subtract.at(total, column[wrapped & ~rejected], np.uint32(_WRAP))
        weight[...] = count
        offset *= weight
        offset += total
        if recipe.method == "winsor":
            column, residual = column[rejected], residual[rejected]
            np.add.at(offset, column, np.clip(residual, -recipe.low, recipe.high) * sigma[column])
            count[...] = n
            weight[...] = n
        return Sums(offset, weight, count)

    def _floats(
        self,
        stack: NDArray[np.float32],
        holes: Holes,
        median: FloatArray,
        sigma: FloatArray,
        inverse: FloatArray,
        tally: NDArray[np.float64],
    ) -> Sums | None:
        """Judge floating point values by their residuals in units of their own noise."""
        (n, size), recipe = stack.shape, self._recipe
        residuals = np.subtract(stack, median, out=self._work[: n * size].reshape(n, size))
        residuals *= inverse
        if not recipe.equal:
            residuals /= recipe.noise.astype(np.float32)[:, None]
        weight, count, total = self._weight[:size], self._count[:size], self._floor[:size]
        weight[...] = recipe.weights.sum()
        count[...] = n
        for i, hole in enumerate(holes):
            if hole is not None:
                residuals[i, hole] = 0
                weight[hole] -= np.float32(recipe.weights[i])
                count[hole] -= 1
        tally[3] = np.add.reduce(residuals, axis=1)
        flags = self._flags[: n * size].reshape(n, size)
        np.greater(residuals, np.float32(self._limit), out=flags)
        flags |= residuals < np.float32(-self._limit)
        at = np.flatnonzero(flags)
        frame, column = np.divmod(at, size)
        residual = residuals.reshape(-1)[at]
        rejected = self._count_outliers(frame, residual, tally)
        if rejected is None:
            return None
        frame, column = frame[rejected], column[rejected]
        if recipe.method == "winsor":
            residuals.reshape(-1)[at[rejected]] = np.clip(residual[rejected], -recipe.low, recipe.high)
        else:
            residuals.reshape(-1)[at[rejected]] = 0
            np.subtract.at(weight, column, recipe.weights[frame].astype(np.float32))
            np.subtract.at(count, column, 1)
        if recipe.equal:
            np.add.reduce(residuals, axis=0, out=total)
        else:
            np.einsum("i,ij->j", (recipe.weights * recipe.noise).astype(np.float32), residuals, out=total)
        total *= sigma
        return Sums(total, weight, count)

    def _count_outliers(
        self, frame: NDArray[np.intp], residual: FloatArray, tally: NDArray[np.float64]
    ) -> NDArray[np.bool_] | None:
        """Count per frame what lies far out, and return which of the values found are rejected; None for a median."""
        recipe, n = self._recipe, tally.shape[1]
        tally[2] = np.bincount(frame[np.abs(residual) > OUTLYING], minlength=n)
        if recipe.method == "median":
            return None
        rejected: NDArray[np.bool_] = (residual < -recipe.low) | (residual > recipe.high)
        tally[1] = np.bincount(frame[rejected], minlength=n)
        return rejected
