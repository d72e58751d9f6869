"""makesky: the sky frame against the sky that was put in."""

import numpy as np
import pytest
from sky_scenes import SerialContext, group_of, make_visit

from photopipe_gui.errors import FrameError
from photopipe_gui.reduction.auto.steps import makesky
from photopipe_gui.reduction.auto.tasks import StepResult
from photopipe_gui.reduction.core.background import cell_map
from photopipe_gui.reduction.fitsio import read_extension, read_frame, read_header, read_pixels, write_frame

PARAMS = makesky.MakeskyParams()


def _make(tmp_path, visit, params=PARAMS, **context):
    return makesky.run_group(group_of(visit, tmp_path / "sky-r_field.fits"), params, SerialContext(tmp_path, **context))


def _error(path, visit):
    """Return sky minus truth in units of the noise of a frame's pixel, both scaled to one level."""
    sky = read_pixels(path)
    truth = visit.sky * np.median(sky) / np.median(visit.sky)
    return (sky - truth) / visit.noise


def test_gradient_and_fringes_are_found_below_a_fifth_of_the_noise(tmp_path):
    visit = make_visit(tmp_path)
    result = _make(tmp_path, visit)
    assert result.product == tmp_path / "sky-r_field.fits" and result.measurements["NSKY"] == 9
    error = _error(result.product, visit)
    assert np.nanstd(cell_map(error.astype(np.float32), None, 32).level) < 0.05
    assert error.std() < 0.15, "less than the 0.33 that nine frames would leave without smoothing"
    header = read_header(result.product)
    assert header["IMCMB000"] == "fp000.fits" and header["FILTER"] == "r" and "9 frames" in "".join(header["HISTORY"])
    assert read_extension(result.product, "COUNT").max() == 9


def _galaxy(yy, xx):
    return 100 * np.exp(-np.hypot((yy - 250) / 45, (xx - 260) / 60))


def test_an_object_larger_than_the_dithers_does_not_eat_itself(tmp_path):
    visit = make_visit(tmp_path, extra=_galaxy)
    error = _error(_make(tmp_path, visit).product, visit) * visit.noise
    taken = cell_map(error.astype(np.float32), None, 64).level
    assert np.abs(taken - np.median(taken)).max() < 8, "of 65 DN at its centre in cells of this size"
    without = _error(_make(tmp_path, visit, makesky.MakeskyParams(extended=False)).product, visit) * visit.noise
    assert np.ptp(cell_map(without.astype(np.float32), None, 64).level) > 1.5 * np.ptp(taken)


@pytest.mark.parametrize("n", [5, 8])
def test_a_changing_sky_is_not_taken_for_an_object(tmp_path, n):
    visit = make_visit(tmp_path, n=n, level=10000.0, change=0.02, n_stars=150)
    with_it = read_pixels(_make(tmp_path, visit).product)
    without = read_pixels(_make(tmp_path, visit, makesky.MakeskyParams(extended=False)).product)
    np.testing.assert_array_equal(with_it, without)


def test_frames_go_on_unchanged(tmp_path):
    visit = make_visit(tmp_path, n=3)
    before = [path.read_bytes() for path in visit.paths]
    result = _make(tmp_path, visit)
    assert [answer.product for answer in result.frames.values()] == visit.paths
    assert before == [path.read_bytes() for path in visit.paths]


@pytest.mark.parametrize("combination", ["clip", "median"])
def test_hot_pixels_belong_to_the_sky_frame_and_stars_do_not(tmp_path, combination):
    visit = make_visit(tmp_path, hot=40, n_stars=150, seed=5)
    result = _make(tmp_path, visit, makesky.MakeskyParams(combination=combination))
    error = _error(result.product, visit)
    hot = error > 3
    assert 30 <= hot.sum() <= 60, "40 hot pixels and no trace of 150 stars"
    assert np.sort(error.ravel())[-30] > 4 and error.min() > -2


def test_a_frames_own_stars_leave_no_holes_in_it(tmp_path):
    visit = make_visit(tmp_path, n=5, n_stars=1, seed=8)
    visit.x[:], visit.y[:], visit.flux[:] = 256, 256, 2e5
    bright = make_visit(tmp_path, n=5, n_stars=0, seed=8)
    frames = [read_frame(path) for path in bright.paths]
    from sky_scenes import add_stars

    for frame, path, (dy, dx) in zip(frames, bright.paths, bright.offsets, strict=True):
        add_stars(frame.image, [256 + dx], [256 + dy], [2e5], 5.0)
        write_frame(path, frame)
    error = _error(_make(tmp_path, bright).product, bright)
    near = cell_map(error[176:336, 176:336].astype(np.float32), None, 16).level
    assert np.abs(near).max() < 0.3


def test_bands_and_memory_do_not_change_the_result(tmp_path):
    visit = make_visit(tmp_path, n=4, shape=(300, 200))
    one = read_pixels(_make(tmp_path, visit, workers=1, memory_limit=1 << 30).product)
    many = read_pixels(_make(tmp_path, visit, workers=3, memory_limit=1 << 30).product)
    np.testing.assert_array_equal(one, many)
    little = read_pixels(_make(tmp_path, visit, memory_limit=1 << 20).product)
    assert np.mean(np.abs(one - little) > 0.05 * visit.noise) < 0.002


def test_levels_out_of_range_are_left_out_with_a_reason(tmp_path):
    visit = make_visit(tmp_path, n=4)
    dark = read_frame(visit.paths[1])
    dark.image -= np.median(dark.image)
    write_frame(visit.paths[1], dark)
    glaring = read_frame(visit.paths[2])
    glaring.image += 58000
    write_frame(visit.paths[2], glaring)
    result = _make(tmp_path, visit)
    assert result.measurements["NSKY"] == 2 and "two frames" in result.reason
    reasons = [answer.reason for answer in result.frames.values()]
    assert "outside 1 to 55000" in reasons[1] and "outside" in reasons[2] and not reasons[0]
    assert all(answer.product for answer in result.frames.values())


def test_one_frame_has_no_sky_and_says_so(tmp_path):
    visit = make_visit(tmp_path, n=1)
    result = _make(tmp_path, visit)
    assert result.product is None and "one frame" in result.reason
    assert result.frames["000"].product == visit.paths[0]
    assert not (tmp_path / "sky-r_field.fits").exists()


def test_a_broken_frame_fails_alone(tmp_path):
    visit = make_visit(tmp_path, n=4)
    visit.paths[3].write_bytes(visit.paths[3].read_bytes()[:9000])
    blank = read_frame(visit.paths[0])
    blank.image[:] = np.nan
    write_frame(visit.paths[0], blank)
    result = _make(tmp_path, visit)
    assert isinstance(result.frames["003"], FrameError) and isinstance(result.frames["000"], FrameError)
    assert isinstance(result.frames["001"], StepResult) and result.measurements["NSKY"] == 2


def test_a_frame_of_another_size_is_left_out(tmp_path):
    visit = make_visit(tmp_path, n=4)
    odd = read_frame(visit.paths[0])
    odd.image, odd.mask = odd.image[:100], odd.mask[:100]
    write_frame(visit.paths[0], odd)
    result = _make(tmp_path, visit)
    assert result.measurements["NSKY"] == 3 and "512 x 100" in result.frames["000"].reason
