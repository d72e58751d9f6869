"""Triangles of stars as geometric keys: which rotation, scale, parity and shift could carry one list onto another.

Positions are complex numbers x + iy in one unit (px) for both lists, so that a similarity is w = alpha z + beta, and
with the parity flipped w = alpha conj(z) + beta.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Complex = NDArray[np.complex128]
Floats = NDArray[np.float64]
Index = NDArray[np.intp]

#: Flatter triangles are keyed by noise.
_FLATTEST = 0.08
_MOST_PAIRS = 3_000_000


@dataclass(frozen=True)
class Prior:
    """What a transformation may look like before it is looked for.

    Attributes
    ----------
    centre : complex
        Centre of the frame in the plane of the sources, px.
    shift : float
        Farthest that `centre` may move, px; infinite to search the whole catalogue.
    rotation : float
        Largest rotation either way in radians, for the parity as given; pi for any.
    scale : tuple of float
        Least and greatest ratio of catalogue lengths to source lengths.
    straight, flipped : bool
        Admit the parity as given; admit the mirror image (in any rotation: a mirror about x and one about y differ by
        half a turn).
    size : float
        Half the diagonal of the frame, px.
    """

    centre: complex
    shift: float
    rotation: float
    scale: tuple[float, float]
    flipped: bool
    size: float
    straight: bool = True


    def widened(self) -> Prior:
        """Return slightly wider bounds: what a refined transformation may reach from within these."""
        low, high = self.scale
        scale = (0.98 * low, 1.02 * high)
        return replace(self, shift=1.05 * self.shift + 10, rotation=self.rotation + 0.02, scale=scale)


@dataclass(frozen=True)
class Triangles:
    """Triangles of a list: corners ordered by the side opposite, longest first; shape, size and sense of turning."""

    corners: Index
    key: Floats
    log_size: Floats
    turn: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.log_size)


@dataclass(frozen=True)
class Candidates:
    """Transformations that carry some triangle of one list onto one of the other."""

    alpha: Complex
    beta: Complex
    flipped: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.alpha)

    def take(self, index: Any) -> Candidates:
        """Return the chosen ones."""
        return Candidates(self.alpha[index], self.beta[index], self.flipped[index])


def triangles(z: Complex, shortest: float, longest: float) -> Triangles:
    """Return every triangle whose sides all lie between `shortest` and `longest`."""
    distance = np.abs(z[:, None] - z[None, :])
    linked = np.triu((distance >= shortest) & (distance <= longest), 1)
    parts: list[Index] = []
    for first in range(len(z) - 2):
        others = np.flatnonzero(linked[first])
        if len(others) < 2:
            continue
        a, b = np.nonzero(linked[np.ix_(others, others)])
        parts.append(np.stack([np.full(len(a), first), others[a], others[b]], axis=1))
    if not parts:
        return Triangles(np.zeros((0, 3), np.intp), np.zeros((0, 2)), np.zeros(0), np.zeros(0, np.int8))
    corner = np.concatenate(parts)
    opposite = np.stack([distance[corner[:, 1], corner[:, 2]], distance[corner[:, 0], corner[:, 2]],
                         distance[corner[:, 0], corner[:, 1]]], axis=1)
    order = np.argsort(-opposite, axis=1)
    corner = np.take_along_axis(corner, order, 1)
    side = np.take_along_axis(opposite, order, 1)
    key = side[:, 1:] / side[:, :1]
    p = z[corner]
    turn = np.sign(np.imag(np.conj(p[:, 1] - p[:, 0]) * (p[:, 2] - p[:, 0]))).astype(np.int8)
    # A triangle as flat as a line has short + middle = long.
    solid = (key[:, 1] > _FLATTEST) & (key.sum(axis=1) > 1.01)
    return Triangles(corner[solid], key[solid], np.log(side[solid, 0]), turn[solid])


def candidates(
    source: Complex, catalogue: Complex, source_tri: Triangles, catalogue_tri: Triangles, tolerance: float, prior: Prior
) -> Candidates:
    """Return the transformations by pairs of like triangles that the prior admits.

    Parameters
    ----------
    source, catalogue : ndarray of complex
        Positions, px.
    source_tri, catalogue_tri : Triangles
        Of these positions.
    tolerance : float
        Largest difference of either side ratio.
    prior : Prior
        Bounds.
    """
    none = Candidates(np.zeros(0, complex), np.zeros(0, complex), np.zeros(0, bool))
    if not len(source_tri) or not len(catalogue_tri):
        return none
    low, high = np.log(prior.scale[0]), np.log(prior.scale[1])
    width = max(0.5 * (high - low), 1e-4)
    here = cKDTree(np.column_stack([source_tri.key / tolerance, (source_tri.log_size + 0.5 * (low + high)) / width]))
    there = cKDTree(np.column_stack([catalogue_tri.key / tolerance, catalogue_tri.log_size / width]))
    pairs = here.sparse_distance_matrix(there, 1.0, p=np.inf, output_type="ndarray")[:_MOST_PAIRS]
    i, j = pairs["i"], pairs["j"]
    flipped = source_tri.turn[i] != catalogue_tri.turn[j]
    if not (prior.flipped and prior.straight):
        wanted = flipped == prior.flipped
        i, j, flipped = i[wanted], j[wanted], flipped[wanted]
    z, w = source[source_tri.corners[i]], catalogue[catalogue_tri.corners[j]]
    z = np.where(flipped[:, None], np.conj(z), z)
    zm, wm = z.mean(axis=1), w.mean(axis=1)
    zc, wc = z - zm[:, None], w - wm[:, None]
    alpha = (np.conj(zc) * wc).sum(axis=1) / (np.abs(zc) ** 2).sum(axis=1)
    found = Candidates(alpha, wm - alpha * zm, flipped)
    return found.take(admitted(found, prior))


def admitted(found: Candidates, prior: Prior) -> NDArray[np.bool_]:
    """Tell which transformations lie within the prior."""
    centre = np.where(found.flipped, np.conj(prior.centre), prior.centre)
    scale = np.abs(found.alpha)
    keep = (scale >= prior.scale[0]) & (scale <= prior.scale[1])
    if prior.rotation < np.pi:
        keep &= found.flipped | (np.abs(np.angle(found.alpha)) <= prior.rotation)
    if np.isfinite(prior.shift):
        keep &= np.abs(found.alpha * centre + found.beta - prior.centre) <= prior.shift
    return np.asarray(keep)


def vote(found: Candidates, prior: Prior, reach: float, most: int = 40) -> Candidates:
    """Return the transformations that many triangles agree on, best first, one of each cluster.

    Parameters
    ----------
    reach : float
        How far two transformations may carry the frame's edge apart and still be one, px.
    most : int
        How many to return.
    """
    if not len(found):
        return found
    centre = np.where(found.flipped, np.conj(prior.centre), prior.centre)
    moved = found.alpha * centre + found.beta
    unit = found.alpha / np.abs(found.alpha) * prior.size
    where = np.column_stack([unit.real, unit.imag, np.log(np.abs(found.alpha)) * prior.size, moved.real, moved.imag,
                             np.where(found.flipped, 10 * prior.size, 0.0)])
    tree = cKDTree(where)
    votes = tree.query_ball_point(where, reach, return_length=True)
    best: list[int] = []
    for index in np.argsort(-votes, kind="stable")[: 60 * most]:
        if all(np.abs(where[index] - where[kept]).max() > reach for kept in best):
            best.append(int(index))
            if len(best) == most:
                break
    return found.take(np.array(best, dtype=np.intp))


def admissible_choices(source: Complex, stars: Complex, prior: Prior, most: int = 200_000) -> float:
    """Count the pairs of sources laid on pairs of stars that give a transformation within the prior, both parities.

    Where there are more than `most` of like length, they are counted without regard to direction and shift, and in long
    lists without regard to length either, which is never too few.
    """
    if len(source) * len(stars) > 8000:
        return 0.5 * len(source) ** 2 * len(stars) ** 2 * (2 if prior.flipped else 1)
    a, b = np.triu_indices(len(source), 1)
    c, d = np.triu_indices(len(stars), 1)
    length = np.abs(source[a] - source[b])
    other = np.abs(stars[c] - stars[d])
    order = np.argsort(other)
    low = np.searchsorted(other[order], length * prior.scale[0], "left")
    high = np.searchsorted(other[order], length * prior.scale[1], "right")
    number = high - low
    total = int(number.sum())
    if total > most:
        return 2.0 * total * (2 if prior.flipped else 1)
    here = np.repeat(np.arange(len(a)), number)
    there = order[np.arange(total) - np.repeat(np.cumsum(number) - number, number) + np.repeat(low, number)]
    count = 0.0
    for first, second in ((c[there], d[there]), (d[there], c[there])):
        for flip in [f for f, wanted in ((False, prior.straight), (True, prior.flipped)) if wanted]:
            z0, z1 = source[a[here]], source[b[here]]
            if flip:
                z0, z1 = np.conj(z0), np.conj(z1)
            alpha = (stars[second] - stars[first]) / (z1 - z0)
            found = Candidates(alpha, stars[first] - alpha * z0, np.full(total, flip))
            count += float(admitted(found, prior).sum())
    return count
