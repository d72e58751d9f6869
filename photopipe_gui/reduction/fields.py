"""Where a night's science frames point: what reference catalogues are fetched for."""

from __future__ import annotations

import math

from ..errors import FrameError
from ..instruments.cards import Card
from ..instruments.header import describe, standard_cards
from ..instruments.model import Instrument
from ..instruments.rawheader import read_layout
from .table import FrameRow, FrameTable

#: Added to a frame's half diagonal (deg): pointing errors, and the offset of a split camera's halves.
MARGIN = 0.15


def _number(cards: dict[str, Card], key: str) -> float:
    value = cards.get(key)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan


def pointing_of(instrument: Instrument, row: FrameRow) -> tuple[float, float, float]:
    """Return right ascension, declination and half diagonal (deg) of a science frame; NaN when its header is silent.

    The position is that of the first WCS guess, which is good to some arcminutes.
    """
    try:
        layout = read_layout(row.path)
    except FrameError:
        return math.nan, math.nan, math.nan
    camera = instrument.camera(row.camera)
    channel = next(channel for channel in camera.channels if channel.suffix == row.channel)
    info = describe(instrument, layout.cards, camera, channel, layout.shape, row.ftype)
    cards = standard_cards(instrument, layout.cards, camera, channel, info, row.path.name)
    ra, dec = _number(cards, "CRVAL1"), _number(cards, "CRVAL2")
    if not (math.isfinite(ra) and math.isfinite(dec)):
        ra, dec = _number(cards, "OBSRA"), _number(cards, "OBSDEC")
    scale = info.scale if math.isfinite(info.scale) else camera.scale
    return ra, dec, math.hypot(*layout.shape) * scale / 7200


def _apart(ra1: float, dec1: float, ra2: float, dec2: float) -> float:
    """Return the angle between two directions, deg in and out (haversine)."""
    a, b = math.radians(dec1), math.radians(dec2)
    h = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(math.radians(ra2 - ra1) / 2) ** 2
    return math.degrees(2 * math.asin(min(1.0, math.sqrt(h))))


def fields_of(instrument: Instrument, table: FrameTable) -> tuple[list[tuple[float, float, float]], list[str]]:
    """Return the fields to fetch catalogues for, and the filters of the science frames.

    Returns
    -------
    fields : list of (ra, dec, radius)
        deg; a field holds every pointing whose frame lies within it.
    filters : list of str
    """
    rows = [row for row in table if row.ftype == "object" and not row.problem]
    fields: list[tuple[float, float, float]] = []
    for row in rows:
        ra, dec, half = pointing_of(instrument, row)
        if not (math.isfinite(ra) and math.isfinite(dec) and -90 <= dec <= 90):
            continue
        reach = half + MARGIN
        # A dither of a tenth of the margin is covered by the field that is there already.
        if not any(_apart(ra, dec, r, d) + reach <= radius + MARGIN / 10 for r, d, radius in fields):
            fields.append((ra % 360, dec, reach))
    return fields, list(dict.fromkeys(row.filter for row in rows if row.filter))
