"""Small star fields with known truth, for tests: profiles integrated over the pixels at any position."""

from __future__ import annotations

import numpy as np
from astropy.wcs import WCS

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(4)


def profile(r2, fwhm, beta):
    """Surface brightness of a star of flux 1; a Gaussian when beta is None."""
    if beta is None:
        sigma2 = (fwhm / 2.3548200450309493) ** 2
        return np.exp(-r2 / (2 * sigma2)) / (2 * np.pi * sigma2)
    alpha2 = (fwhm / 2) ** 2 / (2 ** (1 / beta) - 1)
    return (beta - 1) / (np.pi * alpha2) * (1 + r2 / alpha2) ** -beta


def add_stars(image, x, y, flux, fwhm, beta=3.5, reach=10.0):
    """Add stars, integrated over each pixel with 4 x 4 Gauss-Legendre nodes, out to `reach` FWHM."""
    ny, nx = image.shape
    half = int(np.ceil(reach * fwhm))
    x, y = np.atleast_1d(x), np.atleast_1d(y)
    for xs, ys, total in zip(x, y, np.broadcast_to(flux, x.shape), strict=True):
        x0, x1 = max(0, round(xs) - half), min(nx, round(xs) + half + 1)
        y0, y1 = max(0, round(ys) - half), min(ny, round(ys) + half + 1)
        if x0 >= x1 or y0 >= y1:
            continue
        gx, gy = np.arange(x0, x1), np.arange(y0, y1)
        stamp = np.zeros((gy.size, gx.size))
        for dy, wy in zip(_NODES / 2, _WEIGHTS / 2, strict=True):
            for dx, wx in zip(_NODES / 2, _WEIGHTS / 2, strict=True):
                r2 = (gx + dx - xs)[None, :] ** 2 + (gy + dy - ys)[:, None] ** 2
                stamp += wx * wy * profile(r2, fwhm, beta)
        image[y0:y1, x0:x1] += total * stamp
    return image


def observe(signal, rng, sky=400.0, gain=2.0, read_noise=5.0):
    """Return a sky-subtracted float32 exposure of a noiseless signal in DN."""
    electrons = rng.poisson(np.maximum(signal + sky, 0) * gain) + rng.normal(0, read_noise, signal.shape)
    return (electrons / gain - sky).astype(np.float32)


def sky_sigma(sky=400.0, gain=2.0, read_noise=5.0):
    """Standard deviation of the empty sky of `observe`, DN."""
    return np.sqrt(sky * gain + read_noise**2) / gain


def make_wcs(shape, dx=0.0, dy=0.0, rotation=0.0, scale=0.4, ra=150.0, dec=30.0, parity=1, pv=None):
    """Tangent-plane WCS centred on the image and moved by (dx, dy) px; TPV when `pv` is given."""
    ny, nx = shape
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TPV", "DEC--TPV"] if pv else ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval = [ra, dec]
    wcs.wcs.crpix = [(nx + 1) / 2 + dx, (ny + 1) / 2 + dy]
    angle, step = np.deg2rad(rotation), scale / 3600
    wcs.wcs.cd = step * np.array([[-parity * np.cos(angle), np.sin(angle)], [parity * np.sin(angle), np.cos(angle)]])
    if pv:
        wcs.wcs.set_pv(pv)
    wcs.wcs.set()
    return wcs


def spread_positions(rng, n, shape, apart, edge):
    """Random positions at least `apart` px from each other and `edge` px from the border."""
    ny, nx = shape
    kept = []
    for _ in range(50 * n):
        x, y = rng.uniform(edge, nx - 1 - edge), rng.uniform(edge, ny - 1 - edge)
        if all(np.hypot(x - a, y - b) > apart for a, b in kept):
            kept.append((x, y))
            if len(kept) == n:
                break
    return np.array(kept).reshape(-1, 2).T
