"""Tie frames to each other: a mosaic of the stars of frames already placed serves as the catalogue for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from .distortion import Floats
from .match import mutual_pairs
from .skyplane import from_plane, to_plane
from .wcsfit import Limits


@dataclass(frozen=True)
class Placed:
    """The stars of one frame on the sky: degrees, flux in any unit, error of the position in degrees."""

    ra: Floats
    dec: Floats
    flux: Floats
    sigma: Floats


@dataclass(frozen=True)
class Mosaic:
    """Stars of several frames, each once.

    Attributes
    ----------
    ra, dec : ndarray
        Weighted mean positions, degrees.
    magnitude : ndarray
        -2.5 log10 of the flux on the scale of the first frame.
    count : ndarray of int
        Frames that a star was seen in.
    """

    ra: Floats
    dec: Floats
    magnitude: Floats
    count: np.ndarray[Any, np.dtype[np.int64]]

    def __len__(self) -> int:
        return len(self.ra)


def place(wcs: Any, x: Floats, y: Floats, flux: Floats, sigma: Floats) -> Placed:
    """Carry a frame's sources (zero-based px) to the sky by its WCS."""
    ra, dec = wcs.all_pix2world(x, y, 0)
    scale = float(np.sqrt(abs(np.linalg.det(wcs.pixel_scale_matrix))))
    keep = np.isfinite(ra) & np.isfinite(dec) & (flux > 0)
    return Placed(ra[keep], dec[keep], flux[keep], np.maximum(sigma[keep], 0.01) * scale)


def make_mosaic(frames: Sequence[Placed], radius: float) -> Mosaic:
    """Merge the stars of frames: those nearer than `radius` (degrees), each other's nearest, are one star.

    Positions are averaged with inverse-variance weights, fluxes brought to the scale of the first frame by the median
    ratio of the stars in common.
    """
    ra0, dec0 = _middle(frames)
    points, weight = np.zeros((0, 2)), np.zeros(0)
    magnitude, count = np.zeros(0), np.zeros(0, dtype=np.int64)
    for frame in frames:
        here = np.column_stack(to_plane(frame.ra, frame.dec, ra0, dec0))
        brightness, w = -2.5 * np.log10(frame.flux), frame.sigma**-2.0
        good = np.isfinite(here).all(axis=1) & np.isfinite(brightness)
        here, brightness, w = here[good], brightness[good], w[good]
        if len(points) and len(here):
            old, new = mutual_pairs(points, here, cKDTree(here), radius)
        else:
            old = new = np.zeros(0, dtype=np.intp)
        if len(old):
            brightness = brightness + np.median(magnitude[old] - brightness[new])
            total = weight[old] + w[new]
            points[old] = (points[old] * weight[old, None] + here[new] * w[new, None]) / total[:, None]
            magnitude[old] = (magnitude[old] * count[old] + brightness[new]) / (count[old] + 1)
            weight[old], count[old] = total, count[old] + 1
        fresh = np.ones(len(here), dtype=bool)
        fresh[new] = False
        points, weight = np.vstack([points, here[fresh]]), np.concatenate([weight, w[fresh]])
        magnitude = np.concatenate([magnitude, brightness[fresh]])
        count = np.concatenate([count, np.ones(int(fresh.sum()), dtype=np.int64)])
    ra, dec = from_plane(points[:, 0], points[:, 1], ra0, dec0)
    return Mosaic(ra, dec, magnitude, count)


def _middle(frames: Sequence[Placed]) -> tuple[float, float]:
    """Return the mean direction of all stars."""
    ra = np.radians(np.concatenate([f.ra for f in frames] or [np.zeros(1)]))
    dec = np.radians(np.concatenate([f.dec for f in frames] or [np.zeros(1)]))
    if not len(ra):
        return 0.0, 0.0
    vector = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)]).mean(axis=1)
    return float(np.degrees(np.arctan2(vector[1], vector[0])) % 360), float(
        np.degrees(np.arctan2(vector[2], np.hypot(vector[0], vector[1])))
    )


def tie_limits(shape: tuple[int, int], scale: float, log10_false: float = -7.0) -> Limits:
    """Return the limits for frames of one night and camera: any shift that leaves an overlap, little turn and scale.

    Parameters
    ----------
    shape : tuple
        Rows and columns.
    scale : float
        Degrees per pixel.
    """
    reach = 0.9 * max(shape) * scale * 60
    return Limits(pointing=max(reach, 3.0), rotation=3.0, scale=0.01, mirror=False, wide=False,
                  log10_false=log10_false, rigid_below=25, highest_order=1)
