"""The loop over steps: failures stay with their frame, runs go on where they stopped. The steps are stand-ins."""

import dataclasses
import math
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from photopipe_gui.errors import FrameError, NightError, UsageError
from photopipe_gui.reduction.auto import pipeline, plan, registry
from photopipe_gui.reduction.auto.report import load_report
from photopipe_gui.reduction.auto.tasks import GroupResult, StepResult, finish_header
from photopipe_gui.reduction.executor import Failure, ProcessExecutor, SerialExecutor
from photopipe_gui.reduction.outcome import Status
from photopipe_gui.reduction.progress import SilentReporter
from photopipe_gui.reduction.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class NoParams:
    """No options."""


def add_one(task, params):
    """Add 1 to every pixel; names ask for trouble."""
    if "bad" in task.frame and task.target.name.startswith("fp"):
        raise FrameError(task.source, "it is bad", "Leave it out.")
    if "bug" in task.frame and task.target.name.startswith("sf"):
        raise ZeroDivisionError("oops")
    if "full" in task.frame:
        raise NightError("disk full")
    data, header = fits.getdata(task.source, header=True)
    fits.PrimaryHDU(data + np.float32(1), finish_header(header, task.cards, "step", "add one")).writeto(
        task.target, overwrite=True
    )
    return StepResult({"LEVEL": float(data.mean() + 1)}, task.target)


def _each(group, params, context):
    frames = {}
    answers = context.map(_copy, list(group.frames))
    for task, answer in zip(group.frames, answers, strict=True):
        frames[task.frame] = answer
    return GroupResult(frames)


def _copy(task):
    return add_one(task, None)


def _sky(group, params, context):
    header = finish_header(fits.Header(), group.cards, "makesky", "sky")
    fits.PrimaryHDU(np.zeros((2, 2), np.float32), header).writeto(group.product, overwrite=True)
    return GroupResult({t.frame: StepResult(product=t.source) for t in group.frames}, group.product)


def _stack(group, params, context):
    header = finish_header(
        fits.Header({"FILTER": group.filter, "TARGNAME": group.target_name}), group.cards, "stack", "x"
    )
    path = group.product / f"coadd{group.target_name}_1_{group.filter}.fits"
    data = sum(fits.getdata(task.source) for task in group.frames)
    fits.PrimaryHDU(data, header).writeto(path, overwrite=True)
    return GroupResult(
        {t.frame: StepResult(product=t.source) for t in group.frames}, path, {"NSTACK": len(group.frames)}
    )


@pytest.fixture
def steps(monkeypatch):
    replaced = []
    for spec in registry.STEPS:
        change = {"params": NoParams}
        if spec.scope == "frame":
            change["run"] = add_one
        else:
            change["run_group"] = {"makesky": _sky, "stack": _stack}.get(spec.name, _each)
        replaced.append(dataclasses.replace(spec, **change))
    for module in (registry, plan, pipeline):
        monkeypatch.setattr(module, "STEPS", tuple(replaced))
    return replaced


@pytest.fixture
def night(tmp_path):
    for name, filt in (("a", "i"), ("b", "i"), ("c", "Z")):
        add_frame(tmp_path, name, filt)
    cal = tmp_path / "calibration"
    cal.mkdir()
    for name in ("bias_C1", "flat_i", "flat_Z"):
        fits.PrimaryHDU(np.ones((2, 2))).writeto(cal / f"{name}.fits")
    return tmp_path


def add_frame(folder: Path, name: str, filt: str = "i") -> None:
    """Write a selected frame."""
    selected = folder / "selected"
    selected.mkdir(exist_ok=True)
    header = fits.Header({"INSTRUME": "RATIR", "CAMERA": 1, "FILTER": filt, "TARGNAME": "T", "EXPTIME": 1.0})
    fits.PrimaryHDU(np.zeros((2, 2), np.float32), header).writeto(selected / f"{name}.fits")


def run(night, executor=None, reporter=None, **options):
    """Plan and run."""
    made = plan.plan(Workspace.of_night(night), plan.AutoprocParams(**options))
    return pipeline.run(made, executor or SerialExecutor(), reporter or SilentReporter())


def statuses(report, step):
    return {o.frame: o.status for o in report.outcomes.values() if o.step == step and not o.frame.startswith("[")}


def test_whole_run_then_nothing_to_do_then_redo(steps, night):
    report = run(night)
    assert report.state == "finished"
    assert report.lost == ()
    assert sorted(Path(name).name for name in report.coadds) == ["coaddT_1_Z.fits", "coaddT_1_i.fits"]
    # Six frame steps add one each; two frames in i.
    assert fits.getdata(night / "coadd" / "coaddT_1_i.fits").mean() == 12
    assert (night / "reduced" / "tazsfpa.fits").exists()
    again = run(night)
    assert set(statuses(again, "crclean").values()) == {Status.SKIPPED}
    assert again.coadds == report.coadds
    assert set(statuses(run(night, redo=True), "crclean").values()) == {Status.DONE}
    assert load_report(night / "photopipe_report.json").state == "finished"


def test_a_bad_frame_and_a_bug_lose_only_their_frame(steps, night, caplog):
    add_frame(night, "bad")
    add_frame(night, "bug")
    report = run(night)
    assert statuses(report, "flatten")["bad"] == Status.FAILED
    assert statuses(report, "skysub")["bug"] == Status.FAILED
    assert "bad" not in statuses(report, "skysub")
    assert statuses(report, "stack").keys() == {"a", "b", "c"}
    reasons = {o.frame: o.reason for o in report.lost}
    assert reasons["bad"] == "it is bad. Leave it out."
    assert "ZeroDivisionError" in reasons["bug"]
    assert "Traceback" in caplog.text
    caplog.clear()


def test_missing_flat_is_known_before_the_run(steps, night):
    add_frame(night, "d", "Y")
    made = plan.plan(Workspace.of_night(night), plan.AutoprocParams())
    assert any("flat_Y.fits is missing: 1 frames" in sentence for sentence in made.missing)
    report = run(night)
    assert statuses(report, "flatten")["d"] == Status.FAILED


def test_a_full_disk_ends_the_run_in_words(steps, night):
    add_frame(night, "full")
    with pytest.raises(NightError, match="disk full"):
        run(night)
    assert load_report(night / "photopipe_report.json").state == "broken"


def test_changed_inputs_redo_only_what_depends_on_them(steps, night):
    run(night)
    time.sleep(0.01)
    fits.PrimaryHDU(np.full((2, 2), 3.0)).writeto(night / "calibration" / "flat_i.fits", overwrite=True)
    report = run(night)
    assert set(statuses(report, "prepare").values()) == {Status.SKIPPED}
    assert statuses(report, "flatten") == {"a": Status.DONE, "b": Status.DONE, "c": Status.SKIPPED}
    assert statuses(report, "stack") == {"a": Status.DONE, "b": Status.DONE, "c": Status.SKIPPED}


def test_damaged_and_missing_products_are_made_again(steps, night):
    run(night)
    (night / "coadd" / "coaddT_1_Z.fits").unlink()
    (night / "reduced" / "fpa.fits").write_bytes(b"short")
    report = run(night)
    assert statuses(report, "flatten")["a"] == Status.DONE
    assert statuses(report, "skysub")["a"] == Status.SKIPPED
    assert (night / "coadd" / "coaddT_1_Z.fits").exists()


def test_single_steps_and_unknown_ones(steps, night):
    report = run(night, only="prepare")
    assert report.steps == ("prepare",)
    report = run(night, start="flatten", stop="skysub")
    assert statuses(report, "skysub").keys() == {"a", "b", "c"}
    assert statuses(report, "prepare")["a"] == Status.DONE, "what an earlier run said of other steps stays"
    with pytest.raises(UsageError, match="prepare, flatten, makesky"):
        registry.step("flaten")
    with pytest.raises(UsageError, match="comes after"):
        run(night, start="stack", stop="prepare")
    report = run(night, only="stack")
    assert "run the steps before stack first" in next(iter(report.lost)).reason


def test_nocrclean_and_no_master_sky(steps, night):
    report = run(night, nocrclean=True, mastersky=False)
    assert (night / "reduced" / "tasfpa.fits").exists()
    assert "crclean" not in report.steps
    assert set(statuses(report, "makesky").values()) == {Status.SKIPPED}
    assert not list((night / "reduced").glob("sky-*"))


def test_rmifiles_removes_only_what_we_wrote_and_the_next_run_knows(steps, night):
    (night / "reduced").mkdir()
    fits.PrimaryHDU(np.zeros((2, 2))).writeto(night / "reduced" / "pmine.fits")
    run(night, rmifiles=True)
    assert [path.name for path in (night / "reduced").glob("*.fits")] == ["pmine.fits"]
    again = run(night, rmifiles=True)
    assert set(statuses(again, "stack").values()) == {Status.SKIPPED}


def test_stop_keeps_what_is_done_and_the_next_run_goes_on(steps, night):
    class StopAfter(SilentReporter):
        def result(self, item):
            super().result(item)
            if len(self.results) == 4:
                self.cancel()

    report = run(night, reporter=StopAfter())
    assert report.state == "stopped"
    report = run(night)
    assert report.state == "finished"
    assert set(statuses(report, "prepare").values()) == {Status.SKIPPED}


def test_stale_coadd_of_a_group_goes_when_the_group_changes(steps, night, monkeypatch):
    run(night)
    old = night / "coadd" / "coaddT_1_i.fits"
    moved = old.with_name("coaddT_0_i.fits")
    old.rename(moved)
    (night / "selected" / "b.fits").unlink()
    run(night)
    assert old.exists()
    assert not moved.exists()


def test_worker_processes_answer_in_order_and_keep_errors():
    with ProcessExecutor(2) as executor:
        results = executor.map(math.sqrt, [1, 4, -1, 9], SilentReporter())
    assert results[:2] == [1, 2]
    assert results[3] == 3
    assert isinstance(results[2], Failure)
    assert "Traceback" in results[2].trace
