"""The curve of growth: from the light within an aperture to all the light of a star.

Rings about isolated bright stars, averaged over the stars, are fitted with a Moffat profile whose own light in the sky
ring is part of the model. Where the rings are measured better than the profile can be trusted, they count
themselves; the profile remains for the faint outskirts. Total fluxes then do not depend on the aperture, nor zero
points on seeing.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .aperture import Floats, LocalSky, disc, local_sky, ring

RADII = (0.6, 0.8, 1.0, 1.25, 1.5, 1.85, 2.3, 3.0, 4.0, 5.0)  # FWHM
_UNIFORM = 3.0  # variety above which the stars of an image have not one profile
_LEAST_CLEAN = 0.4  # share of a ring that must be free of other stars
REFERENCE = 4  # place of the radius that the others are compared with
_OWN_SCATTER = 0.004  # fraction by which single stars differ from the mean profile in a ring
_FEWEST_STARS = 3
_MODEL_DOUBT = 0.004  # fraction of a star's light in a ring by which real profiles differ from Moffat's
_USUAL_BETA, _USUAL_ERROR = 3.5, 0.01  # the error is that of the light outside 2.5 FWHM


def encircled(radius: Floats, alpha: float, beta: float) -> Floats:
    """Return the fraction of a Moffat profile's light within a radius."""
    return np.asarray(1.0 - (1.0 + (np.asarray(radius, dtype=float) / alpha) ** 2) ** (1.0 - beta))


@dataclass(frozen=True)
class Growth:
    """Curve of growth of an image.

    Attributes
    ----------
    fwhm : float
        Seeing that it was measured with, px.
    alpha, beta : float
        Moffat profile, px and exponent.
    error : float
        Standard deviation of the total magnitude from the reference aperture (1.5 FWHM) that the curve's own
        uncertainty makes.
    stars : int
        Stars that it was measured on; 0: a usual profile was taken.
    departure : tuple of float
        What the measured share of the light has over the profile's at each of `RADII`.
    variety : float
        Scatter of the stars about their mean rings in units of what noise explains.
    """

    fwhm: float
    alpha: float
    beta: float
    error: float
    stars: int
    departure: tuple[float, ...] = ()
    variety: float = 0.0

    @property
    def uniform(self) -> bool:
        """False when the stars were seen to have different profiles: then no one profile tells their outskirts."""
        return self.variety < _UNIFORM

    def captured(self, radius: float) -> float:
        """Return the share of a star's light in an aperture (px) after the sky of the ring is subtracted."""
        share = float(_captured(np.array([radius]), self.alpha, self.beta, ring(self.fwhm))[0])
        if self.departure:
            share += float(np.interp(radius, np.array((0.0, *RADII)) * self.fwhm, (0.0, *self.departure)))
        return share

    def correction(self, radius: float) -> float:
        """Return the magnitude to add to an aperture magnitude to have the total one (negative)."""
        return float(2.5 * np.log10(self.captured(radius)))


def _captured(radius: Floats, alpha: float, beta: float, annulus: tuple[float, float]) -> Floats:
    inside = encircled(np.array(annulus), alpha, beta)
    sky = (inside[1] - inside[0]) / (np.pi * (annulus[1] ** 2 - annulus[0] ** 2))
    return np.asarray(encircled(radius, alpha, beta) - np.pi * radius**2 * sky)


def usual_growth(fwhm: float) -> Growth:
    """Return a curve of growth for an image without stars to measure it on."""
    alpha = fwhm / 2 / np.sqrt(2 ** (1 / _USUAL_BETA) - 1)
    return Growth(fwhm, float(alpha), _USUAL_BETA, _USUAL_ERROR, 0)


def measure_growth(
    image: NDArray[np.float32],
    x: Floats,
    y: Floats,
    *,
    fwhm: float,
    noise: float,
    gain: float = float("nan"),
    around: LocalSky | None = None,
    discs: tuple[NDArray[np.uint8], Floats] | None = None,
) -> Growth:
    """Measure the curve of growth on stars.

    Parameters
    ----------
    image : ndarray of float32, shape (ny, nx)
        DN, sky subtracted, finite: bad pixels filled from their surroundings.
    x, y : ndarray of float64, shape (n,)
        Isolated, unsaturated stars, good out to the sky ring.
    discs : tuple of ndarray, optional
        Count of the sources that shine on each pixel, and these stars' own radii there: pixels of others are left out
        of the rings.
    fwhm, noise, gain, around
        As for `aperture_photometry`.

    Returns
    -------
    Growth
        A usual profile with a large error when there are fewer than 3 stars or the fit fails.
    """
    if len(x) < _FEWEST_STARS:
        return usual_growth(fwhm)
    radii = np.array(RADII) * fwhm
    around = around or local_sky(image, np.zeros(image.shape, bool), x, y, *ring(fwhm))
    count, own = discs if discs is not None else (None, np.zeros(len(x)))
    profiles = np.array([_rings(image, count, xs, ys, r, level, radii)
                         for xs, ys, r, level in zip(x, y, own, around.level, strict=True)])
    rings, errors, used, variety = _mean_rings(profiles[:, 0], profiles[:, 1], radii, noise, gain)
    if used < _FEWEST_STARS:
        return usual_growth(fwhm)
    return dataclasses.replace(_fit(radii, rings, errors, fwhm, used), variety=variety)


def _rings(
    image: NDArray[np.float32],
    count: NDArray[np.uint8] | None,
    x: float,
    y: float,
    own: float,
    sky: float,
    radii: Floats,
) -> tuple[Floats, Floats]:
    """Return the light of one star within the first radius and in each ring outside, and the share of it that is clean.

    Where others shine in a ring, the rest of the ring stands for it.
    """
    import sep

    half = int(np.ceil(radii[-1])) + 2
    ny, nx = image.shape
    x0, x1 = max(0, round(x) - half), min(nx, round(x) + half + 1)
    y0, y1 = max(0, round(y) - half), min(ny, round(y) + half + 1)
    clean = np.ones((y1 - y0, x1 - x0), np.float32)
    if count is not None:
        mine = disc(x0, x1, y0, y1, x, y, own)
        clean[count[y0:y1, x0:x1] > mine] = 0
    light = (image[y0:y1, x0:x1] - np.float32(sky)) * clean
    centre = np.full(len(radii), x - x0), np.full(len(radii), y - y0)
    flux = np.asarray(sep.sum_circle(light, *centre, radii, subpix=0)[0], dtype=float)
    area = np.asarray(sep.sum_circle(clean, *centre, radii, subpix=0)[0], dtype=float)
    whole = np.pi * np.diff(radii**2, prepend=0.0)
    share = np.diff(area, prepend=0.0) / whole
    return np.diff(flux, prepend=0.0) / np.maximum(share, 0.05), share


def _mean_rings(
    light: Floats, share: Floats, radii: Floats, noise: float, gain: float
) -> tuple[Floats, Floats, int, float]:
    """Return the light of successive rings relative to the reference aperture, averaged over the stars.

    With its error, the number of stars, and their scatter in units of the noise. `light` and `share` have the shape
    (stars, rings), the first ring being the disc within the first radius.
    """
    inner = np.pi * radii[REFERENCE] ** 2
    reference = light[:, : REFERENCE + 1].sum(axis=1)
    spread = np.sqrt(inner * noise**2 + (np.maximum(reference, 0) / gain if gain > 0 else 0.0))
    good = (reference > 20 * spread) & (share[:, : REFERENCE + 1] > _LEAST_CLEAN).all(axis=1)
    if good.sum() < _FEWEST_STARS:
        return np.zeros(0), np.zeros(0), 0, 0.0
    reference, share = reference[good], share[good, 1:].T
    rings = light[good, 1:].T
    ratio = rings / reference
    area = np.pi * np.diff(radii**2)[:, None] / np.maximum(share, 0.05)
    photons = np.maximum(rings, 0) / gain if gain > 0 else 0.0
    error = np.hypot(np.sqrt(area * noise**2 + photons) / reference, _OWN_SCATTER)
    error[share < _LEAST_CLEAN] = np.inf
    known = np.where(np.isfinite(error), ratio, np.nan)
    if not np.isfinite(known).any(axis=1).all():
        return np.zeros(0), np.zeros(0), 0, 0.0
    middle = np.nanmedian(known, axis=1, keepdims=True)
    away = np.abs(ratio - middle) / error
    spread = np.maximum(1.4826 * np.median(away, axis=1, keepdims=True), 1.0)
    keep = ((away <= 3.0 * spread).mean(axis=0) > 0.75)[None] & (away <= 3.0 * spread)
    weight = np.where(keep, error**-2.0, 0.0)
    total = np.maximum(weight.sum(axis=1), 1e-30)
    mean = (weight * ratio).sum(axis=1) / total
    chi = np.where(keep, ((ratio - mean[:, None]) / error) ** 2, 0).sum(axis=1) / np.maximum(keep.sum(axis=1) - 1, 1)
    variety = float(np.max(1.4826 * np.median(away, axis=1)[: REFERENCE + 1]))
    return mean, np.sqrt(np.maximum(chi, 1.0) / total), int(keep.any(axis=0).sum()), variety


def _fit(radii: Floats, rings: Floats, errors: Floats, fwhm: float, stars: int) -> Growth:
    """Fit width and exponent of a Moffat profile to the rings; propagate to the share of the reference aperture."""
    from scipy.optimize import least_squares

    annulus = ring(fwhm)

    def captured(p: Floats) -> Floats:
        return _captured(radii, float(np.exp(p[0])), 1.0 + float(np.exp(p[1])), annulus)

    def residual(p: Floats) -> Floats:
        share = captured(p)
        return np.asarray((np.diff(share) / share[REFERENCE] - rings) / errors)

    start = usual_growth(fwhm)
    first = [np.log(start.alpha), np.log(start.beta - 1)]
    low, high = [np.log(0.2 * fwhm), np.log(0.6)], [np.log(8.0 * fwhm), np.log(60.0)]
    try:
        found = least_squares(residual, first, bounds=(low, high), loss="soft_l1", x_scale=(0.1, 0.3))
    except ValueError:
        return start
    covariance = np.linalg.pinv(found.jac.T @ found.jac)
    covariance *= max(1.0, float(np.sum(residual(found.x) ** 2)) / max(len(rings) - 2, 1))
    step = 1e-4
    slope = np.array([(captured(found.x + step * axis)[REFERENCE] - captured(found.x - step * axis)[REFERENCE])
                      / (2 * step) for axis in np.eye(2)])
    share = captured(found.x)
    error = float(np.sqrt(slope @ covariance @ slope)) / share[REFERENCE]
    departure, own_error, modelled = _departure(share, rings, errors)
    error = 1.0857 * float(np.hypot(error * modelled, own_error))
    if not (np.isfinite(error) and 0.1 < share[REFERENCE] <= 1.0):
        return start
    return Growth(fwhm, float(np.exp(found.x[0])), 1.0 + float(np.exp(found.x[1])), error, stars, departure)


def _departure(share: Floats, rings: Floats, errors: Floats) -> tuple[tuple[float, ...], float, float]:
    """Weigh the measured rings against the profile's.

    Returns what they add to its shares, the error they bring, and how much of the light outside the reference aperture
    is still the profile's word.
    """
    modelled = np.diff(share) / share[REFERENCE]
    trust = _MODEL_DOUBT**2 / (_MODEL_DOUBT**2 + errors**2)
    mixed = modelled + trust * (rings - modelled)
    beyond = 1.0 - share[-1]  # light outside the last radius, and what the sky ring took: the profile's word
    total = 1.0 + mixed[REFERENCE:].sum()
    reference = (1.0 - beyond) / total
    curve = np.concatenate([[0.0], np.cumsum(mixed)])
    curve = reference * (1.0 + curve - curve[REFERENCE])
    doubt = float(np.sqrt(np.sum((trust * errors)[REFERENCE:] ** 2)))
    outside = modelled[REFERENCE:]
    believed = float((((1 - trust)[REFERENCE:] * outside).sum() + beyond) / max(outside.sum() + beyond, 1e-9))
    return tuple(float(value) for value in curve - share), doubt, float(np.clip(believed, 0, 1))
