"""The level and the large-scale shape of the sky in one image."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatImage = NDArray[np.float32]
BoolImage = NDArray[np.bool_]

_MAD_TO_SIGMA = 1.4826022
_SAMPLE = 400_000


class Level(NamedTuple):
    """Level and noise of a sample, and how many values it had; NaN for an empty one."""

    median: float
    sigma: float
    n: int


class CellMap(NamedTuple):
    """Statistics of the cells of an image.

    Attributes
    ----------
    level : ndarray of float64, shape (my, mx)
        Median of each cell's good pixels; NaN where fewer than a quarter are good.
    sigma : ndarray of float64, shape (my, mx)
        Their scatter (MAD / 0.6745); NaN likewise.
    rows, columns : ndarray of float64, shapes (my,) and (mx,)
        Centres of the cells, zero-based pixels.
    """

    level: NDArray[np.float64]
    sigma: NDArray[np.float64]
    rows: NDArray[np.float64]
    columns: NDArray[np.float64]


def sample(image: NDArray[Any], exclude: NDArray[Any] | None = None, limit: int = _SAMPLE) -> FloatImage:
    """Return the finite pixels outside a mask, on a regular raster when there are more than ``limit``.

    The raster's steps are odd and coprime to the even-odd patterns of amplifiers.
    """
    step = 1
    while image.size // (step * step) > limit:
        step += 2
    values = np.asarray(image[::step, ::step], dtype=np.float32)
    good = np.isfinite(values)
    if exclude is not None:
        good &= exclude[::step, ::step] == 0
    return values[good]


def clipped_level(
    image: NDArray[Any], exclude: NDArray[Any] | None = None, sigma: float = 5.0, iterations: int = 8
) -> Level:
    """Return the clipped median of an image.

    Parameters
    ----------
    image : ndarray, shape (ny, nx)
        NaN left out; large images are sampled on a raster (400,000 values: the median's error is 0.002 of the noise).
    exclude : ndarray, shape (ny, nx), optional
        Non-zero pixels are left out.
    sigma : float
        Values further than this many robust deviations (MAD / 0.6745) from the median are clipped, until none is.
    iterations : int
        At most so many times.
    """
    values = np.sort(sample(image, exclude))
    for _ in range(iterations):
        if not len(values):
            break
        centre, spread = _median_mad(values)
        low, high = np.searchsorted(values, (centre - sigma * spread, np.nextafter(centre + sigma * spread, np.inf)))
        if spread == 0 or (low == 0 and high == len(values)):
            break
        values = values[low:high]
    if not len(values):
        return Level(float("nan"), float("nan"), 0)
    centre, spread = _median_mad(values)
    return Level(centre, spread, len(values))


def sky_ratio(image: FloatImage, sky: FloatImage, exclude: BoolImage) -> float:
    """Return how many times brighter an image's sky is than a sky frame, from the same pixels of both.

    Parameters
    ----------
    image, sky : ndarray of float32, shape (ny, nx)
        NaN left out.
    exclude : ndarray of bool, shape (ny, nx)
        Pixels left out.

    Returns
    -------
    float
        0 where either has no positive level to speak of.
    """
    hidden = exclude | ~np.isfinite(sky) | ~np.isfinite(image)
    above, below = clipped_level(image, hidden), clipped_level(sky, hidden)
    if not above.n or not below.n or below.median <= 0:
        return 0.0
    return max(above.median / below.median, 0.0)


def _median_mad(ordered: NDArray[Any]) -> tuple[float, float]:
    """Return the median and the scaled median absolute deviation of sorted values."""
    n = len(ordered)
    centre = 0.5 * (float(ordered[(n - 1) // 2]) + float(ordered[n // 2]))
    spread = float(np.median(np.abs(ordered - np.float32(centre)))) * _MAD_TO_SIGMA
    return centre, spread


def cell_map(image: FloatImage, exclude: NDArray[Any] | None, cell: int, thin: int = 1) -> CellMap:
    """Return median and scatter of cells.

    Parameters
    ----------
    image : ndarray of float32, shape (ny, nx)
        NaN left out.
    exclude : ndarray, shape (ny, nx), optional
        Non-zero pixels are left out.
    cell : int
        Edge of a cell in px; it is changed a little so that the cells at the far edges are not much smaller.
    thin : int
        Use every so many-th row and column of a cell: for speed where cells have hundreds of pixels.
    """
    values = image[::thin, ::thin].astype(np.float32, copy=True)
    if exclude is not None:
        values[exclude[::thin, ::thin] != 0] = np.nan
    high, wide = (_even_size(length, max(1, cell // thin)) for length in values.shape)
    ny, nx = values.shape
    my, mx = -(-ny // high), -(-nx // wide)
    padded = np.full((my * high, mx * wide), np.nan, np.float32)
    padded[:ny, :nx] = values
    cells = padded.reshape(my, high, mx, wide).transpose(0, 2, 1, 3).reshape(my * mx, high * wide)
    level, count = _row_medians(cells)
    sigma = _row_medians(np.abs(cells - level[:, None]))[0] * _MAD_TO_SIGMA
    few = count < max(1, high * wide // 4)
    level[few], sigma[few] = np.nan, np.nan
    rows, columns = _centres(my, high * thin, image.shape[0]), _centres(mx, wide * thin, image.shape[1])
    return CellMap(level.reshape(my, mx).astype(np.float64), sigma.reshape(my, mx).astype(np.float64), rows, columns)


def _even_size(length: int, size: int) -> int:
    """Return the size of cells that divides a length into nearly equal parts."""
    return max(1, -(-length // max(1, round(length / size))))


def _centres(count: int, size: int, length: int) -> NDArray[np.float64]:
    """Return the middle of each cell, zero-based pixels; the last may be cut by the image's edge."""
    starts = np.arange(count) * size
    return np.asarray(0.5 * (starts + np.minimum(starts + size, length) - 1.0), dtype=np.float64)


def _row_medians(cells: FloatImage) -> tuple[FloatImage, NDArray[np.intp]]:
    """Return the median of each row, NaN left out, and the number of values; NaN for a row without any."""
    ordered = np.sort(cells, axis=1)  # NaN sort to the end
    count = cells.shape[1] - np.count_nonzero(np.isnan(ordered), axis=1)
    rows = np.arange(len(cells))
    upper = np.minimum(count // 2, cells.shape[1] - 1)
    middle = 0.5 * (ordered[rows, np.maximum(count - 1, 0) // 2] + ordered[rows, upper])
    return np.where(count > 0, middle, np.nan).astype(np.float32), count


def fill_cells(level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fill NaN cells from their neighbours, nearest first, by means that grow with the gap.

    An all-NaN map becomes zero.
    """
    filled = level.copy()
    gap = ~np.isfinite(filled)
    if gap.all():
        return np.zeros_like(filled)
    from scipy.ndimage import gaussian_filter

    width = 1.0
    while gap.any():
        known = (~gap).astype(np.float64)
        weight = gaussian_filter(known, width, mode="nearest", truncate=3.0)
        near = gaussian_filter(np.where(gap, 0.0, filled), width, mode="nearest", truncate=3.0)
        reach = gap & (weight > 0.05)
        filled[reach] = near[reach] / weight[reach]
        gap &= ~reach
        width *= 1.6
    return filled


def expand_cells(
    level: NDArray[np.float64], rows: NDArray[np.float64], columns: NDArray[np.float64], shape: tuple[int, int]
) -> FloatImage:
    """Interpolate a map of cells to the pixels, bilinearly between the cells' centres, continued linearly outside.

    Parameters
    ----------
    level : ndarray, shape (my, mx)
        Without NaN.
    rows, columns : ndarray, shapes (my,) and (mx,)
        Centres of the cells, zero-based pixels.
    shape : (int, int)
        Rows and columns of the image.
    """
    upper, down, step_y = _linear_weights(shape[0], rows)
    left, right, step_x = _linear_weights(shape[1], columns)
    wide = (level[:, left] * (1 - right) + level[:, left + step_x] * right).astype(np.float32)
    share = down.astype(np.float32)[:, None]
    return np.asarray(wide[upper] * (1 - share) + wide[upper + step_y] * share, dtype=np.float32)


def _linear_weights(length: int, centres: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64], int]:
    """Return for every pixel the cell before it, the share of the next one, and the step to it (0 for one cell)."""
    if len(centres) == 1:
        return np.zeros(length, np.intp), np.zeros(length), 0
    place = np.arange(length, dtype=np.float64)
    before = np.clip(np.searchsorted(centres, place, side="right") - 1, 0, len(centres) - 2)
    share = (place - centres[before]) / (centres[before + 1] - centres[before])
    return before, np.clip(share, -0.75, 1.75), 1


def sky_model(image: FloatImage, exclude: NDArray[Any] | None, cell: int = 64) -> tuple[FloatImage, float]:
    """Return a smooth model of the sky, and the noise of one pixel.

    Parameters
    ----------
    image : ndarray of float32, shape (ny, nx)
        NaN left out.
    exclude : ndarray, shape (ny, nx), optional
        Non-zero pixels (objects, bad pixels) are left out.
    cell : int
        Scale in px: structure below it is not followed.

    Returns
    -------
    model, noise : (ndarray of float32, shape (ny, nx), float)
        Bilinear between the medians of the cells; cells without good pixels are filled from their neighbours. The
        noise is NaN for an image without good pixels (the model is then zero).
    """
    from scipy.ndimage import median_filter

    cells = cell_map(image, exclude, cell, thin=2 if cell >= 32 else 1)
    level = fill_cells(cells.level)
    # Continued linearly beyond the edge, so that the median of a slope is the slope there too.
    single = min(level.shape) == 1
    wide = np.pad(level, 1, mode="edge") if single else np.pad(level, 1, mode="reflect", reflect_type="odd")
    around = median_filter(wide, 3)[1:-1, 1:-1]
    # A cell full of a star differs from its neighbours by much more than the sky's slope does.
    off = level - around
    level = np.where(off > 4 * _MAD_TO_SIGMA * float(np.median(np.abs(off))) + 1e-12, around, level)
    noise = float(np.nanmedian(cells.sigma)) if np.isfinite(cells.sigma).any() else float("nan")
    return expand_cells(level, cells.rows, cells.columns, (image.shape[0], image.shape[1])), noise


def fit_surface(
    cells: CellMap, degree: int, high: float = 2.5, low: float = 4.0, rounds: int = 12
) -> tuple[NDArray[np.float64], float]:
    """Fit a polynomial to a map of cells, clipping harder above than below: what stands above the sky is no sky.

    Parameters
    ----------
    cells : CellMap
        NaN cells are left out.
    degree : int
        Highest total power: 1 a plane, 2 a quadratic.
    high, low : float
        Limits above and below the fit, in units of the scatter of the cells below it.

    Returns
    -------
    surface, scatter : (ndarray of float64, shape (my, mx), float)
        The fit at every cell, and the scatter of the cells about it, from those below it; NaN scatter (and a constant
        surface) when there are too few cells.
    """
    level = cells.level
    my, mx = level.shape
    y, x = np.mgrid[0:my, 0:mx]
    y, x = 2 * y / max(my - 1, 1) - 1, 2 * x / max(mx - 1, 1) - 1
    terms = np.stack([x**i * y**j for i in range(degree + 1) for j in range(degree + 1 - i)], axis=-1)
    good = np.isfinite(level)
    if good.sum() < 3 * terms.shape[-1]:
        flat = float(np.median(level[good])) if good.any() else 0.0
        return np.full(level.shape, flat), float("nan")
    used = good & (level <= np.nanpercentile(level, 70))
    scatter = float("nan")
    for _ in range(rounds):
        coefficients = np.linalg.lstsq(terms[used], level[used], rcond=None)[0]
        surface = terms @ coefficients
        off = level - surface
        below = off[good & (off < 0)]
        scatter = float(np.median(-below)) * _MAD_TO_SIGMA if len(below) else 0.0
        with np.errstate(invalid="ignore"):
            following = good & (off < high * scatter) & (off > -low * scatter)
        if scatter == 0 or following.sum() < 2 * terms.shape[-1] or (following == used).all():
            break
        used = following
    return surface, scatter
