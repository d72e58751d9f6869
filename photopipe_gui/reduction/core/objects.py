"""Which pixels of an image show objects and not the sky."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .background import BoolImage, CellMap, FloatImage, cell_map, expand_cells, fit_surface, sample, sky_model
from .saturation import grow

_MAD_TO_SIGMA = 1.4826022
_EXTENDED_CELL = 64
# Smoothed noise has some peak above 3.5 sigma in every hundred thousand pixels or less; blocks are far fewer.
_EXTRA = 1.0


def median_of_nine(image: FloatImage) -> FloatImage:
    """Return the image smoothed by a median of three along the columns, then along the rows; edges are kept.

    Single deviating pixels and pairs along one axis vanish; stars stay.
    """
    return _median_of_three(_median_of_three(image, 0), 1)


def _median_of_three(image: FloatImage, axis: int) -> FloatImage:
    out = image.copy()
    if image.shape[axis] < 3:
        return out
    a, b, c = (image[s] if axis == 0 else image[:, s] for s in (slice(None, -2), slice(1, -1), slice(2, None)))
    inner = out[1:-1] if axis == 0 else out[:, 1:-1]
    np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c), out=inner)
    return out


def mean_of_nine(image: FloatImage) -> FloatImage:
    """Return the image smoothed by a mean over 3 x 3 px; the edge's pixels count again for those beyond it."""
    wide = np.pad(image, 1, mode="edge")
    rows = wide[:-2] + wide[1:-1]
    rows += wide[2:]
    out: FloatImage = rows[:, :-2] + rows[:, 1:-1]
    out += rows[:, 2:]
    out *= np.float32(1 / 9)
    return out


def block_means(image: FloatImage, good: BoolImage, size: int) -> tuple[FloatImage, FloatImage]:
    """Return the mean of the good pixels of square blocks and their share; partial blocks at the far edges are cut.

    The mean of a block without good pixels is NaN.
    """
    my, mx = image.shape[0] // size, image.shape[1] // size
    view = (my, size, mx, size)
    inside = np.s_[: my * size, : mx * size]
    weight = good[inside].reshape(view).sum(axis=(1, 3), dtype=np.float32)
    total = np.where(good, image, np.float32(0))[inside].reshape(view).sum(axis=(1, 3), dtype=np.float32)
    with np.errstate(invalid="ignore", divide="ignore"):
        return total / weight, weight / np.float32(size * size)


def _level_and_sigma(values: FloatImage) -> tuple[float, float]:
    """Return the median, and the noise from the values below it: objects stand above."""
    if not len(values):
        return 0.0, float("nan")
    centre = float(np.median(values))
    for _ in range(2):
        below = values[values < centre]
        sigma = float(np.median(centre - below)) * _MAD_TO_SIGMA if len(below) else 0.0
        kept = values[values < centre + 3 * sigma]
        centre = float(np.median(kept)) if len(kept) else centre
    return centre, sigma


def object_mask(
    residual: FloatImage,
    exclude: NDArray[np.uint8] | BoolImage | None = None,
    *,
    threshold: float = 3.5,
    reach: int = 4,
    scales: tuple[int, ...] = (4, 16),
) -> BoolImage:
    """Return the pixels that show objects, on all scales from a star's core to the halo of a bright one.

    The image is looked at smoothed over 3 px and in blocks of growing size; each time what stands above the noise *of
    that smoothed image* is flagged and left out of the next. So the faint wings of a bright star, far below the noise
    of a pixel, are found in the blocks, and what is left of the sky's structure raises the threshold of its own scale.

    Parameters
    ----------
    residual : ndarray of float32, shape (ny, nx)
        Image without the sky's structure, at any constant level; NaN where there is no measurement.
    exclude : ndarray, shape (ny, nx), optional
        Non-zero pixels neither count nor are flagged.
    threshold : float
        In units of the noise of the blocks; at the finest scale one more.
    reach : int
        Pixels by which what is found at the finest scale is grown.
    scales : tuple of int
        Edges of the blocks in px.

    Returns
    -------
    ndarray of bool, shape (ny, nx)
    """
    good = np.isfinite(residual)
    if exclude is not None:
        good &= np.asarray(exclude) == 0
    centre, sigma = _level_and_sigma(sample(residual, ~good))
    flagged = np.zeros(residual.shape, np.bool_)
    if not np.isfinite(sigma) or sigma <= 0:
        return flagged
    smooth = np.where(good, residual, np.float32(centre))
    # Hot pixels and cosmic rays are no objects: the sky frame has to hold the one and clips the other.
    calm = median_of_nine(smooth)
    smooth = mean_of_nine(calm)
    level, noise = _level_and_sigma(sample(smooth, ~good))
    flagged = _strong(smooth, level, noise, threshold + _EXTRA)
    flagged = grow(flagged, reach, reach)
    for size in scales:
        if min(residual.shape) < 4 * size:
            break
        means, share = block_means(calm, good & ~flagged, size)
        usable = share > 0.2
        level, noise = _level_and_sigma(means[usable & (share > 0.6)])
        if not noise > 0:
            continue
        # A block of which few pixels are left is noisier than the others.
        with np.errstate(invalid="ignore"):
            high = usable & (means - level > threshold * noise / np.sqrt(np.clip(share, 0.2, 1)))
        flagged |= _to_pixels(_near_objects(grow(high), high, flagged, size), size, residual.shape)
    return flagged


def _strong(smooth: FloatImage, level: float, noise: float, threshold: float) -> BoolImage:
    """Return what lies above the threshold, and above 2/3 of it where it touches that."""
    high = np.greater(smooth, np.float32(level + threshold * noise))
    low = np.greater(smooth, np.float32(level + threshold * noise * 2 / 3))
    return np.asarray(high | (grow(high) & low))


def _near_objects(grown: BoolImage, high: BoolImage, flagged: BoolImage, size: int) -> BoolImage:
    """Return high blocks; grown where an object lies in them or beside them."""
    my, mx = high.shape
    objects: BoolImage = np.asarray(flagged[: my * size, : mx * size].reshape(my, size, mx, size).any(axis=(1, 3)))
    return np.asarray(high | (grown & grow(objects)))


def _to_pixels(blocks: BoolImage, size: int, shape: tuple[int, ...]) -> BoolImage:
    out = np.zeros(shape, np.bool_)
    wide = np.repeat(np.repeat(blocks, size, axis=0), size, axis=1)
    out[: wide.shape[0], : wide.shape[1]] = wide
    # The rest beyond the last whole block is as its neighbours.
    out[wide.shape[0] :, : wide.shape[1]] = wide[-1:]
    out[:, wide.shape[1] :] = out[:, wide.shape[1] - 1 : wide.shape[1]]
    return out


def extended_mask(cells: CellMap, shape: tuple[int, int], threshold: float = 4.0, least: int = 4) -> BoolImage:
    """Return where an object larger than the cells stands above a quadratic sky.

    A galaxy or nebula that fills a good part of the frame lies in the same place of every frame if the dithers are
    small; without this it would be taken for sky. Structure of the sky that goes both ways (fringes, gradients)
    sets the scatter against which the object has to stand out.

    Parameters
    ----------
    cells : CellMap
        Of the image without its compact objects.
    shape : (int, int)
        Of the image.
    threshold : float
        In units of the scatter of the cells about the sky; objects are followed down to 1.
    least : int
        Fewest connected cells.
    """
    from scipy.ndimage import label

    surface, scatter = fit_surface(cells, 2)
    out = np.zeros(shape, np.bool_)
    if not scatter > 0:
        return out
    with np.errstate(invalid="ignore"):
        off = (cells.level - surface) / scatter
        groups, count = label(off > 1.0)
    for number in range(1, count + 1):
        inside = np.equal(groups, number)
        if inside.sum() >= least and np.count_nonzero(off[inside] > threshold) >= least:
            out |= expand_cells(grow(inside).astype(np.float64), cells.rows, cells.columns, shape) > 0.25
    return out


def first_mask(image: FloatImage, exclude: NDArray[np.uint8] | BoolImage | None) -> BoolImage:
    """Return the objects of a frame whose sky is unknown: compact ones above a smooth model, and extended ones."""
    model, _ = sky_model(image, exclude, _EXTENDED_CELL)
    compact = object_mask(image - model, exclude, scales=(4,))
    hidden = compact if exclude is None else compact | (np.asarray(exclude) != 0)
    return compact | extended_mask(cell_map(image, hidden, _EXTENDED_CELL, thin=2), (image.shape[0], image.shape[1]))
