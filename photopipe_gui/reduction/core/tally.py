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
    """Sums over the frames, pixel by pixel.

    Attributes
    ----------
    total : ndarray of float64
        Sum of weight x (value - median) over the values kept, those pulled in with their limit.
    weight : ndarray of float64
        Sum of their weights.
    rejected : ndarray of int
        Number of values left out.
    """

    total: NDArray[np.float64]
    weight: NDArray[np.float64]
    rejected: NDArray[np.intp]


class Judge:
    """Finds the outliers of strips; holds the working memory of one thread.

    Outliers are few: all values are looked at in a few calls over the whole stack, and only what was found is looked at
    one by one.
    """

    def __init__(self, recipe: Recipe, size: int) -> None:
        self._recipe = recipe
        self._work = np.empty(len(recipe.inputs) * size, recipe.stored)
        self._flags = np.empty(len(recipe.inputs) * size, np.bool_)

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
        inverse = np.float32(1.0) / sigma
        tally[0] = [median.size if hole is None else median.size - np.count_nonzero(hole) for hole in holes]
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
        n, size = stack.shape
        reach = sigma * np.float32(self._limit)
        floor = np.clip(np.ceil(median - reach), 0, _WRAP - 1)
        lowest = floor.astype(np.uint16)
        width = (np.clip(np.floor(median + reach), 0, _WRAP - 1) - floor).clip(0).astype(np.uint16)
        above = np.subtract(stack, lowest, out=self._work[: n * size].reshape(n, size))
        flags = np.greater(above, width, out=self._flags[: n * size].reshape(n, size))
        at = np.flatnonzero(flags)
        frame, column = np.divmod(at, size)
        values = stack.reshape(-1)[at].astype(np.float32)
        wrapped = values < floor[column]
        offset = (floor - median).astype(np.float64)
        # Not a matrix product: the library behind it would start threads of its own.
        tally[3] = np.einsum("ij,j->i", above, inverse, dtype=np.float32, casting="unsafe")
        tally[3] += float((offset * inverse).sum())
        tally[3] -= _WRAP * np.bincount(frame[wrapped], inverse[column[wrapped]], n)
        total = None
        if self._recipe.method != "median":
            total = np.add.reduce(above, axis=0, dtype=np.uint32) + n * offset
            total -= _WRAP * np.bincount(column[wrapped], minlength=size)
        residual = (values - median[column]) * inverse[column]
        return self._without_outliers(total, np.full(size, float(n)), frame, column, residual, sigma, tally)

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
        recipe, (n, size) = self._recipe, stack.shape
        residuals = np.subtract(stack, median, out=self._work[: n * size].reshape(n, size))
        residuals *= inverse
        if not recipe.equal:
            residuals /= recipe.noise.astype(np.float32)[:, None]
        weight = np.full(size, recipe.weights.sum())
        for i, hole in enumerate(holes):
            if hole is not None:
                residuals[i, hole] = 0
                weight[hole] -= recipe.weights[i]
        tally[3] = np.add.reduce(residuals, axis=1)
        total = None
        if recipe.method != "median":
            if recipe.equal:
                total = np.add.reduce(residuals, axis=0)
            else:
                total = np.einsum("i,ij->j", (recipe.weights * recipe.noise).astype(np.float32), residuals)
            total = total.astype(np.float64) * sigma
        np.abs(residuals, out=residuals)
        flags = np.greater(residuals, np.float32(self._limit), out=self._flags[: n * size].reshape(n, size))
        at = np.flatnonzero(flags)
        frame, column = np.divmod(at, size)
        residual = np.copysign(residuals.reshape(-1)[at], stack.reshape(-1)[at] - median[column])
        return self._without_outliers(total, weight, frame, column, residual, sigma, tally)

    def _without_outliers(
        self,
        total: NDArray[np.float64] | None,
        weight: NDArray[np.float64],
        frame: NDArray[np.intp],
        column: NDArray[np.intp],
        residual: FloatArray,
        sigma: FloatArray,
        tally: NDArray[np.float64],
    ) -> Sums | None:
        """Count the outlying values among those found, and take the rejected ones out of the sums."""
        recipe, n, size = self._recipe, tally.shape[1], sigma.size
        tally[2] = np.bincount(frame[np.abs(residual) > OUTLYING], minlength=n)
        if total is None:
            return None
        out = (residual < -recipe.low) | (residual > recipe.high)
        frame, column, residual = frame[out], column[out], residual[out]
        tally[1] = np.bincount(frame, minlength=n)
        change = -residual
        if recipe.method == "winsor":
            change += np.clip(residual, -recipe.low, recipe.high)
        share = recipe.weights[frame] * recipe.noise[frame] * sigma[column]
        total += np.bincount(column, share * change, size)
        rejected = np.zeros(size, np.intp)
        if recipe.method == "clip":
            weight -= np.bincount(column, recipe.weights[frame], size)
            rejected = np.bincount(column, minlength=size)
        return Sums(total, weight, rejected)
