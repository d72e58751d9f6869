"""What can be plotted against time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...reduction.measure import FrameStats
from ...reduction.table import FrameRow


@dataclass(frozen=True, slots=True)
class Metric:
    """A number of a frame: its title with unit, and where it comes from."""

    name: str
    title: str
    value: Callable[[FrameRow, FrameStats], float]
    science: bool = False


def _of_saturation(row: FrameRow, value: float) -> float:
    return 100.0 * value / row.saturation if row.saturation > 0 else math.nan


METRICS = (
    Metric("level", "median, % of saturation", lambda row, stats: _of_saturation(row, stats.median)),
    Metric("scatter", "robust sigma, DN", lambda row, stats: stats.robust_sigma),
    Metric("sky", "median, DN", lambda row, stats: stats.median),
    Metric("saturated", "saturated pixels", lambda row, stats: float(stats.n_saturated)),
    Metric("fwhm", "FWHM, px", lambda row, stats: stats.fwhm, science=True),
    Metric("ellipticity", "ellipticity", lambda row, stats: stats.ellipticity, science=True),
    Metric("stars", "stars", lambda row, stats: stats.n_stars, science=True),
    Metric("airmass", "airmass", lambda row, stats: row.airmass, science=True),
)


def metric(name: str) -> Metric:
    """Return a metric by name; the level for an unknown one."""
    return next((one for one in METRICS if one.name == name), METRICS[0])


def hours_of(rows: Sequence[FrameRow]) -> list[float]:
    """Return the time of each row in hours of universal time since the midnight before the first.

    Rows without a time follow the last one at even steps, so that every frame has a place.
    """
    times = [row.mjd for row in rows if row.mjd == row.mjd]
    if not times:
        return [float(i) / 60.0 for i in range(len(rows))]
    midnight, last = math.floor(min(times)), max(times)
    step = max((last - min(times)) / max(len(times), 8), 1.0 / 1440.0)
    hours, extra = [], 0
    for row in rows:
        if row.mjd == row.mjd:
            hours.append((row.mjd - midnight) * 24.0)
        else:
            extra += 1
            hours.append((last + extra * step - midnight) * 24.0)
    return hours
