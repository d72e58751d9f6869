"""What is left of the sky in a reduced frame, and how deep a coadd is: measured where the truth has no light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..instruments import registry
from ..reduction.fitsio import read_frame, read_header, read_pixels
from .frames import galaxy_light
from .levels import SKY_BRIGHTNESS, ZERO_POINTS
from .pointing import pixels_of
from .render import moffat_radius
from .score_frames import product_wcs
from .truth import ChannelTruth, FrameTruth, Truth

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BLOCK = 32
_NOISE_BLOCK = 8
_FAINTEST = 0.03
_LARGEST = 400.0


@dataclass(frozen=True)
class SkyScore:
    """What is left of the sky in a frame.

    Attributes
    ----------
    residual : float
        Robust scatter of the means of empty blocks of 32 x 32 px about zero, in units of the noise of an empty pixel;
        what the noise of the means makes is taken out. NaN when fewer than 20 blocks are empty.
    worst : float
        The largest of the blocks' absolute means, in the same units.
    blocks : int
        Blocks with a quarter or more of their pixels empty.
    """

    frame: str
    filter: str
    residual: float
    worst: float
    blocks: int


@dataclass(frozen=True)
class DepthScore:
    """A coadd against the best that its frames allow.

    Attributes
    ----------
    noise_ratio : float
        Scatter of means of 8 x 8 px of empty sky where all frames count (from differences of blocks, for the truth
        has galaxies and wings too faint to mask), in units of the optimally weighted mean's.
    stated_ratio : float
        The header's SKYSIGMA x NOISCORR in the same units.
    fwhm_ratio : float
        FWHM of its stars over the mean of the frames', both in arcsec.
    leftovers : float
        Share of the empty pixels off by more than 6 sigma: cosmic rays, trails, bad pixels.
    """

    name: str
    filter: str
    frames: int
    noise_ratio: float
    stated_ratio: float
    fwhm_ratio: float
    leftovers: float


def pixel_scale(truth: Truth, camera: int) -> float:
    """Return the pixel scale of a simulated camera, arcsec."""
    return registry.get(truth.instrument).camera(camera).scale * (2 if truth.instrument == "lmi" else 1)


def _lit(shape: tuple[int, int], x: Floats, y: Floats, reach: Floats) -> Bools:
    """Return the pixels within a reach (px) of any source."""
    lit = np.zeros(shape, dtype=bool)
    for cx, cy, radius in zip(x.tolist(), y.tolist(), reach.tolist(), strict=True):
        if not (-radius < cx < shape[1] + radius and -radius < cy < shape[0] + radius):
            continue
        top, left = max(int(cy - radius), 0), max(int(cx - radius), 0)
        part = lit[top : int(cy + radius) + 2, left : int(cx + radius) + 2]
        rows, columns = np.ogrid[top : top + part.shape[0], left : left + part.shape[1]]
        part |= np.hypot(rows - cy, columns - cx) <= radius
    return lit


def _reach(flux: Floats, fwhm: Floats, beta: float, faintest: float) -> Floats:
    """Return the radius (px) at which a Moffat source falls below a level; 0 for one that never reaches it."""
    scale = np.asarray(moffat_radius(fwhm, beta), dtype=np.float64)
    peak = flux * (beta - 1) / (np.pi * scale**2)
    bright = np.maximum(peak / faintest, 1.0)
    return np.minimum(scale * np.sqrt(bright ** (1 / beta) - 1), _LARGEST)


def block_means(image: Floats, empty: Bools, size: int, least: float) -> tuple[Floats, NDArray[np.int64]]:
    """Return means of the empty pixels of square blocks (NaN below a share of them) and their numbers.

    Parameters
    ----------
    image, empty : ndarray, shape (ny, nx)
    size : int
        Side of a block, px; a rest at the edges is left out.
    least : float
        Smallest share of empty pixels.
    """
    ny, nx = image.shape[0] // size, image.shape[1] // size
    inside = (slice(0, ny * size), slice(0, nx * size))
    counts = empty[inside].reshape(ny, size, nx, size).sum(axis=(1, 3))
    sums = np.where(empty[inside], image[inside], 0.0).reshape(ny, size, nx, size).sum(axis=(1, 3))
    means = np.where(counts >= least * size * size, sums / np.maximum(counts, 1), np.nan)
    return means, counts


def _galaxy_left(truth: Truth, frame: FrameTruth, channel: ChannelTruth, gain: float) -> Floats | float:
    """Return the large galaxy's light in a frame, DN; 0 when the field has none."""
    if truth.options.get("field") != "extended":
        return 0.0
    clear = ZERO_POINTS[truth.instrument][channel.band] + 2.5 * math.log10(frame.exptime)
    usual = 10 ** (-0.4 * (SKY_BRIGHTNESS[channel.band] - clear)) * pixel_scale(truth, frame.camera) ** 2
    stars = truth.stars()
    target = stars[np.flatnonzero(np.asarray(stars["target"]) == frame.target)[0]]
    px, py = pixels_of(frame.wcs, np.array([target["ra"]]), np.array([target["dec"]]))
    ny, nx = channel.area.shape
    y = np.linspace(-0.5, 0.5, ny, dtype=np.float32)[:, None] - np.float32((py[0] - channel.area.y0) / ny - 0.5)
    x = np.linspace(-0.5, 0.5, nx, dtype=np.float32)[None, :] - np.float32((px[0] - channel.area.x0) / nx - 0.5)
    return np.asarray(galaxy_light(x, y, 3 * usual * channel.transparency) / gain, dtype=np.float64)


def score_sky(path: Path | str, truth: Truth) -> SkyScore:
    """Measure what is left of the sky in a sky-subtracted product (``s``, ``z`` and later).

    Every pixel with more than 0.03 of the noise from a source of the truth is left out; a large galaxy is subtracted
    as it was put in, up to a constant.
    """
    path = Path(path)
    product = read_frame(path)
    frame = truth.frame(path.name)
    name = str(product.header.get("FILTER", ""))
    channel = frame.channel(name) if len(frame.channels) > 1 else frame.channels[0]
    image = np.asarray(product.image, dtype=np.float64)
    stars = truth.stars()
    x, y = pixels_of(frame.wcs, np.asarray(stars["ra_now"]), np.asarray(stars["dec_now"]))
    flux = 10 ** (-0.4 * (np.asarray(stars[channel.band], dtype=float) - channel.zero_point))
    fwhm = np.hypot(channel.fwhm, np.asarray(stars["size"]) / pixel_scale(truth, frame.camera))
    on = np.isfinite(x) & np.isfinite(y)
    beta = float(truth.options.get("beta", 3.2))
    reach = _reach(flux[on], fwhm[on], beta, _FAINTEST * channel.noise)
    shown = reach > 0
    x, y = (x - channel.area.x0)[on][shown], (y - channel.area.y0)[on][shown]
    empty = np.isfinite(image) & (product.mask == 0) & ~_lit((image.shape[0], image.shape[1]), x, y, reach[shown])
    rays = truth.cosmic_rays(frame)
    rows, columns = rays["trail_rows"] - channel.area.y0, rays["trail_columns"] - channel.area.x0
    trailed = (rows >= 0) & (rows < image.shape[0]) & (columns >= 0) & (columns < image.shape[1])
    empty[rows[trailed], columns[trailed]] = False
    galaxy = _galaxy_left(truth, frame, channel, float(product.header.get("GAIN", 1.0)))
    image = image - galaxy
    means, counts = block_means(image, empty, BLOCK, 0.25)
    good = np.isfinite(means)
    values = means[good] / channel.noise
    if values.size < 20:
        return SkyScore(path.name, channel.filter, math.nan, math.nan, int(values.size))
    if not np.isscalar(galaxy):
        values = values - np.median(values)
    scatter = 1.4826 * float(np.median(np.abs(values)))
    own = float(np.sqrt(np.median(1 / counts[good])))
    residual = math.sqrt(max(scatter**2 - own**2, 0.0))
    return SkyScore(path.name, channel.filter, residual, float(np.abs(values).max()), int(values.size))


def _members(header: Any, truth: Truth) -> list[tuple[FrameTruth, ChannelTruth]]:
    """Return the frames that a coadd was made of."""
    found = []
    for index in range(int(header.get("NSTACK", 0))):
        try:
            frame = truth.frame(str(header.get(f"STACK{index}", "")))
        except KeyError:
            continue
        name = str(header.get("FILTER", ""))
        found.append((frame, frame.channel(name) if len(frame.channels) > 1 else frame.channels[0]))
    return found


def score_depth(path: Path | str, truth: Truth, fwhm: float = math.nan) -> DepthScore:
    """Measure a coadd's noise on empty sky and its sharpness against what its frames allow.

    Parameters
    ----------
    fwhm : float
        FWHM of the coadd's stars, px; by default the header's SEEPIX.
    """
    path = Path(path)
    header = read_header(path)
    members = _members(header, truth)
    name, frames = str(header.get("FILTER", "")), int(header.get("NSTACK", 0))
    zero = float(header.get("ABSZPT", math.nan))
    if not members or not math.isfinite(zero) or truth.options.get("field") == "extended":
        # A large galaxy leaves no empty sky to measure.
        return DepthScore(path.name, name, frames, math.nan, math.nan, math.nan, math.nan)
    image = np.asarray(read_pixels(path), dtype=np.float64)
    empty = _empty_sky(path, image, header, truth, [channel for _, channel in members])
    noises = [channel.noise * 10 ** (0.4 * (zero - channel.zero_point)) for _, channel in members]
    best = 1 / math.sqrt(sum(noise**-2 for noise in noises))
    means, counts = block_means(image, empty, _NOISE_BLOCK, 0.8)
    # Neighbours share the resampled pixels at their border: every other block.
    variance = 1 / np.maximum(counts, 1)
    step = (means[:, 2:] - means[:, :-2]) / np.sqrt(variance[:, 2:] + variance[:, :-2])
    step = step[np.isfinite(step)]
    noise = 1.4826 * float(np.median(np.abs(step))) if step.size > 50 else math.nan
    # The pixels of a grid of another scale hold another share of the sky.
    # A camera's true scale differs from the nominal one by the mounting error that the night was given.
    scale = pixel_scale(truth, members[0][0].camera) * (1 + float(np.mean([frame.scale for frame, _ in members])))
    best *= float(header.get("PIXSCALE", scale)) / scale
    stated = float(header.get("SKYSIGMA", math.nan)) * float(header.get("NOISCORR", math.nan))
    values = image[empty]
    spread = 1.4826 * float(np.median(np.abs(values - np.median(values)))) if values.size else math.nan
    left = float((np.abs(values - np.median(values)) > 6 * spread).mean()) if values.size else math.nan
    width = fwhm if math.isfinite(fwhm) else float(header.get("SEEPIX", math.nan))
    width *= float(header.get("PIXSCALE", scale))
    # A pixel spreads a star by 0.68 px of FWHM, in quadrature; the truth tells the profile that falls on it.
    mean = float(np.mean([math.hypot(channel.fwhm, 0.68) for _, channel in members])) * scale
    return DepthScore(path.name, name, frames, noise / best, stated / best, width / mean, left)


def _empty_sky(path: Path, image: Floats, header: Any, truth: Truth, inputs: Sequence[ChannelTruth]) -> Bools:
    """Return the pixels of a coadd where all frames count and the truth has no light."""
    weight_path = path.with_suffix(".weight.fits")
    usable = np.isfinite(image)
    if weight_path.exists():
        weight = np.nan_to_num(np.asarray(read_pixels(weight_path), dtype=np.float64))
        usable &= weight > 0.9 * np.percentile(weight[weight > 0], 95)
    stars = truth.stars()
    x, y = product_wcs(path).all_world2pix(np.asarray(stars["ra_now"]), np.asarray(stars["dec_now"]), 0, quiet=True)
    zero = float(header.get("ABSZPT", math.nan))
    flux = 10 ** (-0.4 * (np.asarray(stars[inputs[0].band], dtype=float) - zero))
    seeing = max(channel.fwhm for channel in inputs)
    fwhm = np.hypot(seeing, np.asarray(stars["size"]) / float(header.get("PIXSCALE", 1.0)))
    noise = min(channel.noise for channel in inputs) / math.sqrt(len(inputs))
    on = np.isfinite(x) & np.isfinite(y)
    reach = _reach(flux[on], fwhm[on], float(truth.options.get("beta", 3.2)), 3 * _FAINTEST * noise)
    shown = reach > 0
    return usable & ~_lit((image.shape[0], image.shape[1]), x[on][shown], y[on][shown], reach[shown])
