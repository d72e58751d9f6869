"""Which pixels of which frame do not belong: cosmic rays, satellite trails, what the masks missed.

A value is compared with the median of the frames at its pixel. It may differ by its noise, and on stars also by what
changes of seeing, small errors of position and scale can do, so that the core of a star is not taken for a cosmic ray
on the night's sharpest frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatImage = NDArray[np.float32]
Booleans = NDArray[np.bool_]
HALO = 2  # rows above and below a strip that decide on its border rows
_CERTAIN = 2.0  # sigma of the median's own noise that signal and gradient must exceed to widen the limit
_PAIR = 2.5  # how much wider the limits on stars are where only two frames can be compared
_SURROUNDED = 3  # rejected neighbours that a lone value goes with
_INWARDS = 4  # px from the border of such a patch to its middle
_MEDIAN_LOSS = 1.57  # variance of a median over that of a mean, Gaussian noise


@dataclass(frozen=True, slots=True)
class Rejection:
    """How outliers are told.

    Attributes
    ----------
    limit : float
        Distance from the median in standard deviations from which a value is rejected; neighbours of a rejected value
        go from half of it.
    flux : float
        Fraction of the signal above the sky that a value may differ by in stable seeing.
    shift : float
        Pixels by which a star may be displaced.
    enabled : bool
        False combines all values.
    """

    limit: float = 4.0
    flux: float = 0.03
    shift: float = 0.1
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Layer:
    """What must be known of a resampled frame to combine it.

    Attributes
    ----------
    noise : float
        Standard deviation of the sky of the frame before resampling, times its flux scale, DN.
    variance : float
        Variance of a resampled pixel over that of an input pixel.
    gain : float
        Electrons per DN after flux scaling; NaN when unknown (no photon noise of stars then).
    fwhm : float
        Seeing, px; NaN when unknown.
    """

    noise: float
    variance: float = 1.0
    gain: float = float("nan")
    fwhm: float = float("nan")

    @property
    def weight(self) -> float:
        """Inverse variance of the sky, before resampling."""
        return 1.0 / self.noise**2


def ordered_median(values: FloatImage, usable: Booleans) -> tuple[FloatImage, FloatImage, NDArray[np.int16]]:
    """Return the median, the value nearest to zero where there are two, and the number of usable values.

    Parameters
    ----------
    values : ndarray of float32, shape (n, rows, columns)
    usable : ndarray of bool, same shape

    Returns
    -------
    median, nearest : ndarray of float32, shape (rows, columns)
        Over the frames; 0 where nothing is usable.
    count : ndarray of int16, shape (rows, columns)
    """
    n = len(values)
    order = np.where(usable, values, np.float32(np.inf))
    order.sort(axis=0)
    count = usable.sum(axis=0, dtype=np.int16)
    if (count == n).all():
        middle = (order[(n - 1) // 2] + order[n // 2]) * np.float32(0.5)
    else:
        low = np.take_along_axis(order, np.maximum(count - 1, 0)[None].astype(np.intp) // 2, axis=0)[0]
        high = np.take_along_axis(order, np.minimum(count, n - 1)[None].astype(np.intp) // 2, axis=0)[0]
        middle = np.where(count > 0, low * np.float32(0.5) + high * np.float32(0.5), np.float32(0))
    low, high = order[0], order[min(1, n - 1)]
    nearest = np.where(np.abs(low) <= np.abs(high), low, high)
    return middle, np.where(count > 1, nearest, middle), count


def _slope(level: FloatImage) -> FloatImage:
    """Return half the range over 3 x 3 pixels."""
    padded = np.pad(level, 1, mode="edge")
    high = np.maximum(np.maximum(padded[:-2], padded[1:-1]), padded[2:])
    low = np.minimum(np.minimum(padded[:-2], padded[1:-1]), padded[2:])
    high = np.maximum(np.maximum(high[:, :-2], high[:, 1:-1]), high[:, 2:])
    low = np.minimum(np.minimum(low[:, :-2], low[:, 1:-1]), low[:, 2:])
    return (high - low) * np.float32(0.5)


def _beside(hit: Booleans) -> Booleans:
    """Return the pixels that are hit or touch one that is, corners included."""
    padded = np.pad(hit, 1)
    rows = padded[:-2] | padded[1:-1] | padded[2:]
    return rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]


def find_outliers(
    values: FloatImage, usable: Booleans, layers: Sequence[Layer], rejection: Rejection
) -> Booleans:
    """Return which values do not belong.

    Parameters
    ----------
    values : ndarray of float32, shape (n, rows, columns)
        Resampled and scaled frames, sky subtracted. The first and last `HALO` rows are judged with less knowledge
        of their surroundings.
    usable : ndarray of bool, same shape
        Values that may be compared at all.
    layers : sequence of Layer, length n
    rejection : Rejection

    Returns
    -------
    ndarray of bool, same shape
        Never all usable values of a pixel, but for a lone one amid rejected ones of its frame. The limit on a star of
        signal S, slope D (DN/px) and seeing sigma s is
        ``limit * noise + ((F/F0)^2 - 1 + flux) * S + (3 ln(F/F0) s + shift) * D`` for a frame of seeing F among frames
        of median seeing F0: the first-order change of a Gaussian image.
    """
    outliers = np.zeros(usable.shape, bool)
    if not rejection.enabled or len(values) < 2:
        return outliers
    median, nearest, count = ordered_median(values, usable)
    pair = count == 2  # of two, the one nearer to the sky is right: a trail is bright, its resampled border dark
    level = np.where(pair, nearest, median)
    mean_variance = float(np.mean([layer.noise**2 * layer.variance for layer in layers]))
    doubt = np.float32(_MEDIAN_LOSS * mean_variance) / np.maximum(count, 1).astype(np.float32)
    margin = np.float32(_CERTAIN) * np.sqrt(doubt)
    signal = np.maximum(level - margin, 0)
    slope = np.maximum(_slope(level) - margin, 0)
    widen = np.where(pair, np.float32(_PAIR), np.float32(1))
    signal_limit, slope_limit = signal * widen, slope * widen
    usual = _usual_seeing(layers)
    for k, layer in enumerate(layers):
        noise = np.float32(layer.noise**2 * layer.variance) + doubt
        if np.isfinite(layer.gain) and layer.gain > 0:
            noise += signal / np.float32(layer.gain)
        allowed = np.sqrt(noise, out=noise)
        allowed *= np.float32(rejection.limit)
        flux, shift = _seeing_terms(layer.fwhm, usual, rejection)
        allowed += np.float32(flux) * signal_limit
        allowed += np.float32(shift) * slope_limit
        away = np.abs(values[k] - level)
        hit = (away > allowed) & usable[k]
        if hit.any():
            hit |= _beside(hit) & (away > np.float32(0.5) * allowed) & usable[k]
        outliers[k] = hit
    everything = (outliers == usable).all(axis=0)
    outliers[:, everything | (count < 2)] = False
    _reject_surrounded(outliers, usable, count)
    return outliers


def _reject_surrounded(outliers: Booleans, usable: Booleans, count: NDArray[np.int16]) -> None:
    """Reject the only value of a pixel when most of its frame's values around it were rejected: part of a trail."""
    lone = count == 1
    if not lone.any():
        return
    for hit, there in zip(outliers, usable, strict=True):
        mine = lone & there
        for _ in range(_INWARDS):
            if not (mine.any() and hit.any()):
                break
            padded = np.pad(hit, 1).astype(np.uint8)
            rows = padded[:-2] + padded[1:-1] + padded[2:]
            more = mine & ~hit & (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:] >= _SURROUNDED)
            if not more.any():
                break
            hit |= more


def _usual_seeing(layers: Sequence[Layer]) -> float:
    known = [layer.fwhm for layer in layers if np.isfinite(layer.fwhm) and layer.fwhm > 0]
    return float(np.median(known)) if known else float("nan")


def _seeing_terms(fwhm: float, usual: float, rejection: Rejection) -> tuple[float, float]:
    """Return the fraction of the signal and the pixels of displacement that a frame may differ by."""
    if not (np.isfinite(fwhm) and np.isfinite(usual) and fwhm > 0 and usual > 0):
        return 0.5, 1.0 + rejection.shift  # seeing unknown: as if it changed by a quarter
    change = abs(float(np.log(fwhm / usual)))
    return float(np.exp(2 * change) - 1 + rejection.flux), float(3 * change * usual / 2.355 + rejection.shift)
