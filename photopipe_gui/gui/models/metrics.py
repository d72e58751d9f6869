"""What can be plotted against time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...reduction.measure import FrameStats
from ...reduction.table import FrameRow


@dataclass(frozen=True, slots=True)
class Metric:
    """A number of a frame: its short name, its title with unit, and where it comes from."""

    name: str
    short: str
    title: str
    value: Callable[[FrameRow, FrameStats], float]
    science: bool = False


def _of_saturation(row: FrameRow, value: float) -> float:
    return 100.0 * value / row.saturation if row.saturation > 0 else math.nan


METRICS = (
    Metric("level", "level, %", "median, % of saturation", lambda row, stats: _of_saturation(row, stats.median)),
    Metric("scatter", "sigma, DN", "robust sigma, DN", lambda row, stats: stats.robust_sigma),
    Metric("sky", "median, DN", "median, DN", lambda row, stats: stats.median),
    Metric("saturated", "saturated px", "saturated pixels", lambda row, stats: float(stats.n_saturated)),
    Metric("fwhm", "FWHM, px", "FWHM, px", lambda row, stats: stats.fwhm, science=True),
    Metric("ellipticity", "ellipticity", "ellipticity", lambda row, stats: stats.ellipticity, science=True),
    Metric("stars", "stars", "stars", lambda row, stats: stats.n_stars, science=True),
    Metric("airmass", "airmass", "airmass", lambda row, stats: row.airmass, science=True),
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


class TimeScale:
    """Time with long gaps closed: frames taken hours apart lie side by side, and each stretch keeps its true scale.

    Parameters
    ----------
    hours : sequence of float
        Times of the frames. A gap longer than 20 minutes and than a tenth of the whole is closed.
    """

    def __init__(self, hours: Sequence[float] = ()) -> None:
        times = sorted(hours)
        span = times[-1] - times[0] if times else 0.0
        longest = max(1.0 / 3.0, 0.1 * span)
        self._stretches: list[tuple[float, float]] = []
        for time in times:
            if self._stretches and time - self._stretches[-1][1] <= longest:
                self._stretches[-1] = (self._stretches[-1][0], time)
            else:
                self._stretches.append((time, time))
        inside = sum(end - start for start, end in self._stretches)
        self._room = max(inside, 0.05) * 0.1
        self._origins: list[float] = []
        place = 0.0
        for start, end in self._stretches:
            self._origins.append(place)
            place += end - start + self._room

    @property
    def stretches(self) -> tuple[tuple[float, float, float], ...]:
        """(first time, last time, place of the first) of each stretch between closed gaps."""
        return tuple((a, b, x) for (a, b), x in zip(self._stretches, self._origins, strict=True))

    @property
    def room(self) -> float:
        """Width of a closed gap, in hours."""
        return self._room

    def place(self, hours: float) -> float:
        """Return where a time lies on the axis."""
        for (start, end), origin in zip(reversed(self._stretches), reversed(self._origins), strict=True):
            if hours >= start:
                return origin + min(hours - start, end - start + self._room / 2.0)
        return hours - self._stretches[0][0] if self._stretches else hours
