"""The zero point of an image from stars of known magnitude, with an error that can be believed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

FLOOR = 0.01  # mag, smallest error that a weight is made of
LIMIT = 0.1  # mag, stars with larger errors are left out
CLIP = 3.0  # robust scatters
_ROUNDS = 10


@dataclass(frozen=True)
class ZeroPoint:
    """The zero point of an image.

    Attributes
    ----------
    value : float
        Magnitude of a star whose flux is 1 DN; NaN when there is no usable star.
    error : float
        Its standard deviation, mag: from the errors of the stars and a scatter beyond them where there is one.
    scatter : float
        1.48 times the median absolute deviation of the stars used, mag.
    rms : float
        Root mean square deviation of the stars used, mag.
    used : ndarray of bool, shape (n,)
        Which stars the value is made of.
    """

    value: float
    error: float
    scatter: float
    rms: float
    used: Booleans

    @property
    def n(self) -> int:
        """Number of stars used."""
        return int(self.used.sum())


def weighted_median(values: Floats, weights: Floats) -> float:
    """Return the value that half of the weight lies below."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    place = np.searchsorted(total, 0.5 * total[-1])
    return float(values[order][min(int(place), len(values) - 1)])


def clip_loss(clip: float) -> float:
    """Return the standard deviation of a mean clipped once at `clip` sigma over that of the whole mean, normal values.

    The first mean, kept in part through the place of the limits, and the values left: with P the probability within the
    limits and q = 2 c phi(c) / P, the variance is q^2 + 2 q (P - P q) / P + (P - P q) / P^2 per value.
    """
    density = math.exp(-0.5 * clip**2) / math.sqrt(2 * math.pi)
    inside = math.erf(clip / math.sqrt(2))
    pull = 2 * clip * density / inside
    second = inside - 2 * clip * density
    return math.sqrt(pull**2 + 2 * pull * second / inside + second / inside**2)


def fit_zero_point(
    magnitude: Floats, error: Floats, reference: Floats, reference_error: Floats, *, clip: float = CLIP
) -> ZeroPoint:
    """Fit the zero point: weighted mean of reference - instrumental magnitude, outliers clipped.

    Parameters
    ----------
    magnitude, error : ndarray of float64, shape (n,)
        Instrumental magnitudes, -2.5 log10(DN), and their errors.
    reference, reference_error : ndarray of float64, shape (n,)
        Catalogue magnitudes and errors; an error of NaN or 0 (none stated) adds nothing.
    clip : float
        Limit in robust scatters.

    Returns
    -------
    ZeroPoint
        Weights are 1 / max(err, 0.01)^2, stars with an error above 0.1 mag are left out. Where the stars scatter by
        more than their errors, the variance that they show beyond them is added to each star's for the last mean.
    """
    known = np.where(np.isfinite(reference_error), np.maximum(reference_error, 0.0), 0.0)
    total = np.hypot(error, known)
    difference = reference - magnitude
    usable = np.isfinite(difference) & np.isfinite(total) & (total <= LIMIT)
    if not usable.any():
        return ZeroPoint(math.nan, math.nan, math.nan, math.nan, usable)
    weight = np.where(usable, np.maximum(total, FLOOR) ** -2.0, 0.0)
    value = weighted_median(difference[usable], weight[usable])
    used = usable
    # The scatter is that of all usable stars: taken anew after each clip it would eat into the good ones.
    limit = clip * max(1.4826 * float(np.median(np.abs(difference[usable] - np.median(difference[usable])))), 1e-6)
    for _ in range(_ROUNDS):
        kept = usable & (np.abs(difference - value) <= limit)
        if not kept.any():
            break
        value = float(np.average(difference[kept], weights=weight[kept]))
        if (kept == used).all() or clip < CLIP:
            used = kept
            break
        used = kept
    return _described(difference, total, weight, usable, used, value, clip)


def _described(
    difference: Floats, error: Floats, weight: Floats, usable: Booleans, used: Booleans, value: float, clip: float
) -> ZeroPoint:
    """Return the zero point with scatter, rms and error.

    A narrow clip cuts the scatter down to where it says nothing of the errors any more; the scatter beyond the errors
    is therefore looked for within three robust scatters.
    """
    rest = difference[used] - value
    scatter = 1.4826 * float(np.median(np.abs(rest - np.median(rest))))
    wide = used
    if clip < CLIP:
        spread = 1.4826 * float(np.median(np.abs(difference[usable] - value)))
        wide = usable & (np.abs(difference - value) <= max(CLIP * spread, 1e-6))
    extra = _extra_variance(difference[wide] - value, error[wide], weight[wide])
    w = 1.0 / (1.0 / weight[used] + extra)
    value = float(np.average(difference[used], weights=w))
    rest = difference[used] - value
    rms = float(np.sqrt(np.mean(rest**2)))
    variance = float((w**2 * (error[used] ** 2 + extra)).sum() / w.sum() ** 2)
    return ZeroPoint(value, math.sqrt(variance) * clip_loss(clip), scatter, rms, used)


def _extra_variance(rest: Floats, error: Floats, weight: Floats) -> float:
    """Return the variance that the stars show beyond their stated errors, 0 when they do not.

    The residual r of a star of variance v from the weighted mean has the expected square
    v (1 - 2 w / W) + sum(w^2 v) / W^2, W being the sum of the weights; solved for the common part of v by iteration,
    each square weighted with the inverse of its own variance.
    """
    if len(rest) < 3:
        return 0.0
    total, extra = weight.sum(), 0.0
    for _ in range(12):
        variance = error**2 + extra
        expected = variance * (1 - 2 * weight / total) + (weight**2 * variance).sum() / total**2
        trust = 1.0 / (np.maximum(error, FLOOR) ** 2 + extra) ** 2
        extra = max(extra + float((trust * (rest**2 - expected)).sum() / trust.sum()), 0.0)
    return extra


def flux_scale(zero_point: float, common: float) -> float:
    """Return the factor that brings a frame of one zero point to a common one: 10^(-0.4 (zero point - common)).

    A frame with the larger zero point gathers more DN from the same star, and is scaled down.
    """
    return float(10.0 ** (-0.4 * (zero_point - common)))


def match_sky(
    ra: Floats, dec: Floats, reference_ra: Floats, reference_dec: Floats, radius: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], Booleans]:
    """Match stars to a catalogue, each to its nearest neighbour both ways.

    Parameters
    ----------
    ra, dec, reference_ra, reference_dec : ndarray of float64
        Deg.
    radius : float
        Largest distance, arcsec.

    Returns
    -------
    star, entry : ndarray of int
        Matched pairs.
    alone : ndarray of bool
        False for pairs with a second catalogue entry within the radius: their magnitude may be of two stars.
    """
    from scipy.spatial import cKDTree

    nothing = np.zeros(0, np.intp)
    finite = np.flatnonzero(np.isfinite(reference_ra) & np.isfinite(reference_dec))
    if not len(ra) or not len(finite):
        return nothing, nothing, np.zeros(0, bool)
    limit = 2 * np.sin(np.radians(radius / 3600) / 2)
    stars = unit_vectors(ra, dec)
    entries = unit_vectors(reference_ra[finite], reference_dec[finite])
    tree = cKDTree(entries)
    distance, nearest = tree.query(stars, k=2, distance_upper_bound=limit)
    found = np.flatnonzero(np.isfinite(distance[:, 0]))
    back = cKDTree(stars).query(entries[nearest[found, 0]])[1]
    found = found[back == found]
    return found, finite[nearest[found, 0]], ~np.isfinite(distance[found, 1])


def unit_vectors(ra: Floats, dec: Floats) -> Floats:
    """Return unit vectors, shape (n, 3), of positions in deg."""
    a, d = np.radians(ra), np.radians(dec)
    return np.column_stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])
