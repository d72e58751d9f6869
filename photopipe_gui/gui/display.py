"""From pixels to what the screen shows: limits, stretches, colour tables. Arrays in, arrays out, no Qt."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy.visualization import ZScaleInterval
from numpy.typing import NDArray

STRETCHES = ("zscale", "percentile", "asinh", "log", "linear")
COLOR_MAPS = ("grey", "inverted grey", "viridis", "inferno", "cividis", "rainbow")

#: Display indices 0..TOP are brightness; the ones above are states of a pixel.
TOP = 250
CONTOUR, SATURATED, BAD = 253, 254, 255
_SAMPLE = 160  # pixels of the subsample along each axis
_STEPS = 65536


def sample(image: NDArray[Any]) -> NDArray[np.float32]:
    """Return some 25,000 finite pixels spread over the image, flat; empty when there is none."""
    ny, nx = image.shape
    part = image[:: max(1, ny // _SAMPLE), :: max(1, nx // _SAMPLE)].astype(np.float32).ravel()
    return part[np.isfinite(part)]


def limits(image: NDArray[Any], stretch: str) -> tuple[float, float]:
    """Return the values shown darkest and brightest.

    Parameters
    ----------
    image : ndarray, shape (ny, nx)
        Any real type; NaN ignored.
    stretch : str
        One of `STRETCHES`. ``zscale``: the IRAF algorithm; ``percentile``: 0.5 and 99.5 %; ``asinh``: the zscale floor
        and 99.9 %; ``log``: 1 % and the maximum; ``linear``: minimum and maximum.

    Returns
    -------
    low, high : float
        Always finite, ``low < high``.
    """
    part = sample(image)
    if part.size == 0:
        return 0.0, 1.0
    if stretch == "percentile":
        low, high = np.percentile(part, (0.5, 99.5))
    elif stretch == "log":
        low, high = np.percentile(part, 1.0), np.nanmax(image)
    elif stretch == "linear":
        low, high = np.nanmin(image), np.nanmax(image)
    else:
        low, high = _zscale(part)
        if stretch == "asinh":
            high = max(high, float(np.percentile(part, 99.9)))
    low, high = float(low), float(high)
    if not (np.isfinite(low) and np.isfinite(high)):
        return 0.0, 1.0
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _zscale(part: NDArray[np.float32]) -> tuple[float, float]:
    if float(part.min()) == float(part.max()):
        return float(part[0]), float(part[0])
    low, high = ZScaleInterval(n_samples=2000, max_iterations=5).get_limits(part)
    return float(low), float(high)


def _curve(fraction: NDArray[np.float32], stretch: str) -> NDArray[np.float32]:
    """Brightness 0..1 for a place 0..1 between the limits."""
    if stretch == "asinh":
        return np.arcsinh(fraction * 10.0) / np.float32(np.arcsinh(10.0))
    if stretch == "log":
        return np.log1p(fraction * 1000.0) / np.float32(np.log(1001.0))
    return fraction


def to_indices(
    image: NDArray[Any],
    low: float,
    high: float,
    stretch: str,
    *,
    saturation: float | None = None,
    bad: NDArray[np.bool_] | None = None,
    contour: float | None = None,
) -> NDArray[np.uint8]:
    """Turn an image into display indices.

    Parameters
    ----------
    image : ndarray, shape (ny, nx)
        Unsigned 16-bit integers go through one table; other types through float32.
    low, high : float
        From `limits`.
    stretch : str
        One of `STRETCHES`.
    saturation : float, optional
        Pixels at or above it get the index `SATURATED`.
    bad : ndarray of bool, optional
        Pixels to mark `BAD`; NaN always is.
    contour : float, optional
        Pixels on the edge of the region above this level get the index `CONTOUR`.

    Returns
    -------
    ndarray of uint8, shape (ny, nx)
    """
    scale = np.float32(1.0 / (high - low))
    if image.dtype == np.uint16:
        steps = np.arange(65536, dtype=np.float32)
        fraction = np.clip((steps - np.float32(low)) * scale, 0.0, 1.0)
        table = (_curve(fraction, stretch) * TOP + 0.5).astype(np.uint8)
        if saturation is not None:
            table[max(0, int(np.ceil(saturation))) :] = SATURATED
        indices = table[image]
    else:
        indices = _float_indices(image, low, scale, stretch)
        if saturation is not None:
            indices[image >= saturation] = SATURATED
    if contour is not None:
        _draw_contour(indices, image > contour)
    if bad is not None and bad.shape == indices.shape:
        indices[bad] = BAD
    return indices


def _float_indices(image: NDArray[Any], low: float, scale: np.float32, stretch: str) -> NDArray[np.uint8]:
    linear = stretch not in ("asinh", "log")
    top = TOP if linear else _STEPS - 1
    work = np.subtract(image, np.float32(low), dtype=np.float32)
    work *= scale * np.float32(top)
    finite = np.isfinite(work)
    clean = bool(finite.all())
    if not clean:
        work[~finite] = 0.0
    np.clip(work, 0.0, top, out=work)
    if linear:
        work += np.float32(0.5)
        indices = work.astype(np.uint8)
    else:
        table = (_curve(np.linspace(0, 1, _STEPS, dtype=np.float32), stretch) * TOP + 0.5).astype(np.uint8)
        indices = table[work.astype(np.uint16)]
    if not clean:
        # Infinities keep their side of the scale; only NaN is no measurement.
        indices[np.isposinf(image)] = TOP
        indices[np.isnan(image)] = BAD
    return indices


def _draw_contour(indices: NDArray[np.uint8], above: NDArray[np.bool_]) -> None:
    """Mark the pixels above the level that touch one below it; single pixels are noise and left out."""
    inner = above.copy()
    inner[1:, :] &= above[:-1, :]
    inner[:-1, :] &= above[1:, :]
    inner[:, 1:] &= above[:, :-1]
    inner[:, :-1] &= above[:, 1:]
    grown = inner.copy()
    grown[1:, :] |= inner[:-1, :]
    grown[:-1, :] |= inner[1:, :]
    grown[:, 1:] |= inner[:, :-1]
    grown[:, :-1] |= inner[:, 1:]
    indices[grown & ~inner] = CONTOUR


def thumbnail_indices(preview: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a small preview as zscaled display indices, contiguous."""
    low, high = limits(preview, "zscale")
    return np.ascontiguousarray(to_indices(np.asarray(preview, dtype=np.float32), low, high, "zscale"))


def color_table(name: str, tint: str = "#ffffff") -> NDArray[np.uint8]:
    """Return red, green, blue of the indices 0..`TOP` for a colour map.

    Parameters
    ----------
    name : str
        One of `COLOR_MAPS`.
    tint : str
        ``#rrggbb`` of the brightest grey; the red theme passes a red.

    Returns
    -------
    ndarray of uint8, shape (TOP + 1, 3)
    """
    place = np.linspace(0.0, 1.0, TOP + 1)
    if name in ("grey", "inverted grey"):
        if name == "inverted grey":
            place = place[::-1]
        top = np.array([int(tint[i : i + 2], 16) for i in (1, 3, 5)])
        return (place[:, None] * top + 0.5).astype(np.uint8)
    stops = np.array(_STOPS[name], dtype=float)
    knots = np.linspace(0.0, 1.0, len(stops))
    return np.stack([np.interp(place, knots, stops[:, i]) for i in range(3)], axis=1).astype(np.uint8)


#: A few points of each map; values between them are interpolated.
_STOPS = {
    "viridis": [(68, 1, 84), (72, 40, 120), (62, 74, 137), (49, 104, 142), (38, 130, 142), (31, 158, 137),
                (53, 183, 121), (109, 205, 89), (180, 222, 44), (253, 231, 37)],
    "inferno": [(0, 0, 4), (27, 12, 65), (74, 12, 107), (120, 28, 109), (165, 44, 96), (207, 68, 70), (237, 105, 37),
                (251, 155, 6), (247, 209, 61), (252, 255, 164)],
    "cividis": [(0, 32, 77), (0, 52, 110), (51, 68, 107), (78, 85, 108), (102, 102, 112), (125, 119, 118),
                (153, 138, 117), (183, 158, 108), (214, 180, 92), (255, 234, 70)],
    "rainbow": [(30, 0, 80), (0, 40, 200), (0, 140, 220), (0, 190, 120), (80, 210, 30), (220, 220, 0), (255, 150, 0),
                (240, 50, 0), (255, 240, 240)],
}  # fmt: skip
