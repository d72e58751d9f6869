"""The Reduce tab: preflight, run, matrix, products, results, stop, restart."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PyQt6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from photopipe_gui.gui import reduction_run
from photopipe_gui.gui.jobs import Jobs
from photopipe_gui.gui.models import preflight as checks_of
from photopipe_gui.gui.models.night import NightModel
from photopipe_gui.gui.models.preflight import Level
from photopipe_gui.gui.pages.reduce import ReducePage
from photopipe_gui.gui.tasks import open_night
from photopipe_gui.gui.tasks_reduce import remove_from
from photopipe_gui.gui.theme import theme
from photopipe_gui.reduction.executor import SerialExecutor
from photopipe_gui.reduction.measure import measure
from photopipe_gui.reduction.outcome import Status
from photopipe_gui.reduction.progress import SilentReporter
from photopipe_gui.reduction.workspace import Workspace

SIZE = 160
STARS = np.array([(30, 40), (100, 30), (60, 90), (120, 120), (25, 125), (80, 140), (140, 70), (70, 55), (45, 75)])


def write_raw(folder: Path, minute: int, kind: str, image: np.ndarray) -> None:
    """Write a raw RIMAS frame of C0 under its standard name."""
    hdu = fits.PrimaryHDU(np.clip(image, 0, 65535).astype(np.uint16))
    cards = {
        "INSTRUME": "RIMAS", "ASICINDX": 0, "OBJTYPE": "SKY_FLAT" if kind == "f" else "SCIENCE", "EXPTIME": 5.0,
        "SATURATE": 60000, "GAIN0": 2.0, "FILTER1": "J", "FILTER2": "H", "FILTER3": "open", "OBJNAME": "GRB 1",
        "RA-D": 150.0, "DEC-D": 20.0, "ROT": 0.0, "PIXSCALE": 0.3, "AIRMASS": 1.1,
        "DATE-BEG": f"2025-11-03T01:{minute:02d}:00.0",
    }  # fmt: skip
    for key, value in cards.items():
        hdu.header[key] = value
    hdu.writeto(folder / f"20251103T01{minute:02d}00C0{kind}.fits")


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """Five flats, a master of them, and three dithered science frames of one target."""
    folder = tmp_path / "night one"
    (folder / "calibration").mkdir(parents=True)
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:SIZE, :SIZE]
    for number in range(5):
        write_raw(folder, number, "f", rng.poisson(20000, (SIZE, SIZE)))
    for number in range(3):
        light = np.full((SIZE, SIZE), 900.0)
        for rank, (x0, y0) in enumerate(STARS + 4 * number):
            light += 9000 / (rank + 1) * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * 1.8**2))
        write_raw(folder, 20 + number, "o", rng.poisson(light))
    fits.PrimaryHDU(np.ones((SIZE, SIZE), np.float32)).writeto(folder / "calibration" / "flat_J.fits")
    return folder


@pytest.fixture
def serial(monkeypatch):
    monkeypatch.setattr(reduction_run, "executor_for", lambda params: SerialExecutor())


def open_page(qtbot: QtBot, night: Path) -> ReducePage:
    theme().set_name("light")
    session, jobs = NightModel(), Jobs()
    page = ReducePage(session, jobs, theme())
    page.kept = (session, jobs)
    qtbot.addWidget(page, before_close_func=lambda page: page.kept[1].close())
    page.resize(1000, 700)
    page.show()
    opened = open_night(night, None)(SilentReporter())
    session.open(opened.night, opened.instrument, opened.table, opened.session)
    session.add_measurements((stats, None) for stats in measure(opened.table).values())
    page.form.set_value("offline", True)
    return page


@pytest.fixture
def page(qtbot: QtBot, night: Path, no_network, serial) -> ReducePage:
    return open_page(qtbot, night)


def checks(page: ReducePage, qtbot: QtBot) -> dict[str, Level]:
    qtbot.waitUntil(lambda: bool(page.side.preflight.checks), timeout=5000)
    qtbot.wait(500)
    return {line.text: line.level for line in page.side.preflight.checks}


def reduce_and_wait(page: ReducePage, qtbot: QtBot, **options) -> None:
    with qtbot.waitSignals([page.run.ended, page.run.read], timeout=60000, order="strict"):
        assert page.start(ask=False, **options)


def test_preflight_says_what_is_there_and_what_is_missing(page, qtbot, night):
    found = checks(page, qtbot)
    assert found["3 science frames: 1 target in J"] is Level.OK
    assert found["1 master at hand"] is Level.OK
    assert found["Offline: only catalogues fetched earlier are used"] is Level.WARNING
    assert found["The night can be written to"] is Level.OK
    assert any(text.startswith("Disk: about") and level is Level.OK for text, level in found.items())


def test_a_missing_master_is_asked_about_before_the_run(page, qtbot, night):
    (night / "calibration" / "flat_J.fits").unlink()
    page.check_again()
    qtbot.waitUntil(lambda: "Not built yet: master flat J" in checks(page, qtbot), timeout=5000)
    assert not page.start()
    assert page.strip.notice.text == "Not built yet: master flat J."
    with qtbot.waitSignal(page.mastersWanted):
        page.strip.notice.button("masters").click()


def test_a_catalogue_that_cannot_be_used_stops_before_the_run(page, qtbot, night):
    (night / "cat.txt").write_text("nothing of use\n")
    page.form.set_value("refcat", str(night / "cat.txt"))
    qtbot.waitUntil(lambda: Level.STOP in checks(page, qtbot).values(), timeout=5000)
    assert "reference catalogue cannot be used" in page.why_not()
    assert not page.start()


def test_a_night_is_reduced_and_shown_frame_by_frame(page, qtbot, night):
    reduce_and_wait(page, qtbot)
    matrix = page.run.matrix
    frames = [name for name in matrix.frames() if not name.startswith("[")]
    assert len(frames) == 3
    for step in ("prepare", "flatten", "skysub", "crclean"):
        assert matrix.counts(step)[Status.DONE] == 3, matrix.lost()
    assert matrix.counts("stack")[Status.DONE] == 3, matrix.lost()
    results = page.run.results.results
    assert len(results) == 1
    assert (results[0].used, results[0].given) == (3, 3)
    assert page.lower.currentWidget() is page.results_view
    assert sum(page.times._seconds.values()) > 0

    viewer = page.results_view.viewer
    assert {name: value for name, value, _ in viewer._facts.facts}["Frames"] == "3 of 3"
    viewer._stars.click()
    qtbot.waitUntil(lambda: viewer._sources is not None and len(viewer._sources.x) >= 5, timeout=5000)
    # The brightest star of the coadd is where its catalogue says.
    pixels = viewer.image.pixels()
    row, column = np.unravel_index(np.nanargmax(pixels), pixels.shape)
    assert np.hypot(viewer._sources.x - column, viewer._sources.y - row).min() < 1.5

    page.open_cell(frames[0], "skysub")
    qtbot.waitUntil(lambda: page.compare.after.image.pixels() is not None)
    qtbot.waitUntil(lambda: page.compare.before.image.pixels() is not None)
    assert "sfp" in page.compare.after.title.full_text()
    assert page.compare.before.title.full_text().startswith("flatten")
    page.open_cell(frames[0], "prepare")
    assert page.compare.before.title.full_text().startswith("selected")


def test_a_restart_shows_the_run_from_disk(page, qtbot, night, no_network, serial):
    reduce_and_wait(page, qtbot)
    page.kept[0].flush()
    again = open_page(qtbot, night)
    qtbot.waitUntil(lambda: again.run.matrix.rowCount() > 0, timeout=5000)
    assert again.run.matrix.counts("stack")[Status.DONE] == 3
    assert again.strip.text.startswith("Finished")
    assert len(again.run.results.results) == 1
    # A product that was removed since is no longer offered.
    frame = again.run.matrix.frames()[0]
    Path(again.run.matrix.outcome(frame, "prepare").product).unlink()
    again.run.refresh()
    qtbot.waitUntil(lambda: again.run.matrix.product(frame, "prepare") is None)


def test_redo_from_a_step_makes_its_products_anew_and_keeps_the_earlier_ones(page, qtbot, night):
    reduce_and_wait(page, qtbot)
    matrix = page.run.matrix
    frame = matrix.frames()[0]
    stamps = {step: Path(matrix.outcome(frame, step).product).stat().st_mtime_ns for step in ("flatten", "crclean")}
    with qtbot.waitSignals([page.run.ended, page.run.read], timeout=60000, order="strict"):
        page.redo_from(frame, "crclean")
    assert Path(matrix.outcome(frame, "flatten").product).stat().st_mtime_ns == stamps["flatten"]
    assert Path(matrix.outcome(frame, "crclean").product).stat().st_mtime_ns > stamps["crclean"]
    assert matrix.counts("stack")[Status.DONE] + matrix.counts("stack")[Status.SKIPPED] == 3


def test_only_files_of_this_program_are_removed_for_a_redo(page, qtbot, night):
    reduce_and_wait(page, qtbot)
    workspace = Workspace.of_night(night)
    frame = page.run.matrix.frames()[0]
    foreign = Path(page.run.matrix.outcome(frame, "skysub").product)
    fits.PrimaryHDU(np.ones((4, 4))).writeto(foreign, overwrite=True)
    removed = remove_from(workspace, "skysub", [frame])
    assert foreign.exists()
    assert removed
    assert all(workspace.images in path.parents or workspace.coadds in path.parents for path in removed)
    assert all(path.exists() for path in workspace.selected())


def test_a_stopped_run_says_so_and_goes_on_where_it_stopped(page, qtbot, night):
    page.run.progressed.connect(lambda event: page.kept[1].main.stop() if event.job == "skysub" else None)
    reduce_and_wait(page, qtbot)
    assert page.strip.text.startswith("Stopped")
    assert json.loads((night / "photopipe_report.json").read_text())["state"] == "stopped"
    assert page.run.matrix.counts("prepare")[Status.DONE] == 3
    page.run.progressed.disconnect()
    page.run.progressed.connect(page.strip.set_progress)
    reduce_and_wait(page, qtbot)
    assert page.run.matrix.counts("prepare")[Status.SKIPPED] == 3
    assert page.run.matrix.counts("stack")[Status.DONE] == 3


def test_a_lost_frame_does_not_stop_the_others(page, qtbot, night):
    reduce_and_wait(page, qtbot, redo_step="")
    selected = sorted((night / "selected").glob("*.fits"))
    raw = night / selected[0].name
    data = raw.read_bytes()
    raw.write_bytes(data[:-4000])
    selected[0].unlink()
    page.form.set_value("redo", True)
    reduce_and_wait(page, qtbot)
    assert page.run.matrix.counts("stack")[Status.DONE] == 2


def test_lost_frames_are_listed_with_reasons_and_can_be_left_out(page, qtbot, night):
    (night / "calibration" / "flat_J.fits").unlink()
    reduce_and_wait(page, qtbot)
    assert page.lost.rowCount() == 3
    assert page.lower.tabText(page.lower.indexOf(page.lost_view)) == "Lost frames (3)"
    assert page.lower.currentWidget() is page.lost_view
    assert "no master flat" in page.lost.index(0, 3).data()
    frame = page.lost.lost[0].frame
    page.open_cell(frame, "stack")
    assert "left the run at flatten (failed)" in page.compare.after.image._note.text()
    page.lost_view.table.selectRow(0)
    page.lost_view.leave.click()
    assert page.kept[0].verdict(frame).by == "hand"
    assert not page.kept[0].selection.keeps(frame)


def test_options_are_kept_in_the_night_and_copied_as_a_command_line(page, qtbot, night):
    page.side.form_view.editor("mastersky").setChecked(False)
    page.side.form_view.editor("customcatfilt").setText("J, H")
    page.side.form_view.editor("customcatfilt").editingFinished.emit()
    assert page.kept[0].ui["params"] == {"mastersky": False, "customcatfilt": ["J", "H"], "offline": True}
    line = page.copy_command()
    assert QGuiApplication.clipboard().text() == line
    assert "--instrument rimas --nomastersky" in line
    assert "--customcatfilt J,H" in line


def test_options_of_a_step_reach_the_run_and_the_command_line(page, qtbot, night):
    page.side.step_options.unfold("crclean")
    editor = page.side.step_options.form_view("crclean").editor("sigclip")
    assert editor.isVisible()
    editor.setValue(9.5)
    assert page.copy_command().endswith("--set crclean.sigclip=9.5")
    assert page._params().overrides == {"crclean": {"sigclip": 9.5}}
    page.kept[0].flush()
    again = open_page(qtbot, night)
    assert again.steps.overrides() == {"crclean": {"sigclip": 9.5}}
    # Another night has options of its own; back here, these are still kept.
    session = again.kept[0]
    here, saved = session.night, session.session()
    instrument, table = session.instrument, session.table
    session.close_night()
    assert again.steps.overrides() == {}
    session.open(here, instrument, table, saved)
    assert again.steps.overrides() == {"crclean": {"sigclip": 9.5}}
    again.side._reset.click()
    assert again.steps.count() == 0


def test_without_science_frames_reduce_says_what_to_do(page, qtbot):
    session = page.kept[0]
    session.set_hand([row.frame_id for row in session.table if row.ftype == "object"], False)
    assert page.why_not() == "No science frames are kept: accept some in the Frames tab."
    assert not page.start()
    assert page.strip.notice.isVisible()


def test_a_read_only_night_is_told_before_the_run(page, qtbot, night, monkeypatch):
    monkeypatch.setattr(checks_of.os, "access", lambda path, mode: False)
    page.check_again()
    qtbot.waitUntil(lambda: checks(page, qtbot).get("The night cannot be written to") is Level.STOP, timeout=5000)
    assert "cannot be written to" in page.why_not()
