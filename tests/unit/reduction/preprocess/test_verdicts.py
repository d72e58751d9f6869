"""Verdicts of the rules, and the observer's own."""

from dataclasses import replace

import numpy as np
import pytest

from photopipe_gui.errors import UsageError
from photopipe_gui.instruments.cards import Area
from photopipe_gui.reduction.measure import FrameStats, histogram_of, preview_of
from photopipe_gui.reduction.preprocess.rules import DEFAULT_LIMITS, Limits, decide, judge
from photopipe_gui.reduction.table import FrameRow, FrameTable


def _row(name="a", ftype="flat", saturation=10000.0, problem=""):
    return FrameRow(name, None, 0, "", ftype, "i", saturation=saturation, area=Area(0, 2, 0, 2), problem=problem)


def _judge(median, n_saturated=0, ftype="flat", **limits):
    return judge(_row(ftype=ftype), FrameStats("a", median, n_saturated=n_saturated), Limits(**limits))


@pytest.mark.parametrize(
    ("median", "keep", "word"),
    [(1999, False, "UNDEREXPOSED"), (2000, False, "UNDEREXPOSED"), (2001, True, ""), (7999, True, ""),
     (8000, False, "SATURATED"), (10000, False, "SATURATED")],
)  # fmt: skip
def test_a_flat_lies_strictly_between_the_limits(median, keep, word):
    verdict = _judge(median, amin=0.2, amax=0.8)
    assert verdict.keep is keep
    assert word in verdict.reason
    if not keep:
        assert "of saturation" in verdict.reason


def test_saturated_pixels_reject_only_when_asked():
    assert _judge(5000, 3, amin=0.2, amax=0.8).keep
    verdict = _judge(5000, 3, amin=0.2, amax=0.8, reject_sat=True)
    assert verdict == verdict.__class__(False, "rule", "SATURATED: 3 saturated pixels")


def test_full_range_keeps_even_a_bias_below_zero():
    assert _judge(-3.0, ftype="bias").keep
    assert not _judge(10000.0, amin=0.0, amax=1.0).keep


def test_frames_that_cannot_be_used_say_why():
    assert "no EXPTIME" in judge(_row(problem="the header has no EXPTIME"), FrameStats("a", 5000), Limits()).reason
    assert "cut short" in judge(_row(), FrameStats("a", problem="cut short"), Limits()).reason
    assert "not measured" in judge(_row(), None, Limits()).reason
    assert "saturation level" in judge(_row(saturation=float("nan")), FrameStats("a", 5000), Limits()).reason


def test_the_hand_always_wins_and_keeps_the_rules_reason():
    table = FrameTable(None, "ratir", (_row("a"), _row("b")))
    stats = {"a": FrameStats("a", 100), "b": FrameStats("b", 5000)}
    selection = decide(table, stats, DEFAULT_LIMITS, {"a": True, "b": False})
    assert selection.verdicts["a"].keep
    assert "UNDEREXPOSED" in selection.verdicts["a"].reason
    assert selection.verdicts["b"].by == "hand"
    assert [row.frame_id for row in selection.kept(table)] == ["a"]


@pytest.mark.parametrize(("amin", "amax"), [(0.8, 0.2), (0.5, 0.5), (-0.1, 1), (0, 1.5)])
def test_limits_out_of_order_are_refused(amin, amax):
    with pytest.raises(UsageError):
        Limits(amin, amax)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_histogram_counts_every_pixel(dtype):
    image = np.array([[0, 1, 50], [99, 100, 65000]]).astype(dtype)
    counts = histogram_of(image, 100.0)
    assert counts.sum() == 6
    assert counts[0] == 1
    assert counts[-1] == 2 + (99 * 2.56 >= 255)


def test_preview_keeps_the_level():
    image = np.random.default_rng(0).poisson(1000, (925, 985)).astype(np.uint16)
    small = preview_of(image)
    assert max(small.shape) <= 192
    assert small.mean() == pytest.approx(1000, rel=1e-3)
    assert preview_of(np.full((3, 500), 7, np.uint16)).mean() == 7


def test_pixels_saturated_at_every_level_are_hot_and_reject_nothing():
    rows = tuple(_row(name) for name in "abcd")
    saturated = {"a": [7, 9], "b": [7, 9], "c": [7, 8, 9], "d": [7, 9]}
    levels = {"a": 2500, "b": 4000, "c": 5000, "d": 6000}
    stats = {n: FrameStats(n, levels[n], n_saturated=len(s), saturated=np.array(s)) for n, s in saturated.items()}
    limits = {"flat": Limits(0.2, 0.8, True)}
    verdicts = decide(FrameTable(None, "ratir", rows), stats, limits, {}).verdicts
    assert {name: verdict.keep for name, verdict in verdicts.items()} == {"a": True, "b": True, "c": False, "d": True}
    assert verdicts["c"].reason == "SATURATED: 1 saturated pixel"
    same_level = {name: replace(one, median=5000) for name, one in stats.items()}
    assert not any(v.keep for v in decide(FrameTable(None, "ratir", rows), same_level, limits, {}).verdicts.values())
