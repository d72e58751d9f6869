"""Combination of many images into one, in strips, within a stated memory and on all cores.

Nothing here knows files: a `Source` gives rectangles of an image, as integers where they are integers. Strips are large
enough for numpy to work without the interpreter lock, so threads are all that is needed.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .noise import CELL_COLUMNS, CELL_ROWS
from .order import choose
from .strips import Recipe, StripWorker

Method = Literal["median", "clip", "winsor"]
METHODS: tuple[Method, ...] = ("median", "clip", "winsor")
MEMORY_LIMIT = 512 << 20

_IDEAL_PIXELS = 1 << 17  # of a strip: long enough to hide the calls, short enough for the cache
_FEWEST_PIXELS = 1 << 13  # below this a second thread costs more than it gives
_RESIDENT = 96 << 20  # bytes that the strips of all threads take at most, if the limit is not lower still


class Tile(NamedTuple):
    """A rectangle of pixels, numpy order, end excluded."""

    y0: int
    y1: int
    x0: int
    x1: int


class Source(Protocol):
    """An image that is read in rectangles, from any thread."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels that `read` gives, in native byte order."""

    def read(self, tile: Tile, out: NDArray[Any]) -> None:
        """Write the rectangle into `out`, shape (y1 - y0, x1 - x0), of `dtype`, or 16-bit for bytes, or float32."""


@dataclass(frozen=True)
class ArraySource:
    """An image that is in memory."""

    array: NDArray[Any]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.array.shape[0], self.array.shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the array, native."""
        return self.array.dtype.newbyteorder("=")

    def read(self, tile: Tile, out: NDArray[Any]) -> None:
        """Copy the rectangle."""
        out[...] = self.array[tile.y0 : tile.y1, tile.x0 : tile.x1]


@dataclass(frozen=True)
class Input:
    """One image of the stack and how its values are brought to the common scale.

    The value combined is ``(stored - bias - dark * exposure) / scale``.

    Attributes
    ----------
    source : Source
        The image; NaN and infinite pixels are left out.
    exposure : float
        What the dark plane is multiplied with, in s.
    scale : float
        Divisor, positive.
    noise : float
        Noise of the scaled frame relative to the others: the clipped and the winsorised mean weight frames by its
        inverse square.
    ceiling : float
        Stored values from here on are no measurement (saturated) and are left out like NaN.
    """

    source: Source
    exposure: float = 0.0
    scale: float = 1.0
    noise: float = 1.0
    ceiling: float = math.inf


class Contribution(NamedTuple):
    """What one input gave to the combined image.

    Attributes
    ----------
    n_valid : int
        Pixels with a value.
    n_rejected : int
        Pixels left out (or pulled in, winsorised) as outliers.
    mean_residual : float
        Mean of (input - master) / sigma, sigma the noise of one frame at each pixel; NaN with a single input.
    outlier_fraction : float
        Fraction of valid pixels more than 6 sigma from the master; NaN with a single input.
    """

    n_valid: int
    n_rejected: int
    mean_residual: float
    outlier_fraction: float


@dataclass(frozen=True)
class Combined:
    """A combined image.

    Attributes
    ----------
    image : ndarray of float32, shape (ny, nx)
        NaN where no input has a value.
    uncertainty : ndarray of float32, shape (ny, nx)
        Standard error from the scatter of the inputs; without the errors of the bias and dark planes. NaN with a
        single input.
    count : ndarray of uint8 or uint16, shape (ny, nx)
        Inputs that entered, rejected ones not counted.
    contributions : tuple of Contribution
        One per input, in order.
    """

    image: NDArray[np.float32]
    uncertainty: NDArray[np.float32]
    count: NDArray[Any]
    contributions: tuple[Contribution, ...] = ()


def combine(
    inputs: Sequence[Input],
    *,
    method: Method = "median",
    low: float = 3.0,
    high: float = 3.0,
    bias: Source | None = None,
    dark: Source | None = None,
    memory_limit: int = MEMORY_LIMIT,
    workers: int = 0,
    tick: Callable[[int, int], None] | None = None,
) -> Combined:
    """Combine images pixel by pixel.

    Parameters
    ----------
    inputs : sequence of Input
        At least one; all of one shape.
    method : {'median', 'clip', 'winsor'}
        ``median``: of the values, NaN left out. ``clip``: weighted mean of the values within `low` and `high` sigma of
        the median, sigma from the order statistics of the pixel and its neighbourhood (`noise.moderated_sigma`), so
        that an outlier does not hide itself; the median where nothing is left. ``winsor``: the same, but outlying
        values are set to the limit.
    low, high : float
        Limits in units of the noise of a frame.
    bias, dark : Source, optional
        Planes of the shape of the inputs that are subtracted, the dark times each input's `exposure`.
    memory_limit : int
        Bytes for the result and the strips in work together.
    workers : int
        Threads; 0 for one per processor available.
    tick : callable, optional
        Called with (strips done, strips in all) after each strip, from the working threads, one at a time. What
        it raises stops the work and is raised here.

    Returns
    -------
    Combined
        Independent of the number of strips and threads (to the last digits of the per-input means).

    Raises
    ------
    ValueError
        For no inputs, unequal shapes, a scale or noise that is not positive, an unknown method.
    """
    _check(inputs, method, bias, dark)
    recipe = Recipe.of(inputs, method, low, high, bias, dark)
    shape = inputs[0].source.shape
    counts = np.dtype(np.uint8 if len(inputs) < 256 else np.uint16)
    target = Combined(np.empty(shape, np.float32), np.empty(shape, np.float32), np.empty(shape, counts))
    fixed = target.image.nbytes + target.uncertainty.nbytes + target.count.nbytes
    by_sorting, threads = choose(len(inputs), recipe.ranks, recipe.stored, workers or processors())
    size, threads = _strip_size(recipe.bytes_per_pixel(by_sorting), memory_limit - fixed, threads)
    tiles = list(_tiles(shape, size))
    tallies = np.zeros((len(tiles), 4, len(inputs)))
    _run(tiles, lambda: StripWorker(recipe, size, target, by_sorting), tallies, min(threads, len(tiles)), tick)
    return replace(target, contributions=_contributions(tallies.sum(axis=0)))


def _contributions(tally: NDArray[np.float64]) -> tuple[Contribution, ...]:
    """Turn the sums over all strips, shape (4, n), into what each input gave."""
    valid, rejected, outlying, residual = tally
    known = np.where((valid > 0) & (valid.size > 1), valid, np.nan)
    return tuple(
        Contribution(int(v), int(r), float(s), float(o))
        for v, r, s, o in zip(valid, rejected, residual / known, outlying / known, strict=True)
    )


def _check(inputs: Sequence[Input], method: str, *planes: Source | None) -> None:
    if not inputs:
        raise ValueError("nothing to combine")
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; it must be one of {', '.join(METHODS)}")
    shapes = {item.source.shape for item in inputs} | {plane.shape for plane in planes if plane is not None}
    if len(shapes) > 1:
        raise ValueError(f"images of different shapes: {', '.join(map(str, sorted(shapes)))}")
    for item in inputs:
        if not (item.scale > 0 and item.noise > 0 and np.isfinite([item.scale, item.noise, item.exposure]).all()):
            raise ValueError(
                f"scale {item.scale}, noise {item.noise} and exposure {item.exposure} of an input must be "
                "finite, scale and noise positive"
            )


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _strip_size(bytes_per_pixel: int, available: int, workers: int) -> tuple[int, int]:
    """Return pixels of a strip and threads that stay within the memory."""
    budget = max(min(available, max(_RESIDENT, workers * _RESIDENT // 8)), 1)
    threads = max(1, min(workers, budget // (bytes_per_pixel * _FEWEST_PIXELS)))
    return int(max(min(_IDEAL_PIXELS, budget // threads // bytes_per_pixel), CELL_ROWS * CELL_COLUMNS)), int(threads)


def _tiles(shape: tuple[int, int], size: int) -> Iterator[Tile]:
    """Yield rectangles of at most `size` pixels that begin on cell boundaries."""
    ny, nx = shape
    columns = min(nx, max(size // CELL_ROWS // CELL_COLUMNS, 1) * CELL_COLUMNS)
    rows = max(size // columns // CELL_ROWS, 1) * CELL_ROWS
    for y in range(0, ny, rows):
        for x in range(0, nx, columns):
            yield Tile(y, min(y + rows, ny), x, min(x + columns, nx))


def _run(
    tiles: Sequence[Tile],
    make_worker: Callable[[], StripWorker],
    tallies: NDArray[np.float64],
    threads: int,
    tick: Callable[[int, int], None] | None,
) -> None:
    """Work through the strips; the first error stops all threads and is raised."""
    waiting = iter(range(len(tiles)))
    lock = threading.Lock()
    errors: list[BaseException] = []
    done = 0

    def work() -> None:
        nonlocal done
        try:
            worker = make_worker()
            while True:
                with lock:
                    index = None if errors else next(waiting, None)
                if index is None:
                    return
                worker.process(tiles[index], tallies[index])
                with lock:
                    done += 1
                    if tick is not None and not errors:
                        tick(done, len(tiles))
        except BaseException as error:  # raised again in the calling thread
            errors.append(error)

    pool = [threading.Thread(target=work, name=f"combine-{i}", daemon=True) for i in range(threads - 1)]
    for thread in pool:
        thread.start()
    work()
    for thread in pool:
        thread.join()
    if errors:
        raise errors[0]
