"""Total magnitudes of the good stars of an image: what zero points are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .aperture import (
    MAGNITUDE,
    Apertures,
    Booleans,
    Discs,
    Floats,
    LocalSky,
    aperture_photometry,
    bad_share,
    contamination,
    local_sky,
    ring,
    star_discs,
    touched,
)
from .coadd import sky_noise
from .detect import Sources, detect, measure_seeing
from .growth import RADII, Growth, measure_growth, usual_growth
from .resample import fill_bad

APERTURE = 1.5  # FWHM, radius of the aperture that total magnitudes are made from
WIDE = 2.5  # FWHM, radius of the aperture that counts as a whole star where the profile changes over the image
MOST_ELONGATED = 1.5
_BLEND_LIMIT = 0.01  # share of a star's light that neighbours may add to its aperture
_ISOLATED_LIMIT = 0.02  # the same out to the sky ring, for the curve of growth
_ENOUGH = 8  # stars for the curve of growth, below which the choice is less strict
_FEWEST_SKY = 150  # px of the sky ring that must be free of other stars
_CROWDING = 0.02  # mag, error of total magnitudes where stars cover the whole image, from neighbours not told apart
_PROFILE_DOUBT = 0.002  # mag, error of total magnitudes in the best of cases
_FLAT_SKY = 0.15  # of the noise of a pixel, by which the local sky may be off the frame's
_MOST_FILLED = 0.05  # of the pixels within 5 FWHM of a star of the curve of growth
_GROWTH_STARS = 60
_CORE = 0.5  # FWHM, radius within which a bad pixel spoils a star
_FAINTEST = 10.0  # signal to noise
_UNEXPECTED = 1.6
_WIDTH_RANGE = 0.3  # fraction of the seeing by which the width of a star may differ


@dataclass(frozen=True)
class StarPhotometry:
    """Stars of an image with their total instrumental magnitudes.

    Attributes
    ----------
    x, y : ndarray of float64, shape (n,)
        Zero-based positions, px.
    magnitude, error : ndarray of float64, shape (n,)
        -2.5 log10 of all the star's DN, by an aperture of 1.5 FWHM and the curve of growth (of 2.5 FWHM and a usual
        profile where the curve could not be measured), and its standard deviation.
    wide_magnitude, wide_error : ndarray of float64, shape (n,)
        The same of the DN within 2.5 FWHM as they are; NaN where not positive.
    fwhm : float
        Seeing, px; NaN when there are no stars.
    radius : float
        Of the aperture, px.
    growth : Growth
        What turned aperture fluxes into total ones.
    noise : float
        Standard deviation of a pixel of the sky, DN.
    found : int
        Sources found before the choice.
    """

    x: Floats
    y: Floats
    magnitude: Floats
    error: Floats
    wide_magnitude: Floats
    wide_error: Floats
    fwhm: float
    radius: float
    growth: Growth
    noise: float
    found: int

    @property
    def wide_radius(self) -> float:
        """Radius of the wide aperture, px."""
        return WIDE * self.fwhm

    @property
    def n(self) -> int:
        """Number of stars."""
        return len(self.x)


def good_stars(
    sources: Sources, bad: Booleans, saturated: Booleans, struck: Booleans, radius: float, fwhm: float
) -> Booleans:
    """Return which sources are single, round, unsaturated stars on good pixels.

    Left out: saturated pixels within one FWHM of the aperture or touching the source, bad pixels or cosmic-ray hits
    in its core (half an FWHM; further out their light is well told from their surroundings), the image border,
    neighbours that add more than 1 % of light, elongation above 1.5, widths that are no star's, and signal to noise
    below 10.
    """
    x, y = sources.x, sources.y
    width = np.abs(sources.fwhm / fwhm - 1)
    good = (sources.snr > _FAINTEST) & (sources.elongation <= MOST_ELONGATED) & ((sources.flags & (4 | 8)) == 0)
    good &= ~(width > _WIDTH_RANGE + 3 / sources.snr)
    good &= ~touched(bad | struck, x, y, max(_CORE * fwhm + 0.7, 2.0))
    good &= ~touched(np.zeros_like(bad), x, y, radius)
    if saturated.any():
        good &= ~touched(saturated, x, y, radius + fwhm)
    good &= contamination(x, y, sources.flux, radius, fwhm) < _BLEND_LIMIT
    return np.asarray(good)


def measure_stars(
    image: NDArray[np.float32],
    bad: Booleans,
    saturated: Booleans,
    struck: Booleans,
    *,
    gain: float = float("nan"),
    aperture: float = APERTURE,
    noise_factor: float = 1.0,
    expected: float = float("nan"),
    max_stars: int = 600,
) -> StarPhotometry:
    """Detect stars and measure the total magnitudes of the good ones.

    Parameters
    ----------
    image : ndarray of float32, shape (ny, nx)
        DN, sky subtracted; NaN where there is no measurement.
    bad, saturated, struck : ndarray of bool, same shape
        Pixels without a measurement, saturated ones, and ones repaired after a cosmic ray.
    gain : float
        e-/DN; NaN when unknown.
    aperture : float
        Radius in FWHM.
    noise_factor : float
        By how much noise in apertures exceeds that of independent pixels.
    expected : float
        Seeing that the image should have, px, when it is known: sources of quite other width do not count for it then.
    max_stars : int
        The brightest good stars are kept.

    Returns
    -------
    StarPhotometry
    """
    bad = bad | ~np.isfinite(image)
    known_gain = gain if np.isfinite(gain) and gain > 0 else None
    sources = detect(image, bad, gain=known_gain, saturated=saturated)
    fwhm = _seeing(sources, expected)
    noise = sky_noise(image, ~(bad | saturated | struck)) * noise_factor
    if not (np.isfinite(fwhm) and noise > 0):
        none, nan = np.zeros(0), float("nan")
        return StarPhotometry(none, none, none, none, none, none, nan, nan, usual_growth(1.0), noise, sources.n)
    radius = max(aperture * fwhm, 1.5)
    good = good_stars(sources, bad, saturated, struck, radius, fwhm)
    if good.sum() < 5 and struck.any():  # few stars: a repaired pixel is better than no star
        good = good_stars(sources, bad, saturated, np.zeros_like(bad), radius, fwhm)
    chosen = np.flatnonzero(good)[:max_stars]
    x, y = sources.x[chosen], sources.y[chosen]
    discs = star_discs(image.shape, sources.x, sources.y, sources.flux, fwhm, noise)
    around = local_sky(image, bad | saturated | (discs.count > 0), x, y, *ring(fwhm))
    clean = fill_bad(image, bad | struck)
    growth = _growth(clean, bad | struck | saturated, sources, chosen, around, discs, (fwhm, noise, gain))
    sums = aperture_photometry(clean, None, x, y, radius, fwhm=fwhm, noise=noise, gain=gain, around=around)
    wide = aperture_photometry(clean, None, x, y, WIDE * fwhm, fwhm=fwhm, noise=noise, gain=gain, around=around)
    bright = sums.flux > 3 * sums.error
    wide_magnitude, wide_error = _magnitudes(wide, bright, 1.0)
    if growth.stars:
        magnitude, error = _magnitudes(sums, bright, growth.captured(radius))
    else:
        magnitude, error = _magnitudes(wide, bright, growth.captured(wide.radius))
    return StarPhotometry(x[bright], y[bright], magnitude, error, wide_magnitude, wide_error, fwhm, radius, growth,
                          noise, sources.n)


def _seeing(sources: Sources, expected: float) -> float:
    """Return the seeing in px: of the stars whose width is near what is expected, where that is known."""
    if not (np.isfinite(expected) and expected > 0):
        return measure_seeing(sources)
    ratio = sources.fwhm / expected
    near = sources.take((ratio > 1 / _UNEXPECTED) & (ratio < _UNEXPECTED))
    found = measure_seeing(near) if near.n else float("nan")
    return found if np.isfinite(found) else expected


def _magnitudes(sums: Apertures, chosen: Booleans, captured: float) -> tuple[Floats, Floats]:
    """Return magnitudes and errors of the light that the apertures hold a known share of."""
    flux = np.where(sums.flux[chosen] > 0, sums.flux[chosen], np.nan)
    return -2.5 * np.log10(flux / captured), MAGNITUDE * sums.error[chosen] / flux


def _growth(
    clean: NDArray[np.float32],
    bad: Booleans,
    sources: Sources,
    chosen: NDArray[np.intp],
    around: LocalSky,
    discs: Discs,
    facts: tuple[float, float, float],
) -> Growth:
    """Measure the curve of growth on the isolated ones of the chosen stars, less isolated ones in a crowd.

    Hardly a star of an infrared detector has no bad pixel within 5 FWHM: they are filled, but must be few. Stars on
    structured sky are left out where others do.
    """
    fwhm, noise, gain = facts
    x, y = sources.x[chosen], sources.y[chosen]
    usable = bad_share(bad, x, y, RADII[-1] * fwhm) < _MOST_FILLED
    usable &= around.count > _FEWEST_SKY
    flat = usable & (np.abs(around.level) < _FLAT_SKY * noise)
    usable = flat if flat.sum() >= _ENOUGH else usable
    neighbours = contamination(sources.x, sources.y, sources.flux, RADII[-1] * fwhm, fwhm)[chosen]
    isolated = np.flatnonzero(usable & (neighbours < _ISOLATED_LIMIT))[:_GROWTH_STARS]
    if len(isolated) < _ENOUGH:
        isolated = np.flatnonzero(usable & (neighbours < 10 * _ISOLATED_LIMIT))[:_GROWTH_STARS]
    sky = LocalSky(around.level[isolated], around.scatter[isolated], around.count[isolated])
    growth = measure_growth(clean, x[isolated], y[isolated], fwhm=fwhm, noise=noise, gain=gain, around=sky,
                            discs=(discs.count, discs.reach[chosen[isolated]]))
    crowding = _CROWDING * float(np.mean(discs.count > 0))
    return replace(growth, error=float(np.sqrt(growth.error**2 + crowding**2 + _PROFILE_DOUBT**2)))
