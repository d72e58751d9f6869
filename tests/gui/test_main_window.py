"""The window as a whole."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PyQt6.QtCore import QObject, QTimer
from PyQt6.QtWidgets import QComboBox, QPushButton, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from photopipe_gui.errors import UsageError
from photopipe_gui.gui import app
from photopipe_gui.gui.actions import ACTIONS
from photopipe_gui.gui.main_window import MainWindow
from photopipe_gui.gui.theme import NAMES, theme
from photopipe_gui.gui.widgets import dialogs
from photopipe_gui.reduction.preprocess.rules import Limits

OBJECT_NAMES = (
    "instrumentPicker", "cameraPicker", "nightTree", "frameView", "histogram", "levelPlot", "levelSlider", "filmstrip",
    "acceptButton", "rejectButton", "autoSelectButton", "buildMastersButton", "reduceButton", "stopButton", "runMatrix",
    "logView",
)  # fmt: skip


def said(window: MainWindow) -> str:
    return "\n".join(text for _, text, _ in window.docks.log.entries())


@pytest.mark.parametrize("name", OBJECT_NAMES)
def test_widgets_have_their_names_for_automation(window: MainWindow, name: str) -> None:
    assert window.findChild(QObject, name) is not None


def test_no_key_is_bound_twice(window: MainWindow) -> None:
    keys = [key for spec in ACTIONS for key in spec.keys]
    assert len(keys) == len(set(keys))
    bound = [shortcut.toString() for action in window.actions() for shortcut in action.shortcuts()]
    assert len(bound) == len(set(bound)) == len(keys)


def test_without_a_night_it_says_what_to_do(window: MainWindow) -> None:
    assert window.welcome.isVisible()
    for name in ("autoSelectButton", "buildMastersButton", "reduceButton", "stopButton"):
        button = window.findChild(QToolButton, name)
        assert not button.isEnabled()
        assert ":" in button.toolTip(), f"{name} must say why it is disabled"
    assert window.findChild(QToolButton, "openButton").isEnabled()


def test_the_instrument_is_found_and_shown(opened: MainWindow) -> None:
    assert opened.findChild(QComboBox, "instrumentPicker").currentData() == "ratir"
    cameras = opened.findChild(QWidget, "cameraPicker").findChildren(QToolButton)
    assert [button.text() for button in cameras] == ["C1"]
    assert opened.tabs.isVisible() and not opened.welcome.isVisible()


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda folder: folder / "missing", "There is no folder"),
        (lambda folder: folder, "No frames of"),
        (lambda folder: (folder / "a.txt").write_text("x") and folder / "a.txt", "is a file"),
    ],
)
def test_a_night_that_cannot_be_opened_is_refused_in_words(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, prepare: Callable[[Path], Path], words: str
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    with qtbot.waitSignal(window.loader.refused, timeout=5000):
        window.open_night(prepare(folder))
    assert words in window.welcome.problem()
    assert window.welcome.isVisible()


def test_raw_frames_are_not_touched(opened: MainWindow, made_night: Path) -> None:
    opened.session.set_hand([opened.session.current], False)
    for raw in made_night.glob("*.fits"):
        assert (opened.session.night / raw.name).read_bytes() == raw.read_bytes()


def test_a_restart_brings_everything_back(
    make_window: Callable[[], MainWindow],
    night: Path,
    qtbot: QtBot,
    open_night: Callable[[MainWindow, Path], None],
) -> None:
    first = make_window()
    open_night(first, night)
    chosen = first.session.table.rows[3].frame_id
    first.session.set_current(chosen)
    first.session.set_hand([chosen], False)
    first.show_tab("masters")
    first.close()
    second = make_window()
    open_night(second, night)
    assert second.session.current == chosen
    assert second.session.verdict(chosen).by == "hand"
    assert second.tabs.currentWidget() is second.masters_page
    assert second.settings.recent() == [night.resolve()]


def test_a_damaged_session_is_said_and_set_aside(
    window: MainWindow, night: Path, open_night: Callable[[MainWindow, Path], None]
) -> None:
    (night / "photopipe_session.json").write_text("{broken")
    open_night(window, night)
    assert "is damaged" in said(window)
    assert list(night.glob("photopipe_session.damaged-*.json"))


def test_auto_select_says_what_the_rules_keep(opened: MainWindow) -> None:
    opened.session.set_hand([opened.session.table.rows[0].frame_id], True)
    opened.findChild(QToolButton, "autoSelectButton").click()
    assert "flat C1 · i 5 of 7" in said(opened)
    assert "1 set by hand stay" in said(opened)


def test_frames_that_arrive_are_taken_in_when_they_are_whole(
    opened: MainWindow, qtbot: QtBot, made_night: Path
) -> None:
    opened.loader._watch_timer.setInterval(60)
    opened.loader.set_watching(True)
    source = next(made_night.glob("*T030300C1f.fits")).read_bytes()
    target = opened.session.night / "20210505T033000C1f.fits"
    target.write_bytes(source[:1_000_000])
    for part in range(3):
        qtbot.wait(50)
        with target.open("ab") as stream:
            stream.write(source[1_000_000 + 300_000 * part : 1_300_000 + 300_000 * part])
    with target.open("ab") as stream:
        stream.write(source[1_900_000:])
    qtbot.waitUntil(lambda: "20210505T033000C1f" in opened.session.stats, timeout=8000)
    qtbot.waitUntil(lambda: opened.session.verdict("20210505T033000C1f").keep, timeout=8000)
    assert len(opened.session.table) == 12


def test_stop_asks_first_and_kills_on_the_second_click(opened: MainWindow, qtbot: QtBot) -> None:
    killed = threading.Event()
    opened.jobs.main.start("reduction", lambda reporter: killed.wait(10), killed.set)
    stop = opened.findChild(QToolButton, "stopButton")
    assert stop.isEnabled()
    stop.click()
    assert not killed.is_set() and stop.text() == "Kill"
    with qtbot.waitSignal(opened.jobs.main.finished, timeout=5000):
        stop.click()
    assert killed.is_set() and not stop.isEnabled()


def test_closing_during_a_job_asks(
    opened: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    opened.jobs.main.start("reduction", lambda reporter: go_on.wait(10), go_on.set)
    monkeypatch.setattr(dialogs, "confirm", lambda *args: False)
    assert not opened.close()
    assert opened.isVisible() and opened.jobs.main.busy
    monkeypatch.setattr(dialogs, "confirm", lambda *args: True)
    assert opened.close()
    assert not opened.jobs.main.busy


@pytest.mark.parametrize("name", NAMES)
def test_every_theme_dresses_the_window(opened: MainWindow, qtbot: QtBot, name: str) -> None:
    theme().set_name(name)
    qtbot.wait(30)
    shown = opened.grab().toImage()
    window_tone = shown.pixelColor(3, opened.height() // 2).lightness()
    assert (window_tone > 128) == (theme().shown == "light")
    assert opened.settings.text("theme") == name
    theme().set_name("light")


def test_the_layout_can_be_reset(opened: MainWindow) -> None:
    opened.docks._docks["night"].hide()
    opened.reset_layout()
    assert opened.docks._docks["night"].isVisible()
    assert opened.docks._docks["log"].isHidden()


def test_create_window_takes_no_unknown_instrument(qtbot: QtBot) -> None:
    with pytest.raises(UsageError, match="ratir"):
        app.create_window(instrument="ratirr")


@pytest.fixture
def observer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[MainWindow], None]], None]]:
    """Somebody who acts in the window as soon as every frame is measured."""
    made: list[MainWindow] = []
    original = app.create_window

    def create(*args: object) -> MainWindow:
        made.append(original(*args))
        made[-1]._workers._kind = "serial"
        return made[-1]

    monkeypatch.setattr(app, "create_window", create)
    timer = QTimer(interval=30)

    def begin(act: Callable[[MainWindow], None]) -> None:
        def look() -> None:
            if made and made[-1].session.stats and not made[-1].loader.busy:
                timer.stop()
                act(made[-1])

        timer.timeout.connect(look)
        timer.start()

    yield begin
    timer.stop()


def test_a_script_gets_what_the_observer_chose(
    qtbot: QtBot, night: Path, observer: Callable[[Callable[[MainWindow], None]], None]
) -> None:
    def choose(window: MainWindow) -> None:
        assert {row.ftype for row in window.session.shown_rows()} == {"flat"}
        window.session.set_hand([window.session.shown_rows()[0].frame_id], True)
        window.findChild(QPushButton, "choiceDone").click()

    observer(choose)
    chosen = app.choose_in_window("ratir", "flat", night, (0, 1), Limits(0.05, 0.85))
    kept = [name[9:15] for name, verdict in chosen.verdicts.items() if verdict.keep]
    assert kept == ["030000", "030200", "030300", "030400", "030500", "030600"]
    assert len(chosen.verdicts) == 7


def test_a_choice_that_is_given_up_returns_nothing(
    qtbot: QtBot, night: Path, observer: Callable[[Callable[[MainWindow], None]], None]
) -> None:
    observer(lambda window: window.close())
    assert app.choose_in_window("ratir", "flat", night, (1,), Limits(0.2, 0.8)) is None
