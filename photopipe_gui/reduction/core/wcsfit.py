"""Solve a frame: from the stars' pixels, a catalogue and a rough first guess to a WCS that can be trusted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .asterism import Prior
from .distortion import HIGHEST_ORDER, Fit, Floats, Surface, fit_surface
from .distortionchoice import Choice, Pairs, choose_map
from .match import LADDER, Match, find_match, fit_linear, mutual_pairs
from .skyplane import frame_points, from_plane, has_distortion, to_plane, wcs_from_grid

_MOST_SOURCES = 600
_MOST_STARS = 4000
_FEWEST = 5


@dataclass(frozen=True)
class Limits:
    """How wrong the first guess may be, and how sure a solution must be.

    Attributes
    ----------
    pointing : float
        Error of the guess's pointing, arcmin.
    rotation : float
        Error of its rotation, degrees.
    scale : float
        Relative error of its scale.
    near : bool
        Search within the above.
    mirror : bool
        Try the other parity too.
    wide : bool
        After the above failed, search the whole catalogue in any rotation.
    wide_scale : float
        Relative error of the scale in that search.
    log10_false : float
        A solution is accepted when the probability that any wrong one matches as well is bounded below 10 to this.
    highest_order : int
        Highest order of the distortion fitted.
    rigid_below : int
        With fewer pairs the linear map has no shear.
    """

    pointing: float = 3.0
    rotation: float = 5.0
    scale: float = 0.03
    near: bool = True
    mirror: bool = True
    wide: bool = True
    wide_scale: float = 0.1
    log10_false: float = -6.0
    highest_order: int = HIGHEST_ORDER
    rigid_below: int = 8


@dataclass(frozen=True)
class Solution:
    """A solved frame.

    Attributes
    ----------
    wcs : astropy.wcs.WCS
        TAN, or TAN-SIP when there is distortion.
    rms1, rms2 : float
        Residual of the stars used along right ascension (on the sky) and declination, degrees, corrected for the
        parameters fitted.
    n_matched : int
        Stars used.
    sources, stars : ndarray of int
        Indices of the stars used, in the source list and in the catalogue.
    order : int
        Order of the map fitted onto the first guess's plane; 1 is linear.
    log10_false : float
        Bound on log10 of the probability of a chance match.
    shift : float
        Distance that the centre of the frame moved from the guess, arcsec.
    rotation : float
        Turn against the guess, degrees, -180 to 180.
    scale : float
        Pixel size over that of the guess.
    flipped : bool
        The guess had the wrong parity.
    plane_pairs : tuple of ndarray
        Positions of the used pairs in the guess's plane (n, 2), in the tangent plane (n, 2), px, sigma (n,) and star
        (n,): what a distortion common to several frames is fitted to.
    plane_corners, plane_axis : ndarray, shapes (m, 2) and (2,)
        Points that span the frame, and the optical axis, in the guess's plane, px.
    """

    wcs: Any
    rms1: float
    rms2: float
    n_matched: int
    sources: NDArray[np.intp]
    stars: NDArray[np.intp]
    order: int
    log10_false: float
    shift: float
    rotation: float
    scale: float
    flipped: bool
    plane_pairs: Pairs
    plane_corners: Floats
    plane_axis: Floats


@dataclass(frozen=True)
class Refusal:
    """Why a frame has no solution, in words."""

    reason: str
    log10_false: float = 0.0


def solve(
    x: Floats,
    y: Floats,
    flux: Floats,
    ra: Floats,
    dec: Floats,
    mag: Floats | None,
    guess: Any,
    shape: tuple[int, int],
    limits: Limits | None = None,
    *,
    sigma: Floats | None = None,
    distortion: Surface | None = None,
) -> Solution | Refusal:
    """Solve one frame against a catalogue.

    Parameters
    ----------
    x, y, flux : ndarray, shape (n,)
        Sources, zero-based px; order of brightness is all that the flux is used for.
    ra, dec : ndarray, shape (m,)
        Catalogue at the epoch of the frame, degrees; may reach far beyond the frame.
    mag : ndarray, shape (m,), optional
        Any band; NaN counts as faintest.
    guess : astropy.wcs.WCS
        First guess, with distortion terms where the instrument's are known.
    shape : tuple
        Rows and columns.
    limits : Limits, optional
        What is tolerated.
    sigma : ndarray, shape (n,), optional
        Expected error of the positions, px.
    distortion : Surface, optional
        Distortion known from other frames, held.

    Returns
    -------
    Solution or Refusal

    Notes
    -----
    Candidates come from triangles (`asterism`), are verified and accepted by `match.chance_of`, a bound on the
    probability that any wrong transformation within the search would match as many stars within the same radius; it is
    1e-6 for an attempt by default, for stars that are not clustered more than the local density shows. An accepted
    linear solution is refined with all stars, then with the distortion order that `choose_order` finds.
    """
    limits = limits or Limits()
    good = np.isfinite(x) & np.isfinite(y) & np.isfinite(flux)
    if good.sum() < _FEWEST:
        return Refusal(f"{int(good.sum())} stars found, {_FEWEST} needed")
    if not len(ra):
        return Refusal("the catalogue holds no star here")
    plane = _Plane.of(guess, shape)
    if plane is None:
        return Refusal("the header's first guess of the position cannot be used")
    order = np.flatnonzero(good)
    order = order[np.argsort(-np.asarray(flux)[order], kind="stable")][:_MOST_SOURCES]
    pixels = np.column_stack([np.asarray(x, float)[order], np.asarray(y, float)[order]])
    here = plane.sources(pixels)
    stars, star_index = plane.stars(ra, dec, mag)
    match, best = _search(here if distortion is None else distortion(here), stars, plane, limits)
    if match is None:
        return Refusal(_no_match(len(here), stars, plane, best), best)
    if has_distortion(guess, shape):
        plane, here, stars, match = _rescaled(plane, match, pixels, ra, dec, mag)
    errors = np.full(len(here), 0.05) if sigma is None else np.clip(np.asarray(sigma, float)[order], 0.003, 2.0)
    fit, pairs, distortion = _refine(here, stars, errors, match, plane, limits, distortion)
    if int(fit.used.sum()) < max(4, 0.7 * len(match.source)):
        return Refusal("the matched stars do not fit one map", match.log10_false)
    used = (pairs[0][fit.used], pairs[1][fit.used])
    return _solution(plane, fit, distortion, match, (order[used[0]], star_index[used[1]]),
                     (here[used[0]], stars[used[1]], errors[used[0]], star_index[used[1]]))


@dataclass(frozen=True)
class _Plane:
    """The guess's tangent plane about the frame's centre, in px: (xi, eta) / scale."""

    guess: Any
    shape: tuple[int, int]
    ra: float
    dec: float
    scale: float

    @classmethod
    def of(cls, guess: Any, shape: tuple[int, int]) -> _Plane | None:
        """Return the plane, or None where the guess is no usable map."""
        centre = np.array([[(shape[1] - 1) / 2, (shape[0] - 1) / 2]])
        try:
            ra, dec = (float(v[0]) for v in guess.all_pix2world(centre[:, 0], centre[:, 1], 0))
            step = guess.all_pix2world(centre[0, 0] + np.array([0.0, 1, 0]), centre[0, 1] + np.array([0.0, 0, 1]), 0)
        except Exception:
            return None
        if not np.isfinite(ra + dec):
            return None
        xi, eta = to_plane(step[0], step[1], ra, dec)
        det = (xi[1] - xi[0]) * (eta[2] - eta[0]) - (xi[2] - xi[0]) * (eta[1] - eta[0])
        scale = float(np.sqrt(abs(det)))
        return cls(guess, shape, ra, dec, scale) if np.isfinite(scale) and scale > 1e-8 else None

    def sources(self, pixels: Floats) -> Floats:
        """Carry pixels into the plane."""
        ra, dec = self.guess.all_pix2world(pixels[:, 0], pixels[:, 1], 0)
        return np.column_stack(to_plane(ra, dec, self.ra, self.dec)) / self.scale

    def axis(self) -> Floats:
        """Return where the optical axis meets the plane: the guess's reference pixel if that is near the frame."""
        ny, nx = self.shape
        x, y = (float(v) - 1 for v in self.guess.wcs.crpix)
        if not (-0.5 * nx < x < 1.5 * nx and -0.5 * ny < y < 1.5 * ny):
            x, y = (nx - 1) / 2, (ny - 1) / 2
        return np.asarray(self.sources(np.array([[x, y]]))[0])

    def stars(self, ra: Floats, dec: Floats, mag: Floats | None) -> tuple[Floats, NDArray[np.intp]]:
        """Project the catalogue, brightest first; return positions and indices."""
        there = np.column_stack(to_plane(ra, dec, self.ra, self.dec)) / self.scale
        index = np.flatnonzero(np.isfinite(there).all(axis=1))
        if mag is not None:
            index = index[np.argsort(np.nan_to_num(np.asarray(mag, float)[index], nan=99.0), kind="stable")]
        return there[index], index

    def sky(self, plane: Floats) -> tuple[Floats, Floats]:
        """Return right ascension and declination of positions in the plane."""
        return from_plane(plane[:, 0] * self.scale, plane[:, 1] * self.scale, self.ra, self.dec)


def _search(here: Floats, stars: Floats, plane: _Plane, limits: Limits) -> tuple[Match | None, float]:
    """Look for the match near the guess, then with the other parity, then in the whole catalogue."""
    z, w = here[:, 0] + 1j * here[:, 1], stars[:, 0] + 1j * stars[:, 1]
    corners = plane.sources(frame_points(plane.shape, 2))
    size = 0.5 * float(max(np.hypot(*(corners[3] - corners[0])), np.hypot(*(corners[2] - corners[1]))))
    area = float(plane.shape[0] * plane.shape[1])
    shift = limits.pointing / 60 / plane.scale
    near = (1 - limits.scale, 1 + limits.scale)
    expected = Prior(0j, shift, np.radians(limits.rotation), near, False, size)
    mirrored = Prior(0j, shift, np.pi, near, True, size, straight=False)
    attempts = [(expected, LADDER[:3]), (mirrored, LADDER[:3]), (expected, LADDER[3:]), (mirrored, LADDER[3:])]
    if not limits.mirror:
        attempts = attempts[::2]
    if not limits.near:
        attempts = []
    if limits.wide:
        far = (1 / (1 + limits.wide_scale), 1 + limits.wide_scale)
        attempts.append((Prior(0j, float(np.abs(w).max()), np.pi, far, True, size), LADDER[:3]))
    best = 0.0
    for prior, ladder in attempts:
        match, value = find_match(z, w, prior, area, log10_limit=limits.log10_false, ladder=ladder)
        best = min(best, value)
        if match is not None:
            return match, best
    return None, best


def _rescaled(
    plane: _Plane, match: Match, pixels: Floats, ra: Floats, dec: Floats, mag: Floats | None
) -> tuple[_Plane, Floats, Floats, Match]:
    """Give the guess the scale found: its distortion, in degrees, would else be that of another magnification."""
    factor = float(np.sqrt(abs(np.linalg.det(match.matrix[:, :2]))))
    guess = plane.guess.deepcopy()
    if guess.wcs.has_cd():
        guess.wcs.cd = guess.wcs.cd * factor
    else:
        guess.wcs.cdelt = np.asarray(guess.wcs.cdelt) * factor
    guess.wcs.set()
    better = _Plane.of(guess, plane.shape)
    if better is None:
        return plane, plane.sources(pixels), plane.stars(ra, dec, mag)[0], match
    here, (stars, _) = better.sources(pixels), better.stars(ra, dec, mag)
    matrix = fit_linear(here[match.source], stars[match.catalogue], len(match.source) < 8)
    return better, here, stars, replace(match, matrix=matrix)


def _no_match(sources: int, stars: Floats, plane: _Plane, best: float) -> str:
    """Say why nothing was found."""
    ny, nx = plane.shape
    inside = int((np.abs(stars).max(axis=1) < 0.5 * max(ny, nx)).sum()) if len(stars) else 0
    if inside < _FEWEST:
        return f"{inside} catalogue stars lie where the frame should be, {_FEWEST} needed ({sources} stars found)"
    return (f"{sources} stars found and {inside} catalogue stars expected, but no match that chance could not "
            f"explain (best 1e{best:.0f})")


def _refine(
    here: Floats, stars: Floats, errors: Floats, match: Match, plane: _Plane, limits: Limits, distortion: Surface | None
) -> tuple[Fit, tuple[NDArray[np.intp], NDArray[np.intp]], Surface | None]:
    """Take in all stars, then let the map grow while the pairs justify it."""
    corners = plane.sources(frame_points(plane.shape))
    inverse = np.linalg.inv(match.matrix[:, :2])
    back = (stars - match.matrix[:, 2]) @ inverse.T
    margin = 0.05 * np.ptp(corners, axis=0) + 20
    inside = np.flatnonzero(((back > corners.min(axis=0) - margin) & (back < corners.max(axis=0) + margin)).all(axis=1))
    inside = inside[:_MOST_STARS]
    tree = cKDTree(stars[inside])
    choice = Choice(1, distortion)
    base = here if distortion is None else distortion(here)
    moved = base @ match.matrix[:, :2].T + match.matrix[:, 2]
    radius = max(match.radius, 3.0)
    highest = 1 if distortion is not None else limits.highest_order
    for turn in range(8):
        source, near = mutual_pairs(moved, stars[inside], tree, radius)
        star = inside[near]
        if len(source) < 4:
            source, star = match.source, match.catalogue
        if highest > 1 and turn > 0:
            choice = choose_map(here[source], stars[star], errors[source], corners, plane.axis(),
                                highest=min(highest, choice.order + 2))
        fit = fit_surface(here[source], stars[star], errors[source], choice.order, corners, fixed=choice.bend,
                          rigid=len(source) < limits.rigid_below and choice.order == 1)
        moved = fit.surface(here if choice.bend is None else choice.bend(here))
        spread = float(np.hypot(*fit.rms))
        radius = float(np.clip(4.0 * spread, 1.0, max(match.radius, 3.0) if turn < 4 else 1.3 * radius))
    return fit, (source, star), choice.bend


def _solution(
    plane: _Plane, fit: Fit, distortion: Surface | None, match: Match,
    index: tuple[NDArray[np.intp], NDArray[np.intp]], pairs: Pairs,
) -> Solution:
    """Turn the fitted map into a WCS and say how it differs from the guess."""
    order = fit.surface.order if distortion is None else max(distortion.order, fit.surface.order)
    curved = has_distortion(plane.guess, plane.shape)
    steps = 21 if order > 1 or curved else 5
    grid = frame_points(plane.shape, steps)
    base = plane.sources(grid)
    moved = fit.surface(base if distortion is None else distortion(base))
    ra, dec = plane.sky(moved)
    wcs = wcs_from_grid(plane.shape, grid, ra, dec, max(order, 3 if curved else 1))
    middle = len(grid) // 2
    matrix = match.matrix[:, :2]
    flipped = bool(np.linalg.det(matrix) < 0)
    sign = -1 if flipped else 1
    turn = complex(matrix[0, 0] + sign * matrix[1, 1], matrix[1, 0] - sign * matrix[0, 1])
    rms = fit.rms * plane.scale
    return Solution(
        wcs, float(rms[0]), float(rms[1]), int(fit.used.sum()), *index, order, match.log10_false,
        float(np.hypot(*(moved[middle] - base[middle])) * plane.scale * 3600), float(np.degrees(np.angle(turn))),
        float(np.sqrt(abs(np.linalg.det(matrix)))), flipped, pairs, plane.sources(frame_points(plane.shape)),
        plane.axis(),
    )
