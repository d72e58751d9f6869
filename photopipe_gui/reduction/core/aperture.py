"""Aperture photometry of stars, and which stars are fit for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

ANNULUS = (6.0, 9.0)  # FWHM, of the ring that gives the local sky
_NARROWEST = 6.0  # px, width of the ring at least
_CLIP = 2.5
_BETA = 3.0  # of the Moffat profile that estimates how much light of a neighbour falls into an aperture
_DISC_LEVEL = 0.03  # of the noise of a pixel: below, the light of a star is no trouble in the sky of another
_EDGE_LOSS = 1.05  # px: pixels cut by a circle count in part, and their noise with the square of that part
MAGNITUDE = 2.5 / np.log(10.0)


@dataclass(frozen=True)
class Apertures:
    """Sums within circles.

    Attributes
    ----------
    radius : float
        Px.
    flux, error : ndarray of float64, shape (n,)
        Sky-subtracted sum and its standard deviation, DN.
    sky : ndarray of float64, shape (n,)
        Local sky that was subtracted, DN/px.
    """

    radius: float
    flux: Floats
    error: Floats
    sky: Floats


@dataclass(frozen=True)
class LocalSky:
    """The sky about stars.

    Attributes
    ----------
    level, scatter, count : ndarray of float64, shape (n,)
        Mean and standard deviation of the pixels left after clipping at 2.5 robust deviations from the median, and
        their number; 0, NaN, 0 where fewer than 10 pixels are left.
    """

    level: Floats
    scatter: Floats
    count: Floats


def ring(fwhm: float) -> tuple[float, float]:
    """Return inner and outer radius (px) of the sky ring for a seeing in px."""
    inner = max(ANNULUS[0] * fwhm, 8.0)
    return inner, max(ANNULUS[1] * fwhm, inner + _NARROWEST)


def local_sky(
    image: NDArray[np.float32], bad: Booleans, x: Floats, y: Floats, inner: float, outer: float
) -> LocalSky:
    """Return the sky about each star: clipped mean over a ring.

    Parameters
    ----------
    image : ndarray of float32, shape (ny, nx)
    bad : ndarray of bool, same shape
        Pixels to leave out.
    x, y : ndarray of float64, shape (n,)
        Zero-based positions, px.
    inner, outer : float
        Radii of the ring, px.

    Returns
    -------
    LocalSky
    """
    half = int(np.ceil(outer)) + 1
    offset = np.arange(-half, half + 1)
    sky, scatter, count = np.zeros(len(x)), np.full(len(x), np.nan), np.zeros(len(x))
    ny, nx = image.shape
    for i, (xs, ys) in enumerate(zip(x, y, strict=True)):
        column, row = offset + round(float(xs)), offset + round(float(ys))
        column, row = column[(column >= 0) & (column < nx)], row[(row >= 0) & (row < ny)]
        if not (column.size and row.size):
            continue
        cut = np.s_[row[0] : row[-1] + 1, column[0] : column[-1] + 1]
        square = (row[:, None] - ys) ** 2 + (column[None, :] - xs) ** 2
        values = np.sort(image[cut][(square > inner**2) & (square < outer**2) & ~bad[cut]])
        values = _clipped(values)
        if values.size >= 10:
            sky[i], scatter[i], count[i] = values.mean(dtype=float), values.std(dtype=float), values.size
    return LocalSky(sky, scatter, count)


def _clipped(ordered: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the part of sorted values within 2.5 deviations of their median; the lower side gives the deviation."""
    low, high = 0, ordered.size
    for _ in range(5):
        if high - low < 10:
            break
        middle = ordered[(low + high) // 2]
        deviation = middle - ordered[low + int(0.1587 * (high - low))]
        first = int(np.searchsorted(ordered, middle - _CLIP * deviation))
        last = int(np.searchsorted(ordered, middle + _CLIP * deviation, side="right"))
        if (first, last) == (low, high):
            break
        low, high = first, last
    return ordered[low:high]


@dataclass(frozen=True)
class Discs:
    """Where the sources of an image shine noticeably.

    Attributes
    ----------
    count : ndarray of uint8, shape (ny, nx)
        Number of sources whose disc holds the pixel.
    reach : ndarray of float64, shape (n,)
        Radius of each source's disc, px; 0 for none.
    """

    count: NDArray[np.uint8]
    reach: Floats


def star_discs(
    shape: tuple[int, int], x: Floats, y: Floats, flux: Floats, fwhm: float, noise: float, most: int = 6000
) -> Discs:
    """Mark the pixels that sources shine on noticeably, to be kept out of the sky and the rings of others.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the image.
    x, y, flux : ndarray of float64, shape (n,)
        Positions (zero-based px) and DN, brightest first.
    fwhm, noise : float
        Seeing in px and standard deviation of a pixel in DN.
    most : int
        Sources that are marked.

    Returns
    -------
    Discs
        Out to where a Moffat profile of beta 3 falls to 0.03 of the noise, at most out to the sky ring.
    """
    count = np.zeros(shape, np.uint8)
    alpha = fwhm / 2 / np.sqrt(2 ** (1 / _BETA) - 1)
    peak = np.maximum(flux, 0) * (_BETA - 1) / (np.pi * alpha**2)
    reach = alpha * np.sqrt(np.maximum((peak / max(_DISC_LEVEL * noise, 1e-30)) ** (1 / _BETA) - 1, 0))
    reach = np.minimum(reach, ring(fwhm)[0] - 1)
    reach[~np.isfinite(x + y) | (reach < 1)] = 0.0
    reach[most:] = 0.0
    ny, nx = shape
    for xs, ys, r in zip(x, y, reach, strict=True):
        if r == 0:
            continue
        x0, x1 = max(0, int(xs - r)), min(nx, int(xs + r) + 2)
        y0, y1 = max(0, int(ys - r)), min(ny, int(ys + r) + 2)
        part = count[y0:y1, x0:x1]
        part += disc(x0, x1, y0, y1, xs, ys, r) & (part < 255)
    return Discs(count, reach)


def disc(x0: int, x1: int, y0: int, y1: int, x: float, y: float, radius: float) -> Booleans:
    """Return which pixels of columns x0:x1 and rows y0:y1 lie within a circle."""
    inside: Booleans = (np.arange(x0, x1) - x)[None, :] ** 2 + (np.arange(y0, y1) - y)[:, None] ** 2 < radius**2
    return inside


def aperture_photometry(
    image: NDArray[np.float32],
    bad: Booleans | None,
    x: Floats,
    y: Floats,
    radius: float,
    *,
    fwhm: float,
    noise: float,
    gain: float = float("nan"),
    around: LocalSky | None = None,
) -> Apertures:
    """Sum stars within circles, their local sky subtracted.

    Parameters
    ----------
    image : ndarray of float32, shape (ny, nx)
        DN; may hold NaN where `bad`.
    bad : ndarray of bool, same shape, or None
        Pixels that count neither in the sums nor in the sky; a star that has one within its circle should not be used.
        None: `image` is finite everywhere and all of it counts.
    x, y : ndarray of float64, shape (n,)
        Zero-based positions.
    radius : float
        Px.
    fwhm : float
        Seeing, px; sets the sky ring.
    noise : float
        Standard deviation of the sky per pixel, as it counts in sums over many pixels, DN.
    gain : float
        e-/DN; NaN when unknown: no photon noise of the star.
    around : LocalSky, optional
        The sky about these stars, when it is known already.

    Returns
    -------
    Apertures
        Errors from sky noise, the uncertainty of the local sky, and the star's photons.
    """
    import sep

    if around is None:
        around = local_sky(image, np.zeros(image.shape, bool) if bad is None else bad, x, y, *ring(fwhm))
    total, _, _ = sep.sum_circle(image if bad is None else np.where(bad, np.float32(0), image), x, y, radius, subpix=0)
    area = np.pi * radius**2
    flux = np.asarray(total, dtype=float) - area * around.level
    own = max(area - _EDGE_LOSS * radius, 0.5 * area)
    variance = noise**2 * (own + area**2 / np.maximum(around.count, area))
    if np.isfinite(gain) and gain > 0:
        variance = variance + np.maximum(flux, 0) / gain
    return Apertures(radius, flux, np.sqrt(variance), around.level)


def touched(flags: Booleans, x: Floats, y: Floats, radius: float) -> Booleans:
    """Return which circles hold a flagged pixel or leave the image."""
    import sep

    if not len(x):
        return np.zeros(0, bool)
    ny, nx = flags.shape
    inside = (x - radius >= -0.5) & (y - radius >= -0.5) & (x + radius <= nx - 0.5) & (y + radius <= ny - 0.5)
    if not flags.any():
        return np.asarray(~inside)
    share, _, _ = sep.sum_circle(flags.astype(np.float32), x, y, radius, subpix=0)
    return np.asarray((share > 1e-3) | ~inside)


def bad_share(flags: Booleans, x: Floats, y: Floats, radius: float) -> Floats:
    """Return the share of flagged pixels within circles; what lies off the image counts as flagged."""
    import sep

    if not len(x):
        return np.zeros(0)
    good, _, _ = sep.sum_circle((~flags).astype(np.float32), x, y, radius, subpix=0)
    return np.asarray(1.0 - np.asarray(good) / (np.pi * radius**2))


def contamination(x: Floats, y: Floats, flux: Floats, radius: float, fwhm: float) -> Floats:
    """Return the light of neighbours within each star's circle as a fraction of the star's flux.

    An estimate, with a Moffat profile of beta 3 for the neighbours' wings; only neighbours within the circle and 5
    FWHM count.
    """
    from scipy.spatial import cKDTree

    share = np.zeros(len(x))
    if len(x) < 2:
        return share
    pairs = cKDTree(np.column_stack([x, y])).query_pairs(radius + 5 * fwhm, output_type="ndarray")
    if not len(pairs):
        return share
    a, b = pairs.T
    distance = np.hypot(x[a] - x[b], y[a] - y[b])
    alpha2 = (fwhm / 2) ** 2 / (2 ** (1 / _BETA) - 1)
    wing = (_BETA - 1) / (np.pi * alpha2) * (1 + np.maximum(distance - 0.5 * radius, 0) ** 2 / alpha2) ** -_BETA
    leak = np.where(distance < radius, 1.0, np.minimum(wing * np.pi * radius**2, 1.0))
    positive = np.maximum(flux, 1e-30)
    np.add.at(share, a, leak * positive[b] / positive[a])
    np.add.at(share, b, leak * positive[a] / positive[b])
    return share
