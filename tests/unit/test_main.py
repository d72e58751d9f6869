"""Starting as a module, from the menu, and as a frozen application that starts itself again for its workers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]

#: Does what a frozen application does: it is its own interpreter, and knows no -m and no -c.
FROZEN = """#!{python}
import runpy, sys
sys.frozen = True
sys.executable = {itself!r}
sys.path.insert(0, {top!r})
runpy.run_path({start!r}, run_name="__main__")
"""


def test_python_m_runs_the_command_line() -> None:
    done = subprocess.run([sys.executable, "-m", "photopipe_gui", "--version"], capture_output=True, text=True, cwd=TOP)
    assert done.returncode == 0
    assert done.stdout.startswith("photopipe-gui ")


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for a frozen application is a script")
def test_a_frozen_application_runs_workers(tmp_path) -> None:
    app = tmp_path / "photopipe-gui"
    start = TOP / "packaging" / "frozen.py"
    app.write_text(FROZEN.format(python=sys.executable, itself=str(app), top=str(TOP), start=str(start)))
    app.chmod(0o755)
    night = tmp_path / "night"
    few = ["--n-bias", "4", "--n-flat", "0", "--n-science", "0", "--workers", "2"]
    env = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    command = [str(app), "simulate", str(night), "--instrument", "lmi", "--size", "0.1", "--filters", "SDSS-R", *few]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert len(list(night.glob("*.fits"))) == 4


def test_the_old_packages_name_gives_our_modules(tmp_path) -> None:
    script = tmp_path / "old.py"
    script.write_text(
        "import photopipe_gui.as_photopipe\n"
        "import photopipe.instruments\n"
        "from photopipe.reduction import preproc\n"
        "from photopipe.reduction.preprocess.choose import choose_calib\n"
        "import photopipe_gui.reduction.preprocess.choose as ours, sys\n"
        "assert choose_calib is ours.choose_calib is preproc.choose_calib\n"
        "assert sys.modules['photopipe.reduction.preprocess.choose'] is ours\n"
        "assert ours.__name__ == ours.__spec__.name == 'photopipe_gui.reduction.preprocess.choose'\n"
        "import photopipe_gui.as_photopipe as again; again.install()\n"
        "assert sum(isinstance(f, again.Finder) for f in sys.meta_path) == 1\n"
        "try:\n    import photopipe.nothing_of_the_kind\n"
        "except ModuleNotFoundError as error:\n    assert error.name == 'photopipe.nothing_of_the_kind'\n"
        "else:\n    raise AssertionError\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", str(script)], capture_output=True, text=True, cwd=TOP,
                          env={**os.environ, "PYTHONPATH": str(TOP)})  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_another_photopipe_imported_before_is_an_error() -> None:
    other = "import sys, types; sys.modules['photopipe'] = types.ModuleType('photopipe')"
    code = f"{other}; import photopipe_gui.as_photopipe"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=TOP)
    assert done.returncode != 0
    assert "the first line" in done.stderr


def test_resources_are_found_from_a_checkout() -> None:
    from photopipe_gui.paths import resource, resources

    assert resource("icons").is_dir()
    assert resources() == TOP / "resources"
