"""Resampling a frame on the grid of a coadd: Lanczos interpolation with bad pixels kept out of the way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .pixelmap import STEP, PixelMap

FloatImage = NDArray[np.float32]
Flags = NDArray[np.uint8]

GOOD, EXCLUDED, SATURATED = 0, 1, 2  # bits of the flags of an image before and after resampling
KERNELS = ("spline3", "spline5", "lanczos3", "lanczos4")
DEFAULT_KERNEL = "spline5"
_PANEL = 128
_WELL_SAMPLED = 3.5  # px
_PHASES = 2048
BLOCK = STEP // 2  # rows of a strip, and side of the blocks by which the variance is kept
_EDGE = 12  # px beyond the border over which a spline's filter settles: 0.43^12 is 4e-5
_POLES = {3: (math.sqrt(3) - 2,), 5: (-0.430575347099973, -0.0430962882032647)}  # Unser 1999, table 1
_FILL_REACH = 3  # px around a bad pixel that are looked at to fill it


@dataclass(frozen=True)
class Resampled:
    """A frame on the grid of the coadd.

    Attributes
    ----------
    x0, y0 : int
        Column and row of its first pixel on the coadd.
    image : ndarray of float32, shape (ny, nx)
        Flux per pixel of the coadd; finite everywhere, without meaning where flagged `EXCLUDED`.
    flags : ndarray of uint8, shape (ny, nx)
        `GOOD`, or bits of `EXCLUDED` and `SATURATED`.
    variance : ndarray of float32, shape (ceil(ny / 16), ceil(nx / 16))
        By blocks of `BLOCK` pixels, the variance of a resampled pixel of white noise over that of an input pixel,
        before `scale`: below 1, because neighbouring pixels now share noise, more or less with the sub-pixel phase.
    """

    x0: int
    y0: int
    image: FloatImage
    flags: Flags
    variance: FloatImage


def spread_blocks(blocks: FloatImage, first: int, last: int, columns: int) -> FloatImage:
    """Return rows `first` to `last` (end excluded) of a plane that is stored by blocks of `BLOCK` pixels."""
    rows = np.arange(first, last) // BLOCK
    wide: FloatImage = np.repeat(blocks[rows], BLOCK, axis=1)[:, :columns]
    return wide


class Kernel:
    """An interpolating kernel, separable in x and y.

    Parameters
    ----------
    name : str
        ``'spline3'``, ``'spline5'``: B-splines of that degree through the pixels (Unser 1999, IEEE Signal
        Processing Magazine 16/6, 22); ``'lanczos3'``, ``'lanczos4'``: windowed sinc of that many lobes,
        normalised so that a constant stays what it is (Duchon 1979, J. Appl. Meteor. 18, 1016).
    """

    def __init__(self, name: str) -> None:
        if name not in KERNELS:
            raise ValueError(f"the kernel must be one of {', '.join(KERNELS)}, not {name!r}")
        self.name = name
        size = int(name[-1])
        self.degree = size if name.startswith("spline") else 0
        self.reach = (size + 1) // 2 if self.degree else size  # px to either side
        self.taps = 2 * self.reach

    @cached_property
    def table(self) -> FloatImage:
        """Weights by tap and phase, shape (taps, phases): tap ``reach - 1`` is the pixel to the left."""
        phase = (np.arange(_PHASES) + 0.5) / _PHASES
        distance = np.arange(1 - self.reach, self.reach + 1)[:, None] - phase[None, :]
        if self.degree:
            from scipy.interpolate import BSpline

            half = (self.degree + 1) / 2
            weights = BSpline.basis_element(np.linspace(-half, half, self.degree + 2), extrapolate=False)(distance)
        else:
            weights = np.sinc(distance) * np.sinc(distance / self.reach) * (np.abs(distance) < self.reach)
        return np.ascontiguousarray(weights / weights.sum(axis=0), dtype=np.float32)

    @cached_property
    def power(self) -> FloatImage:
        """Variance of an interpolated value of white noise of variance 1, by phase, shape (phases,)."""
        impulse = np.zeros((101, 101), np.float32)
        impulse[50, 50] = 1.0
        response = self.coefficients(impulse).sum(axis=0, dtype=np.float64)
        spread = np.array([np.convolve(response, column) for column in self.table.T[::32]])
        return np.repeat((spread**2).sum(axis=1), 32).astype(np.float32)

    def coefficients(self, image: FloatImage) -> FloatImage:
        """Return what the weights apply to: the image itself, or its B-spline coefficients (a new array)."""
        if not self.degree:
            return image
        gain = float(np.prod([(1 - pole) * (1 - 1 / pole) for pole in _POLES[self.degree]])) ** 2
        across = _transposed(image)
        across *= np.float32(gain)
        _recursive(across, _POLES[self.degree])
        down = _transposed(across)
        _recursive(down, _POLES[self.degree])
        return down


def _transposed(image: FloatImage) -> FloatImage:
    """Return the transposed image as an array of its own; in panels of rows, four times quicker than in one go."""
    turned: FloatImage = np.empty(image.shape[::-1], np.float32)
    for first in range(0, image.shape[0], _PANEL):
        turned[:, first : first + _PANEL] = image[first : first + _PANEL].T
    return turned


def _recursive(lines: FloatImage, poles: tuple[float, ...]) -> None:
    """Filter along the first axis in place, once up and once down for each pole.

    The ends start as if the first value went on for ever; what that changes fades within 2 * `_EDGE` pixels.
    """
    work = np.empty_like(lines[0])
    for value in poles:
        pole = np.float32(value)
        lines[0] /= 1 - pole
        for above, here in pairwise(lines):
            np.multiply(above, pole, out=work)
            here += work
        lines[-1] *= -pole / (1 - pole)
        for below, here in pairwise(lines[::-1]):
            np.subtract(below, here, out=here)
            here *= pole


def kernel_for(fwhm: float) -> str:
    """Return the quickest kernel that keeps stars of this FWHM (px) as they are.

    On well-sampled stars the cubic spline is as exact as the quintic one in half the time: it widens stars of 3.5 px by
    0.15 %. The sharper ones, and those of unknown width, need the quintic.
    """
    return "spline3" if fwhm >= _WELL_SAMPLED else DEFAULT_KERNEL


@lru_cache(maxsize=8)
def kernel_of(name: str) -> Kernel:
    """Return the kernel of a name, one of `KERNELS`."""
    return Kernel(name)


def fill_bad(image: FloatImage, bad: NDArray[np.bool_]) -> FloatImage:
    """Return the image with bad pixels replaced by their surroundings.

    What is filled in never counts; it only keeps the kernel from carrying a bad value, or a hole, into good pixels.

    Parameters
    ----------
    image : ndarray of float32, shape (ny, nx)
        May hold NaN, all of them in `bad`.
    bad : ndarray of bool, shape (ny, nx)
        Pixels to replace by the mean of the good ones within 3 px, weighted with the inverse fourth power of the
        distance; by the median of the image where there are none.

    Returns
    -------
    ndarray of float32, shape (ny, nx)
        A copy, finite.
    """
    filled: FloatImage = np.array(image, dtype=np.float32)
    y, x = np.nonzero(bad)
    if y.size == 0:
        return filled
    ny, nx = image.shape
    good = ~bad
    level = np.float32(np.median(image[good][::17])) if good.any() else np.float32(0)
    total = np.zeros(y.size, np.float32)
    weight = np.zeros(y.size, np.float32)
    for dy in range(-_FILL_REACH, _FILL_REACH + 1):
        for dx in range(-_FILL_REACH, _FILL_REACH + 1):
            if dx == dy == 0:
                continue
            yy, xx = np.clip(y + dy, 0, ny - 1), np.clip(x + dx, 0, nx - 1)
            w = good[yy, xx] * np.float32((dx * dx + dy * dy) ** -2.0)
            total += np.where(w > 0, image[yy, xx], 0) * w
            weight += w
    filled[y, x] = np.where(weight > 0, total / np.where(weight > 0, weight, 1), level)
    return filled


def _pad(image: FloatImage, flags: Flags, border: int) -> tuple[FloatImage, Flags]:
    """Return image and flags with a border; a flag covers every position that has its pixel as neighbour."""
    mode = "reflect" if min(image.shape) > border else "edge"
    padded = np.pad(image, border, mode=mode)  # type: ignore[call-overload]
    wide = np.pad(flags, border, constant_values=EXCLUDED)
    spread = wide.copy()
    spread[:, :-1] |= wide[:, 1:]
    spread[:-1] |= spread[1:]
    return padded, spread


def resample(
    image: FloatImage,
    flags: Flags,
    pixels: PixelMap,
    scale: float = 1.0,
    *,
    kernel: str = DEFAULT_KERNEL,
    conserve: bool = True,
) -> Resampled:
    """Return the frame on the grid of the coadd.

    Parameters
    ----------
    image : ndarray of float32, shape (ny, nx)
        The frame, sky subtracted; NaN is taken as `EXCLUDED`.
    flags : ndarray of uint8, shape (ny, nx)
        `GOOD`, `EXCLUDED` (bad, hit by a cosmic ray, no data) or `SATURATED` (the value stays, and is told apart).
    pixels : PixelMap
        Where the pixels of the coadd lie on the frame.
    scale : float
        Factor on the flux.
    kernel : str
        One of `KERNELS`.
    conserve : bool
        Multiply by the ratio of the pixel areas, so that a star keeps its flux. Without, the surface brightness stays.

    Returns
    -------
    Resampled
        Positions with an excluded pixel among their four neighbours are excluded; so are those off the frame.
    """
    shape_of = kernel_of(kernel)
    flags = np.where(np.isfinite(image), flags, np.uint8(EXCLUDED))
    filled = fill_bad(image, (flags & EXCLUDED) != 0)
    border = shape_of.reach + (_EDGE if shape_of.degree else 0)
    source, near = _pad(filled, flags, border)
    source = shape_of.coefficients(source)
    ny, nx = pixels.shape
    out, out_flags = np.empty((ny, nx), np.float32), np.empty((ny, nx), np.uint8)
    power = np.ones((-(-ny // BLOCK), -(-nx // BLOCK)), np.float32)
    for first in range(0, ny, BLOCK):
        last = min(first + BLOCK, ny)
        x, y, area = pixels.rows(first, last)
        block_row = power[first // BLOCK]
        block_row[...] = _strip(shape_of, source, near, border, (x, y), out[first:last], out_flags[first:last])
        if conserve:
            block_row *= area[0, ::BLOCK] ** 2
        out[first:last] *= area * np.float32(scale) if conserve else np.float32(scale)
    return Resampled(pixels.x0, pixels.y0, out, out_flags, power)


def _strip(
    kernel: Kernel,
    source: FloatImage,
    near: Flags,
    border: int,
    position: tuple[FloatImage, FloatImage],
    out: FloatImage,
    flags: Flags,
) -> FloatImage:
    """Interpolate one strip; return the variance ratio by blocks of columns."""
    height, width = source.shape
    column, phase_x, off_x = _fixed(position[0], width - 2 * border)
    row, phase_y, off_y = _fixed(position[1], height - 2 * border)
    row += border
    row *= width
    row += column
    row += border
    base = row
    np.take(near.ravel(), base, out=flags, mode="clip")
    flags[off_x | off_y] = EXCLUDED
    base -= (kernel.reach - 1) * (width + 1)
    flat, table = source.ravel(), kernel.table
    weights_x = [np.take(table[tap], phase_x) for tap in range(kernel.taps)]
    weight_y, value, line = (np.empty(out.shape, np.float32) for _ in range(3))
    out[...] = 0
    for tap_y in range(kernel.taps):
        np.take(flat[tap_y * width :], base, out=line, mode="clip")
        line *= weights_x[0]
        for tap_x in range(1, kernel.taps):
            np.take(flat[tap_y * width + tap_x :], base, out=value, mode="clip")
            value *= weights_x[tap_x]
            line += value
        np.take(table[tap_y], phase_y, out=weight_y, mode="clip")
        line *= weight_y
        out += line
    sample = np.s_[:: max(1, len(out) // 4)]
    products = (kernel.power[phase_x[sample]] * kernel.power[phase_y[sample]]).mean(axis=0)
    edges = np.arange(0, out.shape[1], BLOCK)
    blocks: FloatImage = (np.add.reduceat(products, edges) / np.diff(np.append(edges, out.shape[1]))).astype(np.float32)
    return blocks


def _fixed(position: FloatImage, size: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
    """Split positions into whole pixels (from -1) and phase, and tell which lie off an image of that size."""
    off = (position < 0) | (position > size - 1)
    steps = np.clip(position, -1, size - 1e-3)
    steps += 1
    steps *= _PHASES
    whole = steps.astype(np.intp)
    phase = whole & (_PHASES - 1)
    whole >>= _PHASES.bit_length() - 1
    whole -= 1
    return whole, phase, off
