"""Reading header values with care: missing, of the wrong type, or written as text."""

from __future__ import annotations

import datetime
import math
import re

from .cards import Unparsable
from .model import Cards, HeaderProblem

_SEXAGESIMAL = re.compile(r"^([+-]?)(\d+)[:\s](\d+)(?:[:\s](\d+(?:\.\d*)?))?$")
_ISO = re.compile(r"^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d):(\d\d)(\.\d*)?)?Z?$")
_MJD_ORIGIN = datetime.datetime(1858, 11, 17)


def number(cards: Cards, key: str, default: float | None = None) -> float:
    """Return a finite number; text such as ``'65535'`` counts.

    Raises
    ------
    HeaderProblem
        When the card is missing and there is no default, or it is not a number.
    """
    value = cards.get(key)
    if value is None or (isinstance(value, str) and not value.strip()):
        if default is None:
            raise HeaderProblem(f"the header has no {key}")
        return default
    if isinstance(value, bool):
        raise HeaderProblem(f"{key} is {value!r}, not a number")
    try:
        result = float(value)
    except ValueError:
        raise HeaderProblem(f"{key} is {str(value)!r}, not a number") from None
    if not math.isfinite(result):
        raise HeaderProblem(f"{key} is {value!r}, not a finite number")
    return result


def text(cards: Cards, key: str, default: str = "") -> str:
    """Return a card as stripped text."""
    value = cards.get(key, default)
    if isinstance(value, bool):
        return "T" if value else "F"
    return str(value).strip()


def angle(cards: Cards, key: str, *, hours: bool = False) -> float:
    """Return an angle in degrees from a number (deg) or from sexagesimal text (hours when ``hours``).

    Raises
    ------
    HeaderProblem
        When it is missing or neither.
    """
    value = cards.get(key)
    if isinstance(value, str):
        match = _SEXAGESIMAL.match(value.strip())
        if match:
            sign, whole, minutes, seconds = match.groups()
            size = int(whole) + int(minutes) / 60 + float(seconds or 0) / 3600
            return (-size if sign == "-" else size) * (15 if hours else 1)
    return number(cards, key)


def moment(value: object, what: str = "DATE-OBS") -> datetime.datetime:
    """Return an ISO time (UTC) as a datetime.

    Raises
    ------
    HeaderProblem
        When it is missing or no date.
    """
    if value is None:
        raise HeaderProblem(f"the header has no {what}")
    match = None if isinstance(value, Unparsable) else _ISO.match(str(value).strip())
    if match is None:
        raise HeaderProblem(f"{what} is {str(value)!r}, not a date")
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    microsecond = min(round(float(f"0{match.group(7) or '.0'}0") * 1e6), 999999)
    try:
        leap = second == 60
        start = datetime.datetime(year, month, day, hour, minute, 59 if leap else second, microsecond)
    except ValueError:
        raise HeaderProblem(f"{what} is {str(value)!r}, not a date") from None
    return start + datetime.timedelta(seconds=1) if leap else start


def mjd(time: datetime.datetime) -> float:
    """Return the modified Julian date of a UTC time."""
    return (time - _MJD_ORIGIN) / datetime.timedelta(days=1)


def airmass_at(ra: float, dec: float, jd: float, latitude: float, longitude: float) -> float:
    """Return the airmass of a position (deg, of date within a few arcmin) at a Julian date (UT) from a site (deg).

    Sidereal time to 0.1 s (Meeus, Astronomical Algorithms, eq. 12.4); Pickering (2002, DIO 12, 1) airmass. NaN below
    the horizon.
    """
    centuries = (jd - 2451545.0) / 36525
    sidereal = 280.46061837 + 360.98564736629 * (jd - 2451545.0) + 0.000387933 * centuries**2
    hour_angle = math.radians(sidereal + longitude - ra)
    lat, declination = math.radians(latitude), math.radians(dec)
    sine = math.sin(lat) * math.sin(declination) + math.cos(lat) * math.cos(declination) * math.cos(hour_angle)
    altitude = math.degrees(math.asin(max(-1.0, min(1.0, sine))))
    if altitude <= 0:
        return math.nan
    return float(1 / math.sin(math.radians(altitude + 244 / (165 + 47 * altitude**1.1))))
