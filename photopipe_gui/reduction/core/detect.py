"""Find the stars of an image: positions to a hundredth of a pixel, fluxes, sizes, and no cosmic rays among them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import sep
from numpy.typing import NDArray
from scipy.special import erf

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Bits of `Sources.flags` beside those of SExtractor (1 neighbour, 2 blended, 4 its saturation bit, 8 cut by the edge).
FLAG_BLEND = 1 | 2
FLAG_SATURATED = 4
FLAG_EDGE = 8
FLAG_MASKED = 16

_KERNEL = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], dtype=np.float32)
_KERNEL_NOISE = float(np.sqrt((_KERNEL**2).sum()) / _KERNEL.sum())
_SIGMA_TO_FWHM = float(2 * np.sqrt(2 * np.log(2)))
_CORE_LEVEL = 0.2
# A Gaussian cut off at the fraction f of its peak keeps 1 - f ln(1/f)/(1 - f) of its variance.
_CORE_VARIANCE = 1 - _CORE_LEVEL * np.log(1 / _CORE_LEVEL) / (1 - _CORE_LEVEL)
_STAMP_LIMIT = 4_000_000
_PIXEL_BUFFER = 2_000_000


@dataclass(frozen=True)
class Sources:
    """Stars and galaxies of one image, brightest first; all arrays have the same length.

    Attributes
    ----------
    x, y : ndarray
        Windowed centroids, zero-based pixels (x column, y row).
    flux, flux_err : ndarray
        Sum within a circle of radius one FWHM, and its error, in the image's unit.
    peak : ndarray
        Highest pixel above the background.
    fwhm : ndarray
        Full width at half maximum in px of a round Gaussian fitted to the core; NaN where it cannot be fitted.
    elongation, theta : ndarray
        Ratio of the axes, and angle of the major axis from x towards y in radians.
    flags : ndarray of int
        1 bright neighbour, 2 blended, 4 touches saturated pixels, 8 at the edge, 16 masked pixels within the core.
    snr : ndarray
        flux / flux_err.
    background, background_rms : float
        Median level of the background and its noise in one pixel.
    spikes : int
        Detections left out because they are narrower than any star of this image.
    """

    x: Floats
    y: Floats
    flux: Floats
    flux_err: Floats
    peak: Floats
    fwhm: Floats
    elongation: Floats
    theta: Floats
    flags: NDArray[np.int64]
    snr: Floats
    background: float = float("nan")
    background_rms: float = float("nan")
    spikes: int = 0

    @property
    def n(self) -> int:
        """Number of sources."""
        return len(self.x)

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index: NDArray[Any] | slice) -> Sources:
        """Return the sources chosen by an index, a boolean mask or a slice."""
        arrays = {f.name: getattr(self, f.name)[index] for f in fields(self) if f.name not in _SCALARS}
        return replace(self, **arrays)

    def centroid_sigma(self) -> Floats:
        """Return the expected error of each position per axis in px: sigma of the profile over the signal to noise."""
        seeing = measure_seeing(self)
        width = np.where(np.isfinite(self.fwhm), self.fwhm, seeing if np.isfinite(seeing) else 3.0)
        return np.asarray(width / _SIGMA_TO_FWHM / np.maximum(self.snr, 1.0))


_SCALARS = ("background", "background_rms", "spikes")


def no_sources(background: float = float("nan"), rms: float = float("nan")) -> Sources:
    """Return an empty list of sources."""
    empty = np.zeros(0)
    flags = np.zeros(0, dtype=np.int64)
    return Sources(empty, empty, empty, empty, empty, empty, empty, empty, flags, empty, background, rms)


def detect(
    image: NDArray[Any],
    mask: NDArray[Any] | None = None,
    *,
    threshold: float = 5.0,
    gain: float | None = None,
    saturation: float | None = None,
    saturated: NDArray[np.bool_] | None = None,
    min_area: int = 5,
    max_sources: int | None = None,
) -> Sources:
    """Find the sources of an image.

    Parameters
    ----------
    image : ndarray, shape (ny, nx)
        Any level and gradient of the background; NaN pixels count as masked.
    mask : ndarray, shape (ny, nx), optional
        Non-zero pixels are left out. Pass saturated pixels in `saturated` instead, or bright stars lose their cores.
    threshold : float
        Lowest peak in the image smoothed by a 3 x 3 kernel, in units of the noise of that smoothed image.
    gain : float, optional
        e-/DN, for the star's own noise in `flux_err`.
    saturation : float, optional
        Pixels of `image` at or above this level are saturated.
    saturated : ndarray of bool, optional
        Saturated pixels, where the levels of `image` no longer tell.
    min_area : int
        Fewest connected pixels above the threshold.
    max_sources : int, optional
        Keep the brightest.

    Returns
    -------
    Sources
        Brightest first; empty for an image without good pixels or without stars.

    Notes
    -----
    Hot pixels and cosmic rays are left out by two tests on the core, both relative to the seeing that the image's own
    round unsaturated sources show: the share of the brightest pixel in the nine around it, and the smaller axis of the
    second moments above a fifth of the peak.
    """
    data = np.array(image, dtype=np.float32, order="C", copy=True)
    bad = ~np.isfinite(data)
    if mask is not None:
        bad |= np.asarray(mask) != 0
    if data.ndim != 2 or bad.sum() > bad.size - 100 or min(data.shape) < 16:
        return no_sources()
    sat = np.zeros(data.shape, dtype=bool) if saturated is None else np.asarray(saturated, dtype=bool)
    if saturation is not None and np.isfinite(saturation):
        with np.errstate(invalid="ignore"):
            sat = sat | (data >= saturation)
    data[bad] = 0.0
    level, noise, rms = _subtract_background(data, bad)
    if not np.isfinite(rms) or rms <= 0:
        return no_sources(level)
    found, segments = _extract(data, bad, noise, threshold * _KERNEL_NOISE, min_area, bool(sat.any()))
    if not len(found):
        return no_sources(level, rms)
    flags = found["flag"].astype(np.int64) & (FLAG_BLEND | FLAG_EDGE)
    if segments is not None:
        touched = np.unique(segments[sat])
        flags[touched[touched > 0] - 1] |= FLAG_SATURATED
    sources = _measure(data, bad, found, flags, rms, gain)
    sources = replace(sources, background=level, background_rms=rms)
    order = np.argsort(-sources.flux, kind="stable")
    return sources.take(order[:max_sources])


def _subtract_background(data: NDArray[np.float32], bad: Bools) -> tuple[float, NDArray[np.float32], float]:
    """Subtract a smooth background in place; return its median level, the noise map and the median noise."""
    cell = int(np.clip(min(data.shape) // 12, 24, 96))
    background = sep.Background(data, mask=bad, bw=cell, bh=cell, fw=3, fh=3)
    background.subfrom(data)
    data[bad] = 0.0
    noise = background.rms()
    rms = float(background.globalrms)
    if rms > 0:
        # A cell full of one star, or a cell of constant pixels, must not stop the rest from being found.
        np.clip(noise, 0.3 * rms, 5 * rms, out=noise)
    return float(background.globalback), noise, rms


def _extract(
    data: NDArray[np.float32], bad: Bools, noise: NDArray[np.float32], level: float, min_area: int, want_map: bool
) -> tuple[NDArray[Any], NDArray[np.int32] | None]:
    """Run the extraction, again at a higher level where the image is too crowded for its buffers."""
    sep.set_extract_pixstack(_PIXEL_BUFFER)
    for factor in (1.0, 2.0, 4.0, 10.0, 40.0):
        try:
            out = sep.extract(
                data, level * factor, err=noise, mask=bad, minarea=min_area, filter_kernel=_KERNEL, filter_type="conv",
                deblend_nthresh=16, deblend_cont=0.005, clean=True, segmentation_map=want_map,
            )
        except Exception as error:
            if "overflow" in str(error) or "buffer" in str(error) or "limit" in str(error):
                continue
            raise
        return (out[0], out[1]) if want_map else (out, None)
    return np.zeros(0, dtype=[("x", float)]), None


@dataclass(frozen=True)
class _Cores:
    """Shape of the brightest pixels of each source."""

    fwhm: Floats
    minor: Floats
    share: Floats
    masked: Bools


def _measure(
    data: NDArray[np.float32], bad: Bools, found: NDArray[Any], flags: NDArray[np.int64], rms: float, gain: float | None
) -> Sources:
    """Measure what the extraction found and leave out what is no star."""
    size = _SIGMA_TO_FWHM * np.sqrt(np.maximum(found["a"] * found["b"], 0.25))
    half = int(np.clip(np.ceil(np.percentile(size, 70)), 3, 10))
    cores = _measure_cores(data, bad, found["xpeak"].astype(np.intp), found["ypeak"].astype(np.intp), half, rms)
    elongation = found["a"] / np.maximum(found["b"], 1e-3)
    blunt = (flags == 0) & (cores.share < 0.5) & (elongation < 1.7) & (cores.minor > 0)
    seeing = _typical_fwhm(cores.fwhm, found["peak"] / rms, blunt)
    star = ~_is_spike(cores, found["peak"] / rms, seeing)
    found, flags, elongation = found[star], flags[star], elongation[star]
    flags = flags | np.where(cores.masked[star], FLAG_MASKED, 0)
    width = seeing if np.isfinite(seeing) else 3.0
    x, y, drift = sep.winpos(data, found["x"], found["y"], width / _SIGMA_TO_FWHM, mask=bad, subpix=0)
    lost = (np.hypot(x - found["x"], y - found["y"]) > 0.5 * width) | (drift != 0) | ~np.isfinite(x + y)
    x, y = np.where(lost, found["x"], x), np.where(lost, found["y"], y)
    flux, flux_err, _ = sep.sum_circle(data, x, y, max(width, 1.5), err=rms, gain=gain, mask=bad, subpix=5)
    flux_err = np.maximum(flux_err, 1e-12)
    sources = Sources(
        x, y, flux, flux_err, found["peak"].astype(float), cores.fwhm[star], elongation.astype(float),
        found["theta"].astype(float), flags, flux / flux_err, spikes=int((~star).sum()),
    )
    ny, nx = data.shape
    inside = np.isfinite(x + y + flux) & (flux > 0) & (x > -0.5) & (y > -0.5) & (x < nx - 0.5) & (y < ny - 0.5)
    return sources.take(inside)


def _measure_cores(
    data: NDArray[np.float32], bad: Bools, px: NDArray[np.intp], py: NDArray[np.intp], half: int, rms: float
) -> _Cores:
    """Measure every source's core on square stamps about the brightest pixel, in pieces of bounded memory."""
    piece = max(1, _STAMP_LIMIT // (2 * half + 1) ** 2)
    parts = [
        _stamp_shapes(data, bad, px[i : i + piece], py[i : i + piece], half, rms) for i in range(0, len(px), piece)
    ]
    return _Cores(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _stamp_shapes(
    data: NDArray[np.float32], bad: Bools, px: NDArray[np.intp], py: NDArray[np.intp], half: int, rms: float
) -> tuple[Floats, Floats, Floats, Bools]:
    """Return FWHM, smaller axis, share of the brightest pixel in its 3 x 3, and masked pixels in the 3 x 3."""
    ny, nx = data.shape
    offset = np.arange(-half, half + 1)
    rows, cols = py[:, None] + offset, px[:, None] + offset
    inside = ((rows >= 0) & (rows < ny))[:, :, None] & ((cols >= 0) & (cols < nx))[:, None, :]
    rows, cols = np.clip(rows, 0, ny - 1), np.clip(cols, 0, nx - 1)
    at = (rows[:, :, None], cols[:, None, :])
    stamp = data[at].astype(np.float64)
    good = inside & ~bad[at]
    near = (slice(None), slice(half - 1, half + 2), slice(half - 1, half + 2))
    peak = np.maximum(stamp[:, half, half], 1e-30)
    nine = np.where(good[near], np.maximum(stamp[near], 0.0), 0.0).sum((1, 2))
    floor = np.maximum(_CORE_LEVEL * peak, 1.5 * rms)
    value = np.where(good & (stamp > floor[:, None, None]), stamp, 0.0)
    value[np.hypot(offset[:, None], offset[None, :])[None].repeat(len(px), 0) > half + 0.5] = 0.0
    total = np.maximum(value.sum((1, 2)), 1e-30)
    mx = (value * offset).sum((1, 2)) / total
    my = (value * offset[:, None]).sum((1, 2)) / total
    dx, dy = offset[None, None, :] - mx[:, None, None], offset[None, :, None] - my[:, None, None]
    xx, yy = (value * dx**2).sum((1, 2)) / total, (value * dy**2).sum((1, 2)) / total
    xy = (value * dx * dy).sum((1, 2)) / total
    minor = 0.5 * (xx + yy) - np.sqrt(0.25 * (xx - yy) ** 2 + xy**2)
    fwhm = _log_fit(value, dx**2 + dy**2)
    # Faint cores are cut above the fifth of their peak: the variance left depends on where the cut is.
    cut = np.clip(floor / peak, _CORE_LEVEL, 0.95)
    kept = 1 - cut * np.log(1 / cut) / (1 - cut)
    share = np.clip(stamp[:, half, half] / np.maximum(nine, 1e-30), 0, 1)
    return fwhm, np.maximum(minor, 0) / kept, share, ~good[near].all((1, 2))


def _log_fit(value: Floats, r2: Floats) -> Floats:
    """Fit ln I = c - r2 / (2 sigma^2) with weights I^2 over the pixels above the floor; return the FWHM in px."""
    weight = value**2
    log = np.log(np.where(value > 0, value, 1.0))
    s0 = np.maximum(weight.sum((1, 2)), 1e-300)
    m1 = (weight * r2).sum((1, 2)) / s0
    m2 = (weight * log).sum((1, 2)) / s0
    top = (weight * (r2 - m1[:, None, None]) * (log - m2[:, None, None])).sum((1, 2))
    bottom = (weight * (r2 - m1[:, None, None]) ** 2).sum((1, 2))
    enough = ((value > 0).sum((1, 2)) >= 3) & (bottom > 0)
    slope = np.where(enough, top / np.where(enough, bottom, 1.0), 0.0)
    usable = slope < -1e-4
    return np.where(usable, _SIGMA_TO_FWHM * np.sqrt(0.5 / np.where(usable, -slope, 1.0)), np.nan)


def _is_spike(cores: _Cores, peak_snr: Floats, seeing: float) -> Bools:
    """Tell cosmic rays and hot pixels from stars."""
    if not np.isfinite(seeing):
        return np.asarray((cores.share > 0.55) | (cores.minor < 0.05))
    sigma = max(seeing, 1.0) / _SIGMA_TO_FWHM
    centred = float((erf(0.5 / (sigma * np.sqrt(2))) / erf(1.5 / (sigma * np.sqrt(2)))) ** 2)
    # The noise of a faint core widens what a star may look like.
    slack = 1.5 / np.maximum(peak_snr, 2.0)
    too_sharp = cores.share > 1.35 * centred + 0.08 + slack
    too_thin = cores.minor < (0.55 - slack).clip(0.0) ** 2 * sigma**2
    return np.asarray(too_sharp | too_thin)


def _typical_fwhm(fwhm: Floats, peak_snr: Floats, blunt: Bools) -> float:
    """Return the commonest width of the trustworthy sources, NaN without any."""
    usable = blunt & np.isfinite(fwhm) & (fwhm > 0.8)
    for limit in (30.0, 15.0, 8.0, 0.0):
        chosen = fwhm[usable & (peak_snr > limit)]
        if len(chosen) >= 8:
            break
    return _mode(chosen)


def _mode(values: Floats) -> float:
    """Median of the densest half, twice over: the locus of stars below the tail of galaxies and blends."""
    if not len(values):
        return float("nan")
    ordered = np.sort(values)
    while len(ordered) > 10:
        half = (len(ordered) + 1) // 2
        widths = ordered[half - 1 :] - ordered[: len(ordered) - half + 1]
        start = int(np.argmin(widths))
        ordered = ordered[start : start + half]
    centre = float(np.median(ordered))
    return float(np.median(values[np.abs(values - centre) < 0.2 * centre]))


def measure_seeing(sources: Sources) -> float:
    """Return the FWHM in px of the image's stars: the commonest width of round, unsaturated, unblended sources.

    NaN when there is no such source.
    """
    clean = (sources.flags == 0) & (sources.elongation < 1.7)
    noise = max(sources.background_rms, 1e-30) if np.isfinite(sources.background_rms) else 1.0
    return _typical_fwhm(sources.fwhm, sources.peak / noise, clean if clean.any() else sources.flags < 4)
