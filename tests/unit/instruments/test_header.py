"""Facts and standard cards from raw headers, good and bad."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photopipe_gui.instruments import registry
from photopipe_gui.instruments.cards import Area, Unparsable
from photopipe_gui.instruments.header import describe, safe_name, standard_cards
from photopipe_gui.instruments.model import HeaderProblem
from photopipe_gui.instruments.values import airmass_at, angle, moment, number

RATIR, LMI, RIMAS = (registry.get(name) for name in ("ratir", "lmi", "rimas"))

RATIR_CARDS = {
    "INSTRUME": "RATIR", "EXPTIME": 60.0, "SOFTGAIN": 2, "FILTER": "r", "SDATE": "2013-07-04T03:52:58.976",
    "STROBAM": 1.2, "PRPSLID": "2012A-1000", "VSTID": "3944", "ETRRQRA": 200.0, "ETRRQDE": 60.0, "ETRRQRAO": 0.01,
    "ETRRQDEO": -0.02, "STRRQAP": "riZJcenter",
}  # fmt: skip


def _ratir(camera: int, half: int = 0, **changes):
    cam = RATIR.camera(camera)
    cards = {**RATIR_CARDS, **changes}
    channel = cam.channels[half]
    info = describe(RATIR, cards, cam, channel, cam.shape, "object")
    return info, standard_cards(RATIR, cards, cam, channel, info, "raw.fits")


def test_ratir_standard_cards():
    info, cards = _ratir(0)
    assert info.problem == ""
    assert info.target == "2012A-1000-vis3944"
    assert (cards["FILTER"], cards["CAMERA"], cards["WAVELENG"]) == ("r", 0, "OPT")
    assert cards["SATURATE"] == 32767
    assert cards["DATE-OBS"] == "2013-07-04T03:52:58.976"
    assert cards["AIRMASS"] == 1.2


def test_ratir_pointing_divides_east_offsets_by_cos_dec():
    _, cards = _ratir(0)
    dec = 60.0 - 0.02
    assert cards["CRVAL2"] == pytest.approx(dec)
    assert cards["CRVAL1"] == pytest.approx(200 + (0.01 - 1.2 / 60) / math.cos(math.radians(dec)))
    assert cards["CRPIX1"] == 512 - 125
    assert cards["CD1_1"] == pytest.approx(-0.3168 / 3600 * math.cos(math.radians(0.6)))


def test_ratir_h2rg_first_guess_is_tpv_as_photopipe_wrote_it():
    """The H half of the public frame: CRPIX, CD and distortion as in its header."""
    _, cards = _ratir(3, 1)
    assert cards["CTYPE1"] == "RA---TPV"
    assert (cards["CRPIX1"], cards["CRPIX2"]) == (920, -218)
    assert cards["CD1_1"] == pytest.approx(5.78474985244976e-07, rel=1e-6)
    assert cards["CD2_1"] == pytest.approx(8.28590918442831e-05, rel=1e-6)
    assert cards["CD1_2"] == pytest.approx(-8.1803562011871e-05, rel=1e-6)
    assert cards["CD2_2"] == pytest.approx(5.71105877152683e-07, rel=1e-6)
    assert cards["PV1_33"] == pytest.approx(-12384.45539391)
    assert cards["PV2_19"] == pytest.approx(-39.20763342)


def test_the_half_with_the_target():
    for aperture, halves in {"riZJcenter": (True, False), "YHcenter": (False, True), "rcenter": (False, False)}.items():
        assert tuple(_ratir(2, half, STRRQAP=aperture)[0].target_half for half in (0, 1)) == halves
    assert _ratir(0)[0].target_half is None


def test_calibration_frame_without_pointing_has_no_wcs():
    cards = {k: v for k, v in RATIR_CARDS.items() if not k.startswith("ETR") and k != "STRRQAP"}
    cam = RATIR.camera(1)
    info = describe(RATIR, cards, cam, cam.channels[0], cam.shape, "flat")
    standard = standard_cards(RATIR, cards, cam, cam.channels[0], info, "x.fits")
    assert info.problem == ""
    assert "CRVAL1" not in standard


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"EXPTIME": Unparsable("6,4E-05")}, "EXPTIME is '6,4E-05', not a number"),
        ({"SOFTGAIN": None}, "SOFTGAIN"),
        ({"SOFTGAIN": 0}, "not a positive number"),
        ({"FILTER": ""}, "no FILTER"),
        ({"EXPTIME": -3.0}, "EXPTIME is -3 s"),
        ({"EXPTIME": math.inf}, "not a finite number"),
    ],
)
def test_bad_values_become_a_problem_in_words(changes, words):
    assert words in _ratir(0, **changes)[0].problem


def test_frame_smaller_than_the_science_area():
    cam = RATIR.camera(0)
    info = describe(RATIR, RATIR_CARDS, cam, cam.channels[0], (512, 512), "object")
    assert "512 x 512 px, too small" in info.problem


def _lmi(shape=(3090, 3100), **changes):
    cards = {
        "INSTRUME": "LMI", "EXPTIME": 30.0, "FILTER1": "OPEN", "FILTER2": "SDSS-R", "OBSTYPE": "OBJECT",
        "OBJECT": "GRB 1", "OBJNAME": "GRB 1 / field", "CCDSUM": "2 2", "ADELX_01": 2, "ADELY_01": 2, "GAIN": 2.9,
        "DATE-OBS": "2021-05-05T03:52:44.22", "OBSRA": "12:30:00.0", "OBSDEC": "-01:30:00", "UT": "03:52:44.22",
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 187.5, "CRVAL2": -1.5, "CRPIX1": 1550.0,
        "CRPIX2": 1545.0, "CD1_1": -6.7e-5, "CD2_2": 6.7e-5, **changes,
    }  # fmt: skip
    cam = LMI.camera(0)
    info = describe(LMI, cards, cam, cam.channels[0], shape, "object")
    return info, standard_cards(LMI, cards, cam, cam.channels[0], info, "raw.fits")


def test_lmi_cards():
    info, cards = _lmi()
    assert info.problem == ""
    assert info.area == Area(3, 3079, 27, 3096)
    assert info.filter == "SDSS-R"
    assert info.scale == pytest.approx(0.24)
    assert info.saturation == 65000
    assert cards["TARGNAME"] == "GRB1_field"
    assert cards["OBSRA"] == pytest.approx(187.5)
    assert cards["OBSDEC"] == pytest.approx(-1.5)
    assert (cards["CRPIX1"], cards["CRPIX2"]) == (1550 - 27, 1545 - 3)
    assert cards["BINNING"] == "2 2"


def test_lmi_filters():
    assert _lmi(FILTER1="B")[0].filter == "B-SDSS-R"
    assert _lmi(FILTER1="V", FILTER2="open")[0].filter == "V"


def test_lmi_other_binning_takes_trimsec_else_scales():
    info, _ = _lmi((1546, 1552), CCDSUM="4 4", ADELX_01=4, TRIMSEC="[15:1548,3:1540]")
    assert info.area == Area(2, 1540, 14, 1548)
    info, _ = _lmi((1546, 1552), CCDSUM="4 4", ADELX_01=4)
    assert info.area == Area(2, 1539, 14, 1548)
    assert info.scale == pytest.approx(0.48)


def test_lmi_empty_object_takes_the_type():
    assert _lmi(OBJECT="", OBJNAME="x")[0].target == "OBJECT"
    assert _lmi(OBJNAME="")[0].target == "GRB1"


@pytest.mark.parametrize(
    ("wheels", "name"),
    [
        (("J", "H", "open"), "J"),
        (("J", "H", " OPEN "), "J"),
        (("Y", "H", "Blank"), "blank"),
        (("Y", "H", "slit"), "slit+Y"),
        (("Open", "H", "slit"), "slit"),
    ],
)
def test_rimas_filters(wheels, name):
    cards = dict(zip(("FILTER1", "FILTER2", "FILTER3"), wheels, strict=True))
    cam = RIMAS.camera(0)
    assert RIMAS.rules.filter(cards, cam, cam.channels[0]) == name


def test_rimas_numbers_as_text_and_first_guess():
    cards = {
        "INSTRUME": "RIMAS", "ASICINDX": 1, "EXPTIME": "15.0", "SATURATE": "52000", "GAIN0": 2.3, "FILTER1": "J",
        "FILTER2": "H", "FILTER3": "open", "RA-D": 10.0, "DEC-D": 60.0, "ROT": 0.0, "DATE-BEG": "2025-11-03T05:00:00.5",
        "OBJNAME": "", "OBJTYPE": "SCIENCE", "JD-BEG": 2460982.70, "JD-END": 2460982.71,
    }  # fmt: skip
    cam = RIMAS.camera(1)
    info = describe(RIMAS, cards, cam, cam.channels[0], (1000, 1200), "object")
    standard = standard_cards(RIMAS, cards, cam, cam.channels[0], info, "x.fits")
    assert (info.exptime, info.saturation, info.gain, info.filter) == (15.0, 52000.0, 2.3, "H")
    assert info.area == Area(0, 1000, 0, 1200)
    assert info.target == "SCIENCE"
    dec = 60.0 - 33 * 0.19 / 3600
    assert standard["CRVAL2"] == pytest.approx(dec)
    assert standard["CRVAL1"] == pytest.approx(10 + 88 * 0.19 / 3600 / math.cos(math.radians(dec)))
    assert 1.0 <= info.airmass < 40


def test_airmass_at_the_zenith_and_low():
    """At sidereal noon the object stands at 90 - |lat - dec|; 60 degrees from the zenith is airmass 2."""
    jd = 2451545.0
    sidereal = 280.46061837
    assert airmass_at(sidereal, 30.0, jd, 30.0, 0.0) == pytest.approx(1.0, abs=1e-3)
    assert airmass_at(sidereal, -30.0, jd, 30.0, 0.0) == pytest.approx(1.994, abs=0.01)
    assert math.isnan(airmass_at(sidereal, -70.0, jd, 30.0, 0.0))


def test_a_target_name_cannot_leave_the_night():
    assert "/" not in safe_name("../../etc/passwd")
    assert not safe_name("..hidden").startswith(".")
    assert safe_name(" \t") == "unknown"


@given(st.text(max_size=200))
def test_safe_names_are_single_path_parts(text):
    name = safe_name(text)
    assert name
    assert not set(name) & set('/\\:*?"<>|\0 \n')
    assert name not in (".", "..")


def test_values():
    assert number({"A": "65535"}, "A") == 65535
    assert angle({"RA": "12:30:00"}, "RA", hours=True) == pytest.approx(187.5)
    assert angle({"DEC": "-00:30:00"}, "DEC") == pytest.approx(-0.5)
    assert moment("2021-05-05T00:50:40.25").microsecond == 250000
    assert moment("2016-12-31T23:59:60").year == 2017
    for bad in ("", "yesterday", "2021-13-01T00:00:00", 5, None):
        with pytest.raises(HeaderProblem):
            moment(bad)
