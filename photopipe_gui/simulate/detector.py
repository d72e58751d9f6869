"""The simulated detectors: bias, dark current, response and fringes, each a function of what it is asked for alone."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..instruments.cards import Area
from .levels import DETECTORS, FRINGES, DetectorLevels
from .randomness import generator

Image = NDArray[np.float32]

_REFERENCE_PIXELS = 4


@dataclass(frozen=True)
class Region:
    """One filter's part of a detector.

    Attributes
    ----------
    suffix, filter, band : str
        Half of a split camera (``a``, ``b`` or empty), filter as the instrument names it, photometric band.
    light : Area
        Pixels that see light through this filter.
    science : Area
        Pixels that the reduction keeps.
    """

    suffix: str
    filter: str
    band: str
    light: Area
    science: Area


@dataclass(frozen=True)
class Detector:
    """One camera of one night: enough to make every one of its calibration images again.

    ``gain`` is e-/DN, ``ceiling`` the largest value that a pixel is read as, ``saturation`` the level in DN from
    which the instrument calls it saturated, ``software_gain`` divides the pedestal.
    """

    instrument: str
    camera: int
    shape: tuple[int, int]
    seed: int
    gain: float
    software_gain: float
    ceiling: float
    saturation: float
    infrared: bool

    @property
    def levels(self) -> DetectorLevels:
        """The camera's constants."""
        return DETECTORS[self.instrument, self.camera]

    def rng(self, *purpose: object) -> np.random.Generator:
        """Return the generator of one property of this detector."""
        return generator(self.seed, self.instrument, f"C{self.camera}", *purpose)


def _spline(pixels: int, cell: int) -> NDArray[np.float32]:
    """Weights of the uniform cubic B-splines at each pixel, shape (pixels, knots)."""
    knots = pixels // cell + 4
    distance = np.abs(np.arange(pixels)[:, None] / cell + 1 - np.arange(knots)[None, :])
    near, far = 2 / 3 - distance**2 + distance**3 / 2, np.clip(2 - distance, 0, None) ** 3 / 6
    return np.where(distance < 1, near, far).astype(np.float32)


def _smooth(rng: np.random.Generator, shape: tuple[int, int], cell: int, scatter: float) -> Image:
    """Return a smooth random field of zero mean and of that scatter: cubic splines on knots ``cell`` pixels apart."""
    rows, columns = _spline(shape[0], cell), _spline(shape[1], cell)
    coarse = rng.standard_normal((rows.shape[1], columns.shape[1]), dtype=np.float32)
    fine = (rows @ coarse) @ columns.T
    return np.asarray((fine - fine.mean()) * np.float32(scatter / max(float(fine.std()), 1e-6)), dtype=np.float32)


@functools.lru_cache(maxsize=4)
def bias_image(detector: Detector) -> Image:
    """Return the true bias, DN: pedestal, columns, a slow ramp along the rows, a glow at the amplifier."""
    levels, rng = detector.levels, detector.rng("bias")
    ny, nx = detector.shape
    image = np.full(detector.shape, levels.bias / detector.software_gain, dtype=np.float32)
    if levels.bias == 0:
        return image
    image += rng.normal(0, levels.bias_columns, nx).astype(np.float32)[None, :]
    image += (rng.normal(1.5, 0.5) * np.exp(-np.arange(ny) / (0.08 * ny))).astype(np.float32)[:, None]
    image += np.linspace(0, rng.normal(0, 1.5), nx, dtype=np.float32)[None, :]
    image += rng.normal(0, 0.35, detector.shape).astype(np.float32)
    return image


@functools.lru_cache(maxsize=4)
def dark_rate(detector: Detector) -> Image:
    """Return the true dark current, DN/s: level, a warm corner, hot pixels, a few warm columns."""
    levels, rng = detector.levels, detector.rng("dark")
    ny, nx = detector.shape
    corner = np.hypot(*np.meshgrid(np.linspace(0, 1, ny), np.linspace(0, 1, nx), indexing="ij"))
    rate = (levels.dark * (0.85 + 0.4 * np.exp(-3 * corner))).astype(np.float32)
    hot = rng.random(detector.shape, dtype=np.float32) < levels.hot_fraction
    count = int(hot.sum())
    rate[hot] += (rng.exponential(levels.hot_rate, count) * rng.lognormal(0, 0.7, count)).astype(np.float32)
    for column in rng.integers(0, nx, 2 if levels.bleeds else 0).tolist():
        rate[: int(rng.integers(ny // 4, ny)), column] += np.float32(4 * levels.dark)
    if not levels.bleeds:
        edge = _REFERENCE_PIXELS
        rate[:edge], rate[-edge:], rate[:, :edge], rate[:, -edge:] = 0, 0, 0, 0
    # No pixel may fill up in a flat exposure by its dark current alone: such a pixel would belong in the flat's mask.
    limit = np.float32(0.004 * detector.saturation)
    return np.asarray(np.minimum(rate / np.float32(detector.gain), limit), dtype=np.float32)


@functools.lru_cache(maxsize=8)
def dark_level(detector: Detector) -> float:
    """Return the median dark current, DN/s."""
    return float(np.median(dark_rate(detector)))


def _doughnuts(rng: np.random.Generator, image: Image, count: int) -> None:
    """Multiply shadows of dust into an image: rings with a lighter middle."""
    ny, nx = image.shape
    for _ in range(count):
        cy, cx = rng.uniform(0, ny), rng.uniform(0, nx)
        radius, depth = rng.uniform(0.006, 0.035) * max(nx, ny) + 3, rng.uniform(0.01, 0.07)
        reach = int(radius * 1.6) + 2
        y0, y1, x0, x1 = max(int(cy) - reach, 0), int(cy) + reach, max(int(cx) - reach, 0), int(cx) + reach
        part = image[y0:y1, x0:x1]
        y, x = np.ogrid[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]]
        distance = np.hypot(y - cy, x - cx)
        ring = 1 / (1 + np.exp((distance - radius) / 1.2)) - 0.65 / (1 + np.exp((distance - 0.45 * radius) / 1.2))
        part *= (1 - depth * ring).astype(np.float32)


@functools.lru_cache(maxsize=8)
def response(detector: Detector, region: Region) -> Image:
    """Return the true response on a region's lit pixels (shape of ``region.light``), median 1 on the science area.

    Vignetting, slow structure, pixel-to-pixel scatter (partly the same in every filter), dust on the window (the same
    in every filter) and on the filter, dead pixels and poor columns (the same in every filter).
    """
    levels = detector.levels
    common, own = detector.rng("response"), detector.rng("response", region.filter)
    ny, nx = detector.shape
    pixels = common.standard_normal(detector.shape, dtype=np.float32)
    pixels = 1 + np.float32(levels.pixel_response) * (
        np.float32(0.9) * pixels + np.float32(0.436) * own.standard_normal(detector.shape, dtype=np.float32)
    )
    pixels *= 1 + _smooth(common, detector.shape, max(ny // 6, 40), 0.02 if levels.bleeds else 0.04)
    pixels *= 1 + _smooth(own, detector.shape, max(ny // 4, 40), 0.01)
    _doughnuts(common, pixels, 10)
    _doughnuts(own, pixels, 5)
    dead = common.random(detector.shape, dtype=np.float32) < (0.0003 if levels.bleeds else 0.002)
    pixels[dead] *= common.uniform(0, 0.25, int(dead.sum())).astype(np.float32)
    for column in common.integers(0, nx, 2 if levels.bleeds else 1).tolist():
        pixels[:, column] *= np.float32(common.choice([0.08, 0.5, 0.8]))
    y, x = np.ogrid[-1 : 1 : ny * 1j, -1 : 1 : nx * 1j]
    cy, cx = own.normal(0, 0.05, 2)
    pixels *= (1 - levels.vignetting / 2 * ((y - cy) ** 2 + (x - cx) ** 2)).astype(np.float32)
    y0, y1, x0, x1 = region.light
    image = np.ascontiguousarray(np.maximum(pixels[y0:y1, x0:x1], 0))
    inner = image[_inside(region)]
    return np.asarray(image / np.float32(np.median(inner)), dtype=np.float32)


def _inside(region: Region) -> tuple[slice, slice]:
    """Where the science area lies in the region's lit pixels."""
    light, science = region.light, region.science
    return (
        slice(science.y0 - light.y0, science.y1 - light.y0),
        slice(science.x0 - light.x0, science.x1 - light.x0),
    )


@functools.lru_cache(maxsize=6)
def fringes(detector: Detector, region: Region) -> Image | None:
    """Return a region's fringe pattern as a fraction of the sky level, rms as in `FRINGES`; None without fringes."""
    strength = FRINGES.get(region.band, 0.0)
    if strength == 0:
        return None
    rng = detector.rng("fringes", region.filter)
    ny, nx = region.light.shape
    phase = _smooth(rng, (ny, nx), max(nx // 5, 50), 3.0)
    y, x = np.ogrid[0 : 1 : ny * 1j, 0 : 1 : nx * 1j]
    phase += (rng.uniform(8, 14) * x + rng.uniform(-6, 6) * y).astype(np.float32)
    contrast = 1 + _smooth(rng, (ny, nx), max(nx // 3, 50), 0.35)
    pattern = np.cos(np.float32(2 * np.pi) * phase) * contrast
    pattern -= pattern.mean()
    return np.asarray(pattern * np.float32(strength / float(pattern.std())), dtype=np.float32)


def lit_area(detector: Detector, science: Area, half: str) -> Area:
    """Return the pixels that see light through one filter.

    CCDs of LMI have overscan around the science area; the arrays of split cameras are lit on either side of the middle
    of the gap, reference pixels never.
    """
    ny, nx = detector.shape
    if detector.instrument == "lmi":
        return science
    if not detector.infrared:
        return Area(0, ny, 0, nx)
    edge = _REFERENCE_PIXELS if detector.instrument == "ratir" else 0
    if half == "a":
        return Area(edge, ny // 2 + 20, edge, nx - edge)
    if half == "b":
        return Area(ny // 2 + 20, ny - edge, edge, nx - edge)
    return Area(edge, ny - edge, edge, nx - edge)
