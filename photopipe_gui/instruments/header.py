"""From a raw header to what the reduction needs: facts about a frame, and standard cards for its copies."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from .cards import Area, Card, Unparsable
from .model import Camera, Cards, Channel, HeaderProblem, Instrument
from .values import mjd, moment, number

_UNSAFE = re.compile(r"[^\w.+\-]", re.UNICODE)
_COPIED = ("OBJECT", "OBJNAME", "LATITUDE", "LONGITUD", "BINNING", "BINX", "BINY", "UTC")

COMMENTS: Mapping[str, str] = {
    "DATE-OBS": "start of exposure, UTC",
    "EXPTIME": "s",
    "INSTRUME": "instrument",
    "CAMERA": "camera number",
    "CHANNEL": "half of a split camera",
    "FILTER": "filter",
    "TARGNAME": "target, groups frames",
    "AIRMASS": "airmass",
    "GAIN": "e-/DN",
    "RDNOISE": "read noise, e-",
    "SATURATE": "DN, saturated at or above",
    "PIXSCALE": "arcsec/px",
    "WAVELENG": "OPT or IR",
    "TGTHALF": "the target is on this half",
    "OBSRA": "requested pointing, deg",
    "OBSDEC": "requested pointing, deg",
    "SOLVRA": "plate-solved finder, deg",
    "SOLVDEC": "plate-solved finder, deg",
    "RAWFILE": "raw frame",
}


@dataclass(frozen=True, slots=True)
class FrameInfo:
    """What the program knows of one channel of one raw frame from its header.

    Attributes
    ----------
    filter : str
        Filter as the instrument names it.
    exptime : float
        s; NaN when unknown.
    time : float
        Start of exposure, MJD (UTC); NaN when unknown.
    saturation, gain, scale : float
        DN, e-/DN, arcsec/px; NaN when unknown.
    area : Area or None
        Science area.
    target_half : bool or None
        Whether the target is on this half; None for unsplit cameras.
    problem : str
        Why the frame cannot be used; empty when it can.
    """

    filter: str
    exptime: float
    time: float
    date_obs: str
    target: str
    airmass: float
    saturation: float
    gain: float
    scale: float
    area: Area | None
    target_half: bool | None
    problem: str


def safe_name(name: str, fallback: str = "unknown") -> str:
    """Return a name that can stand in a file name: no white space or separators, not hidden, at most 80 characters."""
    cleaned = _UNSAFE.sub("_", "".join(name.split())).lstrip(".")
    return cleaned[:80] or fallback


def find(instrument: Instrument, cards: Cards, ours: str) -> Card | None:
    """Return the first of the instrument's cards that stands for ours, or None."""
    for key in instrument.header.get(ours, (ours,)):
        value = cards.get(key)
        if value is not None and not isinstance(value, Unparsable) and value != "":
            return value
    return None


def _exptime(instrument: Instrument, cards: Cards) -> float:
    for key in instrument.header["EXPTIME"]:
        if key in cards:
            value = number(cards, key)
            if value < 0:
                raise HeaderProblem(f"{key} is {value:g} s")
            return value
    raise HeaderProblem(f"the header has no {instrument.header['EXPTIME'][0]}")


def _date_obs(instrument: Instrument, cards: Cards) -> str:
    value = find(instrument, cards, "DATE-OBS")
    return "" if value is None else str(value)


def describe(
    instrument: Instrument, cards: Cards, camera: Camera, channel: Channel, shape: tuple[int, int], ftype: str
) -> FrameInfo:
    """Read one channel of a raw frame's header; what is missing or unparsable goes into ``problem``.

    Parameters
    ----------
    cards : mapping
        Raw header cards.
    shape : tuple of int
        Rows and columns of the raw image.
    ftype : str
        ``bias``, ``dark``, ``flat`` or ``object``; bias frames need neither exposure time nor filter.
    """
    problems: list[str] = []

    rules = instrument.rules
    exptime = saturation = gain = scale = time = math.nan
    area: Area | None = None
    name = ""
    try:
        exptime = _exptime(instrument, cards)
    except HeaderProblem as problem:
        if ftype != "bias":
            problems.append(str(problem))
    try:
        saturation = rules.saturation(cards, camera)
    except HeaderProblem as problem:
        problems.append(str(problem))
    try:
        gain = rules.gain(cards, camera)
        scale = rules.scale(cards, camera)
    except HeaderProblem as problem:
        problems.append(str(problem))
    try:
        time = mjd(moment(find(instrument, cards, "DATE-OBS"), instrument.header["DATE-OBS"][0]))
    except HeaderProblem:
        time = math.nan
    try:
        name = rules.filter(cards, camera, channel)
        if not name and ftype in ("flat", "object"):
            problems.append("the header has no FILTER")
    except HeaderProblem as problem:
        problems.append(str(problem))
    try:
        area = rules.area(cards, camera, channel, shape)
    except HeaderProblem as problem:
        problems.append(str(problem))
    if area is not None and not (area.y1 <= shape[0] and area.x1 <= shape[1]):
        problems.append(f"the image is {shape[1]} x {shape[0]} px, too small for the science area of {camera.name}")
        area = None
    try:
        airmass = rules.airmass(cards)
    except HeaderProblem:
        airmass = math.nan
    return FrameInfo(
        name,
        exptime,
        time,
        _date_obs(instrument, cards),
        safe_name(rules.target(cards)),
        airmass,
        saturation,
        gain,
        scale,
        area,
        rules.target_half(cards, channel),
        "; ".join(dict.fromkeys(problems)),
    )


def standard_cards(
    instrument: Instrument, cards: Cards, camera: Camera, channel: Channel, info: FrameInfo, raw_name: str
) -> dict[str, Card]:
    """Return the standard header of a copy of one channel, without the structural cards.

    Values that the raw header lacks are left out; NaN never reaches a header.
    """
    standard: dict[str, Card] = {
        "INSTRUME": instrument.title,
        "CAMERA": camera.number,
        "CHANNEL": channel.suffix,
        "FILTER": info.filter,
        "TARGNAME": info.target,
        "WAVELENG": "IR" if camera.infrared else "OPT",
        "RAWFILE": raw_name,
    }
    numbers = {
        "EXPTIME": info.exptime,
        "AIRMASS": info.airmass,
        "GAIN": info.gain,
        "SATURATE": info.saturation,
        "PIXSCALE": info.scale,
    }
    standard.update({key: value for key, value in numbers.items() if math.isfinite(value)})
    if info.date_obs:
        standard["DATE-OBS"] = info.date_obs
    for key in _COPIED:
        value = find(instrument, cards, key)
        if value is not None:
            standard[key] = value
    try:
        noise = number(cards, instrument.header["RDNOISE"][0])
        if noise > 0:
            standard["RDNOISE"] = noise
    except HeaderProblem:
        pass
    if info.target_half is not None:
        standard["TGTHALF"] = info.target_half
    standard.update(instrument.rules.extra(cards, camera, channel))
    if info.area is not None:
        standard.update(_wcs(instrument, cards, camera, channel, info.area))
    return standard


def _wcs(instrument: Instrument, cards: Cards, camera: Camera, channel: Channel, area: Area) -> Mapping[str, Card]:
    """Return the first guess, or nothing when the pointing cannot be read: the astrometry then goes without."""
    try:
        return instrument.rules.wcs(cards, camera, channel, area)
    except HeaderProblem:
        return {}
