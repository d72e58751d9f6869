"""A time axis in hours of universal time that goes on over midnight."""

from __future__ import annotations

from collections.abc import Sequence

import pyqtgraph as pg

_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


def clock(hours: float, seconds: bool = False) -> str:
    """Return hours as ``HH:MM`` or ``HH:MM:SS``, modulo a day."""
    total = round(hours * 3600.0) % 86400
    text = f"{total // 3600:02d}:{total // 60 % 60:02d}"
    return f"{text}:{total % 60:02d}" if seconds else text


class TimeAxis(pg.AxisItem):
    """Ticks at round times."""

    def __init__(self) -> None:
        super().__init__("bottom")
        self.enableAutoSIPrefix(False)

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, list[float]]]:
        span = max(maxVal - minVal, 1e-6) * 3600.0
        room = max(2.0, size / 85.0)
        step = next((s for s in _STEPS_S if span / s <= room), _STEPS_S[-1]) / 3600.0
        first = int(minVal / step) - 1
        ticks = [i * step for i in range(first, int(maxVal / step) + 2) if minVal <= i * step <= maxVal]
        return [(step, ticks)]

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        return [clock(value, seconds=spacing * 3600.0 < 59.0) for value in values]
