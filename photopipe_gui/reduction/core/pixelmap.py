"""From the pixels of a coadd to the pixels of a frame: exact on a coarse lattice, cubic splines in between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from .grid import Grid, frame_box, to_sky

Floats = NDArray[np.float64]
FloatImage = NDArray[np.float32]
STEP = 32  # px between lattice points
_MARGINS = (4.0 * STEP, 0.5 * STEP)  # px outside the frame up to which its distortion polynomial is believed
_TOLERANCE = 1e-5  # px, where the inversion of the distortion stops
_MOST_ITERATIONS = 60


@dataclass(frozen=True)
class PixelMap:
    """Where the pixels of a rectangle of the coadd lie on a frame.

    Attributes
    ----------
    x0, y0 : int
        First column and row of the rectangle on the coadd.
    shape : tuple of int
        Its rows and columns; (0, 0) when the frame lies off the coadd.
    """

    x0: int
    y0: int
    shape: tuple[int, int]
    _x_terms: FloatImage  # (4, intervals, columns), cubic in the row, highest power first
    _y_terms: FloatImage
    _area_rows: FloatImage  # (lattice rows, columns)

    def rows(self, first: int, last: int) -> tuple[FloatImage, FloatImage, FloatImage]:
        """Return where rows `first` to `last` (end excluded) of the rectangle lie on the frame.

        The rows must not cross a lattice row: a multiple of `STEP` lies nowhere strictly between `first` and `last`.

        Returns
        -------
        x, y : ndarray of float32, shape (rows, columns)
            Zero-based pixels of the frame, good to 0.01 px.
        area : ndarray of float32, shape (rows, columns)
            Frame pixels per pixel of the coadd, by sky area.
        """
        interval = first // STEP
        offset = np.arange(first - interval * STEP, last - interval * STEP, dtype=np.float32)[:, None]
        x, y = (_cubic(terms[:, interval], offset) for terms in (self._x_terms, self._y_terms))
        low, high = self._area_rows[interval], self._area_rows[interval + 1]
        area = offset / np.float32(STEP) * (high - low)
        area += low
        return x, y, area


def _cubic(terms: FloatImage, offset: FloatImage) -> FloatImage:
    """Return a cubic of each column at offsets from the lattice row; float32 is good to 0.0003 px on 4096 px."""
    value: FloatImage = terms[0] * offset
    for term in (terms[1], terms[2]):
        value += term
        value *= offset
    value += terms[3]
    return value


def pixel_map(grid: Grid, wcs: WCS, shape: tuple[int, int]) -> PixelMap:
    """Return the map for one frame.

    Parameters
    ----------
    grid : Grid
        The coadd.
    wcs : WCS
        Of the frame, with its distortion.
    shape : tuple of int
        Rows and columns of the frame.

    Raises
    ------
    ValueError
        When the distortion cannot be inverted on the frame, or the WCS is degenerate.
    """
    from scipy.interpolate import CubicSpline

    x0, y0, nx, ny = _rectangle(grid, wcs, shape)
    if nx <= 0 or ny <= 0:
        empty = np.zeros((4, 1, 0), np.float32)
        return PixelMap(0, 0, (0, 0), empty, empty, np.zeros((2, 0), np.float32))
    node_x = np.arange(0, nx + STEP, STEP, dtype=float)
    node_y = np.arange(0, ny + STEP, STEP, dtype=float)
    target_x, target_y = np.meshgrid(node_x + x0, node_y + y0)
    u, v, affine = _invert_near(grid, wcs, shape, target_x, target_y)
    area = _area(grid, wcs, shape, u, v, affine)
    columns = np.arange(nx, dtype=float)
    terms = [CubicSpline(node_y, CubicSpline(node_x, plane, axis=1)(columns), axis=0).c.astype(np.float32)
             for plane in (u, v)]
    area_rows = np.stack([np.interp(columns, node_x, row) for row in area]).astype(np.float32)
    return PixelMap(x0, y0, (ny, nx), terms[0], terms[1], area_rows)


def _rectangle(grid: Grid, wcs: WCS, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return first column, first row, columns and rows of the part of the coadd that a frame touches."""
    box = frame_box(grid, wcs, shape)
    if not np.isfinite(box).all():
        raise ValueError("its WCS leads to no position on the coadd")
    x0, y0 = (max(0, int(np.floor(edge))) for edge in box[:2])
    x1, y1 = (min(size, int(np.ceil(edge)) + 1) for edge, size in zip(box[2:], grid.shape[::-1], strict=True))
    return x0, y0, x1 - x0, y1 - y0


def _forward(grid: Grid, wcs: WCS, u: Floats, v: Floats) -> tuple[Floats, Floats]:
    return grid.pixels(*to_sky(wcs, u, v))


def _jacobian(grid: Grid, wcs: WCS, u: Floats, v: Floats, half: float = 0.5) -> tuple[Floats, Floats, Floats, Floats]:
    """Return dX/du, dX/dv, dY/du, dY/dv of frame pixels to coadd pixels by central differences."""
    right, left = _forward(grid, wcs, u + half, v), _forward(grid, wcs, u - half, v)
    up, down = _forward(grid, wcs, u, v + half), _forward(grid, wcs, u, v - half)
    width = 2 * half
    return ((right[0] - left[0]) / width, (up[0] - down[0]) / width,
            (right[1] - left[1]) / width, (up[1] - down[1]) / width)


def _invert_near(
    grid: Grid, wcs: WCS, shape: tuple[int, int], target_x: Floats, target_y: Floats
) -> tuple[Floats, Floats, Floats]:
    """Invert with a wide margin, so that the splines are smooth up to the border, or the narrow one if that folds."""
    for margin in _MARGINS:
        solved = _invert(grid, wcs, shape, target_x, target_y, margin)
        if solved is not None:
            return solved
    raise ValueError("the distortion of its WCS folds over")


def _invert(
    grid: Grid, wcs: WCS, shape: tuple[int, int], target_x: Floats, target_y: Floats, margin: float
) -> tuple[Floats, Floats, Floats] | None:
    """Solve for the frame pixels of coadd pixels by iteration with the slope at the frame's centre.

    Only the forward direction of the WCS is used: distortion polynomials have no closed inverse, and the libraries'
    own inversions fail outside the frame. There the polynomial at the border goes on linearly.
    """
    ny, nx = shape
    centre = np.array([(nx - 1) / 2.0]), np.array([(ny - 1) / 2.0])
    slopes = [float(part[0]) for part in _jacobian(grid, wcs, *centre, half=max(1.0, min(shape) / 8))]
    if not np.isfinite(slopes).all() or abs(np.linalg.det(np.reshape(slopes, (2, 2)))) < 1e-6:
        raise ValueError("its WCS is degenerate")
    inverse = np.linalg.inv(np.reshape(slopes, (2, 2)))
    start = _forward(grid, wcs, *centre)
    dx, dy = target_x - start[0][0], target_y - start[1][0]
    u = centre[0][0] + inverse[0, 0] * dx + inverse[0, 1] * dy
    v = centre[1][0] + inverse[1, 0] * dx + inverse[1, 1] * dy
    for _ in range(_MOST_ITERATIONS):
        inside_u, inside_v = np.clip(u, -margin, nx - 1 + margin), np.clip(v, -margin, ny - 1 + margin)
        x, y = _forward(grid, wcs, inside_u, inside_v)
        x += slopes[0] * (u - inside_u) + slopes[1] * (v - inside_v)
        y += slopes[2] * (u - inside_u) + slopes[3] * (v - inside_v)
        dx, dy = target_x - x, target_y - y
        du, dv = inverse[0, 0] * dx + inverse[0, 1] * dy, inverse[1, 0] * dx + inverse[1, 1] * dy
        u, v = u + du, v + dv
        change = np.maximum(np.abs(du), np.abs(dv))
        if not change.max() > _TOLERANCE:
            return (u, v, inverse) if np.isfinite(change).all() else None
    return None


def _area(grid: Grid, wcs: WCS, shape: tuple[int, int], u: Floats, v: Floats, affine: Floats) -> Floats:
    """Return frame pixels per coadd pixel at the lattice points."""
    ny, nx = shape
    inside_u, inside_v = np.clip(u, 0, nx - 1), np.clip(v, 0, ny - 1)
    a, b, c, d = _jacobian(grid, wcs, inside_u, inside_v)
    determinant = np.abs(a * d - b * c)
    usual = abs(float(np.linalg.det(affine)))
    good = np.isfinite(determinant) & (determinant > 0)
    return np.where(good, 1.0 / np.where(good, determinant, 1.0), usual)
