"""The arithmetic of one strip of a stack: load, order statistics, noise, clipping, the result and its error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .noise import median_error_factor, moderated_sigma, spread_ranks, spread_to_sigma
from .order import OrderStatistics
from .tally import FloatArray, Holes, Judge, Sums

if TYPE_CHECKING:
    from .combine import Combined, Input, Source, Tile

_PLANES = 20  # float32 working planes of a strip beside the stack itself
_SIGN = np.uint16(0x8000)


@dataclass(frozen=True)
class Recipe:
    """What to do with every strip.

    Attributes
    ----------
    stored : numpy.dtype
        Type in which the stack is held: unsigned 16-bit for integer inputs that fit and all share exposure, scale and
        noise, whose order the calibration does not change; float32 otherwise.
    signed : bool
        The inputs are signed: the stack holds their values + 32768.
    noise, weights : ndarray
        One per input: relative noise with a median of 1, and 1 / noise^2.
    equal : bool
        All weights are 1.
    floor : float
        Smallest noise of a frame in the stack's unit: half a step of integer data.
    """

    inputs: Sequence[Input]
    method: str
    low: float
    high: float
    bias: Source | None
    dark: Source | None
    stored: np.dtype[Any]
    signed: bool
    noise: NDArray[np.float64]
    weights: NDArray[np.float64]
    equal: bool
    sigma_factor: float
    floor: float

    @classmethod
    def of(
        cls, inputs: Sequence[Input], method: str, low: float, high: float, bias: Source | None, dark: Source | None
    ) -> Recipe:
        """Choose the type of the stack and work out what is common to all strips."""
        types = {item.source.dtype for item in inputs}
        alike = {(item.exposure if dark is not None else 0.0, item.scale, item.noise, item.ceiling) for item in inputs}
        kind = next(iter(types))
        plain = len(types) == len(alike) == 1 and kind.kind in "ui" and kind.itemsize <= 2
        plain = plain and inputs[0].ceiling == math.inf and len(inputs) < 65536
        noise = np.array([item.noise for item in inputs])
        noise /= np.median(noise)
        floor = 0.0
        if all(each.kind in "ui" for each in types):
            floor = 0.5 if plain else 0.5 / float(np.median([item.scale for item in inputs]))
        stored = np.dtype(np.uint16 if plain else np.float32)
        factor = spread_to_sigma(len(inputs), noise)
        equal = bool((noise == 1.0).all())
        signed = plain and kind.kind == "i"
        return cls(
            inputs, method, low, high, bias, dark, stored, signed, noise, noise**-2.0, equal, factor, floor
        )  # fmt: skip

    @property
    def ranks(self) -> tuple[int, ...]:
        """Ranks of the values that give the median (two) and the scatter (two)."""
        n = len(self.inputs)
        return ((n - 1) // 2, n // 2, *spread_ranks(n))

    def bytes_per_pixel(self, by_sorting: bool) -> int:
        """Memory that a strip takes per pixel: the stack, its residuals, the buffers of a network, working planes."""
        stacks = 2 if by_sorting else 3
        return len(self.inputs) * (stacks * self.stored.itemsize + 1) + 4 * _PLANES


class StripWorker:
    """One thread's buffers and its work on strips; writes into the planes of the result where its strip lies."""

    def __init__(self, recipe: Recipe, size: int, target: Combined, by_sorting: bool) -> None:
        self._recipe = recipe
        self._target = target
        n = len(recipe.inputs)
        self._stack = np.empty(n * size, recipe.stored)
        self._order = OrderStatistics(n, recipe.ranks, size, recipe.stored, by_sorting)
        self._judge = Judge(recipe, size)
        self._scratch = [np.empty(size, np.float32) for _ in range(4)]
        self._holes: Holes = []

    def process(self, tile: Tile, tally: NDArray[np.float64]) -> None:
        """Combine one strip.

        Parameters
        ----------
        tile : Tile
            The strip.
        tally : ndarray, shape (4, n)
            Receives per input the numbers of valid, rejected and outlying pixels and the sum of the residuals.
        """
        shape = tile.y1 - tile.y0, tile.x1 - tile.x0
        n, size = len(self._recipe.inputs), shape[0] * shape[1]
        stack = self._stack[: n * size].reshape(n, size)
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            self._load(tile, shape, stack)
            median, own, valid = self._order_statistics(stack)
            sigma = self._sigma(own.reshape(shape), median)
            sums = self._judge.judge(stack, self._holes, median, sigma, tally)
            if sums is None:
                image, uncertainty = median, self._error_of_median(sigma, valid)
                count = np.full(size, n) if valid is None else valid
            else:
                image, uncertainty, count = self._mean(median, sigma, sums, valid)
            if self._recipe.stored.kind == "u":
                self._calibrate_result(tile, shape, image, uncertainty)
        where = np.s_[tile.y0 : tile.y1, tile.x0 : tile.x1]
        self._target.image[where] = image.reshape(shape)
        self._target.uncertainty[where] = uncertainty.reshape(shape)
        self._target.count[where] = count.reshape(shape)

    def _plane(self, source: Source | None, tile: Tile, shape: tuple[int, int], out: FloatArray) -> FloatArray | None:
        if source is None:
            return None
        plane = out[: shape[0] * shape[1]]
        source.read(tile, plane.reshape(shape))
        return plane

    def _load(self, tile: Tile, shape: tuple[int, int], stack: NDArray[Any]) -> None:
        """Read the strip of every input; values that are no numbers become 0 and are noted as holes."""
        recipe = self._recipe
        self._holes = [None] * len(stack)
        if recipe.stored.kind == "u":
            for item, plane in zip(recipe.inputs, stack, strict=True):
                item.source.read(tile, plane.view(np.int16 if recipe.signed else np.uint16).reshape(shape))
            if recipe.signed:
                stack ^= _SIGN
            return
        bias = self._plane(recipe.bias, tile, shape, self._scratch[0])
        dark = self._plane(recipe.dark, tile, shape, self._scratch[1])
        product = self._scratch[2][: shape[0] * shape[1]]
        for i, (item, plane) in enumerate(zip(recipe.inputs, stack, strict=True)):
            item.source.read(tile, plane.reshape(shape))
            if item.ceiling < math.inf:
                plane[plane >= np.float32(item.ceiling)] = np.nan
            if bias is not None:
                plane -= bias
            if dark is not None:
                plane -= np.multiply(dark, np.float32(item.exposure), out=product)
            if item.scale != 1.0:
                plane /= np.float32(item.scale)
            if not math.isfinite(float(np.add.reduce(plane))):
                hole = ~np.isfinite(plane)
                if hole.any():
                    plane[hole] = 0
                    self._holes[i] = hole

    def _order_statistics(self, stack: NDArray[Any]) -> tuple[FloatArray, FloatArray, NDArray[np.int64] | None]:
        """Return the median, the pixel's own sigma and, if there are holes, how many values each pixel has."""
        n, size = stack.shape
        below, above, inner, outer = (plane[:size] for plane in self._scratch)
        self._order.find(stack, (below, above, inner, outer))
        below += above
        below *= np.float32(0.5)
        outer -= inner
        outer *= np.float32(self._recipe.sigma_factor)
        if all(hole is None for hole in self._holes):
            return below, outer, None
        missing = np.zeros(size, np.int64)
        for hole in self._holes:
            if hole is not None:
                missing += hole
        some = np.flatnonzero(missing)
        columns = stack[:, some]
        for values, hole in zip(columns, self._holes, strict=True):
            if hole is not None:
                values[hole[some]] = np.nan
        below[some], outer[some] = self._incomplete(columns, n - missing[some])
        return below, outer, n - missing

    def _incomplete(self, columns: FloatArray, known: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
        """Return median and own sigma of pixels, shape (n, pixels), of which some values are NaN."""
        columns.sort(axis=0)
        middle, own = np.full(known.size, np.nan, np.float32), np.full(known.size, np.nan, np.float32)
        for n in np.unique(known[known > 0]).tolist():
            at = np.flatnonzero(known == n)
            inner, outer = spread_ranks(n)
            middle[at] = (columns[(n - 1) // 2, at] + columns[n // 2, at]) * np.float32(0.5)
            own[at] = (columns[outer, at] - columns[inner, at]) * np.float32(spread_to_sigma(n, self._recipe.noise))
        return middle, own

    def _sigma(self, own: NDArray[np.float32], median: FloatArray) -> FloatArray:
        """Return the noise of a frame of relative noise 1, never zero (constant data would reject nothing or all)."""
        sigma = moderated_sigma(own, len(self._recipe.inputs)).reshape(-1)
        least = np.abs(median, out=self._scratch[1][: median.size])
        least *= np.float32(1e-6)
        least += np.float32(max(self._recipe.floor, 1e-30))
        return np.fmax(sigma, least, out=sigma)

    def _error_of_median(self, sigma: FloatArray, valid: NDArray[np.int64] | None) -> FloatArray:
        """Return the standard error of the median; NaN where there are fewer than two values."""
        n = len(self._recipe.inputs)
        factors = median_error_factor(np.arange(n + 1.0), self._recipe.noise).astype(np.float32)
        factors[:2] = np.nan
        return sigma * (factors[n] if valid is None else factors[valid])

    def _mean(
        self, median: FloatArray, sigma: FloatArray, sums: Sums, valid: NDArray[np.int64] | None
    ) -> tuple[FloatArray, FloatArray, NDArray[Any]]:
        """Return the mean of what is left (the median where nothing is), its standard error and how many are left."""
        total, weight, count = sums
        n = len(self._recipe.inputs)
        known = np.broadcast_to(n, median.shape) if valid is None else valid
        empty = np.flatnonzero(count <= 0)
        if empty.size:
            count[empty] = known[empty]
            weight[empty] = np.maximum(known[empty], 1)
            total[empty] = 0
        total /= weight
        median += total
        uncertainty = np.divide(sigma, np.sqrt(weight, out=weight), out=sigma)
        if n < 2 or valid is not None:
            uncertainty[known < 2] = np.nan
        return median, uncertainty, count

    def _calibrate_result(
        self, tile: Tile, shape: tuple[int, int], image: NDArray[Any], uncertainty: NDArray[Any]
    ) -> None:
        """Apply the calibration that all inputs share to the result."""
        recipe, first = self._recipe, self._recipe.inputs[0]
        bias = self._plane(recipe.bias, tile, shape, self._scratch[1])
        dark = self._plane(recipe.dark, tile, shape, self._scratch[2])
        if recipe.signed:
            image -= 32768
        if bias is not None:
            image -= bias
        if dark is not None:
            image -= dark * np.float32(first.exposure)
        if first.scale != 1.0:
            image /= np.float32(first.scale)
            uncertainty /= np.float32(first.scale)
