"""RIMAS: two infrared cameras of the 4.3 m Lowell Discovery Telescope."""

from __future__ import annotations

import math
import re
from types import MappingProxyType

from .cards import Area, Card
from .model import Camera, Cards, Channel, HeaderProblem, Instrument, Naming, Rules
from .values import airmass_at, angle, number, text

_TYPES = {
    "SKY_FLAT": "flat",
    "DOME_FLAT": "flat",
    "DARK": "dark",
    "BIAS": "bias",
    "SCIENCE": "object",
    "SCIENCE CROWDED": "object",
}
_SITE = (34.7443, -111.4223, 2361.0)
#: The target lies off the reference pixel by this much, px of arc east and north.
_OFFSET = (88.0, -33.0)


def _camera(number_: int, filters: tuple[str, ...]) -> Camera:
    return Camera(
        number=number_,
        channels=(Channel("", None),),
        takes_bias=False,
        takes_dark=False,
        infrared=True,
        shape=(2048, 2048),
        scale=0.19,
        ceiling=65535,
        gain=2.0,
        read_noise=15.0,
        filters=filters,
    )


def _type(cards: Cards) -> str | None:
    return _TYPES.get(" ".join(text(cards, "OBJTYPE").upper().split()))


def _number(cards: Cards) -> int:
    return int(number(cards, "ASICINDX"))


def _filter(cards: Cards, camera: Camera, channel: Channel) -> str:
    """The camera's own wheel, and the common one when it is neither open nor blank."""
    own = text(cards, f"FILTER{camera.number + 1}")
    common = text(cards, "FILTER3")
    own_open, common_name = own.replace(" ", "").lower() == "open", common.replace(" ", "").lower()
    if common_name == "blank":
        return "blank"
    if common_name in ("open", ""):
        return own.upper() if len(own) == 1 else own
    return common if own_open or not own else f"{common}+{own}"


def _area(cards: Cards, camera: Camera, channel: Channel, shape: tuple[int, int]) -> Area:
    return Area(0, shape[0], 0, shape[1])


def _saturation(cards: Cards, camera: Camera) -> float:
    return number(cards, "SATURATE")


def _gain(cards: Cards, camera: Camera) -> float:
    value = number(cards, "GAIN0", number(cards, "GAIN", camera.gain))
    return value if value > 0 else camera.gain


def _scale(cards: Cards, camera: Camera) -> float:
    value = number(cards, "PIXSCALE", camera.scale)
    return value if value > 0 else camera.scale


def _target(cards: Cards) -> str:
    return text(cards, "OBJNAME") or text(cards, "OBJTYPE")


def _airmass(cards: Cards) -> float:
    """The header's airmass, else from the pointing at mid-exposure and the site."""
    try:
        return number(cards, "AIRMASS")
    except HeaderProblem:
        pass
    try:
        middle = (number(cards, "JD-BEG") + number(cards, "JD-END")) / 2
        ra, dec = angle(cards, "RA-D"), angle(cards, "DEC-D")
    except HeaderProblem:
        return math.nan
    latitude, longitude = number(cards, "LATITUDE", _SITE[0]), number(cards, "LONGITUD", _SITE[1])
    return airmass_at(ra, dec, middle, latitude, longitude)


def _wcs(cards: Cards, camera: Camera, channel: Channel, area: Area) -> dict[str, Card]:
    try:
        ra, dec = angle(cards, "RA-D"), angle(cards, "DEC-D")
    except HeaderProblem:
        return {}
    scale = _scale(cards, camera) / 3600
    turn = math.radians(number(cards, "ROT", 0.0))
    dec += _OFFSET[1] * scale
    ra += _OFFSET[0] * scale / max(math.cos(math.radians(dec)), 1e-3)
    rows, columns = area.shape
    return {
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CRVAL1": ra % 360,
        "CRVAL2": dec,
        "CRPIX1": (columns + 1) / 2,
        "CRPIX2": (rows + 1) / 2,
        "CD1_1": -scale * math.cos(turn),
        "CD1_2": scale * math.sin(turn),
        "CD2_1": scale * math.sin(turn),
        "CD2_2": scale * math.cos(turn),
    }


def _extra(cards: Cards, camera: Camera, channel: Channel) -> dict[str, Card]:
    try:
        return {"OBSRA": angle(cards, "RA-D"), "OBSDEC": angle(cards, "DEC-D")}
    except HeaderProblem:
        return {}


RIMAS = Instrument(
    name="rimas",
    title="RIMAS",
    cameras=(_camera(0, ("Y", "J")), _camera(1, ("H", "K"))),
    filters=("Y", "J", "H", "K"),
    naming=Naming(
        re.compile(r"^.{8}\.rimas\..{4}\..{2}\.fits?$", re.IGNORECASE), "OBJTYPE", _type, _number, "DATE-BEG"
    ),
    header=MappingProxyType(
        {
            "DATE-OBS": ("DATE", "DATE-BEG"),
            "EXPTIME": ("EXPTIME",),
            "OBJECT": ("OBJECT", "OBJNAME", "OBJTYPE"),
            "OBJNAME": ("OBJNAME", "OBJTYPE"),
            "LATITUDE": ("LATITUDE",),
            "LONGITUD": ("LONGITUD",),
            "BINNING": ("BINNING",),
            "BINX": ("BINX",),
            "BINY": ("BINY",),
            "UTC": ("UTC", "UT"),
            "RDNOISE": ("RDNOISE",),
        }
    ),
    rules=Rules(
        _filter, _area, _saturation, _gain, _scale, _target, _airmass, _wcs, _extra, lambda cards, channel: None
    ),
    recognise=lambda cards: "RIMAS" in text(cards, "INSTRUME").upper() or "ASICINDX" in cards,
    site=_SITE,
)
