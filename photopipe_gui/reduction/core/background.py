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
    """Statistics of square cells of an image.

    Attributes
    ----------
    level : ndarray of float64, shape (my, mx)
        Median of each cell's good pixels; NaN where fewer than a quarter are good.
    sigma : ndarray of float64, shape (my, mx)
        Their scatter (MAD / 0.6745); NaN likewise.
    cell : int
        Edge of a cell in px; the last row and column of cells may be cut by the image's edge.
    """

    level: NDArray[np.float64]
    sigma: NDArray[np.float64]
    cell: int


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
    """Return median and scatter of square cells.

    Parameters
    ----------
    image : ndarray of float32, shape (ny, nx)
        NaN left out.
    exclude : ndarray, shape (ny, nx), optional
        Non-zero pixels are left out.
    cell : int
        Edge of a cell in px.
    thin : int
        Use every so many-th row and column of a cell: for speed where cells have hundreds of pixels.
    """
    values = image[::thin, ::thin].astype(np.float32, copy=True)
    if exclude is not None:
        values[exclude[::thin, ::thin] != 0] = np.nan
    size = max(1, cell // thin)
    ny, nx = values.shape
    my, mx = -(-ny // size), -(-nx // size)
    padded = np.full((my * size, mx * size), np.nan, np.float32)
    padded[:ny, :nx] = values
    cells = padded.reshape(my, size, mx, size).transpose(0, 2, 1, 3).reshape(my * mx, size * size)
    level, count = _row_medians(cells)
    sigma = _row_medians(np.abs(cells - level[:, None]))[0] * _MAD_TO_SIGMA
    few = count < max(1, size * size // 4)
    level[few], sigma[few] = np.nan, np.nan
    return CellMap(level.reshape(my, mx).astype(np.float64), sigma.reshape(my, mx).astype(np.float64), size * thin)


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


def expand_cells(level: NDArray[np.float64], cell: int, shape: tuple[int, int]) -> FloatImage:
    """Interpolate a map of cells to the pixels, bilinearly between the cells' centres, continued linearly outside.

    Parameters
    ----------
    level : ndarray, shape (my, mx)
        Without NaN.
    cell : int
        Edge of a cell in px.
    shape : (int, int)
        Rows and columns of the image.
    """
    rows = _linear_weights(shape[0], cell, level.shape[0])
    columns = _linear_weights(shape[1], cell, level.shape[1])
    wide = level[:, columns[0]] * (1 - columns[1]) + level[:, columns[0] + columns[2]] * columns[1]
    wide = wide.astype(np.float32)
    share = rows[1].astype(np.float32)[:, None]
    return np.asarray(wide[rows[0]] * (1 - share) + wide[rows[0] + rows[2]] * share, dtype=np.float32)


def _linear_weights(length: int, cell: int, cells: int) -> tuple[NDArray[np.intp], NDArray[np.float64], int]:
    """Return for every pixel the cell before it, the share of the next one, and the step to it (0 for one cell)."""
    if cells == 1:
        return np.zeros(length, np.intp), np.zeros(length), 0
    place = (np.arange(length) + 0.5) / cell - 0.5
    before = np.clip(np.floor(place), 0, cells - 2).astype(np.intp)
    return before, np.clip(place - before, -0.5, 1.5), 1


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
    level = median_filter(fill_cells(cells.level), 3, mode="nearest")
    noise = float(np.nanmedian(cells.sigma)) if np.isfinite(cells.sigma).any() else float("nan")
    return expand_cells(level, cells.cell, (image.shape[0], image.shape[1])), noise


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
