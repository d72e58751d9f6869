"""Telling the cores of sharp stars from cosmic rays, by their shape."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from .background import BoolImage, FloatImage

#: FWHM in px below which L.A.Cosmic alone touches the cores of stars.
GUARD_BELOW = 5.0
_HALF = 3
_CLIMB = 4
_PIXEL_FWHM = 0.68
_STEPS = np.linspace(-0.6, 0.6, 7)
_LIKE_A_STAR = 0.94
_WIDTHS = (0.93, 1.1)
_SPOTS = (0.3, 0.7, 1.0)

Floats = NDArray[np.float64]


def star_regions(image: FloatImage, flagged: BoolImage, fwhm: float, noise: float = 0.0) -> BoolImage:
    """Return the flagged pixels that belong to stars.

    From each flagged pixel one goes up to the maximum it lies on. The image around that is compared with round profiles
    of the frame's FWHM centred anywhere in that pixel, and with the sharper spots that charge makes when it
    diffuses by up to 0.4 px. It is a star when it is more like the one than like the other, and like it at all: the
    cosine of the angle between image and profile, as vectors of pixels, exceeds 0.94. Tracks are like neither.

    Parameters
    ----------
    image : ndarray of float32, shape (ny, nx)
        Sky-subtracted, without NaN.
    flagged : ndarray of bool, shape (ny, nx)
        Suspects.
    fwhm : float
        Of the frame's stars in px, as measured on the pixels.
    noise : float
        Of the sky in one pixel, in the image's unit: what it adds to the length of a faint star's vector is taken off.
    """
    spared = np.zeros(flagged.shape, np.bool_)
    if not flagged.any():
        return spared
    wide = np.pad(image, _HALF, mode="reflect")
    rows, columns = np.nonzero(flagged)
    peaks, members = np.unique(_summits(wide, rows, columns), axis=0, return_inverse=True)
    stars = _is_star(wide, peaks[:, 0], peaks[:, 1], fwhm, noise)
    spared[rows, columns] = stars[members.reshape(-1)]
    return spared


def _summits(wide: FloatImage, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return where one comes to from each pixel by going up to the brightest of the nine, a few times."""
    ny, nx = wide.shape[0] - 2 * _HALF, wide.shape[1] - 2 * _HALF
    y, x = rows.copy(), columns.copy()
    around = np.arange(-1, 2)
    for _ in range(_CLIMB):
        nine = wide[y[:, None, None] + _HALF + around[:, None], x[:, None, None] + _HALF + around]
        best = nine.reshape(len(y), -1).argmax(axis=1)
        y, x = np.clip(y + best // 3 - 1, 0, ny - 1), np.clip(x + best % 3 - 1, 0, nx - 1)
    return np.stack([y, x], axis=1)


def _is_star(
    wide: FloatImage, rows: NDArray[np.intp], columns: NDArray[np.intp], fwhm: float, noise: float
) -> BoolImage:
    """Return for each maximum whether it is more like a star than like a spot, and like a star at all."""
    offset = np.arange(2 * _HALF + 1)
    stamps = wide[rows[:, None, None] + offset[:, None], columns[:, None, None] + offset].astype(np.float64)
    ring = np.ones(stamps.shape[1:], np.bool_)
    ring[1:-1, 1:-1] = False
    stamps -= np.median(stamps[:, ring], axis=1)[:, None, None]
    vectors = stamps[:, 1:-1, 1:-1].reshape(len(stamps), -1)
    square = (vectors**2).sum(axis=1)
    length = np.sqrt(np.maximum(square - noise**2 * vectors.shape[1], 0.5 * square))
    # The width measured on pixels contains their own, which the integration adds again.
    own = max(fwhm**2 - _PIXEL_FWHM**2, 0.8**2) ** 0.5
    star = (vectors @ _profiles([own * width for width in _WIDTHS]).T).max(axis=1)
    spot = (vectors @ _profiles([min(width, 0.75 * own) for width in _SPOTS]).T).max(axis=1)
    return np.asarray((star > spot) & (star > _LIKE_A_STAR * np.maximum(length, 1e-12)))


def _profiles(widths: list[float]) -> Floats:
    """Return Gaussians of these FWHM integrated over the pixels of a stamp, centred anywhere, as unit vectors."""
    reach = _HALF - 1
    edges = np.arange(-reach, reach + 2) - 0.5
    out = []
    for width in widths:
        root = width / np.sqrt(8 * np.log(2)) * np.sqrt(2)
        lines = [np.diff(erf((edges - centre) / root)) for centre in _STEPS]
        out += [np.outer(row, column).ravel() for row in lines for column in lines]
    profiles = np.stack(out)
    return np.asarray(profiles / np.linalg.norm(profiles, axis=1)[:, None])
