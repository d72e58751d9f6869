"""Master frames: the arithmetic of the three types, what is refused, what is left out, and what the file says."""

from __future__ import annotations

import json
import logging
import math
import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from small_night import (
    AREA,
    GAIN,
    LMI,
    READ_NOISE,
    SATURATION,
    SHAPE,
    WITH_DARK,
    Night,
    data_of,
    header_of,
    make_all,
    one,
    raw,
)

from photopipe_gui.errors import Cancelled, NightError, UsageError
from photopipe_gui.reduction.fitsio import read_extension
from photopipe_gui.reduction.preprocess import master_maker
from photopipe_gui.reduction.preprocess.master import MasterParams, is_current, make_masters, mkmaster
from photopipe_gui.reduction.preprocess.master import read_master as read_back
from photopipe_gui.reduction.progress import Progress, SilentReporter


@pytest.fixture
def night(tmp_path: Path) -> Night:
    folder = tmp_path / "noche de mayo, ñ"
    folder.mkdir()
    return Night(folder)


def test_masters_are_the_published_medians(night: Night) -> None:
    lists = {"bias": night.biases(7), "dark": night.darks(6), "flat": night.flats(8)}
    for mtype, key in (("bias", "C0"), ("dark", "C0"), ("flat", "R")):
        path = mkmaster(WITH_DARK, {key: lists[mtype]}, mtype)[key]
        assert Path(path) == night.folder / "calibration" / f"{mtype}_{key}.fits"
    bias, dark = (
        data_of(night.folder / "calibration" / name).astype(float) for name in ("bias_C0.fits", "dark_C0.fits")
    )
    flat = data_of(night.folder / "calibration" / "flat_R.fits")
    np.testing.assert_array_equal(bias, np.median(raw(lists["bias"]), axis=0))
    np.testing.assert_allclose(dark, np.median((raw(lists["dark"]) - bias) / 30.0, axis=0), rtol=1e-6, atol=1e-7)
    times = np.array([2.0 + i for i in range(8)])
    frames = raw(lists["flat"]) - bias - dark * times[:, None, None]
    frames /= np.median(frames, axis=(1, 2))[:, None, None]
    expected = np.median(frames, axis=0)
    np.testing.assert_allclose(flat, expected / np.median(expected), rtol=3e-6)
    assert flat.dtype == np.dtype(">f4")


@pytest.mark.parametrize("method", ["median", "clip", "winsor"])
def test_masters_reach_the_noise_that_the_frames_allow(night: Night, method: str) -> None:
    bias, dark, flat = make_all(night, method=method)
    worst = 1.3 if method == "median" else 1.12
    bias_noise = READ_NOISE / GAIN
    assert (data_of(bias.path) - night.bias[AREA]).std() < worst * bias_noise / 3
    dark_noise = math.sqrt(bias_noise**2 * 2 + 15.0 / GAIN) / 30
    difference = data_of(dark.path) - night.dark[AREA]
    difference[8, 8] = 0
    assert difference.std() < worst * dark_noise / 3
    levels = np.array([9000.0 + 3000 * i for i in range(9)])
    best = 1 / math.sqrt((levels * GAIN).sum())
    error = data_of(flat.path) / night.flat[AREA] - 1
    error[18, 26] = 0
    assert error.std() < (1.35 if method == "median" else 1.12) * best
    truths = ((bias, night.bias, 0.06), (dark, night.dark, 0.08), (flat, night.flat, 0.1))
    for result, truth, tolerance in truths:
        good = data_of(result.path, "MASK") == 0
        pull = ((data_of(result.path) - truth[AREA]) / data_of(result.path, "UNCERT"))[good]
        assert pull.std() == pytest.approx(1, abs=tolerance)


def test_header_says_what_is_in_a_master(night: Night) -> None:
    bias, dark, flat = make_all(night, method="clip")
    header = header_of(flat.path)
    assert header["IMCMB000"] == flat.inputs[0].path.name
    assert header["IMCMB008"] == flat.inputs[8].path.name
    assert "IMCMB009" not in header
    assert header["FILTER"] == "R"
    assert (header["CAMERA"], header["NCOMBINE"], header["METHOD"]) == (0, 9, "clip")
    assert header["SATURATE"] == SATURATION
    assert header["GAIN"] == GAIN
    assert header["NREJECT"] == sum(item.n_rejected for item in flat.inputs)
    assert header["MEDIAN"] == pytest.approx(1, abs=1e-6)
    assert header["PPWRITER"] == "photopipe_gui"
    assert (header["BIASFILE"], header["DARKFILE"]) == ("bias_C0.fits", "dark_C0.fits")
    assert header_of(dark.path)["EXPTIME"] == 30
    assert header_of(bias.path)["RDNOISE"] == pytest.approx(READ_NOISE, rel=0.06)
    assert header_of(bias.path)["RSIGMA"] == pytest.approx(np.std(night.bias[AREA]), rel=0.3)


def test_extensions_of_a_master(night: Night) -> None:
    _, dark, flat = make_all(night)
    hot = data_of(dark.path, "MASK")
    assert hot[8, 8] == 1
    assert np.count_nonzero(hot) == 1
    dead = data_of(flat.path, "MASK")
    assert dead[18, 26] == 1
    assert np.count_nonzero(dead) == 1
    assert (data_of(flat.path, "COUNT") == 9).all()
    assert (read_extension(flat.path, "UNCERT") > 0).all()  # type: ignore[arg-type, operator]


def test_inputs_tell_what_they_gave(night: Night) -> None:
    make_masters(WITH_DARK, {"C0": night.biases()}, "bias")
    make_masters(WITH_DARK, {"C0": night.darks()}, "dark")
    paths = night.flats(8)
    with fits.open(paths[5], mode="update") as hdus:
        hdus[0].data[10:20, 10:40] = 60000
    result = one(make_masters(WITH_DARK, {"R": paths}, "flat", MasterParams(method="clip")))
    starry, plain = result.inputs[5], result.inputs[2]
    assert starry.n_rejected >= 300 > 20 > plain.n_rejected
    assert starry.outlier_fraction == pytest.approx(300 / (46 * 62), rel=0.1)
    assert plain.scale == plain.median == pytest.approx(15000, rel=0.01)
    np.testing.assert_allclose(data_of(result.path)[8:18, 6:36], night.flat[10:20, 10:40], rtol=0.02)
    assert read_back(result.path).inputs == result.inputs  # type: ignore[arg-type]


def test_mixed_exposures_are_refused_with_a_list(night: Night) -> None:
    make_masters(WITH_DARK, {"C0": night.biases()}, "bias")
    paths = night.darks(5) + night.darks(2, exptime=60.0)
    result = one(make_masters(WITH_DARK, {"C0": paths}, "dark"))
    assert result.path is None
    assert "30 s: " in result.problem
    assert f"60 s: {Path(paths[5]).name}, {Path(paths[6]).name}" in result.problem
    assert not (night.folder / "calibration" / "dark_C0.fits").exists()


def test_times_that_differ_by_rounding_are_one_exposure(night: Night) -> None:
    make_masters(WITH_DARK, {"C0": night.biases()}, "bias")
    paths = [night.frame("d", exptime=30.0 + 0.004 * i) for i in range(5)]
    assert one(make_masters(WITH_DARK, {"C0": paths}, "dark")).path is not None


def test_mixed_filters_sizes_and_gains_are_refused_and_other_keys_go_on(night: Night) -> None:
    make_masters(LMI, {"C0": night.biases()}, "bias")
    lists = {
        "R": [*night.flats(5), night.frame("f", 9000, 1, FILTER2="V")],
        "V": [night.frame("f", 9000, 1, FILTER2="V") for _ in range(5)],
        "I": [night.frame("f", 9000, 1, FILTER2="I", TRIMSEC=f"[5:66,{y}:48]") for y in (3, 3, 3, 3, 5)],
        "B": [night.frame("f", 9000, 1, FILTER2="B", GAIN=gain) for gain in (2.5, 2.5, 2.5, 2.5, 5.0)],
    }
    results = {result.key: result for result in make_masters(LMI, lists, "flat")}
    assert "do not share one filter" in results["R"].problem
    assert results["V"].path is not None
    assert "do not share one size (62 x 46 px" in results["I"].problem
    assert "do not share one gain" in results["B"].problem


@pytest.mark.logs_errors
def test_missing_masters_are_named_with_what_to_run(night: Night, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert mkmaster("lmi", {"R": night.flats(5)}, "flat") == {}
    assert "bias_C0.fits is missing in" in caplog.text
    assert "mkmaster('lmi', <bias frames>, 'bias')" in caplog.text
    make_masters(WITH_DARK, {"C0": night.biases()}, "bias")
    assert "dark_C0.fits is missing" in one(make_masters(WITH_DARK, {"R": night.flats(5)}, "flat")).problem
    assert one(make_masters("lmi", {"R": night.flats(5)}, "flat")).path is not None


def test_a_master_of_another_size_is_refused(night: Night) -> None:
    make_masters(LMI, {"C0": [night.frame("b", TRIMSEC="[5:60,3:48]") for _ in range(5)]}, "bias")
    assert "bias_C0.fits is 56 x 46 px" in one(make_masters(LMI, {"R": night.flats(5)}, "flat")).problem


def test_few_frames_need_a_yes(night: Night, caplog: pytest.LogCaptureFixture) -> None:
    paths = night.biases(3)
    with caplog.at_level(logging.WARNING):
        assert mkmaster("lmi", {"C0": paths}, "bias") == {}
    assert "3 usable frames of 3, fewer than the 5 asked for" in caplog.text
    result = one(make_masters("lmi", {"C0": paths}, "bias"))
    assert result.needs_confirmation
    assert result.path is None
    assert one(make_masters("lmi", {"C0": paths}, "bias", confirmed={"C1"})).needs_confirmation
    assert one(make_masters("lmi", {"C0": paths}, "bias", confirmed={"C0"})).path is not None
    assert mkmaster("lmi", {"C0": night.biases(3)}, "bias", fmin=3) != {}
    assert mkmaster("lmi", {"C0": night.biases(2)}, "bias", yes=True) != {}


def test_unreadable_frames_are_left_out_and_count_against_fmin(night: Night) -> None:
    good = night.biases(5)
    cut = Path(night.frame("b"))
    cut.write_bytes(cut.read_bytes()[:5000])
    empty = night.folder / "20210505T010101C0b.fits"
    empty.write_bytes(b"")
    bad = [str(cut), str(empty), str(night.folder / "20210505T020202C0b.fits")]
    reporter = SilentReporter()
    result = one(make_masters("lmi", {"C0": bad + good}, "bias", reporter=reporter))
    assert result.n_used == 5
    assert [item.path.name for item in result.inputs if not item.used] == [Path(path).name for path in bad]
    assert {level for level, _ in reporter.messages} == {"warning"}
    assert all(any(Path(path).name in text for _, text in reporter.messages) for path in bad)
    reporter = SilentReporter()
    few = one(make_masters("lmi", {"C0": good[:4] + bad}, "bias", reporter=reporter))
    assert few.needs_confirmation
    assert few.problem.startswith("master bias C0: 4 usable frames of 7")
    none = one(make_masters("lmi", {"C0": bad}, "bias", confirmed=True))
    assert none.path is None
    assert not none.needs_confirmation


def test_a_frame_that_shrinks_while_it_is_read_is_left_out(night: Night) -> None:
    paths = night.biases(6)
    reporter = SilentReporter()
    measured = master_maker.measure_levels

    def then_cut(*arguments: object) -> None:
        measured(*arguments)  # type: ignore[arg-type]
        os.truncate(paths[2], 4000)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(master_maker, "measure_levels", then_cut)
        result = one(make_masters("lmi", {"C0": paths}, "bias", MasterParams(method="median"), reporter=reporter))
    assert result.n_used == 5
    assert any("became shorter" in text for _, text in reporter.messages)
    rest = paths[:2] + paths[3:]
    np.testing.assert_array_equal(data_of(result.path), np.median(raw(rest), axis=0))


def test_flats_without_light_are_refused_by_name(night: Night) -> None:
    make_masters(LMI, {"C0": night.biases()}, "bias")
    black = night.write("20210505T030303C0f.fits", np.full(SHAPE, 900, np.uint16), exptime=1.0)
    reporter = SilentReporter()
    result = one(make_masters(LMI, {"R": [*night.flats(5), black]}, "flat", reporter=reporter))
    assert result.n_used == 5
    assert any("20210505T030303C0f.fits is left out: its median is -" in text for _, text in reporter.messages)


def test_frames_without_a_finite_pixel_make_no_file(night: Night) -> None:
    empty = np.full(SHAPE, np.nan, np.float32)
    paths = [night.write(f"20210505T04040{i}C0b.fits", empty) for i in range(5)]
    result = one(make_masters("lmi", {"C0": paths}, "bias"))
    assert "no finite pixel" in result.problem
    assert not list(night.folder.glob("calibration/.*")) + list(night.folder.glob("calibration/*"))


def test_halves_of_split_cameras_are_taken_as_they_are(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    shape = (30, 80)
    flat = 1 + 0.1 * np.sin(np.arange(80) / 9) * np.ones(shape)
    paths = []
    for i in range(5):
        header = fits.Header({"CAMERA": 3, "FILTER": "J", "CHANNEL": "a", "EXPTIME": 3.0, "SATURATE": 8999.0})
        header["PPWRITER"] = "photopipe_gui"
        path = tmp_path / f"20210505T00000{i}C3f_J.fits"
        fits.PrimaryHDU(rng.poisson(flat * 4000).astype(np.uint16), header).writeto(path)
        paths.append(str(path))
    written = mkmaster("ratir", {"J": paths}, "flat", master_dir=tmp_path / "masters")
    assert written == {"J": str(tmp_path / "masters" / "flat_J.fits")}
    image = data_of(written["J"])
    assert image.shape == shape
    np.testing.assert_allclose(image, flat / np.median(flat), atol=0.05)
    assert header_of(written["J"])["SATURATE"] == 8999


def test_selection_files_are_accepted(night: Night) -> None:
    paths = night.biases(5)
    saved = night.folder / "bias_20210506T000000.json"
    saved.write_text(json.dumps({"C0": [Path(path).name for path in paths]}))
    assert Path(mkmaster("lmi", saved, "bias")["C0"]).is_file()
    with pytest.raises(UsageError):
        mkmaster("lmi", str(night.folder / "missing.json"), "bias")


def test_up_to_date_masters_are_kept(night: Night) -> None:
    paths = night.biases(5)
    first = one(make_masters("lmi", {"C0": paths}, "bias"))
    digest = header_of(first.path)["PPDIGEST"]
    assert is_current(first.path, digest)  # type: ignore[arg-type]
    before = first.path.stat().st_mtime_ns  # type: ignore[union-attr]
    again = one(make_masters("lmi", {"C0": paths}, "bias"))
    assert again.reused
    assert again.path.stat().st_mtime_ns == before  # type: ignore[union-attr]
    assert again.inputs == first.inputs
    assert again.values == pytest.approx(first.values)
    assert not one(make_masters("lmi", {"C0": paths}, "bias", redo=True)).reused
    assert not one(make_masters("lmi", {"C0": paths}, "bias", MasterParams(method="winsor"))).reused
    assert header_of(first.path)["PPDIGEST"] != digest
    assert not is_current(first.path, digest)  # type: ignore[arg-type]


def test_a_new_bias_makes_the_flat_out_of_date(night: Night) -> None:
    biases, flats = night.biases(6), night.flats(5)
    make_masters(LMI, {"C0": biases}, "bias")
    make_masters(LMI, {"R": flats}, "flat")
    assert one(make_masters(LMI, {"R": flats}, "flat")).reused
    make_masters(LMI, {"C0": biases[:5]}, "bias")
    assert not one(make_masters(LMI, {"R": flats}, "flat")).reused


def test_a_file_of_another_program_is_kept_aside(night: Night) -> None:
    folder = night.folder / "calibration"
    folder.mkdir()
    (folder / "bias_C0.fits").write_bytes(b"mine")
    reporter = SilentReporter()
    assert one(make_masters("lmi", {"C0": night.biases(5)}, "bias", reporter=reporter)).path is not None
    assert (folder / "bias_C0.fits.before").read_bytes() == b"mine"
    assert any("bias_C0.fits.before" in text for _, text in reporter.messages)


def test_raw_frames_stay_as_they_are(night: Night) -> None:
    paths = night.biases(5)
    before = [Path(path).read_bytes() for path in paths]
    mkmaster("lmi", {"C0": paths}, "bias")
    assert [Path(path).read_bytes() for path in paths] == before


def test_cancel_leaves_no_file(night: Night) -> None:
    reporter = SilentReporter()
    paths = night.biases(5)
    reporter.progress = lambda event: reporter.cancel()  # type: ignore[method-assign]
    with pytest.raises(Cancelled):
        make_masters("lmi", {"C0": paths}, "bias", reporter=reporter)
    assert not list((night.folder).glob("calibration/*"))


def test_progress_and_results_reach_the_reporter(night: Night) -> None:
    reporter = SilentReporter()
    seen: list[Progress] = []
    reporter.progress = seen.append  # type: ignore[method-assign]
    results = make_masters("lmi", {"C0": night.biases(5)}, "bias", reporter=reporter)
    assert reporter.results == results
    assert seen[-1].job == "master bias C0"
    assert seen[-1].done == seen[-1].total > 0


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folder(night: Night) -> None:
    paths = night.biases(5)
    night.folder.chmod(0o500)
    try:
        with pytest.raises(NightError, match="cannot be written"):
            mkmaster("lmi", {"C0": paths}, "bias")
    finally:
        night.folder.chmod(0o700)


def test_a_folder_that_is_a_file(night: Night) -> None:
    (night.folder / "calibration").write_text("")
    with pytest.raises(NightError, match="cannot be written"):
        mkmaster("lmi", {"C0": night.biases(5)}, "bias")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [(("hubble", {}, "bias"), "no instrument"), (("lmi", {}, "sky"), "no master 'sky'")],
)
def test_wrong_arguments(arguments: tuple[object, ...], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        mkmaster(*arguments)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="method"):
        make_masters("lmi", {}, "bias", MasterParams(method="mode"))


def test_nothing_given_is_said(caplog: pytest.LogCaptureFixture) -> None:
    assert mkmaster("rimas", {}, "bias") == {}
    assert "No bias frames were given" in caplog.text
