"""The matrix of frames by steps."""

from __future__ import annotations

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QAbstractItemModelTester

from photopipe_gui.gui.models.run_matrix import STATUS_ROLE, MatrixRow, RunMatrix
from photopipe_gui.reduction.outcome import Outcome, Status

STEPS = (("prepare", "Prepare"), ("flatten", "Flatten"), ("crclean", "Clean"), ("stack", "Stack"))
ROWS = (MatrixRow("a", "T_i"), MatrixRow("b", "T_i"), MatrixRow("[T_i]", "T_i", True))


@pytest.fixture
def matrix(qapp):
    model = RunMatrix(STEPS)
    model.tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    model.set_rows(ROWS)
    return model


def status(matrix, frame, step):
    cell = matrix.index(matrix.row_of(frame), matrix.steps.index(step))
    return cell.data(STATUS_ROLE)


def test_a_fresh_matrix_is_pending(matrix):
    assert matrix.rowCount() == 3
    assert matrix.columnCount() == 4
    assert all(status(matrix, frame, "prepare") is Status.PENDING for frame in ("a", "b", "[T_i]"))
    assert matrix.headerData(0, Qt.Orientation.Horizontal) == "prepare\n0/2"
    assert matrix.headerData(0, Qt.Orientation.Vertical) == "a"


def test_outcomes_arrive_one_by_one(matrix, qtbot):
    with qtbot.waitSignal(matrix.dataChanged):
        matrix.apply(Outcome("a", "prepare", Status.DONE, seconds=1.5, measurements={"SATPIX": 12}))
    cell = matrix.index(0, 0)
    assert cell.data(STATUS_ROLE) is Status.DONE
    assert cell.data() == "done"
    assert "SATPIX = 12" in cell.data(Qt.ItemDataRole.ToolTipRole)
    matrix.set_shown("seconds")
    assert cell.data() == "1.5 s"
    assert matrix.headerData(0, Qt.Orientation.Horizontal) == "prepare\n1/2"


def test_an_unknown_frame_gets_a_row(matrix):
    matrix.apply(Outcome("late", "flatten", Status.DONE))
    assert matrix.rowCount() == 4
    assert status(matrix, "late", "flatten") is Status.DONE
    matrix.apply(Outcome("late", "no such step", Status.DONE))
    assert matrix.rowCount() == 4


def test_a_lost_frame_is_dropped_at_every_later_step_with_the_reason(matrix):
    matrix.apply(Outcome("b", "flatten", Status.FAILED, "there is no master flat"))
    assert status(matrix, "b", "prepare") is Status.PENDING
    assert status(matrix, "b", "flatten") is Status.FAILED
    assert status(matrix, "b", "stack") is Status.DROPPED
    tip = matrix.index(1, 3).data(Qt.ItemDataRole.ToolTipRole)
    assert "left the run at flatten (failed): there is no master flat" in tip
    assert [outcome.frame for outcome in matrix.lost()] == ["b"]
    assert matrix.counts("stack")[Status.DROPPED] == 1
    matrix.apply(Outcome("b", "flatten", Status.DONE))
    assert status(matrix, "b", "stack") is Status.PENDING
    assert matrix.lost() == []


def test_the_step_in_work_is_running_for_frames_that_are_still_in(matrix):
    matrix.apply(Outcome("b", "prepare", Status.FAILED, "damaged"))
    matrix.apply(Outcome("a", "prepare", Status.DONE))
    matrix.set_active("flatten")
    assert status(matrix, "a", "flatten") is Status.RUNNING
    assert status(matrix, "b", "flatten") is Status.DROPPED
    matrix.end_run()
    assert status(matrix, "a", "flatten") is Status.PENDING


def test_products_of_a_step_and_of_the_one_before_it(matrix, tmp_path):
    for name in ("pa.fits", "fpa.fits"):
        (tmp_path / name).touch()
    matrix.apply(Outcome("a", "prepare", Status.DONE, product=str(tmp_path / "pa.fits")))
    matrix.apply(Outcome("a", "flatten", Status.DONE, product=str(tmp_path / "fpa.fits")))
    # A step that did not apply hands on the file it was given.
    matrix.apply(Outcome("a", "crclean", Status.SKIPPED, "twilight", product=str(tmp_path / "fpa.fits")))
    assert matrix.product("a", "flatten") == tmp_path / "fpa.fits"
    assert matrix.product_before("a", "flatten") == ("prepare", tmp_path / "pa.fits")
    assert matrix.product_before("a", "crclean") == ("prepare", tmp_path / "pa.fits")
    assert matrix.product_before("a", "prepare") is None
    assert matrix.product("a", "stack") is None
    (tmp_path / "fpa.fits").unlink()
    assert matrix.product("a", "flatten") is None


def test_a_finished_run_is_loaded_whole(matrix):
    outcomes = [Outcome("x", step, Status.DONE, seconds=2.0) for step, _ in STEPS]
    matrix.load(outcomes, [MatrixRow("x", "U_r")])
    assert matrix.frames() == ("x",)
    assert all(matrix.counts(step)[Status.DONE] == 1 for step in matrix.steps)
    assert matrix.seconds() == dict.fromkeys(matrix.steps, 2.0)


def test_counts_follow_every_outcome(matrix):
    for status_now in (Status.DONE, Status.FAILED, Status.DONE, Status.SKIPPED):
        matrix.counts("flatten")
        matrix.apply(Outcome("a", "flatten", status_now))
        assert matrix.counts("flatten")[status_now] == 1
        assert sum(matrix.counts("flatten").values()) == 2


def test_counting_does_not_grow_with_the_night(qapp):
    matrix = RunMatrix(STEPS)
    rows = [MatrixRow(f"f{n:04d}", "T_i") for n in range(5000)]
    matrix.set_rows(rows)
    looked: list[int] = []
    whole = matrix._status
    matrix._status = lambda *args: looked.append(1) or whole(*args)
    for row in rows[:50]:
        matrix.apply(Outcome(row.frame, "prepare", Status.DONE))
        matrix.headerData(0, Qt.Orientation.Horizontal)
    assert len(looked) == len(rows)
    assert matrix.counts("prepare")[Status.DONE] == 50
