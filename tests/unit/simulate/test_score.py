"""The scoring finds the errors that are put into products, and none in perfect ones."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from astropy.io import fits

from photopipe_gui.instruments import registry
from photopipe_gui.reduction.fitsio import read_pixels, write_frame, write_image
from photopipe_gui.reduction.frame import Frame, Mask
from photopipe_gui.simulate import simulate_night
from photopipe_gui.simulate.pointing import wcs_from_cards
from photopipe_gui.simulate.score import (
    score_astrometry,
    score_coadd,
    score_cosmics,
    score_master,
    score_night,
    score_zero_point,
)


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    folder = tmp_path_factory.mktemp("night") / "n"
    return simulate_night(folder, "lmi", 8, size=0.3, n_bias=4, n_flat=7, n_science=2, filters=("SDSS-R",), cosmics=6.0,
                          satellites=0, proper_motions=False, seeing=1.1, exptime=120.0)  # fmt: skip


def science(truth):
    frame = next(f for f in truth.frames if f.ftype == "object")
    return frame, frame.channels[0]


def wcs_header(truth, frame, channel, **more):
    header = fits.Header({"FILTER": channel.filter, "GAIN": 2.89, **more})
    for key, value in frame.wcs.items():
        header[key] = value
    header["CRPIX1"] -= channel.area.x0
    header["CRPIX2"] -= channel.area.y0
    return header


def reduced(truth, frame, channel):
    """The frame as a perfect reduction would have it."""
    raw = read_pixels(truth.night / frame.name, channel.area).astype(float)
    return (raw - truth.master("bias", "C0")) / np.maximum(truth.master("flat", channel.filter), 0.3)


def test_a_shifted_wcs_and_a_wrong_zero_point_are_measured(truth, tmp_path):
    frame, channel = science(truth)
    header = wcs_header(truth, frame, channel, ABSZPT=channel.zero_point + 0.03, ASTRCAT="test", ASTRRMS1=1e-5,
                        ASTRRMS2=1e-5, ASTRNMAT=30)  # fmt: skip
    perfect = tmp_path / f"tazsfp{frame.standard_name}"
    write_image(perfect, np.zeros((4, 4), np.float32), header)
    score = score_astrometry(perfect, truth)
    assert score.median < 1e-6 and score.worst < 1e-6
    assert score.stated == pytest.approx(1e-5 * 3600 / 0.24) and score.catalogue == "test" and score.matched == 30
    assert score_zero_point(perfect, truth).error == pytest.approx(0.03)
    header["CRPIX1"] += 0.3
    write_image(perfect, np.zeros((4, 4), np.float32), header)
    assert score_astrometry(perfect, truth).median == pytest.approx(0.3, rel=1e-2)


def test_cosmic_rays_found_missed_and_invented_are_counted(truth, tmp_path):
    frame, channel = science(truth)
    image = reduced(truth, frame, channel).astype(np.float32)
    path = tmp_path / f"zsfp{frame.standard_name}"
    everything = truth.cosmic_mask(frame, channel.area)
    product = Frame(image, everything.astype(np.uint8) * Mask.COSMIC, wcs_header(truth, frame, channel))
    write_frame(path, product)
    score = score_cosmics(path, truth)
    assert score.hits > 10 and score.completeness == 1 and score.pixels_found == score.pixels
    assert score.false_pixels == 0 and score.star_pixels > 100 and score.star_pixels_touched == 0
    product.mask[:] = Mask.COSMIC
    write_frame(path, product)
    blunt = score_cosmics(path, truth)
    assert blunt.completeness == 1 and blunt.stars_touched == 1 and blunt.false_pixels > 0.9 * image.size
    product.mask[:] = 0
    write_frame(path, product)
    assert score_cosmics(path, truth).completeness == 0


def test_a_master_is_judged_by_its_inputs(truth, tmp_path):
    biases = [f for f in truth.frames if f.ftype == "bias"]
    area = biases[0].channels[0].area
    stack = np.stack([read_pixels(truth.night / f.name, area) for f in biases]).astype(float)
    header = fits.Header({f"IMCMB{n:03d}": f.standard_name for n, f in enumerate(biases)})
    path = tmp_path / "bias_C0.fits"
    write_image(path, stack.mean(axis=0).astype(np.float32), header)
    mean = score_master(path, truth)
    assert mean.inputs == 4 and mean.ratio == pytest.approx(1.0, abs=0.06)
    write_image(path, stack[0].astype(np.float32), header)
    assert score_master(path, truth).ratio == pytest.approx(2.0, abs=0.1)


def test_a_perfect_coadd_scores_well_and_a_wrong_zero_point_shows(truth, tmp_path):
    frame, channel = science(truth)
    image = reduced(truth, frame, channel)
    image -= np.median(image)
    header = wcs_header(truth, frame, channel, TARGNAME=frame.target, NSTACK=1, ABSZPT=channel.zero_point)
    header["SEEPIX"] = channel.fwhm
    path = tmp_path / "coadd_x.fits"
    write_image(path, image.astype(np.float32), header)
    score = score_coadd(path, truth)
    assert score.stars >= 5
    assert abs(score.offset) < 0.006 and score.scatter < 0.02
    assert score.position < 0.08
    assert score.fwhm == pytest.approx(channel.fwhm, rel=0.02)
    header["ABSZPT"] += 0.05
    write_image(path, image.astype(np.float32), header)
    assert score_coadd(path, truth).offset == pytest.approx(score.offset + 0.05, abs=1e-3)


def test_a_night_is_scored_as_a_whole(truth):
    night = truth.night
    frame, channel = science(truth)
    for folder in ("reduced", "calibration", "coadd"):
        (night / folder).mkdir(exist_ok=True)
    header = wcs_header(truth, frame, channel, ABSZPT=channel.zero_point)
    write_image(night / "reduced" / f"tazsfp{frame.standard_name}", np.zeros((4, 4), np.float32), header)
    write_image(night / "calibration" / "flat_SDSS-R.fits", truth.master("flat", "SDSS-R"), fits.Header())
    score = score_night(truth)
    assert len(score.astrometry) == len(score.zero_points) == len(score.masters) == 1
    assert not score.coadds and not score.cosmics
    assert "astrometry SDSS-R: 1 frames" in score.summary() and "zero points SDSS-R: 1 of 1" in score.summary()
    assert dataclasses.is_dataclass(score) and registry.get(truth.instrument)
    assert wcs_from_cards(frame.wcs).naxis == 2
