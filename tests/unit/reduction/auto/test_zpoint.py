"""The zero-point step on frames of known zero point."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from groupkit import SerialContext, expose, group_of, save_frame, star_field, write_table

from photopipe_gui.errors import FrameError
from photopipe_gui.reduction.auto.steps import framecards, zpoint
from photopipe_gui.reduction.catalogs.config import CatalogConfig

DATA = Path(__file__).resolve().parents[5] / "shared" / "data" / "sn2015bn"


def catalogue(tmp_path, sky, rng, err=0.01, keep=slice(None), name="ref.csv"):
    ra, dec, mag = (part[keep] for part in sky)
    return write_table(tmp_path / name, ra, dec, mag + rng.normal(0, err, len(mag)), np.full(len(mag), err))


def run(paths, tmp_path, table=None, **params):
    config = CatalogConfig(refcat=table, offline=True, cache_dir=tmp_path / "cache")
    context = SerialContext(tmp_path, config)
    return zpoint.run_group(group_of(paths, tmp_path / "reduced"), zpoint.ZpointParams(**params), context)


def test_frames_of_different_transparency_and_seeing_get_their_zero_points(tmp_path):
    rng = np.random.default_rng(1)
    sky = star_field(rng)
    truth = [27.3, 27.1, 26.4, 27.2]
    seeing = [2.6, 3.0, 4.2, 3.3]
    paths = []
    for k, (value, fwhm) in enumerate(zip(truth, seeing, strict=True)):
        image, wcs = expose(rng, sky, value, shift=rng.uniform(-9, 9, 2), rotation=0.3, fwhm=fwhm)
        paths.append(save_frame(tmp_path / f"azsfp{k}.fits", image, wcs))
    result = run(paths, tmp_path, catalogue(tmp_path, sky, rng))
    median = np.median([result.frames[p.stem].measurements["ABSZPT"] for p in paths])
    for path, value in zip(paths, truth, strict=True):
        found = result.frames[path.stem]
        assert not found.dropped and not found.reason
        header = fits.getheader(found.product)
        assert abs(header["ABSZPT"] - value) < max(0.01, 3 * header["ABSZPERR"])
        assert header["ABSZPERR"] < 0.008
        assert header["ABSZPN"] >= 15 and header["ABSZPSYS"] == "AB" and header["APERDEF"] == "total"
        # The deeper frame is scaled down: all come to the median zero point.
        assert header["NEWFLXSC"] == pytest.approx(10 ** (-0.4 * (header["ABSZPT"] - median)), rel=1e-4)
        assert "zpoint" in str(header["HISTORY"])
        assert fits.getdata(found.product, "MASK").shape == (420, 440)


def test_saturated_blended_and_masked_stars_do_not_bias(tmp_path):
    rng = np.random.default_rng(2)
    ra, dec, mag = star_field(rng, faint=17.5)
    # A companion that the catalogue does not know, 2.4 arcsec away, to a third of the stars.
    twins = np.arange(0, len(ra), 3)
    sky_ra = np.append(ra, ra[twins] + 2.4 / 3600 / np.cos(np.radians(30)))
    sky = sky_ra, np.append(dec, dec[twins]), np.append(mag, mag[twins] + 0.7)
    image, wcs = expose(rng, sky, 27.0)
    mask = np.zeros(image.shape, np.uint8)
    level = np.sort(image.ravel())[-60]
    mask[image >= level] |= 2
    image = np.minimum(image, level)
    x, y = wcs.all_world2pix(ra, dec, 0)
    for k in (20, 22, 25):
        mask[round(float(y[k])) + 1, round(float(x[k]))] |= 1
        image[round(float(y[k])) + 1, round(float(x[k]))] = np.nan
    path = save_frame(tmp_path / "azsfp0.fits", image, wcs, mask)
    found = run([path], tmp_path, catalogue(tmp_path, (ra, dec, mag), rng)).frames["azsfp0"]
    assert abs(found.measurements["ABSZPT"] - 27.0) < 0.02  # a crowd: with the companions counted it is off by 0.15
    assert found.measurements["ABSZPERR"] < 0.01


def test_a_variable_star_and_wrong_entries_are_rejected(tmp_path):
    rng = np.random.default_rng(3)
    sky = star_field(rng)
    image, wcs = expose(rng, sky, 27.0)
    path = save_frame(tmp_path / "azsfp0.fits", image, wcs)
    wrong = sky[2].copy()
    wrong[[3, 8, 12, 17]] += [0.8, -1.2, 0.5, 2.0]
    table = catalogue(tmp_path, (sky[0], sky[1], wrong), rng)
    found = run([path], tmp_path, table).frames["azsfp0"]
    assert abs(found.measurements["ABSZPT"] - 27.0) < 0.01


def test_without_reference_the_frames_are_scaled_among_themselves(tmp_path):
    rng = np.random.default_rng(4)
    sky = star_field(rng)
    truth = np.array([27.0, 26.2, 27.0])
    paths = []
    for k, value in enumerate(truth):
        image, wcs = expose(rng, sky, value, shift=rng.uniform(-9, 9, 2), fwhm=3 + 0.4 * k)
        paths.append(save_frame(tmp_path / f"azsfp{k}.fits", image, wcs, ASTRGRP=1))
    result = run(paths, tmp_path)
    scales = []
    for path in paths:
        found = result.frames[path.stem]
        assert "no reference" in found.reason and not found.dropped
        header = fits.getheader(found.product)
        assert "ABSZPT" not in header
        scales.append(header["NEWFLXSC"])
    want = 10 ** (-0.4 * (truth - np.median(truth)))
    assert np.allclose(np.array(scales) / scales[0], want / want[0], rtol=0.006)


def test_a_frame_beside_the_catalogue_is_tied_to_the_others(tmp_path):
    rng = np.random.default_rng(5)
    sky = star_field(rng)
    paths = []
    for k, (value, dx) in enumerate(((27.0, 0.0), (27.1, 4.0), (26.5, -170.0))):
        image, wcs = expose(rng, sky, value, shift=(dx, 1.0))
        paths.append(save_frame(tmp_path / f"azsfp{k}.fits", image, wcs))
    # The third frame looks west, where the table is nearly empty.
    west = np.argsort(sky[0])
    table = catalogue(tmp_path, sky, rng, keep=west[len(west) // 2 :])
    result = run(paths, tmp_path, table, fewest=10)
    third = result.frames["azsfp2"]
    assert third.measurements["FLXSCHOW"] == "tied" and "in common" in third.reason
    assert abs(third.measurements["ABSZPT"] - 26.5) < 0.02


def test_frames_that_cannot_be_calibrated_go_aside_with_words(tmp_path):
    rng = np.random.default_rng(6)
    sky = star_field(rng)
    paths = []
    for k, value in enumerate((27.0, 27.05, 30.2, 27.0)):
        image, wcs = expose(rng, sky, value)
        if k == 1:
            image = rng.normal(0, 10, image.shape).astype(np.float32)
        paths.append(save_frame(tmp_path / f"azsfp{k}.fits", image, wcs))
    bad = tmp_path / "azsfp9.fits"
    bad.write_bytes(b"no FITS")
    result = run([*paths, bad], tmp_path, catalogue(tmp_path, sky, rng))
    empty, deep = result.frames["azsfp1"], result.frames["azsfp2"]
    assert "no zero point" in empty.dropped and empty.product.parent.name == "badzptfit" and empty.product.exists()
    assert "scale" in deep.dropped and deep.product.parent.name == "badflxsc" and deep.product.exists()
    assert isinstance(result.frames["azsfp9"], FrameError)
    assert not result.frames["azsfp0"].dropped and result.frames["azsfp3"].product.exists()
    assert not (tmp_path / "reduced" / "tazsfp1.fits").exists()


def test_longer_exposures_are_not_taken_for_misfits(tmp_path):
    rng = np.random.default_rng(7)
    sky = star_field(rng)
    paths = []
    for k, exptime in enumerate((10.0, 10.0, 10.0, 200.0)):
        image, wcs = expose(rng, sky, 26.0 + 2.5 * np.log10(exptime / 10), level=40 * exptime)
        paths.append(save_frame(tmp_path / f"azsfp{k}.fits", image, wcs, EXPTIME=exptime))
    result = run(paths, tmp_path, catalogue(tmp_path, sky, rng))
    assert not any(result.frames[p.stem].dropped for p in paths)
    assert result.frames["azsfp3"].measurements["NEWFLXSC"] == pytest.approx(1 / 20, rel=0.03)


def test_julian_year_of_times_as_instruments_write_them():
    assert framecards.julian_year("2000-01-01T12:00:00") == pytest.approx(2000.0)
    assert framecards.julian_year("2021-05-05T03:52:44.22") == pytest.approx(2021.339, abs=0.002)
    assert np.isnan(framecards.julian_year("yesterday"))


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="the real frames in ../shared/data are not here")
def test_sn2015bn_has_the_zero_point_of_nanomaggies(tmp_path):
    with fits.open(DATA / "SN2015bn_SDSS_r_wcs.fits.fz") as hdus:
        image, header = np.asarray(hdus[1].data, np.float32), hdus[1].header
    starts = ("CD", "PV", "CTYPE", "CRVAL", "CRPIX")
    wcs_cards = {key: header[key] for key in header if key.startswith(starts)}

    class _Header:
        def to_header(self):
            return fits.Header(list(wcs_cards.items()))

    path = save_frame(tmp_path / "azsfp0.fits", image, _Header(), SATURATE=1e9, GAIN=1e6)
    rows = np.loadtxt(DATA / "PS1_SDSS_r.cat")
    table = write_table(tmp_path / "ps1.csv", rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3])
    found = run([path], tmp_path, table).frames["azsfp0"]
    assert abs(found.measurements["ABSZPT"] - 22.5) < 0.01
    assert found.measurements["ABSZPN"] > 40
