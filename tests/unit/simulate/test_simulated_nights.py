"""Nights: names, headers, pointing, catalogues, faults, the demo."""

from __future__ import annotations

import math
import os
import threading
import time

import numpy as np
import pytest

from photopipe_gui.errors import FrameError, NightError, UsageError
from photopipe_gui.instruments import header, naming, registry
from photopipe_gui.instruments.values import moment
from photopipe_gui.reduction.fitsio import read_layout, read_pixels
from photopipe_gui.simulate import large_night, load_truth, simulate_night, write_frame_slowly
from photopipe_gui.simulate.night import plan_frames
from photopipe_gui.simulate.options import make_options
from photopipe_gui.simulate.plan import Planner
from photopipe_gui.simulate.visits import twilight_levels

TINY = {
    "ratir": {"cameras": (1, 3), "filters": ("i", "J", "H"), "n_bias": 1, "n_dark": 1, "n_flat": 3, "n_science": 2},
    "lmi": {"size": 0.1, "n_bias": 2, "n_flat": 3, "n_science": 2},
    "rimas": {"size": 0.1, "n_flat": 3, "n_science": 2},
}


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nights")
    return {name: simulate_night(folder / name, name, 11, **options) for name, options in TINY.items()}


def plans_of(tmp_path, instrument, seed, **options):
    return plan_frames(
        Planner(tmp_path, tmp_path, instrument, seed, make_options(registry.get(instrument), 1.0, **options))
    )


def test_the_same_seed_gives_the_same_bytes(nights, tmp_path):
    again = simulate_night(tmp_path / "again", "rimas", 11, **TINY["rimas"])
    other = simulate_night(tmp_path / "other", "rimas", 12, **TINY["rimas"])
    for name in [f.name for f in again.frames] + ["truth/refcat.fits", "truth/custom.txt"]:
        assert (again.night / name).read_bytes() == (nights["rimas"].night / name).read_bytes()
    assert (other.night / again.frames[0].name).read_bytes() != (again.night / again.frames[0].name).read_bytes()


def test_a_frame_does_not_depend_on_the_ones_before_it(nights, tmp_path):
    from photopipe_gui.simulate.frames import make_frame

    options = make_options(registry.get("rimas"), **TINY["rimas"])
    (tmp_path / "truth" / "cosmics").mkdir(parents=True)
    last = plan_frames(Planner(tmp_path, tmp_path / "truth", "rimas", 11, options))[-1]
    make_frame(last)
    assert last.path.read_bytes() == (nights["rimas"].night / last.path.name).read_bytes()


@pytest.mark.parametrize("name", list(TINY))
def test_headers_read_back(nights, name):
    truth = nights[name]
    instrument = registry.get(name)
    assert registry.detect(truth.night) is instrument
    for frame in truth.frames:
        layout = read_layout(truth.night / frame.name)
        assert instrument.recognise(layout.cards)
        number, ftype = naming.classify(instrument, frame.name, layout.cards)
        assert (number, ftype) == (frame.camera, frame.ftype)
        camera = instrument.camera(number)
        for channel, known in zip(camera.channels, frame.channels, strict=True):
            info = header.describe(instrument, layout.cards, camera, channel, layout.shape, ftype)
            assert not info.problem
            assert info.area == known.area
            assert info.exptime == frame.exptime
            assert info.time == pytest.approx(frame.mjd, abs=1e-6)
            if ftype in ("flat", "object"):
                assert info.filter == known.filter
            pixels = read_pixels(truth.night / frame.name, info.area)
            assert int((pixels >= info.saturation).sum()) == known.saturated
            if ftype == "object":
                assert info.target == header.safe_name(frame.target)
                assert math.isnan(info.airmass) or 1 <= info.airmass < 5


def test_halves_know_which_of_them_has_the_target(nights):
    truth = nights["ratir"]
    instrument = registry.get("ratir")
    halves = []
    for frame in truth.frames:
        if frame.ftype == "object" and frame.camera == 3:
            cards = read_layout(truth.night / frame.name).cards
            halves.append([instrument.rules.target_half(cards, c) for c in instrument.camera(3).channels])
    assert halves == [[True, False], [False, True]]


@pytest.mark.parametrize("name", ["lmi", "rimas"])
def test_frames_collide_when_asked_and_are_renamed_as_foretold(tmp_path, name):
    truth = simulate_night(tmp_path / "n", name, 4, **{**TINY[name], "collisions": True, "n_bias": 4})
    frames = [f for f in truth.frames if f.ftype == ("bias" if name == "lmi" else "object")]
    seconds = [(f.camera, int(f.mjd * 86400 + 1e-3)) for f in frames]
    assert len(set(seconds)) < len(seconds)
    before = {f.name: (truth.night / f.name).read_bytes() for f in truth.frames}
    naming.rename_night(truth.night, registry.get(name))
    for frame in truth.frames:
        assert (truth.night / frame.standard_name).read_bytes() == before[frame.name]
        assert truth.frame(f"azsfp{frame.standard_name}") == frame


@pytest.mark.parametrize("count", [5, 7, 10, 12, 25])
def test_twilight_goes_from_saturated_to_underexposed(count):
    levels = twilight_levels(count)
    assert levels[0] > 1 and levels[-1] < 0.19
    assert ((levels > 0.204) & (levels < 0.784)).sum() >= min(count - 2, 5)


def test_flat_verdicts_follow_the_median(nights):
    verdicts = [(c.level, c.verdict) for f in nights["ratir"].frames if f.ftype == "flat" for c in f.channels]
    assert {verdict for _, verdict in verdicts} == {"kept", "UNDEREXPOSED", "SATURATED"}
    for level, verdict in verdicts:
        assert (verdict == "kept") == (0.2 < level < 0.8)


def test_pointing_errors_are_as_large_as_told(tmp_path):
    plans = plans_of(tmp_path, "ratir", 2, cameras=(1,), filters=("i",), n_science=150, n_flat=0, n_bias=0, n_dark=0)
    errors = np.array([p.truth.pointing_error_px for p in plans])
    assert 20 < errors.mean() < 100 and errors.max() <= 171.9 and errors.max() > 100
    steady = plans_of(tmp_path, "lmi", 2, n_science=30, n_flat=0, n_bias=0, filters=("U",))
    arcsec = np.array([math.hypot(*p.truth.pointing_error) for p in steady])
    assert arcsec.max() < 120 and np.ptp(arcsec) < 30
    assert arcsec.min() > 5


def test_the_true_wcs_differs_from_the_commanded_one_by_the_error(tmp_path):
    from astropy.coordinates import SkyCoord

    for plan in plans_of(tmp_path, "rimas", 2, n_science=2, n_flat=0):
        cards = {key: value for key, value, _ in plan.cards}
        instrument = registry.get("rimas")
        camera = instrument.camera(plan.truth.camera)
        guess = instrument.rules.wcs(cards, camera, camera.channels[0], plan.truth.channels[0].area)
        true = SkyCoord(plan.truth.wcs["CRVAL1"], plan.truth.wcs["CRVAL2"], unit="deg")
        east, north = SkyCoord(guess["CRVAL1"], guess["CRVAL2"], unit="deg").spherical_offsets_to(true)
        assert east.arcsec == pytest.approx(plan.truth.pointing_error[0], abs=0.1)
        assert north.arcsec == pytest.approx(plan.truth.pointing_error[1], abs=0.1)


def test_mirrored_nights_have_the_other_parity(tmp_path):
    def parity(mirrored):
        plan = plans_of(tmp_path, "lmi", 2, n_science=1, n_flat=0, n_bias=0, mirrored=mirrored)[0]
        w = plan.truth.wcs
        return np.sign(w["CD1_1"] * w["CD2_2"] - w["CD1_2"] * w["CD2_1"])

    assert parity(True) == -parity(False)


def test_catalogues_are_read_and_agree_with_the_truth(nights):
    from astropy.table import Table

    from photopipe_gui.reduction.catalogs.custom import read_custom
    from photopipe_gui.reduction.catalogs.local import read_catalog

    truth = nights["lmi"]
    stars = truth.stars()
    for catalog in (read_catalog(truth.refcat), read_custom(truth.customcat)):
        assert {"u", "g", "r", "i", "z", "y", "B", "V", "R", "I", "J", "H", "K"} <= set(catalog.magnitudes)
        dx = (catalog.ra[:, None] - np.asarray(stars["ra"])[None]) * np.cos(np.radians(catalog.dec))[:, None]
        distance = np.hypot(dx, catalog.dec[:, None] - np.asarray(stars["dec"])[None]) * 3600
        nearest = distance.argmin(axis=1)
        close = distance.min(axis=1) < 0.5
        assert 0.9 < close.mean() < 0.99
        for band in ("r", "R", "J"):
            magnitude, error = catalog.magnitudes[band]
            difference = magnitude[close] - np.asarray(stars[band])[nearest[close]]
            assert abs(np.median(difference)) < 0.01
            pulls = difference / error[close]
            assert 0.8 < np.median(np.abs(pulls)) / 0.6745 < 1.3
    listed = Table.read(truth.refcat)
    bright = np.asarray(stars["r"]) < 21.5
    assert len(listed) == pytest.approx(bright.sum() * 0.85 * 1.05, rel=0.1)


def test_truth_is_read_back(nights):
    truth = nights["ratir"]
    again = load_truth(truth.night)
    assert [f.name for f in again.frames] == [f.name for f in truth.frames]
    assert again.frames[-1].wcs == truth.frames[-1].wcs
    flat = again.master("flat", "J")
    assert flat.shape == truth.frame(truth.frames[-1].name).channel("J").area.shape
    assert np.median(flat) == pytest.approx(1, abs=1e-3)
    assert again.master("bias", "C1").mean() == pytest.approx(640, abs=3)
    with pytest.raises(NightError):
        load_truth(truth.night.parent)


def test_faulty_files_are_faulty(tmp_path):
    faults = (
        "truncated",
        "empty",
        "header_only",
        "not_fits",
        "wrong_size",
        "no_exptime",
        "bad_exptime",
        "empty_object",
        "slashes",
    )
    truth = simulate_night(tmp_path / "n", "lmi", 6, **{**TINY["lmi"], "faults": faults})
    bad = {f.fault: truth.night / f.name for f in truth.frames if f.fault}
    assert set(bad) == set(faults)
    for fault in ("truncated", "empty", "header_only", "not_fits"):
        with pytest.raises(FrameError):
            read_layout(bad[fault])
    good = read_layout(truth.night / truth.frames[-len(faults) - 1].name)
    assert read_layout(bad["wrong_size"]).shape == (good.shape[0] // 2, good.shape[1] // 2)
    assert "EXPTIME" not in read_layout(bad["no_exptime"]).cards
    assert read_layout(bad["bad_exptime"]).cards["EXPTIME"] == "6,4E-05"
    assert "/" in str(read_layout(bad["slashes"]).cards["OBJNAME"])


def test_options_are_checked(tmp_path):
    for wrong in (
        {"field": "ocean"},
        {"sky": "green"},
        {"cameras": (7,)},
        {"filters": ("Q",)},
        {"size": 3.0},
        {"size": "huge"},
        {"faults": ("gremlins",)},
        {"nonsense": 1},
    ):
        with pytest.raises(UsageError):
            simulate_night(tmp_path / "n", "lmi", 1, **wrong)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x.fits").write_bytes(b"")
    with pytest.raises(NightError):
        simulate_night(tmp_path / "full", "lmi", 1, size=0.1)


def test_a_slow_write_is_seen_half_done(tmp_path, nights):
    data = (nights["rimas"].night / nights["rimas"].frames[0].name).read_bytes()
    path = tmp_path / "slow.fits"
    writer = threading.Thread(target=write_frame_slowly, args=(path, data, 4, 0.05))
    writer.start()
    sizes = set()
    while writer.is_alive():
        if path.exists():
            sizes.add(os.path.getsize(path))
        time.sleep(0.005)
    writer.join()
    assert len(sizes) >= 3
    assert path.read_bytes() == data


def test_a_large_night_is_made_of_valid_frames(tmp_path):
    paths = large_night(tmp_path, 40, (1024, 1024))
    assert len({p.name for p in paths}) == 40
    kinds = set()
    for path in paths:
        layout = read_layout(path)
        camera, ftype = naming.classify(registry.get("ratir"), path.name, layout.cards)
        kinds.add(ftype)
        assert layout.shape == (1024, 1024) and camera == 1
        assert moment(layout.cards["SDATE"])
    assert kinds == {"bias", "dark", "flat", "object"}


@pytest.mark.slow
def test_the_demo_is_small_and_quick(tmp_path):
    from photopipe_gui.simulate import demo_night

    start = time.perf_counter()
    truth = demo_night(tmp_path / "demo")
    assert time.perf_counter() - start < 30
    size = sum(path.stat().st_size for path in truth.night.rglob("*") if path.is_file())
    assert size < 105e6
    kept = [f for f in truth.frames if f.ftype == "flat" and f.channels[0].verdict == "kept"]
    assert len(kept) == 10
    assert not any(f.channels[0].saturated for f in kept)
