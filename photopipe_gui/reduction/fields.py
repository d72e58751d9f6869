"""Where a night's science frames point: what reference catalogues are fetched for."""

from __future__ import annotations

import math

from ..errors import FrameError
from ..instruments.cards import Card
from ..instruments.header import describe, standard_cards
from ..instruments.model import Instrument
from ..instruments.rawheader import read_layout
from .table import FrameRow, FrameTable

#: Added to a frame's half diagonal (deg): the wider search of the astrometry, pointing errors, and the offset of a
#: split camera's halves.
MARGIN = 0.4
#: Pointings nearer than this to the first of a field (deg) share its cone.
_TOGETHER = 0.3


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
        deg; pointings near to each other share a field that holds all of their frames.
    filters : list of str
    """
    rows = [row for row in table if row.ftype == "object" and not row.problem]
    fields: list[tuple[float, float, float]] = []
    for row in rows:
        ra, dec, half = pointing_of(instrument, row)
        if not (math.isfinite(ra) and math.isfinite(dec) and -90 <= dec <= 90):
            continue
        for number, (ra0, dec0, radius) in enumerate(fields):
            apart = _apart(ra, dec, ra0, dec0)
            if apart < _TOGETHER:
                fields[number] = (ra0, dec0, max(radius, apart + half + MARGIN))
                break
        else:
            fields.append((ra % 360, dec, half + MARGIN))
    return fields, list(dict.fromkeys(row.filter for row in rows if row.filter))
