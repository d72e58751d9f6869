"""The command line: help, bad input, exit status, output that a file can take."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from photopipe_gui import cli
from photopipe_gui.commands import common, session
from photopipe_gui.commands.reduce import overrides
from photopipe_gui.commands.screen import PlainReporter
from photopipe_gui.errors import Cancelled, UsageError
from photopipe_gui.reduction.params import options_of
from photopipe_gui.reduction.progress import Progress

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@pytest.fixture(autouse=True)
def _own_log(tmp_path_factory, monkeypatch):
    """The log of a test goes into a folder of its own and is closed after it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
    monkeypatch.setenv("COLUMNS", "160")
    root = logging.getLogger()
    before, level = list(root.handlers), logging.getLogger("photopipe_gui").level
    yield
    for handler in [one for one in root.handlers if one not in before]:
        root.removeHandler(handler)
        handler.close()
    logging.getLogger("photopipe_gui").setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture(scope="module")
def made_night(tmp_path_factory):
    from photopipe_gui.simulate import simulate_night

    folder = tmp_path_factory.mktemp("cli") / "a night"
    simulate_night(folder, "lmi", 5, size=0.12, n_bias=5, n_flat=9, n_science=2, filters=("SDSS-R",))
    return folder


@pytest.fixture
def night(made_night, tmp_path):
    import shutil

    return Path(shutil.copytree(made_night, tmp_path / "a night"))


def run(capsys, *args) -> tuple[int, str, str]:
    status = cli.main([str(arg) for arg in args])
    out, err = capsys.readouterr()
    return status, out, err


def test_help_loads_no_engine() -> None:
    code = (
        "import sys; from photopipe_gui.cli import main; status = main(['--help']);"
        "heavy = [m for m in ('numpy', 'astropy', 'scipy', 'PyQt6') if m in sys.modules];"
        "sys.exit(f'loaded {heavy}' if heavy else status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    for name in cli.COMMANDS:
        assert name in done.stdout


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_command_has_help(capsys, name) -> None:
    status, out, err = run(capsys, name, "--help")
    assert status == 0
    assert err == ""
    assert "Exit status: 0 all done" in out
    assert not CONTROL.search(out)


def test_reduce_has_a_flag_for_every_option_of_the_run(capsys) -> None:
    from photopipe_gui.reduction.auto.plan import AutoprocParams

    _, out, _ = run(capsys, "reduce", "--help")
    flags = set(re.findall(r"--[a-z][a-z-]*", out))
    assert {f"--{name.replace('_', '-')}" for name in options_of(AutoprocParams)} <= flags
    published = "cams amin amax reject-sat method fmin yes start stop only redo nocrclean nomastersky no-skyflattarg"
    published += " rmifiles customcat customcatfilt refcat nogaia workers dask"
    assert {f"--{name}" for name in published.split()} <= flags


def test_options_lists_those_of_one_step(capsys) -> None:
    from photopipe_gui.reduction.auto.registry import step

    status, out, _ = run(capsys, "options", "crclean")
    assert status == 0
    for name in options_of(step("crclean").params):
        assert f"crclean.{name}" in out
    assert "prepare." not in out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("select", "/nowhere/at/all"), "does not exist"),
        (("select", __file__), "is a file, not a folder"),
        (("redcue",), "Did you mean the command reduce?"),
        (("reduce", "{night}", "-i", "lmj"), "Did you mean lmi?"),
        (("reduce", "{night}", "-i", "ratir"), "holds no"),
        (("reduce", "{night}", "--start", "flaten"), "prepare, flatten, makesky"),
        (("reduce", "{night}", "--set", "crclean.sigclp=3"), "Did you mean sigclip?"),
        (("reduce", "{night}", "--set", "crclean=3"), "step.option=value"),
        (("reduce", "{night}", "--refcat", "/nowhere.fits"), "/nowhere.fits does not exist"),
        (("reduce", "{night}", "--workers", "-2"), "workers"),
        (("masters", "{night}", "--amin", "0.9"), "must be below amax"),
        (("masters", "{night}", "--method", "mean"), "median, clip, winsor"),
        (("select", "{night}", "--cams", "1"), "none of [1]"),
        (("select", "{night}", "--cams", "one"), "camera numbers"),
        (("select", "{night}", "--type", "flats"), "bias, dark, flat, science"),
        (("simulate", "{night}"), "holds frames already"),
        (("simulate", "{night}/new", "-i", "lmi", "--filters", "X"), "no filter 'X'"),
    ],
)
def test_bad_input_is_a_sentence_and_status_2(capsys, night, args, said) -> None:
    before = {path.name for path in night.iterdir()}
    status, out, err = run(capsys, *(arg.replace("{night}", str(night)) for arg in args))
    assert status == 2
    assert said in out + err
    assert "Traceback" not in out + err
    assert not (night / "calibration").exists(), "work was done before the options were looked at"
    assert before <= {path.name for path in night.iterdir()} or any("rename" in p.name for p in night.iterdir())


def test_an_empty_folder_is_no_night(capsys, tmp_path) -> None:
    status, _, err = run(capsys, "select", tmp_path)
    assert status == 2
    assert "holds no raw frames of a known instrument" in err


def test_select_masters_and_names_back(capsys, night) -> None:
    raw = {path.name: path.read_bytes() for path in night.glob("lmi.*.fits")}
    status, out, err = run(capsys, "select", night)
    assert (status, err) == (0, "")
    assert "LMI" in out
    assert not CONTROL.search(out)
    assert re.search(r"^bias +C0 +5 +0 +0 +5", out, re.MULTILINE)
    assert re.search(r"^science +SDSS-R +2 +0 +0 +2", out, re.MULTILINE)
    saved = sorted(night.glob("*_*T*.json"))
    assert {path.name.split("_")[0] for path in saved} == {"bias", "flat", "science"}
    for path in saved:
        assert path.with_suffix(".p").exists()
        assert all(os.path.isabs(name) for names in json.loads(path.read_text()).values() for name in names)
    run(capsys, "select", night)
    assert sorted(night.glob("*_*T*.json")) == saved, "an unchanged choice is not saved again"

    status, out, _ = run(capsys, "masters", night, "--method", "clip")
    assert status == 0
    assert (night / "calibration" / "bias_C0.fits").exists()
    assert (night / "calibration" / "flat_SDSS-R.fits").exists()
    assert out.count("built") == 2
    assert run(capsys, "masters", night, "--method", "clip")[1].count("kept ") >= 2

    status, _, _ = run(capsys, "restore-names", night)
    assert status == 0
    assert {path.name: path.read_bytes() for path in night.glob("lmi.*.fits")} == raw


@pytest.mark.logs_errors
def test_too_few_frames_need_yes(capsys, night) -> None:
    status, out, _ = run(capsys, "masters", night, "--fmin", "20")
    assert status == 1
    assert not list((night / "calibration").glob("*.fits"))
    assert "Lost: 2" in out
    assert run(capsys, "masters", night, "--fmin", "20", "--yes")[0] == 0


def test_the_observers_verdict_wins(capsys, night) -> None:
    from photopipe_gui.reduction.selection import Verdict
    from photopipe_gui.reduction.session import Session, save_session

    run(capsys, "select", night)
    first = sorted(night.glob("*C0b.fits"))[0].stem
    save_session(night, Session(instrument="lmi", hand={first: False}, verdicts={first: Verdict(False, "hand", "")}))
    status, out, _ = run(capsys, "select", night, "--type", "bias")
    assert status == 0
    assert re.search(r"^bias +C0 +4 +1 +1 +5", out, re.MULTILINE)


def test_a_frame_cut_short_is_named_and_status_1(capsys, night) -> None:
    run(capsys, "select", night)
    flat = sorted(night.glob("*C0f.fits"))[2]
    with flat.open("r+b") as stream:
        stream.truncate(60_000)
    status, out, _ = run(capsys, "select", night, "--quiet")
    assert status == 1
    assert re.search(rf"Lost: 1\n +{flat.stem} \(flat\): cannot be used: the file ends after 60000", out)


@pytest.mark.logs_errors
def test_an_error_in_the_program_names_the_log(capsys, monkeypatch, night) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a wheel came off")

    monkeypatch.setattr("photopipe_gui.reduction.night.open_for_work", broken)
    status, out, err = run(capsys, "select", night)
    assert status == session.BROKEN
    assert "a wheel came off" in err
    assert "Traceback" not in out + err
    file = Path(re.search(r"details are in (\S+\.log)", err).group(1))
    assert "Traceback" in file.read_text()


def test_ctrl_c_stops_with_status_130(tmp_path) -> None:
    env = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    night = tmp_path / "night"
    command = [sys.executable, "-m", "photopipe_gui", "simulate", str(night), "--size", "full", "--workers", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env,
                          start_new_session=True) as running:  # fmt: skip
        assert running.stdout is not None
        assert "simulating" in running.stdout.readline()
        os.killpg(running.pid, signal.SIGINT)
        _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Stopping after the files in work" in err
    assert "Traceback" not in err


@pytest.mark.logs_errors
@pytest.mark.parametrize(
    ("end", "status"),
    [
        (Cancelled("Stopped."), 130),
        (KeyboardInterrupt(), 130),
        (UsageError("No."), 2),
        (BrokenPipeError(), 0),
        (ZeroDivisionError("x"), 70),
        (SystemExit(1), 1),
    ],
)
def test_every_end_has_its_status(capfd, end, status) -> None:
    def call() -> None:
        raise end

    assert session.run_guarded(call) == status


def test_overrides_are_numbers_switches_and_text() -> None:
    found = overrides(["crclean.sigclip=12", "stack.method=median", "stack.reject=false", "crclean.objlim= 4.5"])
    assert found == {"crclean": {"sigclip": 12, "objlim": 4.5}, "stack": {"method": "median", "reject": False}}
    for wrong in ("crclean", "crclean.sigclip", "=3", ".a=3", "a.=3"):
        with pytest.raises(UsageError):
            overrides([wrong])


def test_overrides_evaluate_nothing() -> None:
    assert overrides(["a.b=__import__('os').getcwd()"]) == {"a": {"b": "__import__('os').getcwd()"}}


def test_cameras_are_read_in_every_spelling() -> None:
    assert common.cameras(None) is None
    assert common.cameras("0,1") == common.cameras("C0 C1") == common.cameras(" 0, c1 ") == (0, 1)
    with pytest.raises(UsageError):
        common.cameras(",")


def test_plain_progress_is_a_line_at_each_tenth_at_most(capsys, monkeypatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("photopipe_gui.commands.screen.time.monotonic", lambda: clock[0])
    reporter = PlainReporter(session.Interrupt())
    for done in range(1001):
        reporter.progress(Progress("measuring", done, 1000, failed=done // 500))
        clock[0] += 0.1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "measuring: 0/1000"
    assert lines[-1] == "measuring: 1000/1000, 2 lost"
    assert 10 <= len(lines) <= 12
    reporter.progress(Progress("measuring", 0, 1000))
    assert capsys.readouterr().out == "measuring: 0/1000\n", "the next job of that name is one of its own"


def test_a_quick_job_and_its_parts_are_one_line(capsys, monkeypatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("photopipe_gui.commands.screen.time.monotonic", lambda: clock[0])
    reporter = PlainReporter(session.Interrupt())
    reporter.progress(Progress("makesky", 0, 4, item="M31_r"))
    for part in ("objects", "sky"):
        for done in range(1, 5):
            reporter.progress(Progress(part, done, 4))
    assert capsys.readouterr().out == "makesky: 0/4 (M31_r)\n"
    clock[0] += 10
    reporter.progress(Progress("slow part", 1, 4))
    assert capsys.readouterr().out == "slow part: 1/4\n"


def test_bars_end_full_and_parts_go(monkeypatch) -> None:
    import io

    from rich.console import Console

    from photopipe_gui.commands.screen import BarReporter

    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, color_system=None)
    with BarReporter(session.Interrupt(), console) as bars:
        bars.progress(Progress("makesky", 0, 4))
        bars.progress(Progress("objects", 1, 4))
        bars.message("a sentence [with brackets]", "warning")
        bars.progress(Progress("stack", 0, 3))
        bars.progress(Progress("stack", 3, 3, failed=1))
    screen = stream.getvalue().split("\x1b[2K")[-1] + stream.getvalue()
    assert "warning: a sentence [with brackets]" in screen
    assert [task.description for task in bars._bars.tasks] == ["makesky", "stack"]
    assert all(task.finished for task in bars._bars.tasks)


def test_no_display_is_said_in_words(capsys, monkeypatch, night) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    status, _, err = run(capsys, night)
    assert status == 2
    assert "no display" in err
    assert "photopipe-gui reduce" in err
