"""Raw headers as the instruments write them."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..instruments.cards import Area, Card
from ..instruments.values import airmass_at, mjd

RawCards = list[tuple[str, Card, str]]


@dataclass(frozen=True)
class Exposure:
    """What a raw header tells of.

    ``ra``, ``dec`` (deg) are the requested position, ``east``, ``north`` (arcsec) the commanded dither; ``solved`` is
    where a finder camera saw the telescope point (deg), None when it did not. ``texts_for_numbers`` writes some
    numbers as text, as RIMAS does at times.
    """

    instrument: str
    camera: int
    ftype: str
    start: datetime.datetime
    exptime: float
    filter: str
    shape: tuple[int, int]
    science: Area
    gain: float
    software_gain: float
    saturation: float
    read_noise: float
    number: int
    target: str = ""
    ra: float = 0.0
    dec: float = 0.0
    east: float = 0.0
    north: float = 0.0
    aperture: str = ""
    site: tuple[float, float, float] = (0.0, 0.0, 0.0)
    solved: tuple[float, float] | None = None
    texts_for_numbers: bool = False

    @property
    def airmass(self) -> float:
        """Airmass at mid-exposure."""
        jd = mjd(self.start) + 2400000.5 + self.exptime / 2 / 86400
        return airmass_at(self.ra, self.dec, jd, self.site[0], self.site[1])


def sexagesimal(degrees: float, hours: bool, digits: int = 2) -> str:
    """Return an angle as the telescope software writes it: ``10:42:48.46`` or ``-02:11:07.1``."""
    value = abs(degrees) / (15 if hours else 1)
    total = round(value * 3600, digits)
    minutes, seconds = divmod(total, 60)
    whole, minutes = divmod(int(minutes), 60)
    sign = "" if hours else ("-" if degrees < 0 else "+")
    return f"{sign}{whole:02d}:{minutes:02d}:{seconds:0{3 + digits}.{digits}f}"


def _iso(time: datetime.datetime, digits: int) -> str:
    text = time.strftime("%Y-%m-%dT%H:%M:%S.%f")
    return text[: 20 + digits] if digits else text[:19]


def _offset(exposure: Exposure) -> tuple[float, float]:
    """Requested position with the dither (deg)."""
    import math

    dec = exposure.dec + exposure.north / 3600
    return (exposure.ra + exposure.east / 3600 / math.cos(math.radians(dec))) % 360, dec


def _ratir_camera_cards(e: Exposure) -> RawCards:
    """Return the cards that the camera writes."""
    infrared = e.camera >= 2
    detector = e.start + datetime.timedelta(seconds=5.08)
    cards: RawCards = [
        (
            "CTIME",
            int((e.start - datetime.datetime(1970, 1, 1)).total_seconds()),
            "exposure start (seconds since 1970)",
        ),
        ("USEC", e.start.microsecond, "exposure start micro seconds"),
        ("JD", round(mjd(detector) + 2400000.5, 8), "exposure JD"),
        ("DATE-OBS", _iso(detector, 3), "start of exposure"),
        ("EXPTIME", float(e.exptime), "exposure length in seconds"),
        ("EXPOSURE", float(e.exptime), "exposure length in seconds"),
        ("INSTRUME", "RATIR", "name of the data acqusition instrument"),
        ("OBSERVAT", "SPM", ""),
        ("TELESCOP", "1.5m", "name of the data acqusition telescope"),
        ("ORIGIN", "OAN San Pedro Martir", "organisation responsible for data"),
        ("SCRIPREP", 0, "script loop count"),
        ("SCRIPT", f"E {e.exptime:g}", "script used to take this images"),
        ("CCD_NAME", f"C{e.camera}", "camera name"),
        ("CCD_TYPE", "SIDECAR" if infrared else "FLI 256.273", "camera type"),
        ("CCD_SER", "1" if infrared else "PL0154809", "camera serial number"),
        ("BINNING", "1x1" if infrared else "2x2", "[pixelX x pixelY] chip binning"),
        ("BINX", 1 if infrared else 2, "[pixels] binning along X axis"),
        ("BINY", 1 if infrared else 2, "[pixels] binning along X axis"),
        ("CCD_SET", -30.0, "CCD set temperature"),
        ("CCD_TEMP", -30.0, "CCD temperature"),
        ("SHUTTER", 0, "shutter state (0 - opened, 1 - closed)"),
        ("LATITUDE", e.site[0], "observatory latitude"),
        ("LONGITUD", e.site[1], "observatory longitude"),
        ("ALTITUDE", e.site[2], "observatory altitude"),
    ]
    cards += [
        (key, 0.0, "not set by the telescope") for key in ("OBJRA", "OBJDEC", "TARRA", "TARDEC", "TELRA", "TELDEC")
    ]
    return cards


def _ratir_pointing(e: Exposure, section: str, airmass: float) -> RawCards:
    """Return the telescope's cards at the start (S) or end (E) of the exposure."""
    cards: RawCards = []
    if e.ftype == "object":
        cards += [
            (f"{section}TRRQRA", e.ra, "target requestedalpha"),
            (f"{section}TRRQDE", e.dec, "target requesteddelta"),
            (f"{section}TRRQEQ", 2000.0, "target requestedequinox"),
            (f"{section}TRRQRAO", e.east / 3600, "target requestedalphaoffset"),
            (f"{section}TRRQDEO", e.north / 3600, "target requesteddeltaoffset"),
        ]
    else:
        cards += [
            ("COMMENT", f"no {section}TRRQRA value            / target requestedalpha", ""),
            (f"{section}TRRQHA", 0.0, "target requestedha"),
            (f"{section}TRRQDE", 29.999999999999996, "target requesteddelta"),
        ]
    cards += [
        (f"{section}TRRQAP", e.aperture, "target requestedaperture"),
        (f"{section}TROBAM", airmass, "target observedairmass"),
    ]
    return cards


def ratir_cards(e: Exposure) -> RawCards:
    """Return the raw header of a RATIR frame: camera cards, then the TCS sections at start (S) and end (E)."""
    proposal, _, visit = e.target.partition("-vis")
    cards = _ratir_camera_cards(e)
    airmass = e.airmass if e.ftype == "object" else 1.0001661339905858
    cards += [
        ("AIRMASS", airmass if e.ftype == "object" else 873.677196159668, "Airmass of target location"),
        ("CAM_FILT", 0, "filter used for image"),
        ("FILTER", e.filter, "camera filter as string"),
        ("PRPSLID", proposal, ""),
        ("VSTID", visit.ljust(8), ""),
        ("SDATE", _iso(e.start, 3), "date TCS section written"),
        ("SMJD", round(mjd(e.start), 8), "MJD TCS section written"),
        ("SEXVSNM", f"visit to {e.target}" if e.ftype == "object" else f"{e.ftype} frames", "executor visitname"),
        ("COMMENT", 'Start of TCS section "S".', ""),
    ]
    end = e.start + datetime.timedelta(seconds=e.exptime + 15)
    for section, moment in (("S", e.start), ("E", end)):
        if section == "E":
            cards.append(("EDATE", _iso(moment, 3), "date TCS section written"))
        cards += _ratir_pointing(e, section, airmass)
    if e.solved is not None:
        cards += [("ENESLRA", e.solved[0], "nefinder solvedalpha"), ("ENESLDE", e.solved[1], "nefinder solveddelta")]
    cards += [("COMMENT", 'End of TCS section "E".', ""), ("SOFTGAIN", round(e.software_gain), "")]
    return cards


_LMI_TYPES = {"bias": "BIAS", "flat": "SKY FLAT", "object": "OBJECT", "dark": "DARK"}


def _lmi_wcs(e: Exposure) -> RawCards:
    """Return the commanded WCS."""
    y0, y1, x0, x1 = e.science
    ra, dec = _offset(e)
    scale = 0.24 / 3600
    return [
        ("CTYPE1", "RA---TAN", "coordinate type"),
        ("CTYPE2", "DEC--TAN", "coordinate type"),
        ("CRVAL1", ra, "deg"),
        ("CRVAL2", dec, "deg"),
        ("CRPIX1", (x0 + x1 + 1) / 2, "reference pixel"),
        ("CRPIX2", (y0 + y1 + 1) / 2, "reference pixel"),
        ("CD1_1", -scale, "deg/px"),
        ("CD1_2", 0.0, "deg/px"),
        ("CD2_1", 0.0, "deg/px"),
        ("CD2_2", scale, "deg/px"),
    ]


def lmi_cards(e: Exposure) -> RawCards:
    """Return the raw header of an LMI frame, with the commanded WCS for frames of the sky."""
    y0, y1, x0, x1 = e.science
    trim = f"[{x0 + 1}:{x1},{y0 + 1}:{y1}]"
    sloan = e.filter.startswith("SDSS")
    is_object = e.ftype == "object"
    ra, dec = _offset(e)
    ends = e.start + datetime.timedelta(seconds=e.exptime)
    cards: RawCards = [
        ("BUNIT", "ADU", "pixel units(ADU,electrons)"),
        ("LOISVERS", "3.2.0RC1", "LOIS Version"),
        ("LCAMMOD", "lmi", "LOIS Camera module"),
        ("OBSERVER", "simulated", "observer(s)"),
        ("OBSERVAT", "Lowell Observatory", "observatory"),
        ("ALTITUDE", e.site[2], "altitude in meters"),
        ("LATITUDE", e.site[0], "latitude, degrees"),
        ("LONGITUD", e.site[1], "east longitude, degrees"),
        ("CREATOR", "LOIS", "File Creation task or process(ie LOIS)"),
        ("OBSERNO", e.number, "Image Count for Observing Session"),
        ("OBJNAME", e.target if is_object else "", "Target Object Name"),
        ("OBJECT", e.target if is_object else "", "Object Name"),
        ("OBSTYPE", _LMI_TYPES[e.ftype], "object, flat, bias, etc."),
        ("IMAGETYP", _LMI_TYPES[e.ftype], "object, flat, bias, etc."),
        ("DATE-OBS", _iso(e.start, 2), "UT date(yyyy-mm-dd) of observation"),
        ("EXPTIME", float(e.exptime), "Actual integration time, seconds"),
        ("UTCSTART", _iso(e.start, 2)[11:], "universal time (start of exposure)"),
        ("UT", _iso(e.start, 2)[11:], "universal time (start of exposure)"),
        ("UTCEND", _iso(ends, 2)[11:], "universal time (end of exposure)"),
        ("NUMAMP", 1, "Number of readout amplifiers for image"),
        ("PRESCAN", x0, "Number of prescan columns per amplifier"),
        ("TRIMSEC", trim, "Valid pixels for extraction, all amps"),
        ("CCDSUM", "2 2", "On Chip binned summation"),
        ("TRIM01", trim, "Valid pixels for extraction, amp 01"),
        ("GAIN_01", e.gain, "Gain for amplifier 01"),
        ("GAIN", e.gain, "Gain for amplifier 01"),
        ("RN_01", e.read_noise, "Read Noise for amplifier 01"),
        ("RDNOISE", e.read_noise, "Read Noise for amplifier 01"),
        ("ADELX_01", 2, "Binning factor for amp 01 in X direction"),
        ("ADELY_01", 2, "Binning factor for amp 01 in Y direction"),
        ("DETECTOR", "e2v CCD231-C6", "CCD Detector Name"),
        ("TELESCOP", "DCT", "Telescope name"),
        ("TELRA", sexagesimal(ra, True, 3), "TCS right ascension(hh:mm:ss)"),
        ("TELDEC", sexagesimal(dec, False), "TCS declination (dd:mm:ss)"),
        ("OBSRA", sexagesimal(ra, True, 3), "requested right ascension(hh:mm:ss)"),
        ("OBSDEC", sexagesimal(dec, False), "requested declination (dd:mm:ss)"),
        ("EQUINOX", 2000.0, "equinox of OBSRA and OBSDEC"),
        ("AIRMASS", round(e.airmass, 3) if is_object else 1.0, "airmass"),
        ("FILTER1", e.filter if sloan else "OPEN", "Filter in wheel 1"),
        ("FILTER2", "OPEN" if sloan or not e.filter else e.filter, "Filter in wheel 2"),
        ("FILTERS", e.filter, "Filters"),
        ("INSTRUME", "LMI", "Instrument"),
    ]
    return cards + _lmi_wcs(e) if e.ftype in ("object", "flat") else cards


_RIMAS_TYPES = {"bias": "BIAS", "flat": "SKY_FLAT", "object": "SCIENCE", "dark": "DARK"}


def rimas_cards(e: Exposure) -> RawCards:
    """Return the raw header of a RIMAS frame; exposure time and saturation are text in some of them."""
    ra, dec = _offset(e)
    begin = mjd(e.start) + 2400000.5
    wheel = {0: "open", 1: "open", e.camera: e.filter}

    def maybe_text(value: float) -> Card:
        return f"{value:g}" if e.texts_for_numbers else value

    cards: RawCards = [
        ("INSTRUME", "RIMAS", "instrument"),
        ("TELESCOP", "LDT", "telescope"),
        ("ASICINDX", e.camera, "camera, by its ASIC"),
        ("OBJTYPE", _RIMAS_TYPES[e.ftype], "type of frame"),
        ("OBJNAME", e.target if e.ftype == "object" else "", "target"),
        ("DATE-BEG", _iso(e.start, 3), "start of exposure, UTC"),
        ("JD-BEG", round(begin, 8), "start of exposure"),
        ("JD-END", round(begin + e.exptime / 86400, 8), "end of exposure"),
        ("EXPTIME", maybe_text(e.exptime), "s"),
        ("FILTER1", wheel[0], "wheel of C0"),
        ("FILTER2", wheel[1], "wheel of C1"),
        ("FILTER3", "blank" if e.ftype == "dark" else "open", "common slit and filter wheel"),
        ("RA-D", ra, "deg"),
        ("DEC-D", dec, "deg"),
        ("ROT", 0.0, "rotation, deg"),
        ("PIXSCALE", 0.19, "arcsec/px"),
        ("SATURATE", maybe_text(e.saturation), "DN"),
        ("GAIN0", e.gain, "e-/DN"),
        ("LATITUDE", e.site[0], "deg"),
        ("LONGITUD", e.site[1], "deg"),
        ("ALTITUDE", e.site[2], "m"),
    ]
    if e.ftype == "object" and not e.texts_for_numbers:
        cards.append(("AIRMASS", round(e.airmass, 4), "airmass"))
    return cards


WRITERS: Mapping[str, Callable[[Exposure], RawCards]] = MappingProxyType(
    {"ratir": ratir_cards, "lmi": lmi_cards, "rimas": rimas_cards}
)


def raw_name(e: Exposure) -> str:
    """Return the name that the instrument's software gives a frame."""
    if e.instrument == "ratir":
        from ..instruments.model import LETTER_OF_TYPE

        return f"{e.start.strftime('%Y%m%dT%H%M%S')}C{e.camera}{LETTER_OF_TYPE[e.ftype]}.fits"
    if e.instrument == "lmi":
        return f"lmi.{e.number:04d}.fits"
    return f"{e.start.strftime('%Y%m%d')}.rimas.{e.number:04d}.C{e.camera}.fits"
