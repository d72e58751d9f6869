import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from photopipe_gui.reduction.auto.wcsheader import guess_cards, guesses, solution_cards, wcs_of, with_solution
from photopipe_gui.reduction.core.skyplane import frame_points, wcs_from_grid

SHAPE = (900, 1000)


def header(**changes):
    plain = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 120.0, "CRVAL2": 30.0, "CRPIX1": 500.0,
             "CRPIX2": 450.0, "CD1_1": -1e-4, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 1e-4}
    plain.update(changes)
    return fits.Header({k: v for k, v in plain.items() if v is not None})


def centre(wcs):
    return [float(v[0]) for v in wcs.all_pix2world([499.0], [449.0], 0)]


def test_the_headers_own_wcs_comes_first():
    (own,) = guesses(guess_cards(header()), SHAPE)
    np.testing.assert_allclose(centre(own), [120, 30])


def test_a_requested_position_elsewhere_is_a_second_guess():
    first, second = guesses(guess_cards(header(OBSRA=121.0, OBSDEC=31.0)), SHAPE)
    np.testing.assert_allclose(centre(first), [120, 30])
    np.testing.assert_allclose(centre(second), [121, 31])
    assert len(guesses(guess_cards(header(OBSRA=120.01, OBSDEC=30.0)), SHAPE)) == 1


@pytest.mark.parametrize("changes", [
    {"CD1_1": None, "CD2_2": None, "CD1_2": None, "CD2_1": None, "CRVAL1": None}, {"CRVAL1": "12:00:00"},
    {"CD1_1": 0.0}, {"CRPIX1": None},
])
def test_without_a_usable_wcs_north_is_up_at_the_requested_position(changes):
    (guess,) = guesses(guess_cards(header(OBSRA=80.0, OBSDEC=-20.0, PIXSCALE=0.32, **changes)), SHAPE)
    matrix = guess.pixel_scale_matrix
    assert matrix[0, 0] < 0 < matrix[1, 1]
    np.testing.assert_allclose(np.abs(np.linalg.det(matrix)), (0.32 / 3600) ** 2)
    ra, dec = guess.all_pix2world([(SHAPE[1] - 1) / 2], [(SHAPE[0] - 1) / 2], 0)
    np.testing.assert_allclose([ra[0], dec[0]], [80, -20])


def test_a_header_without_position_gives_no_guess():
    assert guesses(guess_cards(fits.Header({"PIXSCALE": 0.3})), SHAPE) == []


def test_distortion_terms_under_the_plain_name_are_applied():
    terms = {f"PV{axis}_{k}": v for axis in (1, 2) for k, v in ((1, 1.0), (17, -20.0), (19, -40.0), (21, -20.0))}
    (named,) = guesses(guess_cards(header(CTYPE1="RA---TPV", CTYPE2="DEC--TPV", **terms)), SHAPE)
    (plain,) = guesses(guess_cards(header(**terms)), SHAPE)
    (straight,) = guesses(guess_cards(header()), SHAPE)
    a, b, c = (np.array(w.all_pix2world([0.0], [0.0], 0)) for w in (named, plain, straight))
    np.testing.assert_allclose(a, b, atol=1e-12)
    assert np.abs(a - c).max() > 1e-6


@pytest.mark.parametrize("order", [1, 3])
def test_a_solution_survives_the_header(order, tmp_path):
    grid = frame_points(SHAPE, 21)
    u = (grid - [499.5, 449.5]) / 500
    bent = grid + (5 * u * (u**2).sum(axis=1, keepdims=True) if order > 1 else 0)
    ra, dec = guesses(guess_cards(header()), SHAPE)[0].all_pix2world(*bent.T, 0)
    wcs = wcs_from_grid(SHAPE, grid, ra, dec, order)
    old = header(PV1_1=1.0, PV1_17=3.0, A_ORDER=2, A_2_0=1e-3, OBJECT="kept", CROTA2=3.0)
    fits.PrimaryHDU(np.zeros(SHAPE, np.float32), with_solution(old, solution_cards(wcs))).writeto(tmp_path / "a.fits")
    read = fits.getheader(tmp_path / "a.fits")
    assert read["OBJECT"] == "kept"
    assert not [k for k in read if k.startswith("PV") or k == "CROTA2"]
    found = WCS(read).all_pix2world(*grid.T, 0)
    np.testing.assert_allclose(found, (ra, dec), atol=1e-9)
    np.testing.assert_allclose(wcs_of(solution_cards(wcs)).all_pix2world(*grid.T, 0), found, atol=1e-12)
