"""The catalogue itself: motions, cones, bands, transformations."""

import numpy as np
import pytest

from photopipe_gui.reduction.catalogs.bands import band_of, derive, is_sloan_filter, to_sdss
from photopipe_gui.reduction.catalogs.model import ReferenceCatalog, separation


@pytest.mark.parametrize(
    ("name", "band"),
    [("SDSS-U", "u"), ("SDSS-G", "g"), ("SDSS-R", "r"), ("SDSS-I", "i"), ("SDSS-Z", "z"), ("YISH", "y"), ("Z", "z"),
     ("Y", "y"), ("u", "u"), ("g", "g"), ("r", "r"), ("i", "i"), ("R", "R"), ("I", "I"), ("B", "B"), ("V", "V"),
     ("J", "J"), ("H", "H"), ("K", "K"), ("Ks", "K"), ("r'", "r"), ("ps1_y", "y"), (" sdss r ", "r"), ("U", "U"),
     ("B-SDSS-R", None), ("Halpha", None), ("", None), ("open", None)],
)
def test_band_of_filter(name, band):
    assert band_of(name) == band


def test_sloan_filters():
    assert is_sloan_filter("SDSS-R") and is_sloan_filter("i")
    assert not is_sloan_filter("R") and not is_sloan_filter("Z") and not is_sloan_filter("YISH")


def test_motion_moves_stars_and_unknown_motion_does_not():
    cat = ReferenceCatalog("x", np.array([10.0, 10.0]), np.array([60.0, 60.0]), np.array([1000.0, np.nan]),
                           np.array([-500.0, np.nan]), 2016.0)
    ra, dec = cat.at_epoch(2026.0)
    # Ten years of 1"/yr are 10" of arc east, 20" of right ascension at declination 60.
    assert (ra[0] - 10.0) * 3600 == pytest.approx(20.0, abs=1e-6)
    assert (dec[0] - 60.0) * 3600 == pytest.approx(-5.0, abs=1e-6)
    assert (ra[1], dec[1]) == (10.0, 60.0)
    assert cat.at_epoch(float("nan"))[0][0] == 10.0


def test_cone_across_the_meridian_and_at_the_pole():
    cat = ReferenceCatalog("x", np.array([359.99, 0.01, 180.0, 0.0]), np.array([0.0, 0.0, 89.99, 89.99]))
    assert len(cat.within(0.0, 0.0, 0.02)) == 2
    assert len(cat.within(90.0, 90.0, 0.02)) == 2
    assert separation(0, 0, np.array([1e-6]), np.array([0.0]))[0] == pytest.approx(1e-6, rel=1e-6)


def _sloan(passband):
    n = 40
    colour = np.linspace(0.1, 1.3, n)
    r = np.full(n, 16.0)
    mags = {"g": r + colour, "r": r, "i": r - 0.25 * colour}
    magnitudes = {b: (m, np.full(n, 0.01)) for b, m in mags.items()}
    return ReferenceCatalog("x", np.zeros(n), np.zeros(n), magnitudes=magnitudes, systems=dict.fromkeys("gri", "AB"),
                            passbands=dict.fromkeys("gri", passband))


@pytest.mark.parametrize("passband", ["PS1", "SDSS"])
@pytest.mark.parametrize("band", ["B", "V", "R", "I"])
def test_derived_bands_are_those_of_real_stars(passband, band):
    made, why = derive(_sloan(passband), band)
    assert made is not None and "20" in why
    magnitude, error = made.magnitudes[band]
    # A star of g-r = 0.45 is near the Sun's: B-V 0.65, V-R 0.36, V-I 0.70, V 0.2 above r (Vega).
    at = np.argmin(abs(np.linspace(0.1, 1.3, 40) - 0.45))
    solar = {"B": 16.86, "V": 16.21, "R": 15.84, "I": 15.50}[band]
    assert magnitude[at] == pytest.approx(solar, abs=0.06)
    assert made.systems[band] == "Vega"
    assert (error > 0.0085).all(), "errors of the bands and scatter of the relation"


def test_ps1_and_sdss_relations_agree():
    for band in "VRI":
        one, other = (derive(_sloan(p), band)[0].magnitudes[band][0] for p in ("PS1", "SDSS"))
        assert np.nanmedian(abs(one - other)) < 0.06


def test_u_from_sloan_needs_u_and_goes_through_b():
    cat = _sloan("SDSS")
    assert derive(cat, "U")[0] is None
    cat = cat.with_band("u", cat.magnitudes["g"][0] + 1.43, np.full(40, 0.02), "AB", "SDSS")
    made = derive(cat, "U")[0]
    at = np.argmin(abs(np.linspace(0.1, 1.3, 40) - 0.45))
    assert made.magnitudes["U"][0][at] == pytest.approx(17.09, abs=0.12)  # the Sun's U-B is 0.17 or so
    assert made.magnitudes["U"][1][at] > 0.05


def test_ps1_becomes_sdss_and_a_star_without_colour_keeps_its_own():
    cat = _sloan("PS1")
    g = cat.magnitudes["g"][0].copy()
    g[3] = np.nan
    cat = cat.with_band("g", g, cat.magnitudes["g"][1], "AB", "PS1")
    made, why = to_sdss(cat, "r")
    magnitude, error = made.magnitudes["r"]
    assert "Tonry" in why and made.passbands["r"] == "SDSS"
    assert magnitude[3] == 16.0 and error[3] > 0.03
    assert 0 < np.median(magnitude - 16.0) < 0.02
