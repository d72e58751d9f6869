"""skysub: the sky goes, the stars stay."""

import dataclasses

import numpy as np
import pytest
from sky_scenes import SerialContext, group_of, make_visit

from photopipe_gui.errors import FrameError
from photopipe_gui.reduction.auto.steps import makesky, skysub
from photopipe_gui.reduction.core.background import cell_map
from photopipe_gui.reduction.fitsio import read_frame, write_frame, write_image
from photopipe_gui.reduction.frame import Mask

PARAMS = skysub.SkysubParams()


def _subtracted(tmp_path, visit, sky=True, params=PARAMS):
    """Return for each frame (what was subtracted - true sky), DN."""
    group = group_of(visit, tmp_path / "sky.fits")
    if sky:
        makesky.run_group(group, makesky.MakeskyParams(), SerialContext(tmp_path))
    out = []
    for task, truth in zip(group.frames, visit.frames, strict=True):
        task = dataclasses.replace(task, aids={"sky": tmp_path / "sky.fits"} if sky else {})
        result = skysub.run(task, params)
        out.append(read_frame(task.source).image - read_frame(result.product).image - truth)
    return out


def _aperture_errors(visit, errors, least):
    """Return the error in mag that the subtracted sky makes in an aperture of 8 px about every brighter star."""
    found = []
    yy, xx = np.mgrid[0:512, 0:512]
    for error, (dy, dx) in zip(errors, visit.offsets, strict=True):
        for x, y, flux in zip(visit.x + dx, visit.y + dy, visit.flux, strict=True):
            if flux > least and 10 < x < 500 and 10 < y < 500:
                found.append(1.0857 * error[np.hypot(xx - x, yy - y) < 8].sum() / flux)
    return np.array(found)


def test_sky_is_removed_and_photometry_unbiased(tmp_path):
    visit = make_visit(tmp_path, n_stars=120, seed=2)
    errors = _subtracted(tmp_path, visit)
    for error in errors:
        assert np.nanstd(cell_map(error, None, 32).level) < 0.06 * visit.noise
        assert abs(np.median(error)) < 0.03 * visit.noise
    bias = _aperture_errors(visit, errors, 20000)
    assert len(bias) > 50
    assert abs(np.median(bias)) < 0.002 and np.abs(bias).max() < 0.03, "no bowls about bright stars"


def test_infrared_sky_of_ten_thousand(tmp_path):
    visit = make_visit(tmp_path, level=10000.0, fringe=0.02, gradient=0.06, seed=3)
    errors = _subtracted(tmp_path, visit)
    assert max(np.nanstd(cell_map(error, None, 32).level) for error in errors) < 0.06 * visit.noise


def test_a_slope_that_changes_between_the_frames_goes_too(tmp_path):
    visit = make_visit(tmp_path, n=5, level=10000.0, change=0.02, seed=3)
    errors = _subtracted(tmp_path, visit)
    assert max(np.nanstd(cell_map(error, None, 32).level) for error in errors) < 0.08 * visit.noise
    errors = _subtracted(tmp_path, visit, params=skysub.SkysubParams(gradient="none"))
    assert max(np.nanstd(cell_map(error, None, 32).level) for error in errors) > 0.3 * visit.noise


def test_fringes_that_flicker_go_too(tmp_path):
    visit = make_visit(tmp_path, n=6, level=10000.0, fringe=0.03, flicker=0.15, seed=5)
    errors = _subtracted(tmp_path, visit)
    left = [error[:504, :504].reshape(63, 8, 63, 8).mean(axis=(1, 3)).std() for error in errors]
    assert max(left) < 0.1 * visit.noise
    errors = _subtracted(tmp_path, visit, params=skysub.SkysubParams(fringes=False))
    left = [error[:504, :504].reshape(63, 8, 63, 8).mean(axis=(1, 3)).std() for error in errors]
    assert max(left) > 0.3 * visit.noise


def test_crowded_field_keeps_its_level(tmp_path):
    visit = make_visit(tmp_path, n_stars=600, seed=4)
    errors = _subtracted(tmp_path, visit)
    assert max(abs(np.median(error)) for error in errors) < 0.06 * visit.noise


def test_without_a_sky_frame_the_median_alone(tmp_path):
    visit = make_visit(tmp_path, n=1, gradient=0.0, fringe=0.0, n_stars=100)
    (error,) = _subtracted(tmp_path, visit, sky=False)
    assert np.ptp(error) < 0.01 and abs(np.median(error)) < 0.03 * visit.noise
    frame = read_frame(tmp_path / "sfp000.fits")
    assert frame.header["SKYSCALE"] == 0 and "median" in "".join(frame.header["HISTORY"])


def test_plane_takes_out_a_gradient_that_is_not_in_the_sky_frame(tmp_path):
    visit = make_visit(tmp_path, n=1, gradient=0.0, fringe=0.0)
    frame = read_frame(visit.paths[0])
    slope = np.linspace(-40, 40, 512)[None, :]
    frame.image += slope.astype(np.float32)
    write_frame(visit.paths[0], frame)
    visit.frames[0] = visit.frames[0] + slope
    (error,) = _subtracted(tmp_path, visit, sky=False, params=skysub.SkysubParams(gradient="plane"))
    assert np.nanstd(cell_map(error, None, 32).level) < 0.1 * visit.noise
    (error,) = _subtracted(tmp_path, visit, sky=False)
    assert np.nanstd(cell_map(error, None, 32).level) > 0.5 * visit.noise


def test_mask_stays_and_flagged_pixels_do_not_count(tmp_path):
    visit = make_visit(tmp_path, n=1, n_stars=5, gradient=0.0, fringe=0.0)
    frame = read_frame(visit.paths[0])
    frame.mask[:200] = Mask.BAD
    frame.image[:200] += 5000
    frame.image[300, 300], frame.mask[300, 300] = np.nan, Mask.NODATA
    write_frame(visit.paths[0], frame)
    _subtracted(tmp_path, visit, sky=False)
    done = read_frame(tmp_path / "sfp000.fits")
    np.testing.assert_array_equal(done.mask, frame.mask)
    assert np.isnan(done.image[300, 300]) and abs(np.nanmedian(done.image[200:])) < 0.1 * visit.noise


def test_refusals(tmp_path):
    visit = make_visit(tmp_path, n=1, shape=(64, 64), n_stars=0)
    task = group_of(visit, None).frames[0]
    write_image(tmp_path / "sky.fits", np.ones((5, 5), np.float32))
    with pytest.raises(FrameError, match="another shape"):
        skysub.run(dataclasses.replace(task, aids={"sky": tmp_path / "sky.fits"}), PARAMS)
    frame = read_frame(visit.paths[0])
    frame.mask[:] = Mask.SATURATED
    write_frame(visit.paths[0], frame)
    with pytest.raises(FrameError, match="no good pixel"):
        skysub.run(task, PARAMS)
