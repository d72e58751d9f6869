"""What a product's header says, its WCS, the field it covers, numbers; and cards that fit into a header."""

from __future__ import annotations

import datetime
import math
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from ....errors import FrameError
from ...core.grid import outline, to_sky

Card = tuple[str, Any, str]
_ROOM = 65  # characters of a card for the text of a value and the comment


def fitting(cards: Iterable[Card]) -> list[Card]:
    """Return cards that a FITS header takes as they are: plain ASCII, long texts cut, comments where there is room."""
    out: list[Card] = []
    for keyword, value, comment in cards:
        if isinstance(value, str):
            value = value.encode("ascii", "replace").decode()[:_ROOM]
            comment = comment[: max(0, _ROOM - max(8, len(value) + value.count("'")))]
        else:
            comment = comment[:47]
        out.append((keyword, value, comment))
    return out


def put(header: fits.Header, cards: Iterable[Card]) -> None:
    """Set cards, made to fit."""
    for keyword, value, comment in fitting(cards):
        header[keyword] = (value, comment)


def frame_wcs(header: fits.Header, path: Path) -> WCS:
    """Return the WCS of a frame.

    Parameters
    ----------
    header : astropy.io.fits.Header
    path : Path
        For the message.

    Raises
    ------
    FrameError
        When there is none that leads from pixels to the sky.
    """
    bare = header.copy()
    for keyword in ("HISTORY", "COMMENT"):
        bare.remove(keyword, ignore_missing=True, remove_all=True)
    if "PV1_1" in bare and str(bare.get("CTYPE1", "")).strip() == "RA---TAN":
        bare["CTYPE1"], bare["CTYPE2"] = "RA---TPV", "DEC--TPV"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wcs = WCS(bare, naxis=2, relax=True)
            position = np.array(wcs.all_pix2world([1.0, 100.0], [1.0, 100.0], 0))
    except Exception as error:
        raise FrameError(path, f"its WCS cannot be used ({error})", "Run the astrometry step on it again.") from error
    if not (wcs.has_celestial and np.isfinite(position).all()):
        raise FrameError(path, "its header has no WCS", "Run the astrometry step on it.")
    return wcs


def field_of(wcs: WCS, shape: tuple[int, int]) -> tuple[tuple[float, float], float]:
    """Return the centre of a frame (deg) and the distance from there to its farthest corner (deg)."""
    ny, nx = shape
    ra, dec = to_sky(wcs, np.array([(nx - 1) / 2]), np.array([(ny - 1) / 2]))
    edge_ra, edge_dec = to_sky(wcs, *outline(shape))
    east = ((edge_ra - ra + 180) % 360 - 180) * np.cos(np.radians(dec))
    return (float(ra[0]), float(dec[0])), float(np.max(np.hypot(east, edge_dec - dec)))


def number(header: fits.Header, key: str, fallback: float = math.nan) -> float:
    """Return a card as a number; the fallback when it is missing or no number."""
    try:
        value = float(header.get(key, fallback))
    except (TypeError, ValueError):
        return fallback
    return value if math.isfinite(value) else fallback


def julian_year(text: str) -> float:
    """Return the Julian year of an ISO time; NaN when it is none."""
    try:
        moment = datetime.datetime.fromisoformat(text.strip())
    except ValueError:
        return math.nan
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return 2000.0 + (moment - datetime.datetime(2000, 1, 1, 12, tzinfo=datetime.UTC)).total_seconds() / 31557600.0
