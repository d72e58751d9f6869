"""Tie frames to each other: a mosaic of the stars of frames already placed serves as the catalogue for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .distortion import Floats
from .match import fit_linear, mutual_pairs
from .skyplane import frame_points, from_plane, has_distortion, to_plane, wcs_from_grid
from .wcsfit import Limits

Index = NDArray[np.intp]

_ROUNDS = 8
_FEWEST = 3
#: With fewer stars in common a frame is moved, turned and scaled, not sheared.
_AFFINE = 80
_TAIL = 5.0


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
    members : tuple of ndarray of int
        For each frame, which star of the mosaic each of its stars is; -1 for none.
    centre : tuple of float
        Tangent point of the plane that the stars were merged in.
    """

    ra: Floats
    dec: Floats
    magnitude: Floats
    count: Index
    members: tuple[Index, ...]
    centre: tuple[float, float]

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
    magnitude, count = np.zeros(0), np.zeros(0, dtype=np.intp)
    members: list[Index] = []
    for frame in frames:
        member = np.full(len(frame.ra), -1, dtype=np.intp)
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
        place_in_frame = np.flatnonzero(good)
        member[place_in_frame[new]] = old
        fresh = np.ones(len(here), dtype=bool)
        fresh[new] = False
        member[place_in_frame[fresh]] = len(points) + np.arange(int(fresh.sum()))
        members.append(member)
        points, weight = np.vstack([points, here[fresh]]), np.concatenate([weight, w[fresh]])
        magnitude = np.concatenate([magnitude, brightness[fresh]])
        count = np.concatenate([count, np.ones(int(fresh.sum()), dtype=np.intp)])
    ra, dec = from_plane(points[:, 0], points[:, 1], ra0, dec0)
    return Mosaic(ra, dec, magnitude, count, tuple(members), (ra0, dec0))


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


def tie_limits(shape: tuple[int, int], scale: float, log10_false: float = -6.0) -> Limits:
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


@dataclass(frozen=True)
class Correction:
    """What brings one frame into line with the others.

    Attributes
    ----------
    matrix : ndarray, shape (2, 3)
        New position = matrix @ (xi, eta, 1), in the plane about `centre`.
    centre : tuple of float
        Its tangent point, degrees.
    rms : ndarray, shape (2,)
        Scatter of the frame's own positions against the other frames', degrees, corrected for the parameters fitted.
    matched : int
        Stars in common with other frames.
    """

    matrix: Floats
    centre: tuple[float, float]
    rms: Floats
    matched: int


def adjust(frames: Sequence[Placed], scale: float) -> list[Correction]:
    """Bring all frames of a connected set into line at once.

    The star positions and one linear map a frame are fitted together in least squares (the positions eliminated from
    the normal equations), with less weight for what lies far off. The first frame stays as it is.

    Parameters
    ----------
    frames : sequence of Placed
        Already aligned to about a pixel.
    scale : float
        Degrees per pixel.
    """
    mosaic = make_mosaic(frames, 2.5 * scale)
    points = [np.column_stack(to_plane(f.ra, f.dec, *mosaic.centre)) / scale for f in frames]
    shared = [np.flatnonzero((m >= 0) & (mosaic.count[m] > 1)) for m in mosaic.members]
    star = np.concatenate([m[s] for m, s in zip(mosaic.members, shared, strict=True)])
    here = np.concatenate([p[s] for p, s in zip(points, shared, strict=True)])
    sigma = np.concatenate([f.sigma[s] for f, s in zip(frames, shared, strict=True)]) / scale
    ends = np.cumsum([0, *(len(s) for s in shared)])
    rows = [np.arange(ends[k], ends[k + 1]) for k in range(len(frames))]
    terms = _Terms(here, rows)
    weight, moved, left = 1 / (sigma**2 + 0.05**2), here, np.ones(len(here))
    residual = np.zeros_like(here)
    for _ in range(_ROUNDS):
        moved = here + terms.solve(weight, star, len(mosaic))
        total = np.bincount(star, weight, len(mosaic))[star]
        mean = [np.bincount(star, weight * moved[:, k], len(mosaic))[star] / total for k in (0, 1)]
        residual, left = moved - np.column_stack(mean), np.clip(1 - weight / total, 0.05, 1)
        weight = _robust_weights(residual, sigma, left)
    # A star's mean follows the frame itself by its share of the weight: that makes its residual smaller than its error.
    residual = residual / np.sqrt(left)[:, None]
    answers = []
    for k, mine in enumerate(rows):
        matrix = np.array([[1.0, 0, 0], [0, 1.0, 0]])
        if k and len(mine) >= _FEWEST:
            matrix = fit_linear(here[mine], moved[mine], False)
        rms = _rms(residual[mine]) * scale
        answers.append(Correction(matrix * np.array([1, 1, scale]), mosaic.centre, rms, len(mine)))
    return answers


class _Terms:
    """The linear maps of all frames but the first, as the columns of one sparse design."""

    def __init__(self, here: Floats, rows: Sequence[Index]) -> None:
        from scipy.sparse import coo_matrix

        parts: tuple[list[Floats], list[Floats]] = ([], [])
        self.width = 0
        cells: tuple[list[tuple[Index, Index]], list[tuple[Index, Index]]] = ([], [])
        for mine in rows[1:]:
            if len(mine) < _FEWEST:
                continue
            x, y = ((here[mine] - here[mine].mean(axis=0)) / max(float(np.ptp(here[mine])), 1.0)).T
            one, none = np.ones(len(mine)), np.zeros(len(mine))
            if len(mine) >= _AFFINE:
                columns = ([x, y, one, none, none, none], [none, none, none, x, y, one])
            else:
                columns = ([x, -y, one, none], [y, x, none, one])
            for axis in (0, 1):
                for k, column in enumerate(columns[axis]):
                    parts[axis].append(column)
                    cells[axis].append((mine, np.full(len(mine), self.width + k)))
            self.width += len(columns[0])
        self.axes = [
            coo_matrix(
                (np.concatenate([np.zeros(0), *part]), np.concatenate([np.zeros((2, 0), int), *cell], axis=1)),
                shape=(len(here), self.width),
            ).tocsr()
            for part, cell in zip(parts, cells, strict=True)
        ]
        self.here = here

    def solve(self, weight: Floats, star: Index, stars: int) -> Floats:
        """Return how far the best maps move each position, shape (n, 2)."""
        from scipy.sparse import csr_matrix, diags

        if not self.width:
            return np.zeros_like(self.here)
        belongs = csr_matrix((weight, (star, np.arange(len(star)))), shape=(stars, len(star)))
        total = np.maximum(np.bincount(star, weight, stars), 1e-30)
        normal, right = np.zeros((self.width, self.width)), np.zeros(self.width)
        for axis, matrix in enumerate(self.axes):
            mean = belongs @ matrix
            normal += (matrix.T @ diags(weight) @ matrix - mean.T @ diags(1 / total) @ mean).toarray()
            position = self.here[:, axis]
            off = position - (belongs @ position / total)[star]
            right -= matrix.T @ (weight * off)
        normal[np.diag_indices_from(normal)] += 1e-12 * np.trace(normal)
        solution = np.linalg.solve(normal, right)
        return np.column_stack([matrix @ solution for matrix in self.axes])


def _robust_weights(residual: Floats, sigma: Floats, left: Floats) -> Floats:
    """Return inverse variances: photon noise, a scatter common to all, and less for what lies far off."""
    r2 = (residual**2).sum(axis=1) / left
    extra = max(float(np.median(r2)) / (2 * np.log(2)) - float(np.median(sigma)) ** 2, 0.02**2)
    variance = sigma**2 + extra
    return np.asarray((_TAIL + 2) / (_TAIL + r2 / variance) / variance)


def _rms(residual: Floats) -> Floats:
    """Return the scatter in each axis without the outermost outliers, corrected for a linear map."""
    if len(residual) < 4:
        return np.full(2, np.nan)
    r2 = (residual**2).sum(axis=1)
    kept = residual[r2 <= 3.5**2 * np.median(r2) / (2 * np.log(2))]
    return np.asarray(np.sqrt((kept**2).sum(axis=0) / max(len(kept) - 3, 1)))


def corrected(wcs: Any, shape: tuple[int, int], correction: Correction) -> Any:
    """Return a frame's WCS with a correction applied."""
    curved = has_distortion(wcs, shape)
    grid = frame_points(shape, 21 if curved else 5)
    ra, dec = wcs.all_pix2world(grid[:, 0], grid[:, 1], 0)
    plane = np.column_stack(to_plane(ra, dec, *correction.centre))
    moved = plane @ correction.matrix[:, :2].T + correction.matrix[:, 2]
    ra, dec = from_plane(moved[:, 0], moved[:, 1], *correction.centre)
    return wcs_from_grid(shape, grid, ra, dec, 3 if curved else 1)
