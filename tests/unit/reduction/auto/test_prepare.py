"""prepare: what is kept, what is subtracted, what is flagged."""

import numpy as np
import pytest
from astropy.io import fits

from photopipe_gui.errors import FrameError
from photopipe_gui.reduction.auto.steps import prepare
from photopipe_gui.reduction.auto.tasks import FrameTask
from photopipe_gui.reduction.fitsio import read_frame, write_image
from photopipe_gui.reduction.frame import Mask

SHAPE = (120, 100)
RUN = prepare.PrepareParams()


def _header(**more):
    header = fits.Header()
    header.update(
        {
            "EXPTIME": 30.0,
            "SATURATE": 16383.0,
            "WAVELENG": "OPT",
            "TARGNAME": "M13",
            "FILTER": "i",
            "CAMERA": 1,
            "CTYPE1": "RA---TPV",
            "PV1_1": 1.0,
            "PV2_17": -19.6,
            "RAWFILE": "x.fits",
            "TGTHALF": True,
            "PPDIGEST": "old",
            "FOCUS": 12.5,
            "COMMENT": "from the telescope",
            "RDNOISE": 9.0,
            **more,
        }
    )
    return header


def _master(path, image, mask=None, **cards):
    header = fits.Header()
    header.update(cards)
    write_image(path, image.astype(np.float32), header, {} if mask is None else {"MASK": mask})
    return path


@pytest.fixture
def night(tmp_path):
    rng = np.random.default_rng(2)
    bias = 700 + rng.normal(0, 3, SHAPE)
    dark = rng.gamma(2.0, 0.2, SHAPE)
    dark[5, 6] = 300.0
    sky = 1500.0
    raw = np.round(rng.normal(bias + 30 * dark + sky, 12)).astype(np.uint16)
    write_image(tmp_path / "a.fits", raw, _header())
    hot = np.zeros(SHAPE, np.uint8)
    hot[5, 6] = Mask.BAD
    return tmp_path, _master(tmp_path / "bias_C1.fits", bias), _master(tmp_path / "dark_C1.fits", dark, hot), raw, sky


def _task(folder, **aids):
    return FrameTask("a", folder / "a.fits", folder / "pa.fits", aids, (("PPDIGEST", "new", "inputs"),))


def test_bias_and_dark_leave_the_sky(night):
    folder, bias, dark, _, sky = night
    result = prepare.run(_task(folder, bias=bias, dark=dark), RUN)
    frame = read_frame(result.product)
    good = frame.mask == 0
    assert frame.image.dtype == np.float32 and frame.mask.shape == SHAPE
    assert abs(frame.image[good].mean() - sky) < 4 * 12 / np.sqrt(good.sum())
    assert frame.image[good].std() == pytest.approx(12, rel=0.03), "no structure of bias or dark is left"
    assert frame.mask[5, 6] == Mask.BAD and (frame.mask != 0).sum() == 1
    assert result.measurements["NBADPIX"] == 1


def test_only_listed_cards_go_on(night):
    folder, bias, dark, *_ = night
    prepare.run(_task(folder, bias=bias, dark=dark), RUN)
    header = read_frame(folder / "pa.fits").header
    assert {"TARGNAME", "PV1_1", "PV2_17", "RAWFILE", "TGTHALF", "RDNOISE", "EXPTIME"} <= set(header)
    assert not {"FOCUS", "COMMENT", "BZERO", "BSCALE"} & set(header)
    assert header["PPDIGEST"] == "new"
    history = "".join(header["HISTORY"])
    assert history.count("prepare:") == 1 and "bias_C1.fits" in history


def test_without_masters_the_pixels_stay_and_it_is_said(night):
    folder, *_, raw, _ = night
    result = prepare.run(_task(folder), RUN)
    np.testing.assert_array_equal(read_frame(result.product).image, raw.astype(np.float32))
    assert "no bias" in result.reason


def test_saturation_and_bleed(night):
    folder, *_ = night
    raw = np.full(SHAPE, 1000, np.uint16)
    raw[40:60, 50] = 16383
    raw[90, 20] = 16384
    raw[100, 80] = 16382
    write_image(folder / "a.fits", raw, _header())
    prepare.run(_task(folder), prepare.PrepareParams(bleed=4))
    frame = read_frame(folder / "pa.fits")
    saturated = (frame.mask & Mask.SATURATED) != 0
    assert saturated[35:65, 49:52].all() and not saturated[34, 50] and not saturated[65, 50]
    assert saturated[89:92, 19:22].all() and saturated.sum() == 30 * 3 + 9, "a single pixel does not bleed"
    assert frame.image[50, 50] == 16383, "saturated pixels keep their value"
    write_image(folder / "a.fits", raw, _header(WAVELENG="IR"))
    prepare.run(_task(folder), prepare.PrepareParams(bleed=4))
    assert ((read_frame(folder / "pa.fits").mask & Mask.SATURATED) != 0).sum() == 22 * 3 + 9, "infrared arrays do not"


def test_hole_in_a_master_becomes_no_data(night):
    folder, *_ = night
    holed = np.full(SHAPE, 700.0)
    holed[3, 4] = np.nan
    path = _master(folder / "bias_C1.fits", holed)
    prepare.run(_task(folder, bias=path), RUN)
    frame = read_frame(folder / "pa.fits")
    assert np.isnan(frame.image[3, 4]) and frame.mask[3, 4] == Mask.BAD | Mask.NODATA
    assert np.isfinite(frame.image).sum() == frame.image.size - 1


def test_another_shape_is_refused_in_words(night):
    folder, *_ = night
    path = _master(folder / "bias_C1.fits", np.zeros((50, 50)))
    with pytest.raises(FrameError, match=r"100 x 120 px and the master bias bias_C1\.fits is 50 x 50"):
        prepare.run(_task(folder, bias=path), RUN)
    assert not (folder / "pa.fits").exists()


@pytest.mark.parametrize("value", ["6,4E-05", None, -1.0])
def test_a_dark_needs_an_exposure_time(night, value):
    folder, bias, dark, raw, _ = night
    header = _header(EXPTIME=value if value is not None else 0.0)
    if value is None:
        del header["EXPTIME"]
    write_image(folder / "a.fits", raw, header)
    with pytest.raises(FrameError, match="exposure time"):
        prepare.run(_task(folder, bias=bias, dark=dark), RUN)
    assert prepare.run(_task(folder, bias=bias), RUN).product is not None


def test_read_noise_of_the_bias_frames_is_taken_when_the_frame_states_none(night):
    folder, *_, raw, _ = night
    bias = _master(folder / "bias_C1.fits", np.zeros(SHAPE), RDNOISE=11.5)
    header = _header()
    prepare.run(_task(folder, bias=bias), RUN)
    assert read_frame(folder / "pa.fits").header["RDNOISE"] == 9.0
    del header["RDNOISE"]
    write_image(folder / "a.fits", raw, header)
    prepare.run(_task(folder, bias=bias), RUN)
    assert read_frame(folder / "pa.fits").header["RDNOISE"] == 11.5


def test_level_missing_or_nan_pixels(night):
    folder, *_ = night
    header = _header()
    del header["SATURATE"]
    image = np.full(SHAPE, 5.0, np.float32)
    image[7, 7] = np.nan
    write_image(folder / "a.fits", image, header)
    prepare.run(_task(folder), RUN)
    frame = read_frame(folder / "pa.fits")
    assert frame.mask[7, 7] == Mask.NODATA and (frame.mask != 0).sum() == 1
