"""A time axis in hours of universal time that goes on over midnight."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pyqtgraph as pg

from ..models.metrics import TimeScale

_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


def clock(hours: float, seconds: bool = False) -> str:
    """Return hours as ``HH:MM`` or ``HH:MM:SS``, modulo a day."""
    total = round(hours * 3600.0) % 86400
    text = f"{total // 3600:02d}:{total // 60 % 60:02d}"
    return f"{text}:{total % 60:02d}" if seconds else text


class TimeAxis(pg.AxisItem):
    """Ticks at round times within each stretch of a `TimeScale`, and one at the start of a stretch without any."""

    def __init__(self) -> None:
        super().__init__("bottom")
        self.enableAutoSIPrefix(False)
        self._scale = TimeScale()
        self._texts: dict[float, str] = {}

    def set_scale(self, scale: TimeScale) -> None:
        """Use another scale."""
        self._scale = scale
        self.picture = None
        self.update()

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, list[float]]]:
        span = max(maxVal - minVal, 1e-6) * 3600.0
        room = max(2.0, size / 90.0)
        seconds = next((s for s in _STEPS_S if span / s <= room), _STEPS_S[-1])
        step, apart = seconds / 3600.0, 70.0 * span / 3600.0 / max(size, 1.0)
        self._texts = {}
        last = -math.inf
        for start, end, origin in self._scale.stretches:
            first = math.ceil((start - 1e-9) / step)
            times = [i * step for i in range(first, math.floor((end + 1e-9) / step) + 1)] or [start]
            for time in times:
                place = origin + time - start
                if minVal <= place <= maxVal and place - last >= apart:
                    self._texts[place] = clock(time, seconds=seconds < 60)
                    last = place
        return [(step, list(self._texts))]

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        return [self._texts.get(value, "") for value in values]
