"""Making one raw frame from its plan: pure, so that frames can be made anywhere and in any order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..instruments.cards import Card
from .cosmics import Hits, cosmic_rays
from .detector import Detector, Region, bias_image, dark_rate, fringes, response
from .faults import fits_bytes
from .headers import RawCards
from .pointing import pixels_of
from .randomness import generator
from .render import Sources, add_sources, add_trail, bleed
from .truth import FrameTruth

Image = NDArray[np.float32]

_GAUSSIAN_ENOUGH = 40.0


@dataclass(frozen=True)
class RegionPlan:
    """Light that falls on one region.

    ``sky`` is the sky in electrons per pixel and exposure where the response is 1, ``slope`` its gradient in x and y
    as a fraction from edge to edge, ``fringe`` the strength of the fringes; the sources have positions on the sky
    (deg, at the night's date) and total electrons; ``extended`` is the peak (e-), right
    ascension and declination (deg) of a galaxy that fills a third of the region, None without one.
    """

    region: Region
    sky: float
    slope: tuple[float, float]
    fringe: float
    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    electrons: NDArray[np.float64]
    fwhm: NDArray[np.float64]
    ellipticity: NDArray[np.float64]
    angle: NDArray[np.float64]
    extended: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class FramePlan:
    """Everything that makes one raw frame.

    ``cosmics`` is the mean number of particles, ``drift`` the bias level's (DN), ``trail`` the height of a
    satellite's trail in units of the noise.
    """

    path: Path
    truth_folder: Path
    detector: Detector
    seed: int
    cards: RawCards
    truth: FrameTruth
    regions: tuple[RegionPlan, ...]
    beta: float
    cosmics: float
    drift: float
    trail: float
    noise: bool


def region_light(
    plan: RegionPlan, detector: Detector, wcs: Mapping[str, Card], beta: float, read_noise: float
) -> Image:
    """Return the expected electrons from the sky and its sources on a region's lit pixels, before the response."""
    region = plan.region
    ny, nx = region.light.shape
    y = np.linspace(-0.5, 0.5, ny, dtype=np.float32)[:, None]
    x = np.linspace(-0.5, 0.5, nx, dtype=np.float32)[None, :]
    slope = np.float32(plan.slope[0]) * x + np.float32(plan.slope[1]) * y
    pattern = fringes(detector, region) if plan.fringe else None
    image = 1 + slope
    if pattern is not None:
        image += np.float32(plan.fringe) * pattern
    image *= np.float32(plan.sky)
    if plan.extended:
        peak, ra, dec = plan.extended
        px, py = pixels_of(wcs, np.array([ra]), np.array([dec]))
        image += galaxy_light(
            x - np.float32((px[0] - region.light.x0) / nx - 0.5),
            y - np.float32((py[0] - region.light.y0) / ny - 0.5),
            peak,
        )
    if len(plan.ra):
        px, py = pixels_of(wcs, plan.ra, plan.dec)
        px, py = px - region.light.x0, py - region.light.y0
        known = np.isfinite(px) & np.isfinite(py)
        sources = Sources(px, py, plan.electrons, plan.fwhm, plan.ellipticity, plan.angle).select(known)
        add_sources(image, sources, beta, float(np.sqrt(max(plan.sky, 0) + read_noise**2)))
    return image


def galaxy_light(x: Image, y: Image, peak: float) -> Image:
    """An exponential disk with a small core, tilted, that is seen over a third of the frame."""
    u, v = 0.8 * x + 0.6 * y, 1.7 * (-0.6 * x + 0.8 * y)
    radius = np.hypot(u, v)
    return np.asarray(np.float32(peak) * (np.exp(-radius / 0.10) + 2 * np.exp(-radius / 0.012)), dtype=np.float32)


def _add_noise(rng: np.random.Generator, electrons: Image, read_noise: float) -> Image:
    """Return electrons with photon noise (exact Poisson where it is skewed, else Gaussian) and read noise."""
    faint = electrons < _GAUSSIAN_ENOUGH
    noise = rng.standard_normal(electrons.shape, dtype=np.float32)
    if faint.mean() > 0.5:
        noisy = rng.poisson(np.maximum(electrons, 0)).astype(np.float32)
        return noisy + np.float32(read_noise) * noise
    noisy = electrons + noise * np.sqrt(np.maximum(electrons, 0) + np.float32(read_noise**2))
    if faint.any():
        counts = rng.poisson(np.maximum(electrons[faint], 0))
        noisy[faint] = counts + np.float32(read_noise) * noise[faint]
    return noisy


def expected_electrons(plan: FramePlan) -> tuple[Image, NDArray[np.int64]]:
    """Return the expected electrons of every pixel, and rows and columns (2, n) under a satellite's trail."""
    detector, truth = plan.detector, plan.truth
    read_noise = detector.levels.read_noise
    image = np.zeros(detector.shape, dtype=np.float32)
    trail: list[NDArray[np.int64]] = [np.zeros((2, 0), np.int64)]
    for part in plan.regions:
        light = region_light(part, detector, truth.wcs, plan.beta, read_noise)
        y0, y1, x0, x1 = part.region.light
        if truth.trail and plan.trail:
            start = truth.trail[0] - x0, truth.trail[1] - y0
            end = truth.trail[2] - x0, truth.trail[3] - y0
            height = plan.trail * float(np.sqrt(part.sky + read_noise**2))
            rows, columns = add_trail(light, start, end, height, float(truth.channels[0].fwhm))
            trail.append(np.stack([rows + y0, columns + x0]))
        light *= response(detector, part.region)
        image[y0:y1, x0:x1] += light
    if truth.exptime > 0:
        image += dark_rate(detector) * np.float32(truth.exptime * detector.gain)
    if detector.levels.bleeds:
        bias = detector.levels.bias / detector.software_gain
        bleed(image, 1.02 * (detector.ceiling - bias) * detector.gain)
    return image, np.concatenate(trail, axis=1)


def _save_hits(plan: FramePlan, hits: Hits, trail: NDArray[np.int64]) -> None:
    from ..reduction.fitsio import atomic_write

    path = plan.truth_folder / "cosmics" / f"{plan.path.stem}.npz"
    with atomic_write(path) as stream:
        np.savez_compressed(
            stream, rows=hits.rows, columns=hits.columns, electrons=hits.electrons, hit=hits.hit,
            trail_rows=trail[0].astype(np.int16), trail_columns=trail[1].astype(np.int16),
        )  # fmt: skip


def _measured(plan: FramePlan, values: NDArray[np.uint16]) -> FrameTruth:
    """Complete the truth with what is seen in the frame as written."""
    channels = []
    saturation = plan.detector.saturation
    for channel in plan.truth.channels:
        y0, y1, x0, x1 = channel.area
        part = values[y0:y1, x0:x1]
        median = float(np.median(part))
        level = median / saturation
        verdict = ""
        if plan.truth.ftype == "flat":
            verdict = "UNDEREXPOSED" if level <= 0.2 else "SATURATED" if level >= 0.8 else "kept"
        saturated = int((part >= saturation).sum())
        channels.append(replace(channel, median=median, saturated=saturated, level=level, verdict=verdict))
    return replace(plan.truth, channels=tuple(channels))


def make_image(plan: FramePlan) -> tuple[NDArray[np.uint16], Hits, NDArray[np.int64]]:
    """Return the pixels as read out, the cosmic rays in them, and rows and columns under a satellite's trail."""
    detector = plan.detector
    levels = detector.levels
    rng = generator(plan.seed, "frame", plan.path.name)
    electrons, trail = expected_electrons(plan)
    hits = Hits(*(np.zeros(0, np.int32),) * 2, np.zeros(0, np.float32), np.zeros(0, np.int32), 0)
    if plan.noise:
        electrons = _add_noise(rng, electrons, levels.read_noise)
        hits = cosmic_rays(
            generator(plan.seed, "cosmics", plan.path.name),
            detector.shape,
            plan.cosmics,
            levels.pixel_micron,
            levels.depth_micron,
        )
        np.add.at(electrons, (hits.rows, hits.columns), hits.electrons)
    electrons *= np.float32(1 / detector.gain)
    electrons += bias_image(detector)
    electrons += np.float32(plan.drift)
    np.rint(electrons, out=electrons)
    np.clip(electrons, 0, detector.ceiling, out=electrons)
    return electrons.astype(np.uint16), hits, trail


def make_frame(plan: FramePlan) -> FrameTruth:
    """Make a raw frame and write it and its cosmic rays; return its truth, completed by what was measured."""
    from ..reduction.fitsio import atomic_write

    values, hits, trail = make_image(plan)
    header, pixels = fits_bytes(values, plan.cards)
    with atomic_write(plan.path) as stream:
        stream.write(header)
        stream.write(pixels)
    if plan.truth.ftype != "bias":
        _save_hits(plan, hits, trail)
    return replace(_measured(plan, values), cosmic_rays=hits.count)


def cosmic_count(detector: Detector, exptime: float, rate: float) -> float:
    """Return the mean number of cosmic rays in an exposure: 1.5 per square centimetre and minute, times the rate.

    Readout and the time between erasing and exposing add some 10 s.
    """
    rows, columns = detector.shape
    area = rows * columns * (detector.levels.pixel_micron * 1e-4) ** 2
    return rate * 1.5 * area * (exptime + 10) / 60


def describe_noise(sky_electrons: float, detector: Detector, dark_electrons: float) -> float:
    """Return the noise of an empty pixel, DN."""
    variance = max(sky_electrons, 0) + dark_electrons + detector.levels.read_noise**2
    return float(np.sqrt(variance) / detector.gain)
