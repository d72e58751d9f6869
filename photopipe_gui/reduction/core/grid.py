"""The pixel grid of a coadd: a tangent plane, north up and east left, that holds every frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

Floats = NDArray[np.float64]
EDGE_STEP = 64  # px between the points of a frame's outline that are followed to the sky


@dataclass(frozen=True, slots=True)
class Grid:
    """A tangent-plane grid, north up, east left.

    Attributes
    ----------
    ra, dec : float
        Tangent point, deg.
    x, y : float
        Zero-based pixel of the tangent point.
    scale : float
        Pixel side at the tangent point, deg.
    shape : tuple of int
        Rows, columns.
    """

    ra: float
    dec: float
    x: float
    y: float
    scale: float
    shape: tuple[int, int]

    def wcs(self) -> WCS:
        """Return the grid as a WCS."""
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        wcs.wcs.cunit = ["deg", "deg"]
        wcs.wcs.crval = [self.ra, self.dec]
        wcs.wcs.crpix = [self.x + 1.0, self.y + 1.0]
        wcs.wcs.cd = [[-self.scale, 0.0], [0.0, self.scale]]
        wcs.wcs.set()
        return wcs

    def pixels(self, ra: Floats, dec: Floats) -> tuple[Floats, Floats]:
        """Return the zero-based pixels of sky positions (deg); NaN for positions behind the tangent plane.

        The gnomonic projection, Calabretta & Greisen 2002 (A&A 395, 1077), section 5.1.3.
        """
        da, d, d0 = np.radians(ra - self.ra), np.radians(dec), np.radians(self.dec)
        cosine = np.sin(d0) * np.sin(d) + np.cos(d0) * np.cos(d) * np.cos(da)
        cosine = np.where(cosine > 0.05, cosine, np.nan)
        east = np.cos(d) * np.sin(da) / cosine
        north = (np.cos(d0) * np.sin(d) - np.sin(d0) * np.cos(d) * np.cos(da)) / cosine
        return self.x - np.degrees(east) / self.scale, self.y + np.degrees(north) / self.scale


def outline(shape: tuple[int, int], step: int = EDGE_STEP) -> tuple[Floats, Floats]:
    """Return x and y (zero-based, pixel edges) of points along the border of an image of `shape`."""
    ny, nx = shape
    xs = np.linspace(-0.5, nx - 0.5, max(2, nx // step + 1))
    ys = np.linspace(-0.5, ny - 0.5, max(2, ny // step + 1))
    x = np.concatenate([xs, xs, np.full(ys.size, -0.5), np.full(ys.size, nx - 0.5)])
    y = np.concatenate([np.full(xs.size, -0.5), np.full(xs.size, ny - 0.5), ys, ys])
    return x, y


def to_sky(wcs: WCS, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return right ascension and declination (deg) of zero-based pixels through the whole WCS, distortion included."""
    ra, dec = wcs.all_pix2world(np.ravel(x), np.ravel(y), 0)
    return np.asarray(ra, float).reshape(np.shape(x)), np.asarray(dec, float).reshape(np.shape(y))


def pixel_scale(wcs: WCS, shape: tuple[int, int]) -> float:
    """Return the side (deg) of a square of the sky area of the pixels near the centre of an image."""
    cy, cx = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    half = max(1.0, min(shape) / 8)
    ra, dec = to_sky(wcs, cx + half * np.array([-1.0, 1, 0, 0]), cy + half * np.array([0.0, 0, -1, 1]))
    local = Grid(float(ra[0]), float(dec[0]), 0.0, 0.0, 1.0 / 3600, (1, 1))
    x, y = local.pixels(ra, dec)
    area = abs((x[1] - x[0]) * (y[3] - y[2]) - (x[3] - x[2]) * (y[1] - y[0])) / (2 * half) ** 2
    return float(np.sqrt(area) / 3600)


def _centre(wcs: WCS, shape: tuple[int, int]) -> Floats:
    """Return the unit vector of the centre of an image."""
    ra, dec = to_sky(wcs, np.array([(shape[1] - 1) / 2]), np.array([(shape[0] - 1) / 2]))
    a, d = np.radians(ra[0]), np.radians(dec[0])
    return np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])


def output_grid(frames: Sequence[tuple[WCS, tuple[int, int]]], scale: float | None = None) -> Grid:
    """Return the smallest north-up grid that holds all frames.

    Parameters
    ----------
    frames : sequence of (WCS, shape)
        Astrometry and (rows, columns) of each frame.
    scale : float, optional
        Pixel side, deg; the median scale of the frames when not given.

    Returns
    -------
    Grid
        Tangent point at the middle of the frames' outlines.

    Raises
    ------
    ValueError
        When there is no frame, or the frames lie too far apart for one tangent plane.
    """
    if not frames:
        raise ValueError("no frame to lay a grid for")
    scale = scale or float(np.median([pixel_scale(wcs, shape) for wcs, shape in frames]))
    middle = np.mean([_centre(wcs, shape) for wcs, shape in frames], axis=0)
    ra = float(np.degrees(np.arctan2(middle[1], middle[0])) % 360.0)
    dec = float(np.degrees(np.arctan2(middle[2], np.hypot(middle[0], middle[1]))))
    trial = Grid(ra, dec, 0.0, 0.0, scale, (1, 1))
    boxes = np.array([frame_box(trial, wcs, shape) for wcs, shape in frames])
    if not np.isfinite(boxes).all():
        raise ValueError("the frames lie too far apart for one tangent plane")
    low = np.floor(boxes[:, :2].min(axis=0))
    high = np.ceil(boxes[:, 2:].max(axis=0))
    nx, ny = (high - low + 1).astype(int)
    return Grid(ra, dec, float(-low[0]), float(-low[1]), scale, (int(ny), int(nx)))


def frame_box(grid: Grid, wcs: WCS, shape: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return xmin, ymin, xmax, ymax of a frame's outline on the grid, zero-based; NaN when it does not project."""
    x, y = grid.pixels(*to_sky(wcs, *outline(shape)))
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def touching(boxes: NDArray[Any]) -> list[list[int]]:
    """Return the groups of frames whose boxes overlap, directly or through others, the largest group first.

    Parameters
    ----------
    boxes : ndarray, shape (n, 4)
        xmin, ymin, xmax, ymax.
    """
    n = len(boxes)
    overlap = (boxes[:, None, :2] < boxes[None, :, 2:]).all(axis=2)
    overlap &= overlap.T
    label = np.arange(n)
    for _ in range(n):
        spread = np.where(overlap, label[None, :], n).min(axis=1)
        if (spread == label).all():
            break
        label = spread
    groups = [np.flatnonzero(label == value).tolist() for value in np.unique(label)]
    return sorted(groups, key=len, reverse=True)
