"""Starting and ending the program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PyQt6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from photopipe_gui.gui.excepthook import ExceptHook
from photopipe_gui.gui.settings import Settings
from photopipe_gui.gui.widgets.help_windows import HelpWindow, KeySheet, diagnostics
from photopipe_gui.paths import cache_folder, resource

START = "import sys; from photopipe_gui.gui.app import main; sys.exit(main({night!r}))"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_program_ends_cleanly_when_told_to(night: Path, number: signal.Signals) -> None:
    code = START.format(night=str(night))
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 40
        # The night is open and being measured once the cache is looked at.
        while not (cache_folder() / "measurements.sqlite").exists():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert "Traceback" not in said and "leaked" not in said


@pytest.mark.logs_errors
def test_an_unexpected_error_is_said_and_the_program_goes_on(qtbot: QtBot) -> None:
    hook = ExceptHook()
    try:
        raise KeyError("flat")
    except KeyError:
        with qtbot.waitSignal(hook.caught) as caught:
            hook._handle(*sys.exc_info())
    text, level = caught.args
    assert "KeyError" in text and "Nothing was lost" in text and level == "error"


def test_settings_survive_and_forget_nights_that_are_gone(tmp_path: Path) -> None:
    first = Settings(tmp_path / "a.ini")
    night = tmp_path / "night"
    night.mkdir()
    gone = tmp_path / "gone"
    gone.mkdir()
    for one in (gone, night, night):
        first.add_recent(one)
    first.set_text("theme", "red")
    first.sync()
    gone.rmdir()
    second = Settings(tmp_path / "a.ini")
    assert second.recent() == [night]
    assert second.text("theme") == "red"


def test_help_pages_and_keys_are_there(qtbot: QtBot) -> None:
    pages = HelpWindow(resource("help"))
    qtbot.addWidget(pages)
    assert pages._list.count() >= 5
    for number in range(pages._list.count()):
        pages._list.setCurrentRow(number)
        assert len(pages._page.toPlainText()) > 300
    sheet = KeySheet()
    qtbot.addWidget(sheet)
    texts = {label.text() for label in sheet.findChildren(QLabel)}
    assert {"Accept", "Shift+Space", "← or K"} <= texts
    assert "PyQt" in diagnostics()
