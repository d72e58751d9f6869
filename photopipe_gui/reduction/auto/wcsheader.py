"""Between a product's header and a WCS: the first guess out of it, the solution into it."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy.io import fits

from ..core.skyplane import linear_wcs

Cards = dict[str, str | float | int]

_WCS_CARD = re.compile(
    r"(WCSAXES|WCSNAME|C(TYPE|RVAL|RPIX|UNIT|DELT|ROTA|RDER|SYER)[12]|CD[12]_[12]|PC[12]_[12]|P[VS][12]_\d+|"
    r"PC00[12]00[12]|LONPOLE|LATPOLE|RADESYS|RADECSYS|EQUINOX|(A|B|AP|BP)_(ORDER|DMAX|\d_\d)|"
    r"CPDIS[12]|CPERR[12]|CQDIS[12]|DP[12]\..*|D2IM.*)$"
)
#: A requested pointing nearer than this to the WCS's adds nothing to it, degrees.
_ELSEWHERE = 0.05
_POINTING = ("OBSRA", "OBSDEC", "SOLVRA", "SOLVDEC", "PIXSCALE")


def guess_cards(header: Mapping[str, Any]) -> Cards:
    """Return the cards of a header that tell where the frame points, as plain picklable values."""
    found: Cards = {}
    for key in header:
        if not (_WCS_CARD.match(key) or key in _POINTING):
            continue
        value = header[key]
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            found[key] = value
    return found


def _number(cards: Mapping[str, Any], key: str) -> float:
    try:
        return float(cards.get(key, math.nan))
    except (TypeError, ValueError):
        return math.nan


def guesses(cards: Mapping[str, Any], shape: tuple[int, int]) -> list[Any]:
    """Return the first guesses that a header offers, the likeliest first, as WCS objects.

    The header's own WCS; the same about the requested pointing (``OBSRA``, ``OBSDEC``) when that lies elsewhere;
    without a usable WCS, north up and east left at ``PIXSCALE`` about the pointing. Empty when the header tells no
    position.
    """
    own = _own(cards)
    ra, dec = _number(cards, "OBSRA"), _number(cards, "OBSDEC")
    known = math.isfinite(ra) and math.isfinite(dec) and abs(dec) <= 90
    if own is None:
        scale = _number(cards, "PIXSCALE")
        scale = scale if math.isfinite(scale) and 0.01 < scale < 100 else 0.3
        if not known:
            ra, dec = _number(cards, "CRVAL1"), _number(cards, "CRVAL2")
            known = math.isfinite(ra) and math.isfinite(dec) and abs(dec) <= 90
        if not known:
            return []
        centre = ((shape[1] + 1) / 2, (shape[0] + 1) / 2)
        return [linear_wcs(ra % 360, dec, centre, np.array([[-1.0, 0.0], [0.0, 1.0]]) * scale / 3600)]
    if not known:
        return [own]
    apart = math.hypot((own.wcs.crval[0] - ra + 180) % 360 - 180, own.wcs.crval[1] - dec)
    return [own] if apart < _ELSEWHERE else [own, moved_to(own, ra % 360, dec)]


def _own(cards: Mapping[str, Any]) -> Any | None:
    """Return the header's own WCS, or None when it has none that can be used."""
    from astropy.wcs import WCS

    if any(not math.isfinite(_number(cards, key)) for key in ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2")):
        return None
    header = fits.Header()
    for key, value in cards.items():
        if _WCS_CARD.match(key):
            header[key] = value
    if not str(header.get("CTYPE1", "")).strip():
        header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    distorted = any(key.startswith("PV") and _number(cards, key) for key in cards)
    if distorted and str(header["CTYPE1"]) == "RA---TAN":
        # Distortion terms written under the plain name: the standard name of this map is TPV.
        header["CTYPE1"], header["CTYPE2"] = "RA---TPV", "DEC--TPV"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wcs = WCS(header, relax=True)
            matrix = wcs.pixel_scale_matrix
            usable = wcs.naxis == 2 and wcs.has_celestial and abs(np.linalg.det(matrix)) > 1e-14
            position = wcs.all_pix2world([0.0], [0.0], 0)
    except Exception:
        return None
    return wcs if usable and np.isfinite(position).all() and np.linalg.cond(matrix) < 3 else None


def moved_to(wcs: Any, ra: float, dec: float) -> Any:
    """Return a WCS with its reference position moved."""
    moved = wcs.deepcopy()
    moved.wcs.crval = [ra, dec]
    moved.wcs.set()
    return moved


def solution_cards(wcs: Any) -> Cards:
    """Return the cards of a TAN or TAN-SIP WCS, CD form, at full precision."""
    kind = wcs.wcs
    cards: Cards = {"WCSAXES": 2}
    sip = wcs.sip
    for axis, name in ((1, "RA---TAN"), (2, "DEC--TAN")):
        cards[f"CTYPE{axis}"] = name + ("-SIP" if sip is not None else "")
        cards[f"CUNIT{axis}"] = "deg"
        cards[f"CRVAL{axis}"] = float(kind.crval[axis - 1])
        cards[f"CRPIX{axis}"] = float(kind.crpix[axis - 1])
    matrix = wcs.pixel_scale_matrix
    for i in (1, 2):
        for j in (1, 2):
            cards[f"CD{i}_{j}"] = float(matrix[i - 1, j - 1])
    cards["RADESYS"] = "ICRS"
    if sip is not None:
        for name, terms in (("A", sip.a), ("B", sip.b), ("AP", sip.ap), ("BP", sip.bp)):
            if terms is None:
                continue
            cards[f"{name}_ORDER"] = terms.shape[0] - 1
            for (i, j), value in np.ndenumerate(terms):
                if value != 0.0 and i + j <= terms.shape[0] - 1:
                    cards[f"{name}_{i}_{j}"] = float(value)
    return cards


def wcs_of(cards: Mapping[str, Any]) -> Any:
    """Return the WCS of the cards that `solution_cards` made."""
    from astropy.wcs import WCS

    header = fits.Header()
    for key, value in cards.items():
        header[key] = value
    return WCS(header, relax=True)


def with_solution(header: fits.Header, cards: Cards) -> fits.Header:
    """Return a header without any earlier WCS and with that of the cards."""
    fresh = header.copy()
    for key in {card.keyword for card in header.cards if _WCS_CARD.match(card.keyword)}:
        fresh.remove(key, remove_all=True)
    for key, value in cards.items():
        fresh[key] = value
    return fresh
