"""The whole job as one call: what is chosen, kept, refused and reported."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from photopipe_gui.errors import NightError, UsageError
from photopipe_gui.instruments import registry
from photopipe_gui.reduction import night as whole
from photopipe_gui.reduction.auto.plan import AutoprocParams
from photopipe_gui.reduction.executor import SerialExecutor
from photopipe_gui.reduction.fields import MARGIN, fields_of
from photopipe_gui.reduction.preprocess.master_types import MasterParams
from photopipe_gui.reduction.progress import SilentReporter
from photopipe_gui.reduction.scan import scan
from photopipe_gui.reduction.selection import Verdict
from photopipe_gui.reduction.session import Session, save_session


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    from photopipe_gui.simulate import simulate_night

    folder = tmp_path_factory.mktemp("whole") / "night"
    return simulate_night(
        folder, "lmi", 9, size=0.14, n_bias=5, n_flat=9, n_science=3, filters=("SDSS-R",), faults=("truncated",)
    )


def checksums(folder: Path) -> set[str]:
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.fits")}


@pytest.fixture(scope="module")
def reduced(small):
    """The night reduced once, and what its raw frames were before."""
    before = checksums(small.night)
    options = whole.NightOptions(run=AutoprocParams(refcat=str(small.refcat), offline=True))
    reporter = SilentReporter()
    return whole.reduce_night(small.night, "", options, reporter, SerialExecutor()), before, reporter


def test_a_night_becomes_a_coadd(reduced) -> None:
    result, _, reporter = reduced
    assert ("info", "The headers say that these are frames of LMI.") in reporter.messages
    assert len(result.coadds) == 1
    header = fits.getheader(result.coadds[0])
    assert header["NSTACK"] == 3
    assert math.isfinite(header["ABSZPT"])
    assert {master.mtype for master in result.masters} == {"bias", "flat"}
    assert {"select", "masters", "reduce"} <= set(result.seconds)


def test_raw_frames_are_not_changed(reduced, small) -> None:
    assert checksums(small.night) == reduced[1]


def test_the_frame_cut_short_is_lost_by_name(reduced) -> None:
    result, _, _ = reduced
    assert len(result.lost) == 1
    assert "lmi." in result.lost[0]
    assert "the file ends after" in result.lost[0]


def test_a_second_run_has_nothing_to_do(reduced, small) -> None:
    first = reduced[0].coadds[0]
    written = first.stat().st_mtime_ns
    saved = sorted(small.night.glob("*_*T*.json"))
    options = whole.NightOptions(run=AutoprocParams(refcat=str(small.refcat), offline=True))
    again = whole.reduce_night(small.night, "lmi", options, SilentReporter(), SerialExecutor())
    assert again.coadds == [first]
    assert first.stat().st_mtime_ns == written
    assert all(master.reused for master in again.masters)
    assert sorted(small.night.glob("*_*T*.json")) == saved


def test_from_a_later_step_the_choice_of_the_last_run_is_used(reduced, small) -> None:
    options = whole.NightOptions(run=AutoprocParams(refcat=str(small.refcat), offline=True, only="zpoint"))
    reporter = SilentReporter()
    result = whole.reduce_night(small.night, "lmi", options, reporter, SerialExecutor())
    assert result.lists == {}
    assert "select" not in result.seconds
    assert any("of the last run are used" in text for _, text in reporter.messages)
    assert {step for _, step in result.report.outcomes if step == "zpoint"} == {"zpoint"}


def open_night(folder: Path, cameras=None) -> whole.OpenNight:
    return whole.open_for_work(folder, "", cameras, SilentReporter())


def test_limits_asked_for_win_over_saved_ones_over_defaults(small, reduced, tmp_path) -> None:
    from photopipe_gui.reduction.preprocess.rules import Limits

    night = open_night(small.night)
    night = whole.OpenNight(night.folder, night.instrument, night.cameras, night.table,
                            Session(limits={"flat": Limits(0.1, 0.7, True)}))  # fmt: skip
    assert night.limits("flat", {}) == Limits(0.1, 0.7, True)
    assert night.limits("flat", {"flat": whole.LimitsAsked(amax=0.9)}) == Limits(0.1, 0.9, True)
    assert night.limits("flat", {"flat": whole.LimitsAsked(reject_sat=False)}) == Limits(0.1, 0.7, False)
    assert night.limits("bias", {}) == Limits()


def test_a_verdict_by_hand_on_a_science_frame_holds(small, reduced) -> None:
    frame = next(row.frame_id for row in reduced[0].night.table if row.ftype == "object" and not row.problem)
    save_session(small.night, Session(instrument="lmi", hand={frame: False}, verdicts={frame: Verdict(False, "hand")}))
    try:
        result = whole.NightResult(open_night(small.night))
        whole.select_type(result, "object", whole.NightOptions(), SilentReporter(), SerialExecutor())
        chosen = [Path(name).stem for names in result.lists["object"].values() for name in names]
        assert frame not in chosen
        assert len(chosen) == 2
        assert not (small.night / "selected" / f"{frame}.fits").exists()
    finally:
        (small.night / "photopipe_session.json").unlink()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (whole.NightOptions(limits={"flat": whole.LimitsAsked(amin=0.9)}), "must be below amax"),
        (whole.NightOptions(masters=MasterParams(method="mode")), "median, clip, winsor"),
        (whole.NightOptions(run=AutoprocParams(start="stak")), "must be one of"),
        (whole.NightOptions(run=AutoprocParams(start="stack", stop="prepare")), "comes after stop"),
        (whole.NightOptions(run=AutoprocParams(refcat="/nowhere.fits")), "does not exist"),
        (whole.NightOptions(run=AutoprocParams(overrides={"crclean": {"sigclop": 1}})), "Did you mean sigclip"),
        (whole.NightOptions(cameras=(4,)), "none of"),
    ],
)
def test_wrong_options_are_refused_before_any_work(small, reduced, options, said) -> None:
    with pytest.raises(UsageError, match=said):
        whole.reduce_night(small.night, "lmi", options, SilentReporter(), SerialExecutor())


def test_folders_that_are_no_night_are_refused_in_words(tmp_path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(NightError):
            whole.reduce_night(folder, "", whole.NightOptions(), SilentReporter(), SerialExecutor())


def test_frames_of_another_instrument_are_told(small, reduced) -> None:
    with pytest.raises(NightError, match=r"no raw frames of RATIR.*The headers say LMI: ask for lmi"):
        whole.reduce_night(small.night, "ratir", whole.NightOptions(), SilentReporter(), SerialExecutor())


def test_a_damaged_selection_is_no_reason_to_stop(tmp_path) -> None:
    (tmp_path / "bias_20200101T000000.json").write_text("{not json")
    new = whole.save_if_changed({"C0": ["/a.fits"]}, tmp_path, "bias")
    assert new is not None
    assert whole.save_if_changed({"C0": ["/a.fits"]}, tmp_path, "bias") is None
    assert whole.save_if_changed({"C0": ["/b.fits"]}, tmp_path, "bias") not in (None, new)


def test_fields_hold_where_the_frames_truly_point(small) -> None:
    """The cone to fetch holds every corner of every science frame, by the true WCS."""
    from astropy.coordinates import SkyCoord
    from astropy.wcs import WCS

    table = scan(small.night, registry.get("lmi"))
    fields, filters = fields_of(registry.get("lmi"), table)
    assert filters == ["SDSS-R"]
    assert len(fields) == 1
    ra, dec, radius = fields[0]
    assert radius < 1.5
    centre = SkyCoord(ra, dec, unit="deg")
    for frame in small.frames:
        if frame.ftype != "object":
            continue
        true = WCS(fits.Header(dict(frame.wcs)))
        corners = true.pixel_to_world(np.array([0, 400, 0, 400]), np.array([0, 0, 400, 400]))
        assert centre.separation(corners).deg.max() + MARGIN / 2 < radius
