"""How the frames of a group compare in flux: differences of zero point from the stars that they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .photcal import Floats, match_sky

_OWN_SCATTER = 0.005  # mag, by which frames differ from star to star beyond the stated errors
_FEWEST_COMMON = 3
_ROUNDS = 12
_CLIP = 3.0


@dataclass(frozen=True)
class StarList:
    """Stars of one frame.

    Attributes
    ----------
    ra, dec : ndarray of float64, shape (n,)
        Deg.
    magnitude, error : ndarray of float64, shape (n,)
        Instrumental magnitudes, -2.5 log10(DN), of all the light, and their errors.
    """

    ra: Floats
    dec: Floats
    magnitude: Floats
    error: Floats


@dataclass(frozen=True)
class Ties:
    """Relative zero points.

    Attributes
    ----------
    value : ndarray of float64, shape (n,)
        Zero point of each frame, up to one constant a component.
    error : ndarray of float64, shape (n,)
        Standard deviation, mag.
    component : ndarray of int, shape (n,)
        Frames of one component are tied to each other; a frame alone has a component of its own.
    common : ndarray of int, shape (n,)
        Stars that each frame shares with others.
    """

    value: Floats
    error: Floats
    component: NDArray[np.intp]
    common: NDArray[np.intp]


def common_stars(lists: Sequence[StarList], radius: float) -> tuple[NDArray[np.intp], NDArray[np.intp], int]:
    """Give the stars of all lists numbers that are the same for the same star.

    Returns
    -------
    frame, star : ndarray of int
        Of every entry of the lists, one after the other.
    n : int
        Number of different stars.
    """
    order = np.argsort([-len(stars.ra) for stars in lists], kind="stable")
    ra, dec = np.zeros(0), np.zeros(0)
    numbers: list[NDArray[np.intp]] = [np.zeros(0, np.intp)] * len(lists)
    for k in order:
        stars = lists[k]
        mine = np.full(len(stars.ra), -1, np.intp)
        found, entry, _ = match_sky(stars.ra, stars.dec, ra, dec, radius)
        mine[found] = entry
        new = mine < 0
        mine[new] = len(ra) + np.arange(int(new.sum()))
        ra, dec = np.append(ra, stars.ra[new]), np.append(dec, stars.dec[new])
        numbers[k] = mine
    frame = np.repeat(np.arange(len(lists)), [len(stars.ra) for stars in lists])
    return frame, np.concatenate([*numbers, np.zeros(0, np.intp)]), len(ra)


def tie_frames(lists: Sequence[StarList], radius: float = 1.5) -> Ties:
    """Solve for the zero points of frames relative to each other.

    Parameters
    ----------
    lists : sequence of StarList
        One per frame.
    radius : float
        Within which two positions are one star, arcsec.

    Returns
    -------
    Ties
        From least squares over all stars seen on two frames or more, the stars' magnitudes eliminated, with weights
        iterated so that variable stars and bad measurements drop out. Frames with fewer than 3 stars in common with the
        others are on their own.
    """
    n = len(lists)
    frame, star, n_stars = common_stars(lists, radius)
    magnitude = np.concatenate([*(stars.magnitude for stars in lists), np.zeros(0)])
    error = np.concatenate([*(stars.error for stars in lists), np.zeros(0)])
    good = np.isfinite(magnitude) & np.isfinite(error)
    good &= np.bincount(star[good], minlength=n_stars)[star] > 1 if n_stars else good
    frame, star, magnitude, error = frame[good], star[good], magnitude[good], error[good]
    component = _components(frame, star, n, n_stars)
    if len(star):  # a lone star in common does not tie two components: it counts as another star in each
        _, star = np.unique(star + component[frame] * n_stars, return_inverse=True)
        n_stars = int(star.max()) + 1
    weight = 1.0 / (error**2 + _OWN_SCATTER**2)
    value, variance = np.zeros(n), np.full(n, np.nan)
    robust = np.ones(len(weight))
    for _ in range(_ROUNDS):
        value, variance, rest = _solve(frame, star, magnitude, weight * robust, n, n_stars)
        pull = np.abs(rest) * np.sqrt(weight)
        scale = max(1.0, 1.4826 * float(np.median(pull))) if len(pull) else 1.0
        updated = np.where(pull > 2 * _CLIP * scale, 0.0, np.minimum(1.0, _CLIP * scale / np.maximum(pull, 1e-9)))
        if np.allclose(updated, robust, atol=1e-3):
            break
        robust = updated
    common = np.bincount(frame, weights=robust > 0, minlength=n).astype(np.intp)
    return Ties(value, np.sqrt(variance), component, common)


def _components(frame: NDArray[np.intp], star: NDArray[np.intp], n: int, n_stars: int) -> NDArray[np.intp]:
    """Return which frames hang together by at least three stars."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if not n:
        return np.zeros(0, np.intp)
    seen = coo_matrix((np.ones(len(frame)), (frame, star)), shape=(n, max(n_stars, 1))).tocsr()
    shared = (seen @ seen.T).toarray()
    np.fill_diagonal(shared, 0)
    return np.asarray(connected_components(shared >= _FEWEST_COMMON, directed=False)[1], dtype=np.intp)


def _solve(
    frame: NDArray[np.intp],
    star: NDArray[np.intp],
    magnitude: Floats,
    weight: Floats,
    n: int,
    n_stars: int,
) -> tuple[Floats, Floats, Floats]:
    """Least squares for magnitude = M(star) - z(frame); return z, its variance, and the residuals."""
    from scipy.sparse import coo_matrix

    per_star = np.maximum(np.bincount(star, weights=weight, minlength=n_stars), 1e-30)
    matrix = coo_matrix((weight, (frame, star)), shape=(n, max(n_stars, 1))).tocsr()
    shared = (matrix.multiply(1.0 / per_star[None, :] if n_stars else 1.0) @ matrix.T).toarray()
    normal = np.diag(np.bincount(frame, weights=weight, minlength=n)) - shared
    mean = np.bincount(star, weights=weight * magnitude, minlength=n_stars) / per_star
    right = -np.bincount(frame, weights=weight * (magnitude - mean[star]), minlength=n)
    inverse = np.linalg.pinv(normal, rcond=1e-10, hermitian=True)
    value: Floats = inverse @ right
    level = np.bincount(star, weights=weight * (magnitude + value[frame]), minlength=n_stars) / per_star
    rest: Floats = magnitude + value[frame] - level[star]
    return value, np.maximum(np.diag(inverse), 0.0), rest
