"""Comparing a coadd with the truth: positions and magnitudes of its bright stars, noise of its sky."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..reduction.fitsio import read_header, read_pixels
from .render import moffat_outside
from .truth import ChannelTruth, Truth

Floats = NDArray[np.float64]

_APERTURE, _INNER, _OUTER = 3.0, 5.0, 8.0


@dataclass(frozen=True)
class CoaddScore:
    """A coadd.

    Attributes
    ----------
    frames : int
        NSTACK.
    stars : int
        Isolated stars of more than 100 sigma, not saturated in any frame.
    offset, scatter : float
        Median and robust scatter of ABSZPT (made to mean all light) - 2.5 log10(total flux) minus the true
        magnitude.
    bright_error : float
        Median of the absolute differences of the brightest ten.
    position : float
        Median distance between the stars' centroids and their true places, px.
    fwhm : float
        Median FWHM of those stars, px, from the share of the light within one of three SEEPIX.
    noise : float
        Robust scatter of the empty sky, DN.
    """

    name: str
    filter: str
    frames: int
    stars: int
    offset: float
    scatter: float
    bright_error: float
    position: float
    fwhm: float
    noise: float


def _wcs(path: Path) -> Any:
    from astropy.wcs import WCS, FITSFixedWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        return WCS(read_header(path))


def aperture_term(header: Any, fwhm: float, beta: float) -> float:
    """Return what a zero point owes to the light outside of its aperture, mag, negative; 0 when it counts all light.

    APERDEF other than ``total`` means light within APERRAD px; the stars are Moffat profiles of the night.
    """
    if str(header.get("APERDEF", "total")).lower() == "total" or "APERRAD" not in header:
        return 0.0
    return float(2.5 * np.log10(1 - moffat_outside(float(header["APERRAD"]), fwhm, beta)))


def _inputs(truth: Truth, target: str, filter_name: str) -> list[ChannelTruth]:
    from ..instruments.header import safe_name

    return [channel for frame in truth.frames if frame.ftype == "object" and not frame.fault
            for channel in frame.channels
            if channel.filter == filter_name and safe_name(frame.target) == safe_name(target)]  # fmt: skip


def centroid(stamp: Floats, fwhm: float) -> tuple[float, float]:
    """Return a star's offset (x, y, px) from the middle of a stamp, under a Gaussian window that follows it."""
    rows, columns = np.indices(stamp.shape) - stamp.shape[0] // 2
    x = y = 0.0
    for _ in range(15):
        weight = stamp * np.exp(-4 * np.log(2) * ((columns - x) ** 2 + (rows - y) ** 2) / fwhm**2)
        total = weight.sum()
        if not total > 0:
            return math.nan, math.nan
        x += float(2 * ((columns - x) * weight).sum() / total)
        y += float(2 * ((rows - y) * weight).sum() / total)
    return x, y


def _circle(distance_from: tuple[float, float], shape: tuple[int, int], radius: float) -> Floats:
    """Share of each pixel of a stamp within a circle about a place (x, y from its middle): 5 x 5 points in each."""
    rows, columns = np.indices(shape) - shape[0] // 2
    share = np.zeros(shape)
    for dy in np.linspace(-0.4, 0.4, 5):
        for dx in np.linspace(-0.4, 0.4, 5):
            share += np.hypot(rows + dy - distance_from[1], columns + dx - distance_from[0]) < radius
    return share / 25


def _width(inner_share: float, guess: float, beta: float) -> float:
    """FWHM of the Moffat star that has this share of the light within 3 guesses inside one guess."""
    tried = guess * np.linspace(0.6, 1.6, 401)
    shares = [
        (1 - moffat_outside(guess, width, beta)) / (1 - moffat_outside(3 * guess, width, beta)) for width in tried
    ]
    return float(np.interp(-inner_share, -np.array(shares), tried))


def _isolated(x: Floats, y: Floats, flux: Floats, chosen: NDArray[np.int64], fwhm: float) -> NDArray[np.bool_]:
    """Tell which of the chosen stars have all their neighbours' light below a hundredth of theirs."""
    clear = np.ones(len(chosen), dtype=bool)
    for n, k in enumerate(chosen.tolist()):
        near = np.hypot(x - x[k], y - y[k]) < (_APERTURE + 2) * fwhm
        far = np.hypot(x - x[k], y - y[k]) < _OUTER * fwhm
        clear[n] = flux[near].sum() < 1.004 * flux[k] and flux[far].sum() < 1.05 * flux[k]
    return clear


def _measure(image: Floats, x: float, y: float, fwhm: float, beta: float) -> tuple[float, float, float, float] | None:
    """Return total flux, x, y and FWHM of one star; None when its surroundings are not whole."""
    reach = math.ceil(_OUTER * fwhm)
    ix, iy = round(x), round(y)
    stamp = image[max(iy - reach, 0) : iy + reach + 1, max(ix - reach, 0) : ix + reach + 1]
    if stamp.shape != (2 * reach + 1, 2 * reach + 1):
        return None
    rows, columns = np.indices(stamp.shape) - reach
    distance = np.hypot(rows - (y - iy), columns - (x - ix))
    ring = (distance > _INNER * fwhm) & np.isfinite(stamp)
    inside = distance < _APERTURE * fwhm
    if ring.sum() < 0.7 * (distance > _INNER * fwhm).sum() or not np.isfinite(stamp[inside]).all():
        return None
    values = stamp[ring]
    for _ in range(3):
        middle, scatter = np.median(values), 1.4826 * np.median(np.abs(values - np.median(values)))
        values = values[np.abs(values - middle) < 3 * scatter + 1e-12]
    sky = float(np.median(values))
    clean = np.nan_to_num(stamp - sky)
    place = (x - ix, y - iy)
    flux = float((clean * _circle(place, stamp.shape, _APERTURE * fwhm)).sum())
    # What the ring's own starlight took from the sky, and what lies outside of the aperture.
    outside = float(moffat_outside(_APERTURE * fwhm, fwhm, beta))
    in_ring = float(moffat_outside(_INNER * fwhm, fwhm, beta) - moffat_outside(_OUTER * fwhm, fwhm, beta))
    ring_share = in_ring * _APERTURE**2 / (_OUTER**2 - _INNER**2)
    if not flux > 0:
        return None
    width = _width(float((clean * _circle(place, stamp.shape, fwhm)).sum()) / flux, fwhm, beta)
    cx, cy = centroid(clean, fwhm)
    return flux / (1 - outside - ring_share), ix + cx, iy + cy, width


def score_coadd(path: Path | str, truth: Truth) -> CoaddScore:
    """Compare a coadd's bright stars with the truth.

    Fluxes are summed within 3 FWHM and completed with the Moffat profile that the night was drawn with.
    """
    path = Path(path)
    header = read_header(path)
    image = np.asarray(read_pixels(path), dtype=np.float64)
    name, target = str(header.get("FILTER", "")), str(header.get("TARGNAME", ""))
    inputs = _inputs(truth, target, name)
    frames = int(header.get("NSTACK", len(inputs)))
    sky = image[np.isfinite(image) & (image != 0)]
    noise = float(1.4826 * np.median(np.abs(sky - np.median(sky)))) if sky.size else math.nan
    nan = math.nan
    nothing = CoaddScore(path.name, name, frames, 0, nan, nan, nan, nan, nan, noise)
    zero = float(header.get("ABSZPT", math.nan))
    if not inputs:
        return nothing
    stars = truth.stars()
    x, y = _wcs(path).all_world2pix(np.asarray(stars["ra_now"]), np.asarray(stars["dec_now"]), 0, quiet=True)
    magnitude = np.asarray(stars[inputs[0].band], dtype=float)
    zero_point = float(np.median([channel.zero_point for channel in inputs]))
    flux = 10 ** (-0.4 * (magnitude - zero_point))
    fwhm = float(header.get("SEEPIX", np.median([channel.fwhm for channel in inputs])))
    sharpest = min(channel.fwhm for channel in inputs)
    limit = _full_well(truth, inputs)
    ny, nx = image.shape
    on = np.isfinite(x) & np.isfinite(y) & (x > 0) & (x < nx - 1) & (y > 0) & (y < ny - 1)
    usable = (
        on & (flux * 0.4 / sharpest**2 < limit) & (flux > 100 * noise * fwhm * 2.5) & (np.asarray(stars["size"]) == 0)
    )
    chosen = np.flatnonzero(usable)
    chosen = chosen[_isolated(x, y, flux, chosen, fwhm)] if len(chosen) else chosen
    beta = float(truth.options.get("beta", 3.2))
    rows = [(k, measured) for k in chosen.tolist() if (measured := _measure(image, x[k], y[k], fwhm, beta))]
    if not rows:
        return nothing
    index = np.array([k for k, _ in rows])
    values = np.array([measured for _, measured in rows])
    zero -= aperture_term(header, float(np.median(values[:, 3])), beta)
    difference = zero - 2.5 * np.log10(values[:, 0]) - magnitude[index]
    offset = float(np.median(difference))
    scatter = float(1.4826 * np.median(np.abs(difference - offset)))
    ten = np.argsort(magnitude[index])[:10]
    position = float(np.median(np.hypot(values[:, 1] - x[index], values[:, 2] - y[index])))
    return CoaddScore(path.name, name, frames, len(rows), offset, scatter, float(np.median(np.abs(difference[ten]))),
                      position, float(np.median(values[:, 3])), noise)  # fmt: skip


def _full_well(truth: Truth, inputs: list[ChannelTruth]) -> float:
    """Peak (DN) above which a star may be saturated in some frame: 0.7 of the level, less the sky."""
    saturation = [channel.median / channel.level for channel in inputs if channel.level > 0]
    return 0.7 * (min(saturation) - max(channel.median for channel in inputs)) if saturation else math.inf
