"""The Masters tab: build, look, send back, rebuild, approve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from pytestqt.qtbot import QtBot

from photopipe_gui.gui import display
from photopipe_gui.gui.jobs import Jobs
from photopipe_gui.gui.models.masters import State
from photopipe_gui.gui.models.night import NightModel
from photopipe_gui.gui.pages.masters import MastersPage
from photopipe_gui.gui.tasks import open_night
from photopipe_gui.gui.theme import theme
from photopipe_gui.reduction.measure import measure
from photopipe_gui.reduction.progress import SilentReporter

FLAT_Y, FLAT_H = ("flat", "Y"), ("flat", "H")
SIZE = 96


def write_flat(folder: Path, minute: int, filter_name: str, camera: int, image: np.ndarray) -> None:
    """Write a raw RIMAS flat under its standard name."""
    hdu = fits.PrimaryHDU(image.astype(np.uint16))
    cards = {
        "INSTRUME": "RIMAS", "ASICINDX": camera, "OBJTYPE": "SKY_FLAT", "EXPTIME": 5.0, "SATURATE": 60000, "GAIN0": 2.0,
        "FILTER1": "Y", "FILTER2": "H", "FILTER3": "open", "DATE-BEG": f"2025-11-03T01:{minute:02d}:00.0",
    }  # fmt: skip
    for key, value in cards.items():
        hdu.header[key] = value
    hdu.writeto(folder / f"20251103T01{minute:02d}00C{camera}f.fits")


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """Six flats in Y, of which the third has a bright band, and three in H."""
    folder = tmp_path / "nuit d'été"
    folder.mkdir()
    rng = np.random.default_rng(4)
    shape = 1 + 0.2 * np.sin(np.linspace(0, 3, SIZE))[None, :] * np.ones((SIZE, 1))
    for number in range(6):
        image = rng.poisson(20000 * shape).astype(float)
        if number == 2:
            image[40:50] += 9000
        write_flat(folder, number, "Y", 0, image)
    for number in range(3):
        write_flat(folder, 10 + number, "H", 1, rng.poisson(25000 * shape).astype(float))
    return folder


@pytest.fixture
def page(night: Path, qtbot: QtBot):
    theme().set_name("dark")
    session, jobs = NightModel(), Jobs()
    page = MastersPage(session, jobs, theme())
    qtbot.addWidget(page)
    page.resize(900, 640)
    page.show()
    opened = open_night(night, None)(SilentReporter())
    session.open(opened.night, opened.instrument, opened.table, opened.session)
    found = measure(opened.table).values()
    session.add_measurements((stats, display.thumbnail_indices(stats.preview)) for stats in found)
    page.desk.refresh()
    yield page
    session.flush()
    jobs.close()


def build(page: MastersPage, qtbot: QtBot, action) -> None:
    with qtbot.waitSignal(page.desk.built, timeout=10000):
        action()
    qtbot.waitUntil(lambda: all(e.state is not State.BUILDING for e in page.desk.masters.entries))


def wait_for_state(page: MastersPage, qtbot: QtBot, ident, state: State) -> None:
    qtbot.waitUntil(lambda: page.desk.masters.entry(ident).state is state, timeout=5000)


def test_the_list_says_what_there_is_to_build(page):
    states = {entry.title: (entry.state, len(entry.kept)) for entry in page.desk.masters.entries}
    assert states == {"flat Y": (State.MISSING, 6), "flat H": (State.MISSING, 3)}
    assert page.why_not() == ""


def test_too_few_frames_are_asked_about_in_place_and_can_be_left_out(page, qtbot):
    assert not page.start()
    assert page.notice.text == "flat H: only 3 frames (5 wanted). Build anyway?"
    assert page.notice.isVisible()
    build(page, qtbot, page.notice.button("rest").click)
    wait_for_state(page, qtbot, FLAT_Y, State.CURRENT)
    assert page.desk.masters.entry(FLAT_H).state is State.MISSING
    assert not page.notice.isVisible()


def test_too_few_frames_are_built_when_the_observer_says_so(page, qtbot):
    page.start()
    build(page, qtbot, page.notice.button("anyway").click)
    wait_for_state(page, qtbot, FLAT_H, State.CURRENT)
    header = fits.getheader(page.desk.masters.entry(FLAT_H).path)
    assert header["NCOMBINE"] == 3


def test_a_bad_input_stands_out_is_sent_back_and_the_master_built_anew(page, qtbot, night):
    page.desk.set_fmin(2)
    build(page, qtbot, page.start)
    wait_for_state(page, qtbot, FLAT_Y, State.CURRENT)
    assert page.current.ident == FLAT_Y
    qtbot.waitUntil(lambda: page.inputs.inputs[2].outliers > 0.05)
    assert [entry.stands_out for entry in page.inputs.inputs] == [False, False, True, False, False, False]
    bad = page.inputs.inputs[2].row.frame_id

    page.strip.select(bad)
    qtbot.waitUntil(lambda: page.view.image.pixels() is not None and page.view.plane == "residual", timeout=5000)
    qtbot.waitUntil(lambda: np.nanmedian(page.view.image.pixels()[40:50]) > 6, timeout=5000)
    # The band raised the frame's median, so that the rest lies a little low.
    assert abs(np.nanmedian(page.view.image.pixels()[60:])) < 3

    page.bar.send_button.click()
    assert not page._session.selection.keeps(bad)
    assert page._session.verdict(bad).by == "hand"
    assert page.desk.masters.entry(FLAT_Y).state is State.STALE
    before = page.desk.masters.entry(FLAT_Y).path.stat().st_mtime_ns
    build(page, qtbot, page.bar.rebuild_button.click)
    wait_for_state(page, qtbot, FLAT_Y, State.CURRENT)
    path = page.desk.masters.entry(FLAT_Y).path
    assert path.stat().st_mtime_ns > before
    assert fits.getheader(path)["NCOMBINE"] == 5
    qtbot.waitUntil(lambda: not page.inputs.inputs[2].used)


def test_planes_and_facts_of_a_master(page, qtbot):
    page.desk.set_fmin(2)
    build(page, qtbot, page.start)
    wait_for_state(page, qtbot, FLAT_Y, State.CURRENT)
    qtbot.waitUntil(lambda: page.view.image.pixels() is not None)
    assert np.nanmedian(page.view.image.pixels()) == pytest.approx(1, abs=1e-3)
    facts = {name: value for name, value, _ in page.view.facts.facts}
    assert facts["Combined"] == "6 frames"
    assert facts["Saturation"] == "60000 DN"
    page.view._buttons["COUNT"].click()
    qtbot.waitUntil(lambda: np.nanmax(page.view.image.pixels()) == 6)
    assert "UNCERT" in page.view._buttons


def test_an_approval_is_kept_until_the_master_is_made_anew(page, qtbot):
    page.desk.set_fmin(2)
    build(page, qtbot, page.start)
    wait_for_state(page, qtbot, FLAT_Y, State.CURRENT)
    page.bar.approve_button.click()
    assert page.current.approved
    assert page._session.ui["approved"]
    wait_for_state(page, qtbot, FLAT_H, State.CURRENT)
    page.start()
    assert page.notice.text == "All masters are up to date."
    build(page, qtbot, page.notice.button("again").click)
    qtbot.waitUntil(lambda: not page.current.approved)


def test_a_failed_build_says_why_and_the_others_are_made(page, qtbot, night):
    page.desk.set_fmin(2)
    for path in sorted(night.glob("*C1f.fits")):
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 3])
    build(page, qtbot, page.start)
    wait_for_state(page, qtbot, FLAT_Y, State.CURRENT)
    failed = page.desk.masters.entry(FLAT_H)
    assert failed.state is State.FAILED
    assert "flat H" in failed.reason
    page.side.list.setCurrentIndex(page.desk.masters.index(1))
    qtbot.waitUntil(lambda: page.view.image._note.text() != "")
    assert "flat H" in page.view.image._note.text()
    assert not page.view.image._note.text().endswith("..")


def test_masters_on_disk_are_known_after_a_restart(page, qtbot, night):
    page.desk.set_fmin(2)
    build(page, qtbot, page.start)
    wait_for_state(page, qtbot, FLAT_Y, State.CURRENT)
    opened = open_night(night, None)(SilentReporter())
    page._session.flush()
    page._session.open(opened.night, opened.instrument, opened.table, opened.session)
    page._session.add_measurements((stats, None) for stats in measure(opened.table).values())
    wait_for_state(page, qtbot, FLAT_Y, State.CURRENT)
    qtbot.waitUntil(lambda: page.inputs.inputs and page.inputs.inputs[2].outliers > 0.05)


def test_without_a_night_nothing_can_be_built(qtbot):
    session, jobs = NightModel(), Jobs()
    page = MastersPage(session, jobs, theme())
    qtbot.addWidget(page)
    assert page.why_not() == "Open a night first."
    assert not page.start()
    jobs.close()


def test_a_master_of_another_night_is_taken_over_and_says_so(page, qtbot, night, tmp_path, monkeypatch):
    page.desk.set_fmin(2)
    build(page, qtbot, page.start)
    wait_for_state(page, qtbot, FLAT_Y, State.CURRENT)
    other = tmp_path / "last night" / "calibration" / "flat_Y.fits"
    other.parent.mkdir(parents=True)
    page.desk.masters.entry(FLAT_Y).path.rename(other)
    before = other.read_bytes()
    session = page._session
    session.set_hand([row.frame_id for row in session.table if row.filter == "Y"], False)
    page.desk.masters.forget_facts(page.desk.masters.entry(FLAT_Y).path)
    page.desk.refresh()
    assert page.bar.adopt_button.isVisible()

    wrong = page.desk.masters.entry(FLAT_H).path
    monkeypatch.setattr("photopipe_gui.gui.widgets.dialogs.pick_file", lambda *args: str(wrong))
    page.bar.adopt_button.click()
    qtbot.waitUntil(lambda: "it is a master flat H" in page.notice.text)

    monkeypatch.setattr("photopipe_gui.gui.widgets.dialogs.pick_file", lambda *args: str(other))
    page.bar.adopt_button.click()
    wait_for_state(page, qtbot, FLAT_Y, State.CURRENT)
    taken = page.desk.masters.entry(FLAT_Y)
    assert taken.reason == "Of another night: last night"
    assert fits.getheader(taken.path)["ADOPTED"] == "last night"
    with fits.open(taken.path) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "MASK", "UNCERT", "COUNT"]
    assert other.read_bytes() == before
