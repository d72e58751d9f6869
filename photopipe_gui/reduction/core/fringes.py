"""The fine structure of the sky (fringes), whose strength changes otherwise than the sky's level."""

from __future__ import annotations

import math

import numpy as np

from .background import BoolImage, FloatImage, cell_map, clipped_level, expand_cells, fill_cells, fit_surface
from .objects import block_means

_CELL = 64
_BLOCK = 4
_STRONG = 5.0
_SURE = 4.0


def fine_structure(sky: FloatImage) -> FloatImage:
    """Return what a sky frame shows on scales below some 100 px; single hot pixels are left out (zero).

    Parameters
    ----------
    sky : ndarray of float32, shape (ny, nx)
        NaN gives zero.
    """
    from scipy.ndimage import gaussian_filter

    cells = cell_map(sky, None, _CELL, thin=2)
    surface, _ = fit_surface(cells, 2, high=4.0)
    # Smoothed, because what fringes leave in the cells' medians beats with the cells.
    level = surface + gaussian_filter(fill_cells(cells.level - surface), 1.5, mode="nearest")
    model = expand_cells(level, cells.rows, cells.columns, (sky.shape[0], sky.shape[1]))
    fine = sky - model
    spread = clipped_level(fine).sigma
    with np.errstate(invalid="ignore"):
        fine[~(np.abs(fine) < 6 * spread)] = 0
    return fine


def strength(fine: FloatImage) -> float:
    """Return the scatter of the fine structure in blocks of 4 px, in the image's unit."""
    means, _ = block_means(fine, np.isfinite(fine), _BLOCK)
    return clipped_level(means).sigma


def fringe_factor(residual: FloatImage, fine: FloatImage, hidden: BoolImage, noise: float, n_frames: int) -> float:
    """Return by how many times the fine structure is still to be subtracted from a frame.

    Parameters
    ----------
    residual : ndarray of float32, shape (ny, nx)
        The frame after subtraction of the scaled sky frame.
    fine : ndarray of float32, shape (ny, nx)
        From `fine_structure`.
    hidden : ndarray of bool, shape (ny, nx)
        Objects and bad pixels.
    noise : float
        Of the sky in one pixel of the frame.
    n_frames : int
        Frames in the sky frame.

    Returns
    -------
    float
        0 when it is not sure or does not matter.

    Notes
    -----
    A regression over blocks of 4 px. A frame has 1/n of its own noise in a sky frame that it is part of, which would
    make the factor too large; the expected part of that is taken off, and where the structure's variance is not some
    times larger than that, or the factor smaller than half of it, it is left at 0: then it does not matter.
    """
    good = ~hidden & np.isfinite(residual) & np.isfinite(fine)
    left, share = block_means(residual, good, _BLOCK)
    pattern, _ = block_means(fine, good, _BLOCK)
    usable = share > 0.7
    left, pattern = left[usable], pattern[usable]
    if len(left) < 200:
        return 0.0
    left, pattern = left - np.median(left), pattern - np.median(pattern)
    spread = 1.4826 * float(np.median(np.abs(left)))
    calm = np.abs(left) < 4 * spread
    left, pattern = left[calm].astype(np.float64), pattern[calm].astype(np.float64)
    own = (noise / _BLOCK) ** 2 / max(n_frames, 1)
    variance = float(np.mean(pattern**2))
    if not variance > _STRONG * own or not spread > 0:
        return 0.0
    factor = (float(np.mean(left * pattern)) - own) / variance
    error = spread / math.sqrt(variance * len(left))
    doubt = 0.5 * own / variance
    return factor if abs(factor) > max(_SURE * error, doubt) else 0.0
