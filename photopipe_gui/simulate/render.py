"""Drawing sources into an image of expected electrons, and what a full well does to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Image = NDArray[np.float32]

#: Share of a star's light that may fall outside of its stamp; the stamp is scaled to hold all of it.
TAIL = 1e-3
_STEPS = np.array([1.0, 1.5, 2.3, 3.6, 5.6, 9.0, 14.0])
_LARGEST_STAMP = 350
_CHUNK = 1_500_000


@dataclass(frozen=True)
class Sources:
    """Sources of one frame: positions (0-based pixels), total electrons, FWHM (px) and the shape of each.

    ``ellipticity`` is 1 - b/a with the FWHM that of the geometric mean axis, ``angle`` that of the long axis from +x
    towards +y, radians.
    """

    x: Floats
    y: Floats
    electrons: Floats
    fwhm: Floats
    ellipticity: Floats
    angle: Floats

    def __len__(self) -> int:
        return len(self.x)

    def select(self, keep: NDArray[Any]) -> Sources:
        """Return the sources of a boolean or index array."""
        names = ("x", "y", "electrons", "fwhm", "ellipticity", "angle")
        return Sources(*(getattr(self, name)[keep] for name in names))


def moffat_radius(fwhm: Floats | float, beta: float) -> Floats:
    """Return the scale radius (px) of a Moffat profile of given FWHM."""
    return np.asarray(np.asarray(fwhm) / (2 * np.sqrt(2 ** (1 / beta) - 1)), dtype=np.float64)


def moffat_outside(radius: Floats | float, fwhm: float, beta: float) -> Floats:
    """Return the share of a Moffat star's light beyond a radius (px): ``(1 + (R/a)^2)^(1 - beta)``."""
    outside: Floats = (1 + (np.asarray(radius) / moffat_radius(fwhm, beta)) ** 2) ** (1 - beta)
    return outside


def _stamp_radii(sources: Sources, beta: float, noise: float) -> NDArray[np.int64]:
    """Half-size of each stamp: down to `TAIL`, for bright stars down to a twentieth of the noise of a pixel."""
    scale = moffat_radius(sources.fwhm, beta)
    least = scale * np.sqrt(TAIL ** (1 / (1 - beta)) - 1)
    peak = sources.electrons * (beta - 1) / (np.pi * scale**2)
    bright = np.maximum(peak / max(0.05 * noise, 1e-6), 1.0)
    wanted = np.maximum(least, scale * np.sqrt(np.maximum(bright ** (1 / beta) - 1, 0)))
    step = _STEPS[np.minimum(np.searchsorted(_STEPS, wanted / least), len(_STEPS) - 1)]
    radii: NDArray[np.int64] = np.minimum(np.ceil(least.max() * step), _LARGEST_STAMP).astype(np.int64)
    return radii


def _stamps(part: Sources, radius: int, beta: float) -> NDArray[np.float32]:
    """Draw stars of one stamp size, shape (n, 2 r + 1, 2 r + 1); each sums to its electrons."""
    grid = np.arange(-radius, radius + 1, dtype=np.float32)
    shift_x = (part.x - np.rint(part.x)).astype(np.float32)
    shift_y = (part.y - np.rint(part.y)).astype(np.float32)
    squash = np.sqrt(1 - part.ellipticity)
    scale = moffat_radius(part.fwhm, beta)
    long, short = (scale / squash) ** -2.0, (scale * squash) ** -2.0
    cosine, sine = np.cos(part.angle), np.sin(part.angle)
    xx = (long * cosine**2 + short * sine**2).astype(np.float32)[:, None, None]
    yy = (long * sine**2 + short * cosine**2).astype(np.float32)[:, None, None]
    xy = (2 * (long - short) * sine * cosine).astype(np.float32)[:, None, None]
    # A profile narrower than three pixels is integrated over each pixel; a wide one changes too little across it.
    offsets = (-1 / 3, 0.0, 1 / 3) if part.fwhm.min() < 3 else (0.0,)
    total: Any = 0.0
    for fine_y in offsets:
        dy = (grid + np.float32(fine_y) - shift_y[:, None])[:, :, None]
        for fine_x in offsets:
            dx = (grid + np.float32(fine_x) - shift_x[:, None])[:, None, :]
            profile = xx * dx**2 + yy * dy**2
            profile += xy * dx * dy
            profile += 1
            np.log(profile, out=profile)
            profile *= np.float32(-beta)
            np.exp(profile, out=profile)
            total = total + profile
    total *= (part.electrons / total.sum(axis=(1, 2), dtype=np.float64)).astype(np.float32)[:, None, None]
    return np.asarray(total, dtype=np.float32)


def add_sources(image: Image, sources: Sources, beta: float, noise: float) -> None:
    """Add Moffat sources to an image of expected electrons, in place.

    Parameters
    ----------
    image : ndarray of float32, shape (ny, nx)
        Electrons.
    sources : Sources
        Those off the image are passed over; stamps are cut at its edge.
    beta : float
        Moffat exponent, above 1.
    noise : float
        Noise of an empty pixel (e-), which says how far the wings of a bright star are drawn.
    """
    ny, nx = image.shape
    if not len(sources):
        return
    radii = _stamp_radii(sources, beta, noise)
    on_image = (
        (sources.x > -radii) & (sources.x < nx + radii) & (sources.y > -radii) & (sources.y < ny + radii)
    )  # fmt: skip
    sources, radii = sources.select(on_image), radii[on_image]
    for radius in np.unique(radii):
        group = np.flatnonzero(radii == radius)
        step = max(int(_CHUNK // (2 * radius + 1) ** 2), 1)
        for start in range(0, len(group), step):
            part = sources.select(group[start : start + step])
            _place(image, _stamps(part, int(radius), beta), part, int(radius))


def _place(image: Image, stamps: NDArray[np.float32], part: Sources, radius: int) -> None:
    """Add stamps to the image, cut at its edges."""
    ny, nx = image.shape
    left = np.rint(part.x).astype(int) - radius
    low = np.rint(part.y).astype(int) - radius
    width = 2 * radius + 1
    for stamp, x, y in zip(stamps, left.tolist(), low.tolist(), strict=True):
        x0, x1, y0, y1 = max(x, 0), min(x + width, nx), max(y, 0), min(y + width, ny)
        if x0 < x1 and y0 < y1:
            image[y0:y1, x0:x1] += stamp[y0 - y : y1 - y, x0 - x : x1 - x]


def add_trail(
    image: Image, start: tuple[float, float], end: tuple[float, float], electrons: float, fwhm: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw a satellite's trail as a line of Gaussian cross-section, in place.

    Parameters
    ----------
    start, end : tuple of float
        x, y of the line's ends, px; the line goes on beyond them to the image's edges.
    electrons : float
        Height of the line, e-.
    fwhm : float
        Width of the line, px.

    Returns
    -------
    rows, columns : ndarray of int
        Pixels that the trail raises by more than 2 % of its height.
    """
    (x0, y0), (x1, y1) = start, end
    if abs(x1 - x0) < abs(y1 - y0):
        columns, rows = add_trail(image.T, (y0, x0), (y1, x1), electrons, fwhm)
        return rows, columns
    ny, nx = image.shape
    slope = (y1 - y0) / (x1 - x0)
    reach = 1.2 * fwhm * np.hypot(1, slope)
    line = y0 + (np.arange(nx) - x0) * slope
    rows = np.rint(line).astype(int)[:, None] + np.arange(-int(reach), int(reach) + 1)
    columns = np.broadcast_to(np.arange(nx)[:, None], rows.shape)
    across = (rows - line[:, None]) / np.hypot(1, slope)
    on = (rows >= 0) & (rows < ny)
    image[rows[on], columns[on]] += (electrons * np.exp(-4 * np.log(2) * (across[on] / fwhm) ** 2)).astype(np.float32)
    return rows[on], columns[on]


def bleed(image: Image, full_well: float) -> None:
    """Let the charge above the full well run along the columns, half of it up and half of it down, in place.

    Parameters
    ----------
    image : ndarray of float32
        Electrons; afterwards no pixel holds more than the full well.
    full_well : float
        e-.
    """
    above = image > full_well
    counts = above.sum(axis=0)
    # In a flat that is saturated as a whole there is nowhere to run to.
    crowded = above.mean() > 0.02
    for column in [] if crowded else np.flatnonzero(counts).tolist():
        values = image[:, column]
        edges = np.flatnonzero(np.diff(np.concatenate(([False], above[:, column], [False])).astype(np.int8)))
        for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            excess = float((values[start:end] - full_well).sum())
            _pour(values[end:], excess / 2, full_well)
            _pour(values[:start][::-1], excess / 2, full_well)
    np.minimum(image, np.float32(full_well), out=image)


def _pour(pixels: NDArray[np.float32], charge: float, full_well: float) -> None:
    """Fill pixels in their order up to the full well until the charge is used up, in place; the rest is lost."""
    room = np.maximum(full_well - pixels, 0)
    before = np.cumsum(room, dtype=np.float64) - room
    pixels += np.clip(charge - before, 0, room).astype(np.float32)
