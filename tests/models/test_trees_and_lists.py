"""Item models: what they say, and that Qt agrees with how they say it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PyQt6.QtCore import QModelIndex
from PyQt6.QtTest import QAbstractItemModelTester
from pytestqt.qtbot import QtBot

from photopipe_gui.gui.models.frame_list import ID_ROLE, FrameFilter, FrameListModel
from photopipe_gui.gui.models.groups import build_groups
from photopipe_gui.gui.models.night import NightModel
from photopipe_gui.gui.models.night_tree import STATE_ROLE, NightTreeModel
from photopipe_gui.reduction.table import FrameRow, FrameTable


def qt_check(model: object) -> QAbstractItemModelTester:
    return QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)


def tree_text(model: NightTreeModel, parent: QModelIndex | None = None, depth: int = 0) -> list[str]:
    parent = parent or QModelIndex()
    lines = []
    for place in range(model.rowCount(parent)):
        index = model.index(place, 0, parent)
        count = model.index(place, 1, parent)
        lines.append(f"{' ' * depth}{index.data()} {count.data()} {count.data(STATE_ROLE)}".rstrip())
        lines += tree_text(model, index, depth + 1)
    return lines


def test_groups_split_mixed_exposures(make_row: Callable[..., FrameRow]) -> None:
    rows = [make_row("f0"), make_row("f1", exptime=20.0), make_row("f2", filter="r")]
    flats = build_groups(rows).children[0]
    assert [child.label for child in flats.children] == ["C1 · i", "C1 · r"]
    assert [child.label for child in flats.children[0].children] == ["10 s", "20 s"]
    assert flats.children[1].children == []


def test_the_tree_counts_what_is_kept(night: NightModel, qtbot: QtBot) -> None:
    model = NightTreeModel(night)
    checked = qt_check(model)
    night.fmin = 3
    assert tree_text(model) == [
        "All frames 7/10",
        "Bias 2/2 few",
        " C1 2/2 few",
        "Flat 4/7 none",
        " C1 · i 3/5 enough",
        " C2 · Y 0/1 none",
        " C2 · Z 1/1 few",
        "Science 1/1 enough",
        " C1 · i 1/1 enough",
    ]
    with qtbot.waitSignal(model.dataChanged):
        night.set_hand(["f1", "f2"], False)
    assert " C1 · i 1/5 few" in tree_text(model)
    night.set_cameras([2])
    assert tree_text(model)[0] == "All frames 1/2"
    del checked


def test_the_filter_follows_branch_words_and_verdicts(night: NightModel) -> None:
    source = FrameListModel(night)
    shown = FrameFilter(night, source)
    checked = [qt_check(source), qt_check(shown)]
    assert len(shown.frame_ids()) == 10
    night.set_group(("flat", 2))
    assert shown.frame_ids() == ["s0_Z", "s0_Y"]
    night.set_group(("flat",))
    shown.set_find("rejected SATURATED")
    assert shown.frame_ids() == ["f0", "s0_Y"]
    night.set_hand(["f1"], False)
    shown.set_find("hand")
    assert shown.frame_ids() == ["f1"]
    assert shown.index_of("f1").data(ID_ROLE) == "f1"
    assert not shown.index_of("f2").isValid()
    del checked


def test_changes_are_told_in_runs(night: NightModel, qtbot: QtBot) -> None:
    source = FrameListModel(night)
    spans: list[tuple[int, int]] = []
    source.dataChanged.connect(lambda first, last: spans.append((first.row(), last.row())))
    night.set_hand(["f0", "f1", "f3"], False)
    assert spans == [(0, 1), (3, 3)]


def test_a_new_table_resets_the_list(night: NightModel, qtbot: QtBot, rows: tuple[FrameRow, ...]) -> None:
    source = FrameListModel(night)
    with qtbot.waitSignal(source.modelReset):
        night.add_rows(FrameTable(night.night, "ratir", rows[:3]))
    assert source.rowCount() == 3


@pytest.mark.parametrize(("frame_id", "words"), [("f0", "rejected by rule: SATURATED"), ("b0", "kept by rule: within")])
def test_a_frame_is_described_in_words(night: NightModel, frame_id: str, words: str) -> None:
    source = FrameListModel(night)
    assert words in source.index_of(frame_id).data(3)
