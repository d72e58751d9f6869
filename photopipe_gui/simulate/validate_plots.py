"""Small plots as SVG text, to stand in a page without any other file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

_WIDTH, _HEIGHT = 460, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 12, 30, 34


@dataclass(frozen=True)
class Points:
    """The values of one group, under its name."""

    name: str
    values: tuple[float, ...]


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return round numbers that lie between two values, about as many as asked."""
    span = high - low
    if not span > 0:
        return [low]
    rough = span / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * one for one in (1, 2, 5, 10) if power * one >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(step * k, 12) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def _limits(values: Sequence[float], limit: float | None, both: bool, zero: bool) -> tuple[float, float]:
    """Return the range of the axis: all values, the limits, and some room."""
    shown = list(values)
    if limit is not None:
        shown += [limit, -limit] if both else [limit]
    if zero:
        shown.append(0.0)
    low, high = min(shown), max(shown)
    room = 0.08 * (high - low) or max(abs(high), 1.0) * 0.1
    return (low if zero and low == 0 else low - room), high + room


def strip_plot(
    title: str, groups: Sequence[Points], limit: float | None = None, both: bool = False, zero: bool = False
) -> str:
    """Return an SVG with one column of dots a group; empty when there is nothing to show.

    Parameters
    ----------
    limit : float, optional
        Where a dashed line is drawn.
    both : bool
        Draw it at minus the limit too.
    zero : bool
        The axis begins at zero.
    """
    known = [(one.name, [v for v in one.values if math.isfinite(v)]) for one in groups]
    known = [(name, values) for name, values in known if values]
    if not known:
        return ""
    low, high = _limits([v for _, values in known for v in values], limit, both, zero)
    inner = _HEIGHT - _TOP - _BOTTOM

    def up(value: float) -> float:
        return _TOP + inner * (high - value) / (high - low)

    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" role="img" aria-label="{escape(title)}" '
        'font-family="system-ui, sans-serif" font-size="11" fill="currentColor">',
        f'<text x="{_LEFT}" y="16" font-size="12" font-weight="600">{escape(title)}</text>',
    ]
    for tick in ticks(low, high):
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{up(tick):.1f}" y2="{up(tick):.1f}" stroke="currentColor" '
            f'stroke-opacity="0.15"/><text x="{_LEFT - 6}" y="{up(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>'
        )
    for line in () if limit is None else (limit, -limit) if both else (limit,):
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{up(line):.1f}" y2="{up(line):.1f}" stroke="#c0392b" '
            'stroke-dasharray="5 4"/>'
        )
    parts += _columns(known, up)
    return "".join(parts) + "</svg>"


def _columns(known: Sequence[tuple[str, list[float]]], up: object) -> list[str]:
    """Draw the groups: dots beside each other, a bar at the median, the name below."""
    assert callable(up)
    width = (_WIDTH - _LEFT - _RIGHT) / len(known)
    size = 11 if width > 34 else 8
    parts = []
    for number, (name, values) in enumerate(known):
        middle = _LEFT + width * (number + 0.5)
        spread = np.linspace(-0.28, 0.28, len(values)) * width if len(values) > 1 else np.zeros(1)
        for offset, value in zip(spread.tolist(), values, strict=True):
            parts.append(
                f'<circle cx="{middle + offset:.1f}" cy="{up(value):.1f}" r="3" fill="#2f6fb3" fill-opacity="0.75"/>'
            )
        bar = up(float(np.median(values)))
        parts.append(
            f'<line x1="{middle - 0.35 * width:.1f}" x2="{middle + 0.35 * width:.1f}" y1="{bar:.1f}" y2="{bar:.1f}" '
            'stroke="#2f6fb3" stroke-width="2"/>'
            f'<text x="{middle:.1f}" y="{_HEIGHT - 14}" text-anchor="middle" font-size="{size}">{escape(name)}</text>'
        )
    return parts
