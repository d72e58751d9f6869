"""Star fields with known truth: images for the detection, position lists for the solver."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from photopipe_gui.reduction.core.skyplane import linear_wcs
from photopipe_gui.reduction.core.wcsfit import Limits, Refusal, Solution, solve

BARREL = {1: 1.0, 17: -19.60381671, 21: -19.60381671, 19: -39.20763342, 31: -4128.15179797, 37: -4128.15179797,
          33: -12384.45539391, 35: -12384.45539391}


def image(x, y, flux, shape, fwhm, sky=500.0, noise=8.0, seed=0, beta=None):
    """Draw stars (Gaussian, or Moffat with the exponent beta), averaged over each pixel, on a noisy sky."""
    rng = np.random.default_rng(seed)
    ny, nx = shape
    out = np.zeros(shape)
    sigma, half = fwhm / 2.3548, int(6 * fwhm)
    fine = (np.arange(3) - 1) / 3
    for a, b, f in zip(x, y, flux, strict=True):
        i0, i1 = max(0, int(a) - half), min(nx, int(a) + half + 1)
        j0, j1 = max(0, int(b) - half), min(ny, int(b) + half + 1)
        dx = (np.arange(i0, i1) - a)[:, None] + fine
        dy = (np.arange(j0, j1) - b)[:, None] + fine
        if beta is None:
            gx, gy = np.exp(-0.5 * (dx / sigma) ** 2).mean(1), np.exp(-0.5 * (dy / sigma) ** 2).mean(1)
            out[j0:j1, i0:i1] += f / (2 * np.pi * sigma**2) * gy[:, None] * gx
        else:
            alpha = fwhm / 2 / np.sqrt(2 ** (1 / beta) - 1)
            r2 = dx[None, :, None, :] ** 2 + dy[:, None, :, None] ** 2
            profile = (beta - 1) / (np.pi * alpha**2) * (1 + r2 / alpha**2) ** -beta
            out[j0:j1, i0:i1] += f * profile.mean((2, 3))
    return (out + sky + rng.normal(0, noise, shape)).astype(np.float32)


def tpv(cd, crpix, crval):
    """Return a WCS with the barrel distortion of RATIR's infrared cameras."""
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TPV", "DEC--TPV"
    for i in (1, 2):
        header[f"CRVAL{i}"], header[f"CRPIX{i}"] = crval[i - 1], crpix[i - 1]
        header[f"CD{i}_1"], header[f"CD{i}_2"] = cd[i - 1][0], cd[i - 1][1]
        for term, value in BARREL.items():
            header[f"PV{i}_{term}"] = value
    return WCS(header)


def tan(cd, crpix, crval):
    """Return a plain tangent projection."""
    return linear_wcs(crval[0], crval[1], crpix, cd)


@dataclass(frozen=True)
class Conditions:
    """What a trial is like."""

    stars: int = 30
    shape: tuple[int, int] = (985, 925)
    scale: float = 0.32
    noise: float = 0.05
    pointing: float = 2.0
    rotation: float = 3.0
    magnification: float = 0.02
    missing: float = 0.3
    spurious: float = 0.3
    cone: float = 2.5
    barrel: bool = False
    elsewhere: bool = False
    limits: Limits | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of it; errors in px over the frame."""

    answer: Solution | Refusal
    median: float
    worst: float


def trial(seed: int, c: Conditions) -> Outcome:
    """Make a field, spoil the first guess to the full extent, solve it, compare with the truth over the frame."""
    rng = np.random.default_rng(seed)
    ny, nx = c.shape
    ra0, dec0 = rng.uniform(0, 360), rng.uniform(-85, 85)
    turn, parity, step = rng.uniform(0, 2 * np.pi), rng.choice([-1, 1]), c.scale / 3600
    cd = step * np.array([[parity * np.cos(turn), np.sin(turn)], [-parity * np.sin(turn), np.cos(turn)]])
    crpix = (nx / 2 + rng.uniform(-100, 100), ny / 2 + rng.uniform(-100, 100))
    kind = tpv if c.barrel else tan
    true, straight = kind(cd, crpix, (ra0, dec0)), tan(cd, crpix, (ra0, dec0))

    def inside(n):
        return np.column_stack([rng.uniform(0, nx - 1, n), rng.uniform(0, ny - 1, n)])

    def flux(n):
        return 10 ** (-2.4 * rng.random(n) ** 0.5)

    known = inside(c.stars)
    unknown = inside(round(c.stars * c.missing / (1 - c.missing)))
    half = c.cone * max(nx, ny) / 2
    number = rng.poisson(c.stars / (nx * ny) * (2 * half) ** 2)
    around = rng.uniform(-half, half, (number, 2)) + np.array([nx / 2, ny / 2])
    around = around[((around < 0) | (around > [nx, ny])).any(axis=1)]
    known_flux, unknown_flux = flux(len(known)), flux(len(unknown))
    places = [true.all_pix2world(*known.T, 0), straight.all_pix2world(*around.T, 0)]
    ra, dec = (np.concatenate([p[k] for p in places]) for k in (0, 1))
    mag = -2.5 * np.log10(np.concatenate([known_flux, flux(len(around))])) + rng.normal(0, 0.5, len(ra))
    real = np.vstack([known, unknown])
    extra = round(len(real) * c.spurious / (1 - c.spurious))
    found = np.vstack([real + rng.normal(0, c.noise, real.shape), inside(extra)])
    brightness = np.concatenate([known_flux, unknown_flux, flux(extra)])
    if c.elsewhere:
        radius, angle = half * 1.13 * np.sqrt(rng.random(len(ra))), rng.uniform(0, 2 * np.pi, len(ra))
        ra, dec = straight.all_pix2world(nx / 2 + radius * np.cos(angle), ny / 2 + radius * np.sin(angle), 0)
    answer = solve(found[:, 0], found[:, 1], brightness, ra, dec, mag, _spoiled(rng, c, kind, cd, crpix, ra0, dec0),
                   c.shape, c.limits, sigma=np.full(len(found), c.noise))
    if isinstance(answer, Refusal):
        return Outcome(answer, np.nan, np.nan)
    error = separation_px(true, answer.wcs, c.shape, c.scale)
    return Outcome(answer, float(np.median(error)), float(error.max()))


def _spoiled(rng, c, kind, cd, crpix, ra0, dec0):
    angle = np.radians(rng.choice([-1, 1]) * rng.uniform(0.5, 1) * c.rotation)
    wrong = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ cd
    wrong = wrong * (1 + rng.choice([-1, 1]) * rng.uniform(0.5, 1) * c.magnification)
    if rng.random() < 0.35:
        wrong = np.diag([-1, 1]) @ wrong if rng.random() < 0.5 else wrong @ np.diag([-1, 1])
    way, far = rng.uniform(0, 2 * np.pi), c.pointing / 60 * rng.uniform(0.5, 1)
    ra = (ra0 + far * np.cos(way) / np.cos(np.radians(dec0))) % 360
    return kind(wrong, crpix, (ra, dec0 + far * np.sin(way)))


def separation_px(one, other, shape, scale):
    """Return how far two WCS put the same pixels apart, in px, on a grid over the frame."""
    x, y = (v.ravel() for v in np.meshgrid(np.linspace(0, shape[1] - 1, 9), np.linspace(0, shape[0] - 1, 9)))
    a, b = one.all_pix2world(x, y, 0), other.all_pix2world(x, y, 0)
    east = ((a[0] - b[0] + 180) % 360 - 180) * np.cos(np.radians(a[1]))
    return np.hypot(east, a[1] - b[1]) * 3600 / scale
