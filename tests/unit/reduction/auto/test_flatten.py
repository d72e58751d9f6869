"""flatten: division, the floor of the flat, the sky level."""

import numpy as np
import pytest
from astropy.io import fits

from photopipe_gui.errors import FrameError
from photopipe_gui.reduction.auto.steps import flatten
from photopipe_gui.reduction.auto.tasks import FrameTask
from photopipe_gui.reduction.fitsio import read_frame, write_frame, write_image
from photopipe_gui.reduction.frame import Frame, Mask

SHAPE = (200, 180)


@pytest.fixture
def night(tmp_path):
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]] / 200
    flat = (1.1 - 0.5 * ((x - 0.5) ** 2 + (y - 0.5) ** 2)) * rng.normal(1, 0.01, SHAPE)
    flat[:10, :10] = 0.2
    flat[20, 20] = np.nan
    flat[30, 30] = -1.0
    image = rng.normal(800.0 * flat, 5.0)
    image[50:54, 60:64] += 30000
    mask = np.zeros(SHAPE, np.uint8)
    mask[51:53, 61:63] = Mask.SATURATED
    header = fits.Header()
    header["EXPTIME"] = 40.0
    write_frame(tmp_path / "pa.fits", Frame(image.astype(np.float32), mask, header))
    hot = np.zeros(SHAPE, np.uint8)
    hot[90, 91] = Mask.BAD
    write_image(tmp_path / "flat_i.fits", flat.astype(np.float32), None, {"MASK": hot})
    return tmp_path, FrameTask("a", tmp_path / "pa.fits", tmp_path / "fpa.fits", {"flat": tmp_path / "flat_i.fits"})


def test_the_sky_comes_out_flat(night):
    folder, task = night
    result = flatten.run(task, flatten.FlattenParams())
    frame = read_frame(folder / "fpa.fits")
    good = frame.mask == 0
    assert result.measurements["SKYCTS"] == pytest.approx(800, abs=0.5)
    assert frame.header["CTRATE"] == pytest.approx(20, abs=0.02) and frame.header["FLATFLD"] == "flat_i.fits"
    blocks = np.nanmedian(np.where(good, frame.image, np.nan).reshape(10, 20, 9, 20), axis=(1, 3))
    assert np.nanstd(blocks) < 1.0, "no vignetting is left"


def test_low_flat_is_no_data_and_flags_go_on(night):
    folder, task = night
    flatten.run(task, flatten.FlattenParams())
    frame = read_frame(folder / "fpa.fits")
    lost = Mask.BAD | Mask.NODATA
    assert (frame.mask[:10, :10] == lost).all() and np.isnan(frame.image[:10, :10]).all()
    assert frame.mask[20, 20] == lost and frame.mask[30, 30] == lost
    assert frame.mask[90, 91] == Mask.BAD and np.isfinite(frame.image[90, 91])
    assert (frame.mask[51:53, 61:63] == Mask.SATURATED).all() and (frame.image[51:53, 61:63] > 25000).all()


def test_other_shape_no_flat_empty_flat(night):
    folder, task = night
    with pytest.raises(FrameError, match="no master flat"):
        flatten.run(FrameTask("a", task.source, task.target), flatten.FlattenParams())
    write_image(folder / "flat_i.fits", np.ones((10, 10), np.float32))
    with pytest.raises(FrameError, match="10 x 10"):
        flatten.run(task, flatten.FlattenParams())
    write_image(folder / "flat_i.fits", np.zeros(SHAPE, np.float32))
    with pytest.raises(FrameError, match="no pixel is left"):
        flatten.run(task, flatten.FlattenParams())
    assert not (folder / "fpa.fits").exists()


def test_missing_exposure_time_leaves_out_the_rate_only(night):
    _, task = night
    frame = read_frame(task.source)
    frame.header["EXPTIME"] = "unknown"
    write_frame(task.source, frame)
    result = flatten.run(task, flatten.FlattenParams())
    assert "CTRATE" not in result.measurements and "SKYCTS" in result.measurements
