"""RATIR: four arms of the 1.5 m telescope at San Pedro Martir."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from .cards import Area, Card
from .model import Camera, Cards, Channel, FirstWcs, HeaderProblem, Instrument, Naming, Rules
from .values import number, text

_A, _B = -19.60381671, -4128.15179797
BARREL: Mapping[int, float] = MappingProxyType(
    {1: 1.0, 17: _A, 21: _A, 19: 2 * _A, 31: _B, 37: _B, 33: 3 * _B, 35: 3 * _B}
)

#: Pointing apertures: offset east and north of the rotator centre, arcmin.
APERTURES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "rcenter": (0.0, 0.0),
        "icenter": (0.0, 0.0),
        "ricenter": (0.0, 0.0),
        "riZJcenter": (1.2, 0.0),
        "riYHcenter": (-1.8, 0.0),
        "ZJcenter": (2.2, 0.7),
        "YHcenter": (-3.2, 0.7),
    }
)

CAMERAS = (
    Camera(
        number=0,
        channels=(Channel("", Area(0, 1023, 125, 1023)),),
        takes_bias=True,
        takes_dark=True,
        infrared=False,
        shape=(1024, 1024),
        scale=0.32,
        ceiling=65536,
        gain=16.80,
        read_noise=18.0,
        filters=("u", "g", "r"),
        first_wcs=FirstWcs(512, 512, 0.3168, 0.3171, 0.60),
    ),
    Camera(
        number=1,
        channels=(Channel("", Area(75, 1000, 15, 1000)),),
        takes_bias=True,
        takes_dark=True,
        infrared=False,
        shape=(1024, 1024),
        scale=0.32,
        ceiling=65536,
        gain=18.64,
        read_noise=18.0,
        filters=("i",),
        first_wcs=FirstWcs(512, 512, 0.3171, 0.3191, 2.40),
    ),
    Camera(
        number=2,
        channels=(Channel("a", Area(4, 975, 100, 2000), "Z"), Channel("b", Area(1135, 2043, 240, 2043), "Y")),
        takes_bias=False,
        takes_dark=False,
        infrared=True,
        shape=(2048, 2048),
        scale=0.30,
        ceiling=36000,
        gain=2.2,
        read_noise=18.0,
        filters=("Z", "Y"),
        first_wcs=FirstWcs(1177, 1031, 0.2988, 0.2955, -88.1, BARREL),
    ),
    Camera(
        number=3,
        channels=(Channel("a", Area(50, 1000, 4, 2000), "J"), Channel("b", Area(1200, 2043, 4, 1940), "H")),
        takes_bias=False,
        takes_dark=False,
        infrared=True,
        shape=(2048, 2048),
        scale=0.30,
        ceiling=36000,
        gain=2.4,
        read_noise=18.0,
        filters=("J", "H"),
        first_wcs=FirstWcs(924, 982, 0.2983, -0.2945, 90.4, BARREL),
    ),
)


def _software_gain(cards: Cards) -> float:
    value = number(cards, "SOFTGAIN")
    if value <= 0:
        raise HeaderProblem(f"SOFTGAIN is {value:g}, not a positive number")
    return value


def _filter(cards: Cards, camera: Camera, channel: Channel) -> str:
    return channel.filter or text(cards, "FILTER")


def _area(cards: Cards, camera: Camera, channel: Channel, shape: tuple[int, int]) -> Area:
    assert channel.area is not None
    return channel.area


def _saturation(cards: Cards, camera: Camera) -> float:
    return camera.ceiling / _software_gain(cards) - 1


def _gain(cards: Cards, camera: Camera) -> float:
    return camera.gain / _software_gain(cards)


def _scale(cards: Cards, camera: Camera) -> float:
    return camera.scale


def _target(cards: Cards) -> str:
    return f"{text(cards, 'PRPSLID')}-vis{text(cards, 'VSTID')}"


def _airmass(cards: Cards) -> float:
    key = "STROBAM" if "STROBAM" in cards else "AIRMASS"
    return number(cards, key, math.nan)


def target_half(cards: Cards, channel: Channel) -> bool | None:
    """Return whether the pointing aperture puts the target on this half; None for an unsplit camera."""
    if not channel.suffix:
        return None
    aperture = text(cards, "STRRQAP")
    return ("ZJ" if channel.suffix == "a" else "YH") in aperture


def first_wcs(cards: Cards, camera: Camera, channel: Channel, area: Area) -> dict[str, Card]:
    """Return the cards of the first guess: requested pointing plus offset minus aperture.

    The east parts are arcs and are divided by cos(dec). No cards for frames without a pointing.
    """
    guess = camera.first_wcs
    if guess is None or "ETRRQRA" not in cards:
        return {}
    east, north = APERTURES.get(text(cards, "STRRQAP"), (0.0, 0.0))
    dec = number(cards, "ETRRQDE") + number(cards, "ETRRQDEO", 0.0) - north / 60
    cosine = max(math.cos(math.radians(dec)), 1e-3)
    ra = number(cards, "ETRRQRA") + (number(cards, "ETRRQRAO", 0.0) - east / 60) / cosine
    sine, cosine = math.sin(math.radians(guess.angle)), math.cos(math.radians(guess.angle))
    s1, s2 = guess.scale1 / 3600, guess.scale2 / 3600
    projection = "TPV" if guess.distortion else "TAN"
    wcs: dict[str, Card] = {
        "CTYPE1": f"RA---{projection}",
        "CTYPE2": f"DEC--{projection}",
        "CRVAL1": ra % 360,
        "CRVAL2": dec,
        "CRPIX1": guess.x0 - area.x0,
        "CRPIX2": guess.y0 - area.y0,
        "CD1_1": -s1 * cosine,
        "CD2_1": s1 * sine,
        "CD1_2": s2 * sine,
        "CD2_2": s2 * cosine,
    }
    for axis in (1, 2):
        wcs.update({f"PV{axis}_{term}": value for term, value in guess.distortion.items()})
    return wcs


def _extra(cards: Cards, camera: Camera, channel: Channel) -> dict[str, Card]:
    """Plate-solved finder position, predicting the shift between frames; pointing for catalogue look-ups."""
    extra: dict[str, Card] = {}
    for ours, theirs in (("SOLVRA", "ENESLRA"), ("SOLVDEC", "ENESLDE"), ("OBSRA", "ETRRQRA"), ("OBSDEC", "ETRRQDE")):
        try:
            extra[ours] = number(cards, theirs)
        except HeaderProblem:
            continue
    return extra


RATIR = Instrument(
    name="ratir",
    title="RATIR",
    cameras=CAMERAS,
    filters=("u", "g", "r", "i", "Z", "Y", "J", "H"),
    naming=Naming(pattern=None),
    header=MappingProxyType(
        {
            "DATE-OBS": ("SDATE", "DATE-OBS"),
            "EXPTIME": ("EXPTIME", "EXPOSURE"),
            "OBJECT": ("OBJECT", "SEXVSNM"),
            "OBJNAME": ("OBJNAME",),
            "LATITUDE": ("LATITUDE",),
            "LONGITUD": ("LONGITUD",),
            "BINNING": ("BINNING",),
            "BINX": ("BINX",),
            "BINY": ("BINY",),
            "UTC": ("UTC",),
            "RDNOISE": ("RDNOISE",),
        }
    ),
    rules=Rules(_filter, _area, _saturation, _gain, _scale, _target, _airmass, first_wcs, _extra, target_half),
    recognise=lambda cards: "RATIR" in text(cards, "INSTRUME").upper() or "SOFTGAIN" in cards,
    site=(31.0442, -115.464, 2800.0),
)
