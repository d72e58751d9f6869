"""Masters of a night: which there are, their state, their inputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PyQt6.QtTest import QAbstractItemModelTester

from photopipe_gui.gui.models.master_facts import frame_id, read_facts
from photopipe_gui.gui.models.master_inputs import InputEntry, InputList
from photopipe_gui.gui.models.masters import MasterFacts, MasterList, State, judge_state, list_masters
from photopipe_gui.instruments.registry import get
from photopipe_gui.reduction.selection import Selection, Verdict
from photopipe_gui.reduction.table import FrameRow, FrameTable

NIGHT = Path("/night")
FOLDER = NIGHT / "calibration"


def rows(ftype, camera, filter_name, count, start=0):
    letter = ftype[0]
    names = [f"20200101T0000{start + n:02d}C{camera}{letter}" for n in range(count)]
    return [FrameRow(name, NIGHT / f"{name}.fits", camera, "", ftype, filter_name, 10.0) for name in names]


def night(*groups):
    every = [row for group in groups for row in group]
    table = FrameTable(NIGHT, "ratir", tuple(every))
    return table, Selection({row.frame_id: Verdict(True) for row in every})


@pytest.fixture
def ratir():
    table, selection = night(
        rows("bias", 1, "", 5), rows("dark", 1, "", 6, 10), rows("flat", 1, "i", 7, 20), rows("object", 0, "r", 2, 30)
    )
    return get("ratir"), table, selection


def entry_of(ratir, mtype, key):
    return next(e for e in list_masters(*ratir, FOLDER) if e.ident == (mtype, key))


def test_masters_are_those_of_the_frames_and_those_the_science_frames_need(ratir):
    entries = list_masters(*ratir, FOLDER)
    titles = [entry.title for entry in entries]
    assert titles == ["bias C0", "bias C1", "dark C0", "dark C1", "flat r", "flat i"]
    assert entry_of(ratir, "flat", "i").path == FOLDER / "flat_i.fits"
    assert entry_of(ratir, "flat", "r").given == ()
    assert entry_of(ratir, "flat", "r").needed


def test_a_camera_without_bias_has_none():
    table, selection = night(rows("bias", 2, "Z", 3), rows("flat", 2, "Z", 5, 10))
    titles = [entry.title for entry in list_masters(get("ratir"), table, selection, FOLDER)]
    assert "bias C2" not in titles
    assert "flat Z" in titles


def test_state_follows_the_file_and_the_selection(ratir):
    flat = entry_of(ratir, "flat", "i")
    assert judge_state(flat, {}, {}, 5).state is State.MISSING
    facts = MasterFacts(flat.path, flat.kept, {"CAMERA": 1}, 100.0)
    assert judge_state(flat, {flat.path: facts}, {}, 5).state is State.CURRENT
    fewer = replace(flat, kept=flat.kept[1:])
    stale = judge_state(fewer, {flat.path: facts}, {}, 5)
    assert stale.state is State.STALE
    assert "1 taken out" in stale.reason
    failed = judge_state(flat, {flat.path: facts}, {flat.ident: "no bias"}, 5)
    assert (failed.state, failed.reason) == (State.FAILED, "no bias")
    nothing = judge_state(entry_of(ratir, "flat", "r"), {}, {}, 5)
    assert nothing.state is State.NO_INPUTS
    assert "The night has no flat frames for r" in nothing.reason


def test_a_flat_is_out_of_date_when_its_bias_was_built_anew(ratir):
    flat, bias = entry_of(ratir, "flat", "i"), entry_of(ratir, "bias", "C1")
    facts = {
        flat.path: MasterFacts(flat.path, flat.kept, {"CAMERA": 1}, 100.0),
        bias.path: MasterFacts(bias.path, bias.kept, {"CAMERA": 1}, 200.0),
    }
    judged = judge_state(flat, facts, {}, 5)
    assert judged.state is State.STALE
    assert "bias C1 was built anew" in judged.reason


@pytest.mark.parametrize(("count", "few"), [(0, False), (3, True), (5, False)])
def test_too_few_frames_are_told_from_none(ratir, count, few):
    flat = entry_of(ratir, "flat", "i")
    assert replace(flat, kept=flat.kept[:count]).too_few(5) is few


def test_list_model_takes_builds_and_failures(ratir, qapp):
    model = MasterList()
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    entries = list_masters(*ratir, FOLDER)
    model.set_entries(entries)
    assert {e.title for e in model.to_build()} == {"bias C1", "dark C1", "flat i"}
    model.set_building([("bias", "C1"), ("flat", "i")])
    assert model.entry(("bias", "C1")).state is State.BUILDING
    bias = model.entry(("bias", "C1"))
    model.set_built(bias.ident)
    model.set_facts(MasterFacts(bias.path, bias.kept, {}, 5.0))
    model.set_failed(("flat", "i"), "flat i: the master bias is missing.")
    assert model.entry(("bias", "C1")).state is State.CURRENT
    assert model.entry(("flat", "i")).state is State.FAILED
    assert "master bias is missing" in model.index(model.row_of(("flat", "i"))).data(3)
    model.set_entries(entries)
    assert model.entry(("flat", "i")).state is State.FAILED
    model.clear()
    assert model.rowCount() == 0
    del tester


def test_an_approval_holds_for_the_file_as_it_was(ratir, qapp):
    model = MasterList()
    model.set_entries(list_masters(*ratir, FOLDER))
    bias = model.entry(("bias", "C1"))
    model.set_facts(MasterFacts(bias.path, bias.kept, {}, 5.0))
    kept = model.approve(model.entry(("bias", "C1")))
    assert kept == {"bias_C1.fits": 5.0}
    assert model.entry(("bias", "C1")).approved
    model.set_facts(MasterFacts(bias.path, bias.kept, {}, 6.0))
    assert not model.entry(("bias", "C1")).approved


def test_inputs_that_stand_out_are_told(qapp):
    row = rows("flat", 1, "i", 1)[0]
    model = InputList()
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    model.set_inputs([InputEntry(row, Verdict(True), 0.4, used=True)])
    assert not model.inputs[0].stands_out
    model.set_numbers({row.frame_id: (0.1, 0.2)})
    assert model.inputs[0].stands_out
    assert model.inputs[0].residual_text == "+0.10 σ"
    assert model.inputs[0].outlier_text == "20.0 %"
    assert "20.0 % of its pixels are outliers" in model.index(0).data(3)
    del tester


@pytest.mark.parametrize("name", ["a_i.fits", "/night/a_i.fits", "C:\\night\\a_i.FITS", "a_i", " a_i.fits.fz "])
def test_frame_ids_are_read_from_names_of_inputs(name):
    assert frame_id(name) == "a_i"


def test_a_damaged_master_says_so(tmp_path):
    assert read_facts(tmp_path / "none.fits") is None
    broken = tmp_path / "bias_C1.fits"
    broken.write_bytes(b"SIMPLE  = nothing of the kind")
    assert read_facts(broken).problem
