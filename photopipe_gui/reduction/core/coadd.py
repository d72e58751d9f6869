"""Combining resampled frames: inverse-variance weights, outliers out, a weight map that says what the noise is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .reject import HALO, Layer, Rejection, find_outliers
from .resample import EXCLUDED, SATURATED, Flags, FloatImage, Resampled, spread_blocks

_CLIP_LOSS = 0.9953  # median of |x| of a Gaussian cut off at 3 sigma, over that of a whole one
_LAG = 2  # px between the pixels whose differences give the noise: neighbours can share charge
_BYTES_PER_VALUE = 28  # working memory of a combination per value
_SAMPLE_ROWS = 160


class Source(Protocol):
    """A resampled frame that can be read by rows of the coadd."""

    @property
    def x0(self) -> int:
        """First column on the coadd."""

    @property
    def y0(self) -> int:
        """First row on the coadd."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    def read(self, first: int, last: int) -> tuple[FloatImage, Flags, FloatImage]:
        """Return image, flags and variance ratio of rows `first` to `last` (end excluded) of its own rectangle."""


@dataclass(frozen=True)
class InMemory:
    """A resampled frame as a `Source`."""

    frame: Resampled

    @property
    def x0(self) -> int:
        """First column on the coadd."""
        return self.frame.x0

    @property
    def y0(self) -> int:
        """First row on the coadd."""
        return self.frame.y0

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.frame.image.shape
        return rows, columns

    def read(self, first: int, last: int) -> tuple[FloatImage, Flags, FloatImage]:
        """Return image, flags and variance ratio of some rows."""
        variance = spread_blocks(self.frame.variance, first, last, self.shape[1])
        return self.frame.image[first:last], self.frame.flags[first:last], variance


@dataclass(frozen=True)
class Combined:
    """Rows of a coadd.

    Attributes
    ----------
    image : ndarray of float32, shape (rows, columns)
        Weighted mean, DN; NaN where no frame has a value.
    weight : ndarray of float32
        Inverse variance of the value as it stands (of the sky; DN^-2); 0 where there is none or all are saturated.
    count : ndarray of uint16
        Number of frames that went into the value.
    saturated : ndarray of bool
        True where at least one frame was saturated.
    rejected : ndarray of int64, shape (n,)
        Values rejected as outliers, by frame.
    """

    image: FloatImage
    weight: FloatImage
    count: NDArray[np.uint16]
    saturated: NDArray[np.bool_]
    rejected: NDArray[np.int64]


def sky_noise(image: FloatImage, good: NDArray[np.bool_]) -> float:
    """Return the standard deviation of the pixel noise of a frame.

    From the differences of pixels two apart in either direction: gradients, stars and residual sky structure drop out.

    Parameters
    ----------
    image : ndarray of float32, shape (ny, nx)
    good : ndarray of bool, same shape
        Pixels to use; at most some 160 rows of them, spread over the image, are.

    Returns
    -------
    float
        1.4826 times the median absolute difference, over the square root of 2, twice clipped at 3 times itself; NaN
        without pixels.
    """
    step = max(1, round(image.shape[0] / _SAMPLE_ROWS))
    rows = np.arange(0, max(image.shape[0] - _LAG, 0), step)
    differences = []
    if image.shape[1] > _LAG:
        both = good[rows][:, _LAG:] & good[rows][:, :-_LAG]
        differences.append((image[rows][:, _LAG:] - image[rows][:, :-_LAG])[both])
    both = good[rows] & good[rows + _LAG]
    differences.append((image[rows] - image[rows + _LAG])[both])
    distance = np.abs(np.concatenate(differences))
    if distance.size == 0:
        return float("nan")
    for _ in range(2):
        distance = distance[distance <= 3 * 1.4826 * np.median(distance)]
    return float(1.4826 / np.sqrt(2.0) * np.median(distance) / _CLIP_LOSS)


def combine_values(
    values: FloatImage, flags: Flags, variances: FloatImage, layers: Sequence[Layer], rejection: Rejection
) -> Combined:
    """Combine frames that lie on the same pixels.

    Saturated values only count where no frame is better; they then get no weight in the map.

    Parameters
    ----------
    values : ndarray of float32, shape (n, rows, columns)
        Finite; scaled to common flux.
    flags : ndarray of uint8, same shape
    variances : ndarray of float32, same shape
        Variance of each resampled pixel over that of an input pixel.
    layers : sequence of Layer, length n
    rejection : Rejection

    Returns
    -------
    Combined
    """
    present = (flags & EXCLUDED) == 0
    saturated = present & ((flags & SATURATED) != 0)
    burnt = saturated.any(axis=0)
    usable = present & ~saturated if burnt.any() else present
    outliers = find_outliers(values, usable, layers, rejection)
    usable &= ~outliers
    only_burnt = burnt & ~usable.any(axis=0)
    if only_burnt.any():
        usable |= saturated & only_burnt
    shape = values.shape[1:]
    total, weights, spread = (np.zeros(shape, np.float32) for _ in range(3))
    for k, layer in enumerate(layers):
        weight = np.where(usable[k], np.float32(layer.weight), np.float32(0))
        total += weight * values[k]
        weights += weight
        spread += weight * variances[k]
    some = weights > 0
    image = np.full(shape, np.nan, np.float32)
    np.divide(total, weights, out=image, where=some)
    inverse = np.zeros(shape, np.float32)
    np.divide(weights, spread, out=inverse, where=some)
    inverse *= weights
    inverse[only_burnt] = 0
    return Combined(image, inverse, usable.sum(axis=0, dtype=np.uint16), burnt,
                    outliers.sum(axis=(1, 2), dtype=np.int64))


def combine_rows(
    sources: Sequence[Source],
    layers: Sequence[Layer],
    columns: int,
    first: int,
    last: int,
    rejection: Rejection,
) -> Combined:
    """Combine rows `first` to `last` (end excluded) of the coadd, looking a little beyond them.

    Parameters
    ----------
    sources, layers : sequences of equal length
        Frames and what is known of them.
    columns : int
        Columns of the coadd.
    """
    top, bottom = first - HALO, last + HALO
    inside = [k for k, s in enumerate(sources) if s.y0 < bottom and s.y0 + s.shape[0] > top and s.shape[1] > 0]
    values = np.zeros((len(inside), bottom - top, columns), np.float32)
    flags = np.full(values.shape, EXCLUDED, np.uint8)
    variances = np.ones(values.shape, np.float32)
    for place, k in enumerate(inside):
        source = sources[k]
        low, high = max(top, source.y0), min(bottom, source.y0 + source.shape[0])
        target = np.s_[place, low - top : high - top, source.x0 : source.x0 + source.shape[1]]
        values[target], flags[target], variances[target] = source.read(low - source.y0, high - source.y0)
    part = combine_values(values, flags, variances, [layers[k] for k in inside], rejection)
    keep = slice(HALO, HALO + last - first)
    rejected = np.zeros(len(sources), np.int64)
    rejected[inside] = part.rejected
    return Combined(part.image[keep], part.weight[keep], part.count[keep], part.saturated[keep], rejected)


def rows_within(memory: int, frames: int, columns: int) -> int:
    """Return how many rows a strip may have so that combining it takes about `memory` bytes."""
    rows = memory // (_BYTES_PER_VALUE * max(frames, 1) * max(columns, 1)) - 2 * HALO
    return int(np.clip(rows, 4, 256))


def combine(
    sources: Sequence[Source],
    layers: Sequence[Layer],
    shape: tuple[int, int],
    rejection: Rejection | None = None,
    memory: int = 64 << 20,
) -> Combined:
    """Combine all rows of a coadd, strip by strip.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the coadd.
    memory : int
        Bytes that a strip may take while it is worked on.
    """
    step = rows_within(memory, len(sources), shape[1])
    parts = [combine_rows(sources, layers, shape[1], first, min(first + step, shape[0]), rejection or Rejection())
             for first in range(0, shape[0], step)]
    return Combined(
        np.concatenate([part.image for part in parts]),
        np.concatenate([part.weight for part in parts]),
        np.concatenate([part.count for part in parts]),
        np.concatenate([part.saturated for part in parts]),
        np.sum([part.rejected for part in parts], axis=0),
    )


def correlation_factor(layers: Sequence[Layer]) -> float:
    """Return by how much the noise in large apertures exceeds that of independent pixels of the stated variance."""
    weights = np.array([layer.weight for layer in layers])
    variances = np.array([layer.variance for layer in layers])
    return float(np.sqrt(weights.sum() / (weights * variances).sum()))


def effective_gain(layers: Sequence[Layer]) -> float:
    """Return electrons per DN of the coadd: signal over photon variance of its weighted mean; NaN when unknown."""
    weights = np.array([layer.weight for layer in layers])
    gains = np.array([layer.gain for layer in layers])
    if not (np.isfinite(gains) & (gains > 0)).all():
        return float("nan")
    return float(weights.sum() ** 2 / (weights**2 / gains).sum())
