"""LMI: the Large Monolithic Imager of the 4.3 m Lowell Discovery Telescope."""

from __future__ import annotations

import math
import re
from types import MappingProxyType

from .cards import Area, Card
from .model import Camera, Cards, Channel, HeaderProblem, Instrument, Naming, Rules
from .values import angle, number, text

FILTERS = ("U", "B", "V", "R", "I", "YISH", "SDSS-U", "SDSS-G", "SDSS-R", "SDSS-I", "SDSS-Z")
_TYPES = {"SKY FLAT": "flat", "DOME FLAT": "flat", "BIAS": "bias", "OBJECT": "object"}
_AREA_2X2 = Area(3, 3079, 27, 3096)
_SECTION = re.compile(r"^\[?\s*(\d+)\s*:\s*(\d+)\s*,\s*(\d+)\s*:\s*(\d+)\s*\]?$")

CAMERA = Camera(
    number=0,
    channels=(Channel("", None),),
    takes_bias=True,
    takes_dark=False,
    infrared=False,
    shape=(3090, 3100),
    scale=0.12,
    ceiling=65000,
    gain=2.89,
    read_noise=6.0,
    filters=FILTERS,
)


def _type(cards: Cards) -> str | None:
    return _TYPES.get(" ".join(text(cards, "OBSTYPE").upper().split()))


def _filter(cards: Cards, camera: Camera, channel: Channel) -> str:
    """Of the two wheels, the one that is not open."""
    names = [text(cards, key) for key in ("FILTER1", "FILTER2")]
    used = [name for name in names if name and name.upper() != "OPEN"]
    if not used:
        return text(cards, "FILTERS", "OPEN") or "OPEN"
    return "-".join(used)


def _binning(cards: Cards) -> tuple[int, int]:
    """Binning in x and y from ``CCDSUM = '2 2'``, else from ADELX_01 and ADELY_01."""
    parts = text(cards, "CCDSUM").split()
    try:
        if len(parts) == 2:
            return max(int(parts[0]), 1), max(int(parts[1]), 1)
        return max(round(number(cards, "ADELX_01", 2)), 1), max(round(number(cards, "ADELY_01", 2)), 1)
    except (ValueError, HeaderProblem):
        raise HeaderProblem(f"the binning {text(cards, 'CCDSUM')!r} cannot be read") from None


def _area(cards: Cards, camera: Camera, channel: Channel, shape: tuple[int, int]) -> Area:
    """The known area at 2x2; TRIMSEC for another binning, else the 2x2 area scaled."""
    bin_x, bin_y = _binning(cards)
    if (bin_x, bin_y) == (2, 2) and shape[0] >= _AREA_2X2.y1 and shape[1] >= _AREA_2X2.x1:
        return _AREA_2X2
    match = _SECTION.match(text(cards, "TRIMSEC"))
    if match:
        x0, x1, y0, y1 = (int(part) for part in match.groups())
        if 1 <= x0 < x1 <= shape[1] and 1 <= y0 < y1 <= shape[0]:
            return Area(y0 - 1, y1, x0 - 1, x1)
    scaled = Area(
        math.ceil(_AREA_2X2.y0 * 2 / bin_y),
        _AREA_2X2.y1 * 2 // bin_y,
        math.ceil(_AREA_2X2.x0 * 2 / bin_x),
        _AREA_2X2.x1 * 2 // bin_x,
    )
    if scaled.y1 <= shape[0] and scaled.x1 <= shape[1]:
        return scaled
    raise HeaderProblem(
        f"the science area of a frame of {shape[1]} x {shape[0]} px is unknown: TRIMSEC is "
        f"{text(cards, 'TRIMSEC') or 'missing'}"
    )


def _saturation(cards: Cards, camera: Camera) -> float:
    return camera.ceiling


def _gain(cards: Cards, camera: Camera) -> float:
    value = number(cards, "GAIN", camera.gain)
    return value if value > 0 else camera.gain


def _scale(cards: Cards, camera: Camera) -> float:
    return camera.scale * number(cards, "ADELX_01", 2.0)


def _target(cards: Cards) -> str:
    if not text(cards, "OBJECT"):
        return text(cards, "OBSTYPE")
    return text(cards, "OBJNAME") or text(cards, "OBJECT")


def _airmass(cards: Cards) -> float:
    return number(cards, "AIRMASS", math.nan)


def _wcs(cards: Cards, camera: Camera, channel: Channel, area: Area) -> dict[str, Card]:
    """The raw header's WCS, its reference pixel moved by the crop; CDELT and CROTA2 become a CD matrix."""
    try:
        wcs: dict[str, Card] = {key: number(cards, key) for key in ("CRVAL1", "CRVAL2")}
        wcs["CRPIX1"] = number(cards, "CRPIX1") - area.x0
        wcs["CRPIX2"] = number(cards, "CRPIX2") - area.y0
    except HeaderProblem:
        return {}
    if not text(cards, "CTYPE1").startswith("RA"):
        return {}
    wcs["CTYPE1"], wcs["CTYPE2"] = "RA---TAN", "DEC--TAN"
    terms = ("CD1_1", "CD1_2", "CD2_1", "CD2_2")
    if any(term in cards for term in terms):
        wcs.update({term: number(cards, term, 0.0) for term in terms})
    else:
        try:
            dx, dy = number(cards, "CDELT1"), number(cards, "CDELT2")
        except HeaderProblem:
            return {}
        turn = math.radians(number(cards, "CROTA2", 0.0))
        wcs.update(
            {
                "CD1_1": dx * math.cos(turn),
                "CD1_2": -dy * math.sin(turn),
                "CD2_1": dx * math.sin(turn),
                "CD2_2": dy * math.cos(turn),
            }
        )
    return wcs


def _extra(cards: Cards, camera: Camera, channel: Channel) -> dict[str, Card]:
    extra: dict[str, Card] = {}
    for ours, keys, hours in (("OBSRA", ("OBSRA", "RA"), True), ("OBSDEC", ("OBSDEC", "DEC"), False)):
        for key in keys:
            try:
                extra[ours] = angle(cards, key, hours=hours)
                break
            except HeaderProblem:
                continue
    return extra


LMI = Instrument(
    name="lmi",
    title="LMI",
    cameras=(CAMERA,),
    filters=FILTERS,
    naming=Naming(re.compile(r"^lmi\..*\.fits?$", re.IGNORECASE), "OBSTYPE", _type, lambda cards: 0, "DATE-OBS"),
    header=MappingProxyType(
        {
            "DATE-OBS": ("DATE-OBS",),
            "EXPTIME": ("EXPTIME",),
            "OBJECT": ("OBJECT", "OBSTYPE"),
            "OBJNAME": ("OBJNAME", "OBJECT"),
            "LATITUDE": ("LATITUDE",),
            "LONGITUD": ("LONGITUD",),
            "BINNING": ("CCDSUM",),
            "BINX": ("ADELX_01",),
            "BINY": ("ADELY_01",),
            "UTC": ("UT", "UTC"),
            "RDNOISE": ("RDNOISE",),
        }
    ),
    rules=Rules(
        _filter, _area, _saturation, _gain, _scale, _target, _airmass, _wcs, _extra, lambda cards, channel: None
    ),
    recognise=lambda cards: "LMI" in (text(cards, "INSTRUME") + text(cards, "LCAMMOD")).upper(),
    site=(34.7443, -111.4223, 2361.0),
)
