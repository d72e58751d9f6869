"""The stack step: coadds of frames of known truth, their headers, weight maps, zero points and catalogues."""

from __future__ import annotations

import numpy as np
import pytest
import sep
from astropy.io import fits
from astropy.wcs import WCS
from groupkit import SerialContext, expose, group_of, save_frame, star_field, write_table
from starfield import make_wcs

from photopipe_gui.errors import FrameError
from photopipe_gui.reduction.auto.steps import stack, zpoint
from photopipe_gui.reduction.auto.steps.coadd_header import coadd_name, median_time
from photopipe_gui.reduction.catalogs.config import CatalogConfig
from photopipe_gui.reduction.core.resample import kernel_for

ZERO_POINTS = (27.0, 26.7, 27.1, 27.0, 26.9)
SEEING = (2.7, 3.1, 3.6, 3.0, 3.0)


def night(tmp_path, rng, sky, n=5, hits=40, group=0, **cards):
    """Write n exposures with cosmic rays, flagged and unflagged, and a bad column."""
    paths = []
    for k in range(n):
        image, wcs = expose(rng, sky, ZERO_POINTS[k], shift=rng.uniform(-12, 12, 2), rotation=0.4, fwhm=SEEING[k])
        y, x = rng.integers(2, 418, hits), rng.integers(2, 438, hits)
        image[y, x] += rng.uniform(300, 9000, hits)
        mask = np.zeros(image.shape, np.uint8)
        mask[y[::2], x[::2]] |= 4
        mask[:, 200] |= 1
        image[:, 200] = np.nan
        mask[:, 200] |= 8
        when = {"DATE-OBS": f"2021-05-05T03:{50 + k}:44.220", "AIRMASS": 1.1 + 0.1 * k}
        if group:
            when["ASTRGRP"] = group
        paths.append(save_frame(tmp_path / f"azsfp{k}{'x' * group}.fits", image, wcs, mask, **{**when, **cards}))
    return paths


def reduce(paths, tmp_path, table, **params):
    """Run zpoint and stack; return the stack's result."""
    config = CatalogConfig(refcat=table, offline=True, cache_dir=tmp_path / "cache")
    context = SerialContext(tmp_path / "scratch", config)
    reduced = tmp_path / "reduced"
    first = zpoint.run_group(group_of(paths, reduced), zpoint.ZpointParams(), context)
    sources = [first.frames[path.stem].product for path in paths]
    group = group_of(sources, reduced, "", product=tmp_path / "coadd")
    return stack.run_group(group, stack.StackParams(**params), context), context


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """A stacked field of five frames: folder, sky, result."""
    tmp_path = tmp_path_factory.mktemp("stack")
    rng = np.random.default_rng(31)
    sky = star_field(rng)
    ra, dec, mag = sky
    table = write_table(tmp_path / "ref.csv", ra, dec, mag + rng.normal(0, 0.01, len(mag)), np.full(len(mag), 0.01))
    result, context = reduce(night(tmp_path, rng, sky), tmp_path, table)
    return tmp_path, sky, result, context


def test_files_and_header_are_as_the_specification_says(field):
    tmp_path, _, result, context = field
    coadd = tmp_path / "coadd" / "coaddField1_20210505T035244220_SDSS-R.fits"
    assert result.product == coadd and coadd.exists() and not result.reason
    assert coadd.with_suffix(".weight.fits").exists()
    assert not any(context.scratch.iterdir())
    header = fits.getheader(coadd)
    assert header["NSTACK"] == 5 and header["STACK0"] == "tazsfp0.fits" and header["STACK4"] == "tazsfp4.fits"
    assert header["DATE1"] == "2021-05-05T03:50:44.220" and header["DATEN"] == "2021-05-05T03:54:44.220"
    assert header["DATE"] == "2021-05-05T03:52:44.220"
    assert header["AIRMASS"] == pytest.approx(1.3) and header["AIRMIN"] == 1.1 and header["AIRMAX"] == 1.5
    assert header["EXPTIME"] == header["MAXEXP"] == header["MINEXP"] == 60 and header["TOTALEXP"] == 300
    for key, value in {"OBJECT": "Field 1", "TARGNAME": "Field1", "FILTER": "SDSS-R", "INSTRUME": "LMI",
                       "WAVELENG": "OPT", "PPDIGEST": "abc"}.items():
        assert header[key] == value
    assert header["PIXSCALE"] == pytest.approx(0.4, rel=1e-4)
    assert header["SPIX"] == pytest.approx(1.34 * header["SEEPIX"], rel=1e-3)
    assert header["NREJECT"] > 50 and 1.0 < header["NOISCORR"] < 1.3
    assert 8 < header["GAIN"] < 11
    assert WCS(header).wcs.cd[0, 0] < 0 and abs(WCS(header).wcs.cd[0, 1]) < 1e-12
    assert set(result.frames) == {f"tazsfp{k}" for k in range(5)}
    assert sum(frame.measurements["WEIGHT"] for frame in result.frames.values()) == pytest.approx(1, abs=1e-3)


def test_coadd_photometry_and_zero_point_are_right(field):
    _, (ra, dec, mag), result, _ = field
    image, header = fits.getdata(result.product).astype(np.float32), fits.getheader(result.product)
    assert abs(header["ABSZPT"] - np.median(ZERO_POINTS)) < 3 * header["ABSZPERR"]
    assert header["ABSZPERR"] < 0.01 and header["ABSZPN"] >= 8
    x, y = WCS(header).all_world2pix(ra, dec, 0)
    inside = (x > 45) & (y > 45) & (x < image.shape[1] - 45) & (y < image.shape[0] - 45) & (mag < 16.5)
    flux, _, _ = sep.sum_circle(np.nan_to_num(image), x[inside], y[inside], 15, subpix=0)
    off = header["ABSZPT"] - 2.5 * np.log10(flux) - mag[inside]
    assert abs(np.median(off)) < 0.015 and np.abs(off).max() < 0.05


def test_weight_map_is_the_inverse_variance(field):
    _, (ra, dec, _), result, _ = field
    image, header = fits.getdata(result.product), fits.getheader(result.product)
    weight = fits.getdata(result.product.with_suffix(".weight.fits"))
    count = fits.getdata(result.product.with_suffix(".weight.fits"), "COUNT")
    mask = fits.getdata(result.product, "MASK")
    assert weight.shape == image.shape == count.shape == mask.shape
    assert (weight[count == 0] == 0).all() and np.isnan(image[count == 0]).all() and (mask[count == 0] & 8).all()
    x, y = WCS(header).all_world2pix(ra, dec, 0)
    yy, xx = np.indices(image.shape)
    empty = (weight > 0) & np.all([np.hypot(xx - a, yy - b) > 22 for a, b in zip(x, y, strict=True)], axis=0)
    full = empty & (count == 5)
    pull = image[full] * np.sqrt(weight[full])
    assert full.sum() > 4000
    assert 1.4826 * np.median(np.abs(pull - np.median(pull))) == pytest.approx(1, abs=0.05)
    assert np.abs(pull - np.median(pull)).max() < 6.5
    assert 1 / np.sqrt(np.median(weight[full])) == pytest.approx(header["SKYSIGMA"], rel=0.05)


def test_sources_are_catalogued_with_their_magnitudes(field):
    _, (ra, dec, mag), result, _ = field
    table = fits.getdata(result.product.with_suffix(".cat.fits"), "SOURCES")
    away = np.hypot((table["RA"][:, None] - ra) * np.cos(np.radians(30)), table["DEC"][:, None] - dec) * 3600
    nearest = away.argmin(axis=0)
    good = (away.min(axis=0) < 0.3) & (table["FLAGS"][nearest] == 0) & (mag < 17)
    assert good.sum() >= 10
    for column, limit in (("MAG_APER", 0.03), ("MAG_KRON", 0.06)):
        assert abs(np.median(table[column][nearest][good] - mag[good])) < limit
    assert (table["MAGERR_APER"][nearest][good] < 0.02).all()
    regions = result.product.with_suffix(".reg").read_text()
    assert regions.count("circle(") == len(table) and "fk5" in regions


def test_without_reference_a_coadd_is_made_and_says_so(tmp_path):
    rng = np.random.default_rng(22)
    sky = star_field(rng, n=25)
    result, _ = reduce(night(tmp_path, rng, sky, n=3, group=1), tmp_path, None)
    header = fits.getheader(result.product)
    assert "ABSZPT" not in header and header["ABSZPCAT"] == "none"
    assert header["NSTACK"] == 3 and "SEEPIX" in header


def test_frames_not_aligned_to_each_other_make_their_own_coadds(tmp_path):
    rng = np.random.default_rng(23)
    sky = star_field(rng, n=25)
    paths = night(tmp_path, rng, sky, n=3, group=1)
    paths += night(tmp_path, rng, sky, n=1, group=2, **{"DATE-OBS": "2021-05-05T05:00:00"})
    result, _ = reduce(paths, tmp_path, None)
    made = sorted(path.name for path in (tmp_path / "coadd").glob("coadd*R.fits"))
    assert len(made) == 2 and "not aligned" in result.reason
    assert fits.getheader(result.product)["NSTACK"] == 3
    assert fits.getheader(tmp_path / "coadd" / made[1])["NSTACK"] == 1


def test_bad_frames_are_left_out_with_words(tmp_path):
    rng = np.random.default_rng(24)
    sky = star_field(rng, n=20)
    paths = night(tmp_path, rng, sky, n=2)
    image, wcs = expose(rng, sky, 27.0)
    blank = save_frame(tmp_path / "blank.fits", np.full_like(image, np.nan), wcs)
    adrift = save_frame(tmp_path / "adrift.fits", image, wcs)
    with fits.open(adrift, mode="update") as hdus:
        for key in ("ASTRNMAT", "ASTRCAT"):
            del hdus[0].header[key]
    far = save_frame(tmp_path / "far.fits", image, make_wcs(image.shape, ra=152.0), ASTRNMAT=9)
    broken = tmp_path / "broken.fits"
    broken.write_bytes(b"SIMPLE  = nothing")
    context = SerialContext(tmp_path / "scratch")
    group = group_of([*paths, blank, adrift, far, broken], tmp_path, "", product=tmp_path / "coadd")
    result = stack.run_group(group, stack.StackParams(largest=5), context)
    assert fits.getheader(result.product)["NSTACK"] == 2
    assert "good" in str(result.frames["blank"]) and "alignment" in str(result.frames["adrift"])
    assert isinstance(result.frames["broken"], FrameError)
    assert "apart" in result.frames["far"].dropped


def test_one_frame_makes_a_coadd_too(tmp_path):
    rng = np.random.default_rng(25)
    sky = star_field(rng, n=20)
    result, _ = reduce(night(tmp_path, rng, sky, n=1), tmp_path, None)
    header = fits.getheader(result.product)
    assert header["NSTACK"] == 1 and result.product.name == "coaddField1_20210505T035044220_SDSS-R.fits"


def test_names_of_coadds():
    time = median_time(["2021-05-05T03:52:44.220", "2021-05-05T03:52:46.220", "nonsense"])
    assert coadd_name("GRB180618A", time, "SDSS-Z") == "coaddGRB180618A_20210505T035245220_SDSS-Z.fits"
    assert "/" not in coadd_name("../up/there", None, "i")


def test_the_kernel_follows_the_sharpest_frame(field):
    assert fits.getheader(field[2].product)["RESAMPLE"] == "spline5"
    assert kernel_for(4.0) == "spline3" and kernel_for(3.0) == kernel_for(float("nan")) == "spline5"
