"""Telling the cores of sharp stars from cosmic rays, by their shape."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from .background import BoolImage, FloatImage

#: FWHM in px below which L.A.Cosmic alone touches the cores of stars.
GUARD_BELOW = 5.0
_HALF = 3
_PIXEL_FWHM = 0.68
_STEPS = np.linspace(-0.6, 0.6, 7)
_LIKE_A_STAR = 0.94
_WIDTHS = (0.9, 1.15)


def star_regions(image: FloatImage, flagged: BoolImage, fwhm: float, noise: float = 0.0) -> BoolImage:
    """Return the flagged pixels that belong to stars.

    Each connected group of flagged pixels is looked at about its brightest pixel, and compared with round profiles of
    the frame's FWHM centred anywhere in that pixel. A group is a star when the best of them matches: the cosine of
    the angle between both, as vectors of pixels, exceeds 0.94. A hit of one pixel reaches 0.8 at a FWHM of 1.5 px and
    less at larger ones, a track less still.

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
    from scipy.ndimage import label, maximum_position

    spared = np.zeros(flagged.shape, np.bool_)
    groups, count = label(flagged, structure=np.ones((3, 3)))
    if not count:
        return spared
    peaks = np.array(maximum_position(image, groups, np.arange(1, count + 1)), dtype=np.intp).reshape(-1, 2)
    inside = np.all((peaks >= _HALF) & (peaks < np.array(flagged.shape) - _HALF), axis=1)
    likeness = np.zeros(count)
    likeness[inside] = _likeness(image, peaks[inside], fwhm, noise)
    stars = np.concatenate([[False], likeness > _LIKE_A_STAR])
    spared = stars[groups]
    return np.asarray(spared, dtype=np.bool_)


def _likeness(image: FloatImage, peaks: NDArray[np.intp], fwhm: float, noise: float) -> NDArray[np.float64]:
    """Return for each peak the best cosine with a star's profile."""
    offset = np.arange(-_HALF, _HALF + 1)
    stamps = image[peaks[:, 0, None, None] + offset[:, None], peaks[:, 1, None, None] + offset].astype(np.float64)
    ring = np.ones((2 * _HALF + 1, 2 * _HALF + 1), np.bool_)
    ring[1:-1, 1:-1] = False
    stamps -= np.median(stamps[:, ring], axis=1)[:, None, None]
    profiles = np.stack([_profile(x, y, fwhm * w) for x in _STEPS for y in _STEPS for w in _WIDTHS])
    use = slice(1, -1)
    vectors = stamps[:, use, use].reshape(len(stamps), -1)
    templates = profiles[:, use, use].reshape(len(profiles), -1)
    templates /= np.linalg.norm(templates, axis=1)[:, None]
    square = (vectors**2).sum(axis=1)
    square = np.maximum(square - noise**2 * vectors.shape[1], 0.5 * square)
    best: NDArray[np.float64] = (vectors @ templates.T).max(axis=1) / np.maximum(np.sqrt(square), 1e-12)
    return best


def _profile(x: float, y: float, fwhm: float) -> NDArray[np.float64]:
    """Return a Gaussian of unit flux, integrated over the pixels of a stamp."""
    # The width measured on pixels contains their own, which the integration adds again.
    own = max(fwhm**2 - _PIXEL_FWHM**2, 0.6**2) ** 0.5
    width = own / np.sqrt(8 * np.log(2)) * np.sqrt(2)
    edges = np.arange(-_HALF, _HALF + 2) - 0.5
    column = np.diff(erf((edges - x) / width)) / 2
    row = np.diff(erf((edges - y) / width)) / 2
    return np.asarray(row[:, None] * column[None, :])
