"""A catalogue of the sources of a coadd: positions, aperture and Kron magnitudes, sizes, flags."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .aperture import MAGNITUDE, Booleans, Floats, aperture_photometry, contamination, local_sky, ring, touched
from .detect import Sources, detect

_KRON_FACTOR = 2.5
_SMALLEST_KRON = 1.75  # times the seeing, radius
BLENDED, SATURATED, EDGE, BAD = 1, 4, 8, 16


@dataclass(frozen=True)
class Catalogue:
    """Sources, brightest first; arrays of one length.

    Attributes
    ----------
    sources : Sources
        Positions (zero-based px), widths, elongations.
    flux, flux_error : ndarray of float64
        Within the aperture, local sky subtracted, DN.
    kron_flux, kron_error : ndarray of float64
        Within 2.5 Kron radii, DN.
    kron_radius : ndarray of float64
        Semi-major axis of that ellipse, px.
    flags : ndarray of int
        1 neighbours add light, 4 saturated, 8 at the border, 16 bad or missing pixels within the aperture.
    """

    sources: Sources
    flux: Floats
    flux_error: Floats
    kron_flux: Floats
    kron_error: Floats
    kron_radius: Floats
    flags: NDArray[np.int64]


def magnitudes(flux: Floats, error: Floats, zero_point: float) -> tuple[Floats, Floats]:
    """Return magnitudes and errors; NaN where the flux is not positive."""
    positive = np.where(flux > 0, flux, np.nan)
    return zero_point - 2.5 * np.log10(positive), MAGNITUDE * error / positive


def measure_sources(
    image: NDArray[np.float32],
    bad: Booleans,
    saturated: Booleans,
    *,
    fwhm: float,
    radius: float,
    noise: float,
    gain: float = float("nan"),
    threshold: float = 5.0,
) -> Catalogue:
    """Detect and measure the sources of an image.

    Parameters
    ----------
    image : ndarray of float32, shape (ny, nx)
        DN, sky subtracted; NaN where there is no measurement.
    bad, saturated : ndarray of bool, same shape
    fwhm : float
        Seeing, px.
    radius : float
        Of the circular aperture, px.
    noise : float
        Standard deviation of the sky per pixel as it counts in sums over many pixels, DN.
    gain : float
        e-/DN; NaN when unknown.

    Returns
    -------
    Catalogue
        Kron 1980 (ApJS 43, 305): elliptical apertures of 2.5 first-moment radii, at least 1.75 times the seeing.
    """
    bad = bad | ~np.isfinite(image)
    known_gain = gain if np.isfinite(gain) and gain > 0 else None
    found = detect(image, bad, gain=known_gain, saturated=saturated, threshold=threshold)
    around = local_sky(image, bad, found.x, found.y, *ring(fwhm))
    sums = aperture_photometry(image, bad, found.x, found.y, radius, fwhm=fwhm, noise=noise, gain=gain, around=around)
    kron, kron_error, kron_radius = _kron(image, bad, found, around.level, fwhm, noise, gain)
    flags = np.zeros(found.n, np.int64)
    flags[contamination(found.x, found.y, found.flux, radius, fwhm) > 0.01] |= BLENDED
    flags[touched(saturated, found.x, found.y, radius + 0.5 * fwhm) & ((found.flags & SATURATED) != 0)] |= SATURATED
    ny, nx = image.shape
    border = np.minimum(np.minimum(found.x, nx - 1 - found.x), np.minimum(found.y, ny - 1 - found.y)) < radius
    flags[border] |= EDGE
    flags[touched(bad, found.x, found.y, radius) & ~border] |= BAD
    return Catalogue(found, sums.flux, sums.error, kron, kron_error, kron_radius, flags)


def _kron(
    image: NDArray[np.float32], bad: Booleans, found: Sources, sky: Floats, fwhm: float, noise: float, gain: float
) -> tuple[Floats, Floats, Floats]:
    """Return Kron flux, its error, and the semi-major axis used."""
    import sep

    if not found.n:
        empty = np.zeros(0)
        return empty, empty, empty
    clean = np.where(bad, np.float32(0), image).astype(np.float32)
    width = np.where(np.isfinite(found.fwhm), found.fwhm, fwhm) / 2.3548
    axis = np.maximum(width, 0.4 * fwhm)
    elongation = np.clip(found.elongation, 1.0, 8.0)
    a, b = axis * np.sqrt(elongation), axis / np.sqrt(elongation)
    theta = np.clip(found.theta, -np.pi / 2, np.pi / 2)
    factor, _ = sep.kron_radius(clean, found.x, found.y, a, b, theta, 6.0)
    reach = np.clip(_KRON_FACTOR * np.where(np.isfinite(factor), factor, 0.0), _SMALLEST_KRON * fwhm / axis, 15.0)
    total, _, _ = sep.sum_ellipse(clean, found.x, found.y, a, b, theta, reach, subpix=5)
    area = np.pi * a * b * reach**2
    flux = np.asarray(total, dtype=float) - area * sky
    variance = area * noise**2
    if np.isfinite(gain) and gain > 0:
        variance = variance + np.maximum(flux, 0) / gain
    return flux, np.sqrt(variance), a * reach
