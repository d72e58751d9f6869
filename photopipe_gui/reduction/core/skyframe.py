"""A sky frame from the combination of many: its holes filled, its noise taken out where it holds nothing else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .background import FloatImage, cell_map, expand_cells, fill_cells, fit_surface
from .objects import block_means, median_of_nine

_STEPS = (1, 2, 4)
_CELL = 32
_SPIKE = 6.0


def fill_holes(sky: FloatImage, hole: NDArray[np.bool_]) -> FloatImage:
    """Return the sky with its holes filled: small ones from the pixels around, large ones from the sky's shape.

    Parameters
    ----------
    sky : ndarray of float32, shape (ny, nx)
        Disregarded inside the holes.
    hole : ndarray of bool, shape (ny, nx)
        True where no frame saw the sky.

    Notes
    -----
    A hole that reaches further than some 10 px from the known sky takes a quadratic fitted to the cells of the
    whole frame, joined to the sky at its border.
    """
    from scipy.ndimage import gaussian_filter

    out = sky.copy()
    hole = hole | ~np.isfinite(sky)
    if not hole.any() or hole.all():
        return out
    shape = (sky.shape[0], sky.shape[1])
    out[hole] = 0
    for width in (3.0, 6.0):
        known = (~hole).astype(np.float32)
        weight = gaussian_filter(known, width, mode="nearest", truncate=3.0)
        near = gaussian_filter(out, width, mode="nearest", truncate=3.0)
        reach = hole & (weight > 0.1)
        out[reach] = near[reach] / weight[reach]
        hole &= ~reach
        if not hole.any():
            return out
    cells = cell_map(out, hole, _CELL, thin=2)
    surface, _ = fit_surface(cells, 2, high=4.0)
    model = expand_cells(surface + fill_cells(cells.level - surface), cells.rows, cells.columns, shape)
    out[hole] = model[hole]
    return out


def denoise(sky: FloatImage, error: FloatImage) -> FloatImage:
    """Take out of a sky frame the noise where it holds nothing but noise, at each scale by itself.

    A sky frame made of N frames adds 1/N (median: 1.57/N) of their own noise when it is subtracted, though most of
    its pixels differ from their neighbours by nothing else. The frame is split into details of 1, 2 and 4 px by
    smoothing with holes (Starck & Murtagh 1994, A&A 288, 342); in cells of 32 px each detail is multiplied by
    1 - (expected noise variance) / (variance found), the best linear estimate (Wiener). Fringes, hot pixels and the
    pattern of the detector stand above the noise and stay.

    Parameters
    ----------
    sky : ndarray of float32, shape (ny, nx)
        Without NaN.
    error : ndarray of float32, shape (ny, nx)
        Standard error of each pixel; NaN where unknown.
    """
    shape = (sky.shape[0], sky.shape[1])
    if min(shape) < 2 * _CELL or not np.isfinite(error).any():
        return sky
    error = np.where(np.isfinite(error), error, np.float32(np.nanmedian(error))).astype(np.float32)
    calm = median_of_nine(sky)
    spike = np.abs(sky - calm) > _SPIKE * error
    smooth = np.where(spike, calm, sky)
    kept = np.zeros_like(sky)
    everywhere = np.ones(shape, np.bool_)
    middles = [np.arange(length // _CELL) * _CELL + 0.5 * (_CELL - 1.0) for length in shape]
    for step, gain in zip(_STEPS, _detail_gains(), strict=True):
        smoother = _smoothed(smooth, step)
        detail = smooth - smoother
        found, _ = block_means(detail * detail, ~spike, _CELL)
        expected, _ = block_means((np.float32(gain) * error) ** 2, everywhere, _CELL)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.clip(1 - expected / found, 0, 1)
        share = np.where(np.isfinite(share), share, 0.0).astype(np.float64)
        kept += detail * expand_cells(share, middles[0], middles[1], shape)
        smooth = smoother
    kept += smooth
    kept[spike] = sky[spike]
    return kept


def _smoothed(image: FloatImage, step: int) -> FloatImage:
    """Return the image smoothed by a cubic spline with holes, 1 4 6 4 1 at distances of ``step``, on both axes."""
    reach = 2 * step
    for axis in (0, 1):
        length = image.shape[axis]
        wide = np.pad(image, [(reach, reach) if a == axis else (0, 0) for a in (0, 1)], mode="reflect")
        parts = [wide[n * step : n * step + length] if axis == 0 else wide[:, n * step : n * step + length]
                 for n in range(5)]
        image = np.float32(6 / 16) * parts[2]
        image += np.float32(4 / 16) * (parts[1] + parts[3])
        image += np.float32(1 / 16) * (parts[0] + parts[4])
    return image


def _detail_gains() -> list[float]:
    """Return the noise of each detail for white noise of 1 in a pixel."""
    before = np.zeros((61, 61), np.float32)
    before[30, 30] = 1.0
    gains = []
    for step in _STEPS:
        after = _smoothed(before, step)
        gains.append(float(np.sqrt(((before - after) ** 2).sum())))
        before = after
    return gains
