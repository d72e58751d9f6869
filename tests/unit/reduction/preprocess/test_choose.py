"""Choosing calibration and science frames of small made-up nights."""

import logging

import numpy as np
import pytest
from astropy.io import fits

from photopipe_gui.errors import NightError, UsageError
from photopipe_gui.instruments import registry
from photopipe_gui.reduction.preprocess.choose import choose_calib, choose_science
from photopipe_gui.reduction.scan import scan
from photopipe_gui.reduction.selection import load_selection

RNG = np.random.default_rng(5)


def ratir_frame(folder, name, level, shape=(1024, 1024), saturated=0, **cards):
    """Write a raw RATIR frame: flat level, Poisson noise, a few saturated pixels."""
    header = fits.Header({
        "INSTRUME": "RATIR", "EXPTIME": 10.0, "SOFTGAIN": 4, "FILTER": "i", "SDATE": "2013-07-16T03:10:00",
        "PRPSLID": "p", "VSTID": "1", **{k: v for k, v in cards.items() if v is not None},
    })  # fmt: skip
    for key, value in cards.items():
        if value is None:
            header.remove(key)
    image = RNG.poisson(level, shape).astype(np.uint16)
    image[100, 100 : 100 + saturated] = 65535
    path = folder / name
    fits.PrimaryHDU(image, header).writeto(path)
    return path


@pytest.fixture
def night(tmp_path):
    folder = tmp_path / "Nächt of May"
    folder.mkdir()
    return folder


def test_flats_by_level_with_reasons(night, caplog):
    for n, level in enumerate([3000, 3500, 8000, 12500, 14000]):
        ratir_frame(night, f"20130716T03101{n}C1f.fits", level)
    with caplog.at_level(logging.WARNING):
        chosen = choose_calib("ratir", "flat", workdir=night, cams=1, auto=True)
    assert [path.rsplit("/", 1)[1] for path in chosen["i"]] == [f"20130716T03101{n}C1f.fits" for n in (1, 2, 3)]
    assert "20130716T031010C1f: rejected, UNDEREXPOSED" in caplog.text
    assert "20130716T031014C1f: rejected, SATURATED" in caplog.text
    saved = next(night.glob("flat_*.json"))
    assert load_selection(saved) == chosen == load_selection(saved.with_suffix(".p"))


@pytest.mark.parametrize(("reject", "kept"), [(True, 1), (False, 2)])
def test_saturated_pixels_reject_a_flat_when_asked(night, reject, kept):
    ratir_frame(night, "20130716T031010C1f.fits", 8000)
    ratir_frame(night, "20130716T031011C1f.fits", 8000, saturated=1)
    chosen = choose_calib("ratir", "flat", night, [1], auto=True, reject_sat=reject, save_select=False)
    assert len(chosen["i"]) == kept
    assert not list(night.glob("*.json"))


def test_every_bias_is_taken_in_auto(night):
    ratir_frame(night, "20130716T031010C0b.fits", 600)
    ratir_frame(night, "20130716T031011C0b.fits", 600, saturated=5)
    assert len(choose_calib("ratir", "bias", night, auto=True)["C0"]) == 2


def test_cameras_without_bias_and_foreign_filters_are_skipped_in_words(night, caplog):
    ratir_frame(night, "20130716T031010C2b.fits", 600, (2048, 2048))
    ratir_frame(night, "20130716T031010C0f.fits", 8000, FILTER="V")
    with caplog.at_level(logging.WARNING):
        assert choose_calib("ratir", "bias", night, (2, 3), auto=True) == {}
        assert choose_calib("ratir", "flat", night, (0, 1), auto=True) == {}
    assert "C2 takes no bias frames" in caplog.text
    assert "no filter V" in caplog.text


def test_halves_are_judged_cropped_and_listed_on_their_own(night):
    path = night / "20130716T031010C2f.fits"
    header = fits.Header({"INSTRUME": "RATIR", "EXPTIME": 5.0, "SOFTGAIN": 4, "SDATE": "2013-07-16T03:10:00"})
    image = RNG.poisson(4000, (2048, 2048)).astype(np.uint16)
    image[1100:] = RNG.poisson(500, (948, 2048))
    fits.PrimaryHDU(image, header).writeto(path)
    raw = path.read_bytes()
    chosen = choose_calib("ratir", "flat", night, 2, auto=True)
    assert list(chosen) == ["Z"]
    (half,) = chosen["Z"]
    assert half.endswith("20130716T031010C2f_Z.fits")
    data = fits.getdata(half)
    assert data.dtype == np.uint16
    assert np.array_equal(data, image[4:975, 100:2000])
    assert path.read_bytes() == raw
    assert {row.frame_id for row in scan(night, registry.get("ratir"))} == {
        "20130716T031010C2f_Z",
        "20130716T031010C2f_Y",
    }


def test_science_copies_are_exact_and_raw_stays(night, caplog):
    path = ratir_frame(night, "20130716T041010C1o.fits", 900, ETRRQRA=10.0, ETRRQDE=20.0, STRRQAP="icenter")
    foreign = night / "selected" / "mine.fits"
    foreign.parent.mkdir()
    foreign.write_bytes(b"keep")
    raw = path.read_bytes()
    chosen = choose_science("ratir", str(night) + "/", night / "selected", auto=True)
    data, header = fits.getdata(chosen["i"][0], header=True)
    assert data.dtype == np.uint16
    assert np.array_equal(data, fits.getdata(path)[75:1000, 15:1000])
    assert header["TARGNAME"] == "p-vis1"
    assert path.read_bytes() == raw
    assert foreign.read_bytes() == b"keep"


def test_a_foreign_file_in_the_way_is_not_replaced(night, caplog):
    ratir_frame(night, "20130716T041010C1o.fits", 900)
    target = night / "selected" / "20130716T041010C1o.fits"
    target.parent.mkdir()
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(target)
    with caplog.at_level(logging.ERROR):
        assert choose_science("ratir", night, night / "selected", auto=True) == {}
    assert "not written by this program" in caplog.text
    assert fits.getdata(target).shape == (3, 3)
    caplog.clear()


def test_damaged_frames_are_named_and_the_rest_goes_on(night, caplog):
    good = ratir_frame(night, "20130716T031010C1f.fits", 8000)
    (night / "20130716T031011C1f.fits").write_bytes(good.read_bytes()[:100000])
    (night / "20130716T031012C1f.fits").write_bytes(b"")
    ratir_frame(night, "20130716T031013C1f.fits", 8000, EXPTIME=None)
    ratir_frame(night, "20130716T031014C1f.fits", 8000, (300, 300))
    (night / "notes.txt").write_text("hello")
    with caplog.at_level(logging.WARNING):
        chosen = choose_calib("ratir", "flat", night, auto=True)
    assert len(chosen["i"]) == 1
    for words in ("ends after", "it is empty", "no EXPTIME", "300 x 300 px, too small"):
        assert words in caplog.text


def test_bad_nights_and_arguments(tmp_path, night):
    with pytest.raises(NightError, match="does not exist"):
        choose_calib("ratir", "bias", tmp_path / "nowhere", auto=True)
    with pytest.raises(UsageError, match="instrument"):
        choose_calib("hubble", "bias", night, auto=True)
    with pytest.raises(UsageError, match="ftype"):
        choose_calib("ratir", "object", night, auto=True)
    with pytest.raises(UsageError, match="C0, C1, C2, C3"):
        choose_calib("ratir", "bias", night, cams=[9], auto=True)
    with pytest.raises(UsageError, match="amin"):
        choose_calib("ratir", "flat", night, auto=True, amin=0.9, amax=0.1)
    assert choose_calib("ratir", "flat", night, auto=True) == {}


def test_the_working_directory_stays(night, monkeypatch, tmp_path):
    import os

    monkeypatch.chdir(tmp_path)
    ratir_frame(night, "20130716T031010C1f.fits", 8000)
    choose_calib("ratir", "flat", os.path.relpath(night), auto=True)
    assert os.getcwd() == str(tmp_path)
