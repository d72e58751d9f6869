"""Frames with a known sky, stars and detector, and a driver that runs a step on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.io import fits

from photopipe_gui.reduction.auto.tasks import Failure, FrameTask, GroupTask
from photopipe_gui.reduction.catalogs.config import CatalogConfig
from photopipe_gui.reduction.fitsio import write_frame
from photopipe_gui.reduction.frame import Frame
from photopipe_gui.reduction.progress import SilentReporter


@dataclass
class SerialContext:
    """Runs a group's work here, one after the other."""

    scratch: Path
    workers: int = 2
    memory_limit: int = 64 << 20
    reporter: SilentReporter = field(default_factory=SilentReporter)
    catalogs: CatalogConfig = field(default_factory=lambda: CatalogConfig(offline=True))

    def map(self, function, items, label=""):
        out = []
        for item in items:
            try:
                out.append(function(item))
            except Exception as error:
                out.append(Failure.of(error))
        return out


def sky_shape(shape, gradient=0.03, fringe=0.01, period=40.0):
    """Return a sky of mean 1 with a gradient, a bowl and fringes (relative amplitudes)."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]] / max(shape)
    out = 1 + gradient * (x - 0.5) + 0.5 * gradient * ((x - 0.4) ** 2 + (y - 0.6) ** 2)
    waves = np.sin(2 * np.pi * max(shape) / period * (x * 0.8 + 0.6 * y + 0.15 * np.sin(5 * y)))
    return out + fringe * waves


def moffat(shape, x, y, flux, fwhm, beta=3.0):
    """Return the image of a star with wide wings."""
    alpha = fwhm / (2 * np.sqrt(2 ** (1 / beta) - 1))
    half = int(min(max(shape), 12 * fwhm + np.sqrt(max(flux, 1)) / 8))
    y0, y1 = max(int(y) - half, 0), min(int(y) + half + 1, shape[0])
    x0, x1 = max(int(x) - half, 0), min(int(x) + half + 1, shape[1])
    out = np.zeros(shape)
    if y1 <= y0 or x1 <= x0:
        return out
    yy, xx = np.mgrid[y0:y1, x0:x1]
    peak = flux * (beta - 1) / (np.pi * alpha**2)
    out[y0:y1, x0:x1] = peak * (1 + ((xx - x) ** 2 + (yy - y) ** 2) / alpha**2) ** -beta
    return out


def add_stars(image, x, y, flux, fwhm, beta=3.0):
    for each in zip(x, y, flux, strict=True):
        image += moffat(image.shape, *each, fwhm, beta)
    return image


@dataclass
class Visit:
    """Dithered frames of one field: paths, and what is in them."""

    paths: list
    sky: np.ndarray
    levels: list
    offsets: np.ndarray
    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    gain: float
    noise: float
    frames: list


def make_visit(
    folder, n=9, shape=(512, 512), level=2000.0, n_stars=60, seed=1, gain=2.0, read_noise=8.0, dither=30, fwhm=4.0,
    spread=0.1, extra=None, hot=0, fringe=0.01, gradient=0.03, top=3e5, change=0.0, flicker=0.0,
    **cards,
):
    """Write n flattened frames ``fp<k>.fits``.

    ``extra(yy, xx)`` adds an object in DN at the field's coordinates; ``change`` is the largest slope of the sky,
    relative to it, that differs from frame to frame; ``flicker`` the rms by which the strength of the fringes does.
    """
    rng = np.random.default_rng(seed)
    sky = sky_shape(shape, gradient, fringe)
    offsets = rng.uniform(-dither, dither, (n, 2))
    x, y = rng.uniform(-dither, shape[1] + dither, n_stars), rng.uniform(-dither, shape[0] + dither, n_stars)
    flux = np.clip(1000 * rng.pareto(0.7, n_stars), 300, top)
    spots = (rng.integers(0, shape[0], hot), rng.integers(0, shape[1], hot))
    heat = rng.uniform(200, 3000, hot)
    yy, xx = np.mgrid[0 : shape[0], 0 : shape[1]].astype(float)
    paths, levels, frames = [], [], []
    for k in range(n):
        scale = level * (1 + spread * rng.uniform(-1, 1))
        truth = scale * (sky_shape(shape, gradient, fringe * (1 + flicker * rng.normal())) if flicker else sky)
        if change:
            slopes = change * rng.uniform(-1, 1, 2)
            truth = truth * (1 + slopes[0] * (xx / shape[1] - 0.5) + slopes[1] * (yy / shape[0] - 0.5))
        dy, dx = offsets[k]
        objects = add_stars(np.zeros(shape), x + dx, y + dy, flux, fwhm)
        if extra is not None:
            objects += extra(yy - dy, xx - dx)
        image = rng.poisson(np.clip((truth + objects) * gain, 0, None)) / gain + rng.normal(0, read_noise / gain, shape)
        image[spots] += heat * scale / level
        header = fits.Header()
        header.update({"EXPTIME": 60.0, "GAIN": gain, "SATURATE": 60000.0, "RDNOISE": read_noise, "TARGNAME": "field",
                       "FILTER": "r", "CAMERA": 0, "SKYCTS": scale, **cards})
        path = Path(folder) / f"fp{k:03d}.fits"
        write_frame(path, Frame(image.astype(np.float32), np.zeros(shape, np.uint8), header))
        paths.append(path)
        levels.append(scale)
        frames.append(truth)
    noise = float(np.hypot(np.sqrt(level / gain), read_noise / gain))
    return Visit(paths, sky, levels, offsets, x, y, flux, gain, noise, frames)


def group_of(visit, product, key="field_r"):
    tasks = tuple(FrameTask(p.stem[2:], p, p.with_name(f"s{p.name}")) for p in visit.paths)
    return GroupTask(key, "field", "r", tasks, product)
