"""The arithmetic of one strip of a stack: load, order statistics, noise, clipping, what each input gave."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .network import Buffers, select
from .noise import median_error_factor, moderated_sigma, spread_ranks, spread_to_sigma

if TYPE_CHECKING:
    from .combine import Combined, Input, Source, Tile

OUTLYING = 6.0  # sigma from the master at which a pixel of an input counts as outlying
_PLANES = 12  # float32 working planes of a strip beside the stack itself

FloatArray = NDArray[np.float32]
_NOWHERE = np.empty(0, np.intp)


@dataclass(frozen=True)
class Recipe:
    """What to do with every strip.

    Attributes
    ----------
    stored : numpy.dtype
        Type in which the stack is held: that of 16-bit (or smaller) integer inputs which all share one exposure and
        scale, whose order the calibration does not change; float32 otherwise.
    weights : ndarray
        One per input, 1 / noise^2.
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
    noise: NDArray[np.float64]
    weights: NDArray[np.float64]
    sigma_factor: float
    floor: float

    @classmethod
    def of(
        cls, inputs: Sequence[Input], method: str, low: float, high: float, bias: Source | None, dark: Source | None
    ) -> Recipe:
        """Choose the type of the stack and work out what is common to all strips."""
        types = {item.source.dtype for item in inputs}
        scalings = {(item.exposure if dark is not None else 0.0, item.scale) for item in inputs}
        kind = next(iter(types))
        plain = len(types) == 1 and len(scalings) == 1 and kind.kind in "ui" and kind.itemsize <= 2
        plain = plain and all(item.ceiling == math.inf for item in inputs)
        noise = np.array([item.noise for item in inputs])
        noise /= np.median(noise)
        floor = 0.0
        if all(each.kind in "ui" for each in types):
            floor = 0.5 if plain else 0.5 / float(np.median([item.scale for item in inputs]))
        return cls(
            inputs,
            method,
            low,
            high,
            bias,
            dark,
            kind if plain else np.dtype(np.float32),
            noise,
            noise**-2.0,
            spread_to_sigma(len(inputs), noise),
            floor,
        )

    @property
    def in_stored_unit(self) -> bool:
        """True when the stack holds the values as stored and the result is calibrated instead."""
        return self.stored.kind in "ui"

    @property
    def bytes_per_pixel(self) -> int:
        """Memory that a strip takes per pixel, the stack, the buffers of the network and the working planes."""
        return 2 * (len(self.inputs) + 2) * self.stored.itemsize + 4 * _PLANES


class StripWorker:
    """One thread's buffers and its work on strips; writes into the planes of the result where its strip lies."""

    def __init__(self, recipe: Recipe, size: int, target: Combined) -> None:
        self._recipe = recipe
        self._target = target
        self._stack = np.empty((len(recipe.inputs), size), recipe.stored)
        self._buffers = Buffers(size, recipe.stored)
        self._scratch = [np.empty(size, np.float32) for _ in range(8)]
        self._counted = np.empty(size, target.count.dtype)
        self._flags = np.empty(size, np.bool_)
        self._holes: list[NDArray[np.bool_] | None] = []

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
        size = shape[0] * shape[1]
        planes = [row[:size] for row in self._stack]
        self._load(tile, shape, planes)
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            median, own, valid = self._order_statistics(planes)
            sigma = self._sigma(own.reshape(shape), median)
            image, uncertainty, count = self._mean_and_tally(planes, median, sigma, valid, tally)
            if self._recipe.in_stored_unit:
                self._calibrate_result(tile, image, uncertainty)
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

    def _load(self, tile: Tile, shape: tuple[int, int], planes: list[NDArray[Any]]) -> None:
        """Read the strip of every input; values that are no numbers become 0 and are noted as holes."""
        recipe = self._recipe
        self._holes = [None] * len(planes)
        for item, plane in zip(recipe.inputs, planes, strict=True):
            item.source.read(tile, plane.reshape(shape))
        if recipe.in_stored_unit:
            return
        bias = self._plane(recipe.bias, tile, shape, self._scratch[0])
        dark = self._plane(recipe.dark, tile, shape, self._scratch[1])
        product = self._scratch[2][: shape[0] * shape[1]]
        with np.errstate(invalid="ignore", over="ignore"):
            for i, (item, plane) in enumerate(zip(recipe.inputs, planes, strict=True)):
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

    def _order_statistics(
        self, planes: list[NDArray[Any]]
    ) -> tuple[FloatArray, FloatArray, NDArray[np.float64] | None]:
        """Return the median, the pixel's own sigma and, if there are holes, how many values each pixel has."""
        n, size = len(planes), planes[0].size
        ranks = ((n - 1) // 2, n // 2, *spread_ranks(n))
        below, above, inner, outer = (plane[:size] for plane in self._scratch[4:8])
        for plane, found in zip((below, above, inner, outer), select(planes, ranks, self._buffers), strict=True):
            plane[...] = found
        below += above
        below *= np.float32(0.5)
        outer -= inner
        outer *= np.float32(self._recipe.sigma_factor)
        if all(hole is None for hole in self._holes):
            return below, outer, None
        missing = np.zeros(below.size, np.int64)
        for hole in self._holes:
            if hole is not None:
                missing += hole
        some = np.flatnonzero(missing)
        columns = np.stack([plane[some] for plane in planes]).astype(np.float32)
        for values, hole in zip(columns, self._holes, strict=True):
            if hole is not None:
                values[hole[some]] = np.nan
        below[some], outer[some] = self._incomplete(columns, n - missing[some])
        return below, outer, (n - missing).astype(np.float64)

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
        least = np.abs(median, out=self._scratch[3][: median.size])
        least *= np.float32(1e-6)
        least += np.float32(max(self._recipe.floor, 1e-30))
        return np.fmax(sigma, least, out=sigma)

    def _mean_and_tally(
        self,
        planes: list[NDArray[Any]],
        median: FloatArray,
        sigma: FloatArray,
        valid: NDArray[np.float64] | None,
        tally: NDArray[np.float64],
    ) -> tuple[FloatArray, FloatArray, NDArray[Any]]:
        """Return image, uncertainty and count of the strip, and note what each input gave."""
        recipe, size, n = self._recipe, median.size, len(planes)
        residual, work = self._scratch[0][:size], self._scratch[1][:size]
        inverse = np.divide(np.float32(1.0), sigma, out=self._scratch[2][:size])
        averaging = recipe.method != "median"
        total, weight, count = self._scratch[3][:size], self._scratch[5][:size], self._counted[:size]
        count[...] = n if valid is None else valid
        if averaging:
            total[...] = 0
            weight[...] = recipe.weights.sum()
        for i, plane in enumerate(planes):
            residual[...] = plane
            residual -= median
            residual *= inverse
            if recipe.noise[i] != 1.0:
                residual /= np.float32(recipe.noise[i])
            hole = self._holes[i]
            if hole is not None:
                residual[hole] = 0
                if averaging:
                    weight[hole] -= np.float32(recipe.weights[i])
            tally[0, i] = size if hole is None else size - np.count_nonzero(hole)
            tally[3, i] = np.add.reduce(residual)
            rejected = self._judge(residual, work, tally[:, i])
            if not averaging:
                continue
            if recipe.method == "winsor":
                residual[rejected] = np.clip(residual[rejected], -recipe.low, recipe.high)
            elif rejected.size:
                residual[rejected] = 0
                weight[rejected] -= np.float32(recipe.weights[i])
                count[rejected] -= 1
            factor = recipe.weights[i] * recipe.noise[i]
            if factor != 1.0:
                residual *= np.float32(factor)
            total += residual
        return self._result(median, sigma, total, weight, count, valid)

    def _judge(self, residual: FloatArray, work: FloatArray, tally: NDArray[np.float64]) -> NDArray[np.intp]:
        """Count the outlying pixels of an input and return where it is rejected."""
        recipe = self._recipe
        flags = self._flags[: residual.size]
        averaging = recipe.method != "median"
        limit = min(recipe.low, recipe.high, OUTLYING) if averaging else OUTLYING
        np.abs(residual, out=work)
        np.greater(work, np.float32(limit), out=flags)
        if not averaging:
            tally[2] = np.count_nonzero(flags)
            return _NOWHERE
        at = np.flatnonzero(flags)
        values = residual[at]
        tally[2] = np.count_nonzero(np.abs(values) > OUTLYING)
        rejected = at[(values < -recipe.low) | (values > recipe.high)]
        tally[1] = rejected.size
        return rejected

    def _result(
        self,
        median: FloatArray,
        sigma: FloatArray,
        total: FloatArray,
        weight: FloatArray,
        count: NDArray[Any],
        valid: NDArray[np.float64] | None,
    ) -> tuple[FloatArray, FloatArray, NDArray[Any]]:
        """Turn the sums into the image and its standard error."""
        recipe, n = self._recipe, len(self._recipe.inputs)
        if recipe.method == "median":
            if valid is None:
                factor = np.float32(median_error_factor(np.array([float(n)]), recipe.noise)[0])
                sigma *= factor if n > 1 else np.float32(np.nan)
            else:
                factors = median_error_factor(np.arange(n + 1.0), recipe.noise).astype(np.float32)
                factors[:2] = np.nan
                sigma *= factors[valid.astype(np.intp)]
            return median, sigma, count
        least = np.float32(0.5 * recipe.weights.min())
        empty = weight < least  # nothing left: every value was rejected, or there was none
        if empty.any():
            everything = valid[empty] if valid is not None else n
            count[empty] = everything
            weight[empty] = np.maximum(everything, 1)
            total[empty] = 0
        total /= weight
        total *= sigma
        total += median
        uncertainty = np.divide(sigma, np.sqrt(weight, out=weight), out=weight)
        if n < 2:
            uncertainty[...] = np.nan
        elif valid is not None:
            uncertainty[valid < 2] = np.nan
        return total, uncertainty, count

    def _calibrate_result(self, tile: Tile, image: FloatArray, uncertainty: FloatArray) -> None:
        """Apply the calibration that all inputs share to the result."""
        recipe, first = self._recipe, self._recipe.inputs[0]
        shape = tile.y1 - tile.y0, tile.x1 - tile.x0
        bias = self._plane(recipe.bias, tile, shape, self._scratch[0])
        dark = self._plane(recipe.dark, tile, shape, self._scratch[1])
        if bias is not None:
            image -= bias
        if dark is not None:
            image -= dark * np.float32(first.exposure)
        if first.scale != 1.0:
            image /= np.float32(first.scale)
            uncertainty /= np.float32(first.scale)
