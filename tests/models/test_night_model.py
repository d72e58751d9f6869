"""The night: rules, the observer's verdicts, limits, undo, saving."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from pytestqt.qtbot import QtBot

from photopipe_gui.gui.models.night import NightModel
from photopipe_gui.instruments import registry
from photopipe_gui.reduction.preprocess.rules import Limits
from photopipe_gui.reduction.session import FILE_NAME, load_session
from photopipe_gui.reduction.table import FrameRow, FrameTable


def kept(night: NightModel) -> set[str]:
    return {row.frame_id for row in night.rows() if night.verdict(row.frame_id).keep}


def saved(night: NightModel) -> dict:
    return json.loads((night.night / FILE_NAME).read_text())


def reopened(night: NightModel) -> NightModel:
    """What another start of the program finds."""
    session, problem = load_session(night.night)
    assert problem == ""
    other = NightModel()
    other.open(night.night, registry.get("ratir"), night.table, session)
    other.add_measurements((stats, None) for stats in night.stats.values())
    return other


def test_the_rules_judge_as_measurements_arrive(night: NightModel) -> None:
    assert kept(night) == {"f1", "f2", "f3", "s0_Z", "b0", "b1", "o0"}
    assert "SATURATED" in night.verdict("f0").reason
    assert "UNDEREXPOSED" in night.verdict("f4").reason


def test_a_frame_that_is_not_measured_is_not_kept(night: NightModel, rows: tuple[FrameRow, ...]) -> None:
    model = NightModel()
    model.open(night.night, registry.get("ratir"), FrameTable(night.night, "ratir", rows[:1]), load_session("/")[0])
    assert not model.verdict("f0").keep
    assert model.verdict("f0").reason == "not measured yet"


def test_the_hand_wins_over_the_rule_and_over_sliders(night: NightModel) -> None:
    night.set_hand(["f0"], True)
    night.set_hand(["f2"], False)
    night.set_limits("flat", Limits(0.05, 0.95))
    assert {"f0", "f4"} <= kept(night)
    assert "f2" not in kept(night)
    assert night.verdict("f2").by == "hand"
    night.set_hand(["f2", "f0"], None)
    assert "f2" in kept(night) and "f0" not in kept(night)


def test_halves_are_decided_on_their_own(night: NightModel) -> None:
    night.set_hand(["s0_Z"], False)
    assert not night.verdict("s0_Z").keep
    assert night.verdict("s0_Y").by == "rule"


def test_a_verdict_is_on_disk_at_once(night: NightModel) -> None:
    night.set_hand(["f1"], False)
    entry = saved(night)["frames"]["f1"]
    assert (entry["verdict"], entry["by"]) == ("reject", "hand")


def test_everything_comes_back_after_a_restart(night: NightModel) -> None:
    night.set_hand(["f1"], False)
    night.set_limits("flat", Limits(0.05, 0.9))
    night.set_group(("flat", 1, "i"))
    night.set_current("f3")
    night.remember("tab", "masters")
    night.flush()
    other = reopened(night)
    assert kept(other) == kept(night)
    assert other.limits["flat"] == Limits(0.05, 0.9)
    assert (other.current, other.group, other.ui["tab"]) == ("f3", ("flat", 1, "i"), "masters")
    assert other.undo() == "flat limits 5% to 90%"
    assert other.limits["flat"] == Limits(0.2, 0.8)
    other.undo()
    assert other.verdict("f1").by == "rule"


def test_undo_takes_back_to_the_opening_and_redo_again(night: NightModel) -> None:
    before = kept(night)
    night.set_hand(["f1", "f2"], False)
    night.set_limits("flat", Limits(0.05, 0.8))
    after = kept(night)
    night.undo()
    night.undo()
    assert kept(night) == before and night.undo() == ""
    night.redo()
    night.redo()
    assert kept(night) == after and night.redo() == ""


def test_a_drag_is_one_step(night: NightModel) -> None:
    for low in (0.25, 0.3, 0.35):
        night.set_limits("flat", Limits(low, 0.8), dragging=True)
    night.end_drag()
    night.undo()
    assert night.limits["flat"].amin == 0.2


def test_what_does_not_change_is_no_step(night: NightModel) -> None:
    night.set_hand(["f1"], None)
    night.set_limits("flat", night.limits["flat"])
    assert night.history.undo_text == ""


def test_the_signal_names_the_frames_that_changed(night: NightModel, qtbot: QtBot) -> None:
    with qtbot.waitSignal(night.verdictsChanged) as caught:
        night.set_limits("flat", Limits(0.05, 0.8))
    # The reason of the saturated one names amax, which did not move.
    assert caught.args[0] == {"f4"}


def test_other_cameras_are_left_out(night: NightModel) -> None:
    night.set_cameras([2])
    assert {row.frame_id for row in night.rows()} == {"s0_Z", "s0_Y"}
    assert night.current == "s0_Z"
    assert saved(night)["cameras"] == [2]


def test_frames_that_arrive_are_added_and_damaged_ones_measured_again(
    night: NightModel, make_row: Callable[..., FrameRow], rows: tuple[FrameRow, ...]
) -> None:
    cut = FrameTable(night.night, "ratir", (*rows, make_row("f5", problem="cut short")))
    assert [row.frame_id for row in night.add_rows(cut)] == ["f5"]
    night.add_measurements([(night.stats["f1"].__class__("f5", problem="cut short"), None)])
    whole = FrameTable(night.night, "ratir", (*rows, make_row("f5")))
    assert night.add_rows(whole) == []
    assert "f5" not in night.stats, "what was measured of half a file must not count"


def test_a_night_that_cannot_be_written_is_said_once_and_loses_nothing(
    night: NightModel, qtbot: QtBot, tmp_path: Path
) -> None:
    night.night = tmp_path / "gone"
    said: list[str] = []
    night.said.connect(lambda text, level: said.append(level))
    night.set_hand(["f1"], False)
    night.set_hand(["f2"], False)
    assert said == ["error"]
    assert {"f1", "f2"}.isdisjoint(kept(night))
    night.night.mkdir()
    night.set_hand(["f3"], False)
    assert said == ["error", "info"]
    assert set(saved(night)["frames"]) >= {"f1", "f2", "f3"}


def test_another_instrument_does_not_inherit_decisions(night: NightModel) -> None:
    night.set_hand(["f1"], False)
    session, _ = load_session(night.night)
    other = NightModel()
    other.open(night.night, registry.get("lmi"), night.table, session)
    assert other.hand == {}


def test_hot_pixels_are_told_from_all_frames_of_a_kind_whatever_the_order(
    night: NightModel, rows: tuple[FrameRow, ...]
) -> None:
    """A pixel that is full in a faint flat too rejects no flat, also when the flats are measured one by one."""
    hot = np.array([7])
    night.set_limits("flat", Limits(0.05, 0.95, reject_sat=True))
    for name in ("f1", "f2", "f3", "f4"):
        measured = replace(night.stats[name], n_saturated=1, saturated=hot)
        night.add_measurements([(measured, None)])
    night.add_measurements([(replace(night.stats["f0"], n_saturated=100, saturated=np.arange(100)), None)])
    assert {"f1", "f2", "f3", "f4"} <= kept(night)
    night.set_hand(["f2"], False)
    night.set_hand(["f2"], None)
    assert {"f1", "f2", "f3", "f4"} <= kept(night)
