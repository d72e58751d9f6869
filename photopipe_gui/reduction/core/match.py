"""Match a frame's stars to a catalogue: candidates from asterisms, accepted only when chance cannot explain them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import bdtrc

from .asterism import (
    Candidates,
    Complex,
    Floats,
    Index,
    Prior,
    admissible_choices,
    admitted,
    candidates,
    triangles,
    vote,
)

#: Stars used of the frame, and tolerance of the side ratios, from the quickest attempt to the last. The wide tolerance
#: is for distortion that the first guess does not know.
LADDER = ((10, 0.006), (18, 0.006), (30, 0.006), (30, 0.016), (50, 0.008))
_VERIFIED = 200
_MOST_TRIANGLES = 120_000
#: From so many pairs on a linear map is fitted, below it a similarity.
_LINEAR = 8
#: Radii within which pairs are counted: the first, each 0.6 of the one before.
_LARGEST = 8.0
_RADII = 8


@dataclass(frozen=True)
class Match:
    """A transformation that is not by chance.

    Attributes
    ----------
    matrix : ndarray, shape (2, 3)
        Catalogue position = matrix @ (x, y, 1), px in both planes.
    source, catalogue : ndarray of int
        Indices of the matched pairs in the lists given.
    radius : float
        Pairs lie closer than this, px.
    log10_false : float
        Bound on the logarithm of the probability that any transformation would match as many stars by chance.
    tried : int
        Candidate transformations verified.
    """

    matrix: Floats
    source: Index
    catalogue: Index
    radius: float
    log10_false: float
    tried: int


def find_match(
    source: Complex, catalogue: Complex, prior: Prior, area: float, *, log10_limit: float = -6.0,
    ladder: tuple[tuple[int, float], ...] = LADDER,
) -> tuple[Match | None, float]:
    """Find the transformation that carries the sources onto the catalogue.

    Parameters
    ----------
    source, catalogue : ndarray of complex
        Positions x + iy in px of the sources' plane, each list brightest first.
    prior : Prior
        Bounds on the transformation.
    area : float
        Area of the frame, px^2.
    log10_limit : float
        A match is accepted only when the bound of `chance_of` lies below it.
    ladder : tuple
        Stars of the frame to use and tolerance of the triangles' side ratios, attempt by attempt.

    Returns
    -------
    match : Match or None
    best : float
        log10 of the lowest chance seen, for the refusal's sentence.
    """
    near = np.flatnonzero(np.abs(catalogue - prior.centre) <= prior.shift + 1.1 * prior.size * prior.scale[1])
    nearby = catalogue[near]
    if len(source) < 3 or len(nearby) < 3:
        return None, 0.0
    reach = _search_area(nearby, prior)
    verifier = _Verifier(source[:_VERIFIED], nearby, prior, area, reach)
    best, tried, done = 0.0, 0, set()
    for count, tolerance in ladder:
        few = min(count, len(source))
        many = min(max(few, int(np.ceil(1.6 * few * max(1.0, reach / area)))), len(nearby))
        if (few, many, tolerance) in done:
            continue
        done.add((few, many, tolerance))
        proposed = _propose(source[:few], nearby[:many], tolerance, prior)
        tried += len(proposed)
        for found in verifier.check(proposed, max(6.0, 1.5 * tolerance * prior.size)):
            best = min(best, found.log10_false)
            if found.log10_false <= log10_limit:
                pairs = (found.source, near[found.catalogue])
                return Match(found.matrix, *pairs, found.radius, found.log10_false, tried), best
    return None, best


def _search_area(nearby: Complex, prior: Prior) -> float:
    """Area over which the nearby catalogue spreads, px^2."""
    spread = np.abs(nearby - np.median(nearby.real) - 1j * np.median(nearby.imag))
    return float(np.pi * min(np.percentile(spread, 98) * 1.05, prior.shift + 1.1 * prior.size) ** 2)


def _propose(source: Complex, catalogue: Complex, tolerance: float, prior: Prior) -> Candidates:
    """Return the likeliest transformations by the triangles of the brightest stars."""
    sizes = [f * prior.size for f in (2.0, 1.2, 0.8, 0.55, 0.4, 0.3)]
    longest = next((s for s in sizes if _count_triangles(catalogue, s) < _MOST_TRIANGLES), sizes[-1])
    shortest = 0.03 * prior.size
    here = triangles(source, shortest, longest)
    there = triangles(catalogue, shortest * prior.scale[0], longest * prior.scale[1])
    found = candidates(source, catalogue, here, there, tolerance, prior)
    return vote(found, prior, reach=max(4.0, 2.0 * tolerance * prior.size))


def _count_triangles(z: Complex, longest: float) -> float:
    """Estimate how many triangles have no side above `longest`."""
    tree = cKDTree(np.column_stack([z.real, z.imag]))
    neighbours = tree.query_ball_point(tree.data, longest, return_length=True) - 1.0
    return float((neighbours * (neighbours - 1)).sum() / 6 * 0.6)


def chance_of(hits: int, trials: int, probability: float, log_choices: float) -> float:
    """Bound the probability that any wrong transformation of a family hits so many stars.

    Each transformation of the family is fixed by some pairs of source and star; the other `trials` sources fall on
    stars independently, with `probability` each. The bound is the binomial tail times the number of transformations
    (Boole's inequality); unequal chances of the same mean only lower the tail (Hoeffding 1956).

    Parameters
    ----------
    hits, trials : int
        Sources that hit and sources tested, without those that fix the transformation.
    probability : float
        Mean chance of a source to fall on some star.
    log_choices : float
        Natural logarithm of the number of transformations.

    Returns
    -------
    float
        log10 of the bound, at least -300 and at most 0.
    """
    if hits <= 0 or trials <= 0:
        return 0.0
    tail = float(bdtrc(hits - 1, trials, min(max(probability, 1e-15), 1.0)))
    return float(np.clip(log_choices / np.log(10) + np.log10(max(tail, 1e-300)), -300.0, 0.0))


def mutual_pairs(here: Floats, there: Floats, tree: cKDTree, radius: float) -> tuple[Index, Index]:
    """Return the pairs that are each other's nearest within the radius.

    Parameters
    ----------
    here : ndarray, shape (n, 2)
    there : ndarray, shape (m, 2)
        The positions in `tree`.
    """
    distance, index = tree.query(here, distance_upper_bound=radius)
    inside = np.flatnonzero(np.isfinite(distance))
    if not len(inside):
        return inside, inside
    nearest = np.full(len(there), -1, dtype=np.intp)
    order = inside[np.argsort(-distance[inside], kind="stable")]
    nearest[index[order]] = order
    chosen = inside[nearest[index[inside]] == inside]
    return chosen, index[chosen]


def fit_linear(here: Floats, there: Floats, similarity: bool) -> Floats:
    """Return the 2 x 3 matrix that carries `here` onto `there` in least squares, either parity."""
    if not similarity:
        design = np.column_stack([here, np.ones(len(here))])
        return np.ascontiguousarray(np.linalg.lstsq(design, there, rcond=None)[0].T)
    z, w = here[:, 0] + 1j * here[:, 1], there[:, 0] + 1j * there[:, 1]
    zc, wc = z - z.mean(), w - w.mean()
    power = max(float((np.abs(zc) ** 2).sum()), 1e-300)
    straight, mirrored = (np.conj(zc) * wc).sum() / power, (zc * wc).sum() / power
    flip = abs(mirrored) > abs(straight)
    alpha = mirrored if flip else straight
    beta = w.mean() - alpha * (np.conj(z.mean()) if flip else z.mean())
    return similarity_matrix(complex(alpha), complex(beta), bool(flip))


def similarity_matrix(alpha: complex, beta: complex, flipped: bool) -> Floats:
    """Return a similarity in complex form as a 2 x 3 matrix."""
    sign = -1.0 if flipped else 1.0
    return np.array([[alpha.real, -sign * alpha.imag, beta.real], [alpha.imag, sign * alpha.real, beta.imag]])


class _Verifier:
    """Counts what a candidate matches and how likely that is by chance."""

    def __init__(self, source: Complex, nearby: Complex, prior: Prior, area: float, search_area: float) -> None:
        self.source = np.column_stack([source.real, source.imag])
        most = int(np.ceil(2.5 * max(len(source), 20) * max(1.0, search_area / area)))
        self.stars = np.column_stack([nearby.real, nearby.imag])[:most]
        self.tree = cKDTree(self.stars)
        self.density = len(self.stars) / max(search_area, area)
        self.prior = prior.widened()

    def check(self, proposed: Candidates, radius: float, most: int = 6) -> Iterator[Match]:
        """Refine in turn the candidates that match most stars at first sight."""
        if not len(proposed):
            return
        counts = []
        matrices = []
        for alpha, beta, flipped in zip(proposed.alpha, proposed.beta, proposed.flipped, strict=True):
            matrix = similarity_matrix(complex(alpha), complex(beta), bool(flipped))
            distance, _ = self.tree.query(self.source @ matrix[:, :2].T + matrix[:, 2], distance_upper_bound=radius)
            counts.append(int(np.isfinite(distance).sum()))
            matrices.append(matrix)
        order = np.argsort(-np.array(counts), kind="stable")[:most]
        for k in order:
            refined = self._refine(matrices[k], radius) if counts[k] >= 4 else None
            if refined is not None:
                yield refined

    def _refine(self, matrix: Floats, radius: float) -> Match | None:
        """Fit the pairs within ever smaller radii and keep the least likely chance."""
        best: Match | None = None
        for _ in range(_RADII):
            for _ in range(3):
                moved = self.source @ matrix[:, :2].T + matrix[:, 2]
                source, star = mutual_pairs(moved, self.stars, self.tree, radius)
                if len(source) < 4:
                    return best
                matrix = fit_linear(self.source[source], self.stars[star], len(source) < _LINEAR)
            moved = self.source @ matrix[:, :2].T + matrix[:, 2]
            source, star = mutual_pairs(moved, self.stars, self.tree, radius)
            if len(source) >= 4 and self._plausible(matrix):
                if len(source) < _LINEAR:
                    found = self._best_of_few(source, star)
                else:
                    found = Match(matrix, source, star, radius, self._chance_of_many(moved, source, radius), 0)
                if found is not None and (best is None or found.log10_false < best.log10_false):
                    best = found
            radius *= 0.6
        return best

    def _plausible(self, matrix: Floats) -> bool:
        """Refuse shears, and what lies outside the prior."""
        axes = np.linalg.svd(matrix[:, :2], compute_uv=False)
        flip = bool(np.linalg.det(matrix[:, :2]) < 0)
        sign = -1.0 if flip else 1.0
        alpha = 0.5 * complex(matrix[0, 0] + sign * matrix[1, 1], matrix[1, 0] - sign * matrix[0, 1])
        return bool(axes[0] < 1.08 * axes[1]) and self._admits(alpha, complex(matrix[0, 2], matrix[1, 2]), flip)

    def _admits(self, alpha: complex, beta: complex, flip: bool) -> bool:
        """Tell whether a similarity lies within the bounds that the chance is counted for."""
        return bool(admitted(Candidates(np.array([alpha]), np.array([beta]), np.array([flip])), self.prior)[0])

    def _chance_of_many(self, moved: Floats, matched: Index, radius: float) -> float:
        """Bound the chance of a linear map: laid through three of its pairs it holds the others within three radii."""
        probability = self._probability(moved, matched, 3 * radius)
        choices = np.log(self._choices) + np.log(len(moved)) + np.log(len(self.stars)) + np.log(_RADII)
        return chance_of(len(matched) - 3, len(moved) - 3, probability, choices)

    def _best_of_few(self, source: Index, star: Index) -> Match | None:
        """Lay a similarity through each two of the pairs in turn; return the one least likely by chance."""
        z, w = _complex(self.source), _complex(self.stars)
        flip = np.linalg.det(fit_linear(self.source[source], self.stars[star], True)[:, :2]) < 0
        z = np.conj(z) if flip else z
        choices = np.log(self._choices) + np.log(_RADII)
        best: Match | None = None
        for a, b in combinations(range(len(source)), 2):
            base = [source[a], source[b]]
            alpha = (w[star[b]] - w[star[a]]) / (z[base[1]] - z[base[0]])
            image = w[star[a]] + alpha * (z - z[base[0]])
            if not self._admits(complex(alpha), complex(w[star[a]] - alpha * z[base[0]]), bool(flip)):
                continue
            moved = np.column_stack([image.real, image.imag])
            for radius in _LARGEST * 0.6 ** np.arange(_RADII):
                here, there = mutual_pairs(moved, self.stars, self.tree, radius)
                hits = len(here) - 2
                if hits < 2 or not np.isin(base, here).all():
                    break
                value = chance_of(hits, len(moved) - 2, self._probability(moved, here, radius), choices)
                if best is None or value < best.log10_false:
                    matrix = fit_linear(self.source[here], self.stars[there], True)
                    best = Match(matrix, here, there, 3 * radius, value, 0)
        return best

    @cached_property
    def _choices(self) -> float:
        """Number of similarities through two pairs that the prior admits."""
        return max(admissible_choices(_complex(self.source), _complex(self.stars), self.prior), 1.0)

    def _probability(self, moved: Floats, matched: Index, radius: float) -> float:
        """Return the mean chance of a source to lie so near a star, by the local density where that is higher."""
        local = 8 * radius
        around = self.tree.query_ball_point(moved, local, return_length=True).astype(float)
        around[matched] -= 1
        density = np.maximum(self.density, around / (np.pi * local**2))
        return float(np.mean(-np.expm1(-density * np.pi * radius**2)))


def _complex(points: Floats) -> Complex:
    return np.asarray(points[:, 0] + 1j * points[:, 1])
