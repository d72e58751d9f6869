"""The tangent plane, and maps from pixels to the sky as an astropy WCS."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .distortion import Floats, design, least_squares, powers

#: A written WCS reproduces the fitted map this well, px.
_GRID_ERROR = 0.002
_HIGHEST_SIP = 9


def to_plane(ra: Floats, dec: Floats, ra0: float, dec0: float) -> tuple[Floats, Floats]:
    """Project the sky onto the plane that touches it at (ra0, dec0) (gnomonic; Calabretta & Greisen 2002, eq. 54).

    Returns
    -------
    xi, eta : ndarray
        Degrees, xi towards east; NaN for positions more than 80 degrees away.
    """
    alpha, delta = np.radians(np.asarray(ra, float) - ra0), np.radians(np.asarray(dec, float))
    d0 = np.radians(dec0)
    cosine = np.sin(delta) * np.sin(d0) + np.cos(delta) * np.cos(d0) * np.cos(alpha)
    cosine = np.where(cosine > 0.17, cosine, np.nan)
    xi = np.cos(delta) * np.sin(alpha) / cosine
    eta = (np.sin(delta) * np.cos(d0) - np.cos(delta) * np.sin(d0) * np.cos(alpha)) / cosine
    return np.degrees(xi), np.degrees(eta)


def from_plane(xi: Floats, eta: Floats, ra0: float, dec0: float) -> tuple[Floats, Floats]:
    """Return right ascension and declination in degrees of positions in the plane of `to_plane`."""
    x, y, d0 = np.radians(xi), np.radians(eta), np.radians(dec0)
    below = np.cos(d0) - y * np.sin(d0)
    ra = ra0 + np.degrees(np.arctan2(x, below))
    dec = np.degrees(np.arctan2(np.sin(d0) + y * np.cos(d0), np.hypot(x, below)))
    return np.mod(ra, 360.0), dec


def frame_points(shape: tuple[int, int], steps: int = 5) -> Floats:
    """Return a grid of pixel positions that spans a frame, corners included, shape (steps^2, 2)."""
    ny, nx = shape
    x, y = np.meshgrid(np.linspace(0, nx - 1, steps), np.linspace(0, ny - 1, steps))
    return np.column_stack([x.ravel(), y.ravel()])


def has_distortion(wcs: Any, shape: tuple[int, int]) -> bool:
    """Tell whether a WCS departs from a linear map of the tangent plane by more than 0.02 px within a frame.

    Asked of the map itself: which attributes hold the distortion depends on its kind and on the library's version.
    """
    pixels = frame_points(shape, 7)
    ra, dec = wcs.all_pix2world(pixels[:, 0], pixels[:, 1], 0)
    plane = np.column_stack(to_plane(ra, dec, float(ra[24]), float(dec[24])))
    matrix = design(pixels / max(shape), 1)
    solution = least_squares(matrix, plane)
    step = np.sqrt(abs(np.linalg.det(solution[1:3]))) / max(shape)
    return bool(np.abs(plane - matrix @ solution).max() > 0.02 * step)


def linear_wcs(ra: float, dec: float, crpix: tuple[float, float], cd: NDArray[Any]) -> Any:
    """Return a TAN WCS; `crpix` one-based as in FITS, `cd` in degrees per pixel."""
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval = [ra, dec]
    wcs.wcs.crpix = list(crpix)
    wcs.wcs.cd = np.asarray(cd, dtype=float)
    wcs.wcs.radesys = "ICRS"
    wcs.wcs.set()
    return wcs


def wcs_from_grid(shape: tuple[int, int], pixels: Floats, ra: Floats, dec: Floats, order: int) -> Any:
    """Return the WCS that reproduces a map given on a grid: TAN, with SIP terms when the order is above 1.

    Parameters
    ----------
    shape : tuple
        Rows and columns of the frame; the reference pixel is its centre.
    pixels : ndarray, shape (n, 2)
        Zero-based grid, the central position of the frame among them.
    ra, dec : ndarray, shape (n,)
        Degrees.
    order : int
        SIP order to begin with; raised until the grid is met to 0.002 px.
    """
    centre = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2])
    middle = int(np.argmin(((pixels - centre) ** 2).sum(axis=1)))
    offset = pixels - centre
    scale = float(np.abs(offset).max())
    ra0, dec0 = float(ra[middle]), float(dec[middle])
    while True:
        for _ in range(3):
            plane = np.column_stack(to_plane(ra, dec, ra0, dec0))
            matrix = design(offset / scale, order)
            solution = least_squares(matrix, plane)
            moved = from_plane(solution[:1, 0], solution[:1, 1], ra0, dec0)
            ra0, dec0 = float(moved[0][0]), float(moved[1][0])
        cd = solution[1:3].T / scale
        error = np.abs((plane - matrix @ solution) @ np.linalg.inv(cd).T).max()
        if error < _GRID_ERROR or order in (1, _HIGHEST_SIP):
            break
        order += 1
    wcs = linear_wcs(ra0, dec0, (centre[0] + 1, centre[1] + 1), cd)
    if order > 1:
        _add_sip(wcs, solution, cd, scale, order, offset)
    return wcs


def _add_sip(wcs: Any, solution: Floats, cd: Floats, scale: float, order: int, offset: Floats) -> None:
    """Add the powers above the first as SIP polynomials, with their inverse (Shupe et al. 2005)."""
    from astropy.wcs import Sip

    forward = np.zeros((2, order + 1, order + 1))
    inverse_cd = np.linalg.inv(cd)
    for row, (i, j) in enumerate(powers(order)):
        if i + j >= 2:
            forward[:, i, j] = inverse_cd @ solution[row] / scale ** (i + j)
    # A constant left over from the choice of the tangent point would be lost in SIP: it is below 1e-9 px here.
    total = design(offset / scale, order) @ solution
    ideal = (total - solution[0]) @ inverse_cd.T
    matrix = design(ideal / scale, order)
    back = least_squares(matrix, offset - ideal)
    backward = np.zeros((2, order + 1, order + 1))
    for row, (i, j) in enumerate(powers(order)):
        backward[:, i, j] = back[row] / scale ** (i + j)
    wcs.sip = Sip(forward[0], forward[1], backward[0], backward[1], wcs.wcs.crpix)
    wcs.wcs.ctype = ["RA---TAN-SIP", "DEC--TAN-SIP"]
    wcs.wcs.set()
