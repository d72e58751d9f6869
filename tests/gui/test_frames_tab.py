"""The Frames tab on a small night."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QLineEdit, QListView, QPushButton, QTreeView, QWidget
from pytestqt.qtbot import QtBot

from photopipe_gui.gui.main_window import MainWindow
from photopipe_gui.reduction.preprocess.rules import Limits

Key = Qt.Key
SHIFT = Qt.KeyboardModifier.ShiftModifier
CONTROL = Qt.KeyboardModifier.ControlModifier


def press(qtbot: QtBot, window: MainWindow, key: Qt.Key, modifier: Qt.KeyboardModifier | None = None) -> None:
    target = window.focusWidget() or window
    qtbot.keyClick(target, key, modifier or Qt.KeyboardModifier.NoModifier)


def verdicts(window: MainWindow) -> dict[str, str]:
    """Time of each frame with k or x, capital when by hand."""
    found = {}
    for row in window.session.table:
        verdict = window.session.verdict(row.frame_id)
        sign = "k" if verdict.keep else "x"
        found[row.frame_id[9:15]] = sign.upper() if verdict.by == "hand" else sign
    return found


def at(window: MainWindow, time: str) -> str:
    return next(row.frame_id for row in window.session.table if row.frame_id[9:15] == time)


def session_file(window: MainWindow) -> dict:
    return json.loads((window.session.night / "photopipe_session.json").read_text())


def test_flats_are_judged_with_reasons(opened: MainWindow) -> None:
    found = verdicts(opened)
    flats = "".join(found[f"03{i:02d}00"] for i in range(7))
    assert flats == "xxkkkkx"
    reasons = [opened.session.verdict(at(opened, f"03{i:02d}00")).reason for i in (0, 1, 6)]
    assert "100 % of saturation" in reasons[0]
    assert "amax 80 %" in reasons[1]
    assert "amin 20 %" in reasons[2]


def test_the_status_line_says_it_in_words(opened: MainWindow, qtbot: QtBot) -> None:
    opened.session.set_current(at(opened, "030600"))
    facts, verdict, why = opened.frames_page.verdict.texts()
    assert "20210505T030600C1f" in facts and "i · 10 s" in facts and "9.2 % of saturation" in facts
    assert verdict == "rejected by rule" and why.startswith("UNDEREXPOSED")


def test_keys_decide_and_go_on(opened: MainWindow, qtbot: QtBot) -> None:
    opened.session.set_current(at(opened, "030200"))
    press(qtbot, opened, Key.Key_X)
    press(qtbot, opened, Key.Key_Right)
    press(qtbot, opened, Key.Key_X, SHIFT)
    assert opened.session.current == at(opened, "030400")
    press(qtbot, opened, Key.Key_J)
    press(qtbot, opened, Key.Key_K)
    press(qtbot, opened, Key.Key_A)
    found = verdicts(opened)
    assert found["030200"] == "X" and found["030300"] == "X" and found["030400"] == "K"
    press(qtbot, opened, Key.Key_Z, CONTROL)
    press(qtbot, opened, Key.Key_Z, CONTROL)
    assert verdicts(opened)["030300"] == "k"
    press(qtbot, opened, Key.Key_Z, CONTROL | SHIFT)
    assert verdicts(opened)["030300"] == "X"
    opened.session.set_current(at(opened, "030300"))
    press(qtbot, opened, Key.Key_U)
    assert verdicts(opened)["030300"] == "k"


def test_buttons_decide_and_the_session_is_saved_at_once(opened: MainWindow, qtbot: QtBot) -> None:
    name = at(opened, "030000")
    opened.session.set_current(name)
    button = opened.findChild(QPushButton, "acceptButton")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert session_file(opened)["frames"][name]["verdict"] == "accept"
    assert button.isChecked()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert button.isChecked(), "a second click changes nothing"
    qtbot.mouseClick(opened.findChild(QPushButton, "rejectButton"), Qt.MouseButton.LeftButton)
    assert verdicts(opened)["030000"] == "X" and not button.isChecked()


def test_the_slider_moves_limits_plot_and_count_together(opened: MainWindow, qtbot: QtBot) -> None:
    page = opened.frames_page
    opened.session.set_group(("flat", 1, "i"))
    opened.session.set_current(at(opened, "030300"))
    assert page.plot.count_text() == "keeps 4 of 7"
    opened.session.set_hand([at(opened, "030000")], True)
    assert page.plot.count_text() == "keeps 5 of 7 · 1 set by hand"
    opened.findChild(QWidget, "levelSlider").setValue((0.05, 0.95))
    assert opened.session.limits["flat"] == Limits(0.05, 0.95)
    assert page.plot.plot.limits() == (0.05, 0.95)
    assert page.plot.count_text() == "keeps 7 of 7 · 1 set by hand"
    page.plot.plot._lines[0].setValue(60.0)
    page.plot.plot._dragged(page.plot.plot._lines[0])
    assert page.plot.slider.value() == pytest.approx((0.6, 0.95))
    assert opened.session.limits["flat"].amin == pytest.approx(0.6)
    assert verdicts(opened)["030000"] == "K", "the slider never undoes a hand"


def test_limits_never_cross(opened: MainWindow) -> None:
    opened.session.set_current(at(opened, "030300"))
    lines = opened.frames_page.plot.plot._lines
    lines[0].setValue(99.0)
    opened.frames_page.plot.plot._dragged(lines[0])
    amin, amax = opened.frames_page.plot.plot.limits()
    assert amin < amax == 0.8


def test_the_tree_filters_strip_and_plot(opened: MainWindow, qtbot: QtBot) -> None:
    tree = opened.findChild(QTreeView, "nightTree")
    strip = opened.findChild(QListView, "filmstrip")
    assert strip.model().rowCount() == 11
    bias = tree.model().index_of(("bias",))
    tree.setCurrentIndex(bias)
    assert strip.model().rowCount() == 2
    assert len(opened.frames_page.plot.plot.points()) == 2
    assert opened.session.current == at(opened, "040000")


def test_letters_do_nothing_in_a_text_field(opened: MainWindow, qtbot: QtBot) -> None:
    opened.session.set_current(at(opened, "030200"))
    box = opened.findChild(QLineEdit, "findBox")
    press(qtbot, opened, Key.Key_Slash)
    assert opened.focusWidget() is box
    for key in (Key.Key_X, Key.Key_A, Key.Key_1):
        press(qtbot, opened, key)
    assert box.text() == "xa1"
    assert verdicts(opened)["030200"] == "k"
    box.setText("rejected")
    assert opened.findChild(QListView, "filmstrip").model().rowCount() == 3


def test_the_picture_follows_and_keeps_its_zoom(opened: MainWindow, qtbot: QtBot) -> None:
    page = opened.frames_page
    opened.session.set_current(at(opened, "030200"))
    qtbot.waitUntil(lambda: page.panel.view.pixels() is not None and page.panel.view.pixels().mean() > 10000)
    page.panel.view.zoom_to(2.0, 300, 300)
    before = page.panel.view.view_box().viewRect()
    press(qtbot, opened, Key.Key_Right)
    qtbot.waitUntil(lambda: page.panel.view.pixels().mean() < 9000)
    assert page.panel.view.view_box().viewRect() == before
    assert page.panel.view.pixels().shape == (925, 985)
    assert opened.docks.header.table.model().rowCount() > 10


def test_a_frame_that_cannot_be_read_says_why(
    window: MainWindow, night: Path, qtbot: QtBot, open_night: Callable[[MainWindow, Path], None]
) -> None:
    whole = next(night.glob("*T030300C1f.fits"))
    (night / "20210505T030310C1f.fits").write_bytes(whole.read_bytes()[:500_000])
    open_night(window, night)
    window.session.set_current("20210505T030310C1f")
    qtbot.waitUntil(lambda: "the file ends after" in window.frames_page.panel.view._note.text())
    assert "cannot be used" in window.session.verdict("20210505T030310C1f").reason
    assert verdicts(window)["030300"] == "k", "the rest of the night goes on"


def test_halves_are_shown_side_by_side_with_their_own_flags(
    window: MainWindow,
    night: Path,
    qtbot: QtBot,
    raw_frame: Callable[..., Path],
    open_night: Callable[[MainWindow, Path], None],
) -> None:
    raw_frame(night, "034000", "f", np.full((2048, 2048), 4000), camera=2)
    open_night(window, night)
    first = "20210505T034000C2f_Z"
    window.session.set_current(first)
    panel = window.frames_page.panel
    assert [tile.row.filter for tile in panel.tiles()] == ["Z", "Y"]
    qtbot.waitUntil(lambda: all(tile.view.pixels() is not None for tile in panel.tiles()))
    assert panel.tiles()[0].view.pixels().shape == (971, 1900)
    press(qtbot, window, Key.Key_X)
    assert window.session.verdict(first).by == "hand"
    assert window.session.verdict("20210505T034000C2f_Y").by == "rule"
    press(qtbot, window, Key.Key_S)
    assert [tile.view.shows_saturated for tile in panel.tiles()] == [False, False]


def test_blink_plays_the_frames_shown(opened: MainWindow, qtbot: QtBot) -> None:
    opened.session.set_group(("flat",))
    opened.frames_page.bar.rate.setValue(30)
    seen: list[str] = []
    opened.session.currentChanged.connect(seen.append)
    press(qtbot, opened, Key.Key_Space)
    qtbot.waitUntil(lambda: len(seen) >= 8, timeout=5000)
    press(qtbot, opened, Key.Key_Space)
    ids = [row.frame_id for row in opened.session.shown_rows()]
    steps = [(ids.index(b) - ids.index(a)) % len(ids) for a, b in pairwise(seen)]
    assert set(steps) == {1}, "in order, round and round"
    count = len(seen)
    qtbot.wait(120)
    assert len(seen) == count, "the second press stops it"


def test_flip_goes_to_the_comparison_frame_and_back(opened: MainWindow, qtbot: QtBot) -> None:
    first, second = at(opened, "030200"), at(opened, "030500")
    opened.session.set_current(first)
    press(qtbot, opened, Key.Key_B, SHIFT)
    opened.session.set_current(second)
    press(qtbot, opened, Key.Key_B)
    assert opened.session.current == first
    press(qtbot, opened, Key.Key_B)
    assert opened.session.current == second


def test_several_selected_frames_are_decided_at_once(opened: MainWindow, qtbot: QtBot) -> None:
    strip = opened.findChild(QListView, "filmstrip")
    opened.session.set_current(at(opened, "030200"))
    press(qtbot, opened, Key.Key_Right)
    strip.selectAll()
    press(qtbot, opened, Key.Key_X)
    assert set(verdicts(opened).values()) == {"X"}
    press(qtbot, opened, Key.Key_Z, CONTROL)
    assert "X" not in verdicts(opened).values()


def test_four_frames_side_by_side(opened: MainWindow, qtbot: QtBot) -> None:
    opened.session.set_group(("flat",))
    opened.session.set_current(at(opened, "030100"))
    opened.frames_page.bar.set_tiles(4)
    tiles = opened.frames_page.panel.tiles()
    assert [tile.row.frame_id[9:15] for tile in tiles] == ["030100", "030200", "030300", "030400"]
    qtbot.waitUntil(lambda: all(tile.view.pixels() is not None for tile in tiles))
    tiles[0].view.zoom_to(3.0, 400, 500)
    qtbot.wait(50)
    for tile in tiles[1:]:
        center = tile.view.view_box().viewRect().center()
        assert (center.x(), center.y()) == pytest.approx((400, 500), abs=2)
    opened.frames_page.bar.set_tiles(1)
    assert len(opened.frames_page.panel.tiles()) == 1


def test_science_frames_can_be_seen_with_their_masters(opened: MainWindow, qtbot: QtBot) -> None:
    folder = opened.session.night / "calibration"
    folder.mkdir(exist_ok=True)
    flat = np.ones((925, 985), np.float32)
    flat[:, :400] = 0.5
    fits.PrimaryHDU(np.full((925, 985), 640, np.float32)).writeto(folder / "bias_C1.fits")
    fits.PrimaryHDU(flat).writeto(folder / "flat_i.fits")
    opened.session.set_current(at(opened, "080000"))
    view = opened.frames_page.panel.view
    qtbot.waitUntil(lambda: view.pixels() is not None and 690 < np.median(view.pixels()) < 710)
    press(qtbot, opened, Key.Key_V)
    qtbot.waitUntil(lambda: np.median(view.pixels()[:, 500:]) == pytest.approx(60, abs=2))
    assert np.median(view.pixels()[:, :300]) == pytest.approx(120, abs=3)
    press(qtbot, opened, Key.Key_V)
    qtbot.waitUntil(lambda: np.median(view.pixels()) > 690)


def test_space_presses_the_button_that_has_the_focus(opened: MainWindow, qtbot: QtBot) -> None:
    opened.session.set_current(at(opened, "030200"))
    button = opened.findChild(QPushButton, "rejectButton")
    button.setFocus(Qt.FocusReason.TabFocusReason)
    press(qtbot, opened, Key.Key_Space)
    assert verdicts(opened)["030200"] == "X"
    assert not opened.frames_page.bar.play.isChecked()


def test_escape_clears_the_find_box_and_gives_the_keys_back(opened: MainWindow, qtbot: QtBot) -> None:
    strip = opened.findChild(QListView, "filmstrip")
    press(qtbot, opened, Key.Key_Slash)
    box = opened.findChild(QLineEdit, "findBox")
    qtbot.keyClicks(box, "nothing like this")
    assert strip.model().rowCount() == 0
    qtbot.keyClick(box, Key.Key_Escape)
    assert strip.model().rowCount() == 11 and opened.focusWidget() is strip


def test_a_night_without_frames_says_what_to_do(
    window: MainWindow, night: Path, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(window.session.opened, timeout=5000):
        window.open_night(night, "lmi")
    assert len(window.session.table) == 0
    assert "LMI" in window.frames_page.strip._empty
    assert window.frames_page.panel.view._note.text() == "No frames here yet."


def test_the_gallery_shows_the_same_frames_and_selection(opened: MainWindow, qtbot: QtBot) -> None:
    page = opened.frames_page
    opened.session.set_current(at(opened, "030200"))
    press(qtbot, opened, Key.Key_G)
    gallery = page.stage.gallery
    assert gallery.isVisible() and not page.strip.isVisible() and page.bar.gallery.isChecked()
    assert gallery.currentIndex().data() == at(opened, "030200")
    gallery.setCurrentIndex(page.frames.index_of(at(opened, "030400")))
    press(qtbot, opened, Key.Key_X)
    assert verdicts(opened)["030400"] == "X"
    gallery.doubleClicked.emit(gallery.currentIndex())
    assert page.panel.isVisible() and page.strip.isVisible()
    assert opened.session.current == at(opened, "030400")
