"""What is measured of a raw frame for choosing: level, scatter, saturation, histogram, preview, stars."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FrameError
from .executor import Executor
from .fitsio import read_pixels
from .progress import Progress, Reporter, SilentReporter, check_cancelled
from .stats import robust_sigma
from .table import FrameRow, FrameTable

PREVIEW = 192
HISTOGRAM_BINS = 256
MAX_LISTED = 5000
_CHUNK = 4


@dataclass(frozen=True)
class FrameStats:
    """Measurements of one row's science area.

    Attributes
    ----------
    median, robust_sigma, minimum, maximum : float
        DN; NaN when the frame cannot be read.
    n_saturated, n_pixels : int
        Pixels at or above saturation, and pixels in all.
    saturated : ndarray of int64
        Flat indices into the area of the saturated pixels; empty when there are more than `MAX_LISTED`.
    histogram : ndarray of int64, shape (256,)
        Counts in equal bins from 0 to the saturation level; what lies outside is in the first and last bins.
    preview : ndarray of float32
        The area averaged down to at most 192 px a side, DN.
    fwhm, ellipticity, n_stars : float
        Of the stars on science frames (px; 1 - b/a; count); NaN otherwise.
    problem : str
        Why the frame cannot be used; empty when it can.
    """

    frame_id: str
    median: float = math.nan
    robust_sigma: float = math.nan
    minimum: float = math.nan
    maximum: float = math.nan
    n_saturated: int = 0
    n_pixels: int = 0
    histogram: NDArray[np.int64] = field(default_factory=lambda: np.zeros(HISTOGRAM_BINS, np.int64))
    preview: NDArray[np.float32] = field(default_factory=lambda: np.zeros((1, 1), np.float32))
    saturated: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    fwhm: float = math.nan
    ellipticity: float = math.nan
    n_stars: float = math.nan
    problem: str = ""


def preview_of(image: NDArray[Any], size: int = PREVIEW) -> NDArray[np.float32]:
    """Return the image averaged down by a whole factor to at most ``size`` px a side (the remainder is cut)."""
    ny, nx = image.shape
    factor = max(1, -(-max(ny, nx) // size))
    rows, columns = max(ny // factor, 1), max(nx // factor, 1)
    cut = image[: rows * factor, : columns * factor]
    if cut.shape[0] < factor or cut.shape[1] < factor:
        return np.asarray(image, np.float32)
    # Summing rows first keeps the strided pass short.
    summed = np.add.reduceat(cut, np.arange(0, rows * factor, factor), axis=0, dtype=np.float32)
    small = np.add.reduceat(summed, np.arange(0, columns * factor, factor), axis=1)
    return np.asarray(small / np.float32(factor * factor), np.float32)


def histogram_of(image: NDArray[Any], saturation: float) -> NDArray[np.int64]:
    """Return counts in 256 equal bins from 0 to saturation; outliers are counted in the end bins, NaN not at all."""
    top = saturation if math.isfinite(saturation) and saturation > 0 else float(np.nanmax(image, initial=1))
    if image.dtype == np.uint16:
        levels = np.bincount(image.ravel(), minlength=65536)
        used = np.flatnonzero(levels)
        bins = np.minimum((used * (HISTOGRAM_BINS / top)).astype(np.int64), HISTOGRAM_BINS - 1)
        return np.bincount(bins, weights=levels[used], minlength=HISTOGRAM_BINS).astype(np.int64)
    finite = image[np.isfinite(image)] if image.dtype.kind == "f" else image.ravel()
    bins = np.clip(finite * (HISTOGRAM_BINS / top), 0, HISTOGRAM_BINS - 1).astype(np.int64)
    return np.bincount(bins, minlength=HISTOGRAM_BINS).astype(np.int64)


def measure_row(row: FrameRow) -> FrameStats:
    """Measure one row; a frame that cannot be used gives statistics with a problem, never an exception."""
    if row.area is None:
        return FrameStats(row.frame_id, problem=row.problem or "the science area is unknown")
    try:
        image = read_pixels(row.path, row.area)
    except FrameError as error:
        return FrameStats(row.frame_id, problem=f"{error.reason}. {error.remedy}".strip())
    except MemoryError:
        return FrameStats(row.frame_id, problem="the image is larger than the memory")
    return measure_image(row, image)


def measure_image(row: FrameRow, image: NDArray[Any]) -> FrameStats:
    """Measure the science area of a row, already read."""
    if image.dtype.kind == "f" and not np.isfinite(image).any():
        return FrameStats(row.frame_id, problem="it holds no finite pixel")
    median = float(np.median(image)) if image.dtype.kind != "f" else float(np.nanmedian(image))
    full = image >= row.saturation if math.isfinite(row.saturation) else np.zeros(image.shape, bool)
    n_saturated = int(np.count_nonzero(full))
    listed = np.flatnonzero(full) if 0 < n_saturated <= MAX_LISTED else np.zeros(0, np.int64)
    fwhm = ellipticity = n_stars = math.nan
    if row.ftype == "object":
        fwhm, ellipticity, n_stars = _stars(image, row)
    return FrameStats(
        row.frame_id,
        median,
        robust_sigma(image),
        float(np.nanmin(image)),
        float(np.nanmax(image)),
        n_saturated,
        int(image.size),
        histogram_of(image, row.saturation),
        preview_of(image),
        listed,
        fwhm,
        ellipticity,
        n_stars,
        row.problem,
    )


def _stars(image: NDArray[Any], row: FrameRow) -> tuple[float, float, float]:
    """Return FWHM (px), ellipticity and number of stars."""
    from .core.detect import detect, measure_seeing

    saturation = row.saturation if math.isfinite(row.saturation) else None
    try:
        sources = detect(image.astype(np.float32), threshold=5.0, saturation=saturation, max_sources=2000)
    except Exception:
        # A frame on which detection fails (all saturated, all one value) has no stars to speak of.
        return math.nan, math.nan, 0.0
    if not len(sources):
        return math.nan, math.nan, 0.0
    return float(measure_seeing(sources)), float(np.median(1 - 1 / sources.elongation)), float(len(sources))


def _measure_chunk(rows: tuple[FrameRow, ...]) -> list[FrameStats]:
    return [measure_row(row) for row in rows]


def measure(
    table: FrameTable, executor: Executor | None = None, reporter: Reporter | None = None
) -> dict[str, FrameStats]:
    """Measure every row, handing each to ``reporter.result`` as it comes.

    Halves of one file are measured together, so that the file is read while it is in the cache.

    Raises
    ------
    Cancelled
        When the observer stopped it.
    """
    reporter = reporter or SilentReporter()
    rows = table.rows
    chunks = [rows[i : i + _CHUNK] for i in range(0, len(rows), _CHUNK)]
    found: dict[str, FrameStats] = {}

    def take(stats: list[FrameStats]) -> None:
        for one in stats:
            found[one.frame_id] = one
            reporter.result(one)
        reporter.progress(Progress("measuring frames", len(found), len(rows), item=stats[-1].frame_id))

    if executor is None:
        for chunk in chunks:
            check_cancelled(reporter)
            take(_measure_chunk(chunk))
        return found
    for answer in executor.imap(_measure_chunk, chunks, reporter):
        if isinstance(answer, list):
            take(answer)
    return found
