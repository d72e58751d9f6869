"""The real window on a virtual screen, driven by keys: open, reject, build, reduce, kill, find it all again."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not shutil.which("Xvfb"), reason="Xvfb is not installed"),
    pytest.mark.skipif(not shutil.which("xdotool"), reason="xdotool is not installed"),
]


def wait_for(condition, seconds, what):
    """Return what the condition gives once it is true; fail with what was waited for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.25)
    pytest.fail(f"waited {seconds} s for {what}")


@pytest.fixture
def screen():
    """A virtual screen of a small laptop; yields its display name."""
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1366x768x24", "-nolisten", "tcp"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as answer:
        number = answer.readline().strip()
    yield f":{number}"
    server.terminate()
    server.wait(10)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """RATIR's C1 alone: 19 frames, with a reference catalogue named in the session as the demo does."""
    from photopipe_gui.reduction.session import Session, save_session
    from photopipe_gui.simulate import simulate_night

    folder = tmp_path_factory.mktemp("window") / "noche 1"
    simulate_night(folder, "ratir", 5, size="demo", cameras=(1,), n_bias=5, n_dark=5, n_flat=9, n_science=3)
    options = {"refcat": str(folder / "truth" / "refcat.fits"), "offline": True}
    save_session(folder, Session(instrument="ratir", ui={"params": options}))
    return folder


class Window:
    """The program on a screen, and the keys that go to it."""

    def __init__(self, night: Path, display: str, home: Path) -> None:
        self.env = {**os.environ, "DISPLAY": display, "QT_QPA_PLATFORM": "xcb", "HOME": str(home)}
        self.env |= {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CONFIG", "STATE", "CACHE", "DATA")}
        self.process = subprocess.Popen([sys.executable, "-m", "photopipe_gui", str(night)], env=self.env)
        self.id = wait_for(self._find, 60, "the window")
        self.tool("windowfocus", "--sync", self.id)

    def _find(self):
        assert self.process.poll() is None, "the program ended"
        found = subprocess.run(
            ["xdotool", "search", "--onlyvisible", "--name", "photopipe"], env=self.env, capture_output=True, text=True
        ).stdout.split()
        return found[-1] if found else None

    def tool(self, *words: str) -> None:
        """Call xdotool."""
        subprocess.run(["xdotool", *words], env=self.env, check=True, timeout=30)

    def key(self, *names: str) -> None:
        """Press keys one after the other."""
        self.tool("key", "--delay", "80", *names)

    def kill(self) -> None:
        """End it without warning."""
        self.process.kill()
        self.process.wait(10)


def frames(night):
    """Return the verdicts in the session file."""
    try:
        return json.loads((night / "photopipe_session.json").read_text()).get("frames", {})
    except (OSError, ValueError):
        return {}


def report_of(night):
    """Return the report of the last run."""
    return json.loads((night / "photopipe_report.json").read_text())


def by_hand(night):
    return {name: entry["verdict"] for name, entry in frames(night).items() if entry["by"] == "hand"}


@pytest.mark.timeout(400)
def test_a_night_by_keys_and_again_after_a_kill(made, screen, tmp_path):
    night = made
    raw = {path.name: path.read_bytes() for path in night.glob("*.fits")}
    window = Window(night, screen, tmp_path)
    try:
        wait_for(lambda: len(frames(night)) == len(raw), 90, "the verdicts of the rules")
        window.key("x")
        wait_for(lambda: list(by_hand(night).values()) == ["reject"], 10, "the rejection to be saved")
        window.key("ctrl+z")
        wait_for(lambda: by_hand(night) == {}, 10, "the undo to be saved")
        window.key("Right", "Right", "x")
        wait_for(lambda: list(by_hand(night).values()) == ["reject"], 10, "the second rejection to be saved")
        (rejected,) = by_hand(night)
        window.key("ctrl+m")
        masters = [night / "calibration" / name for name in ("bias_C1.fits", "dark_C1.fits", "flat_i.fits")]
        wait_for(lambda: all(path.exists() for path in masters), 60, "the masters")
        time.sleep(2)
        window.key("ctrl+r")
        wait_for(lambda: list((night / "reduced").glob("p*.fits")), 60, "the first products")
    finally:
        window.kill()
    window = Window(night, screen, tmp_path)
    try:
        assert by_hand(night) == {rejected: "reject"}
        time.sleep(3)
        window.key("ctrl+r")
        coadds = wait_for(lambda: list((night / "coadd").glob("coadd*_i.fits")), 150, "the coadd")
        wait_for(
            lambda: json.loads((night / "photopipe_report.json").read_text())["state"] == "finished", 30, "the end"
        )
        time.sleep(3)
        window.key("ctrl+q")
        assert window.process.wait(20) == 0
    finally:
        window.kill()
    assert len(coadds) == 1
    zero_point = report_of(night)["results"][coadds[0].name]["ABSZPT"]
    assert 25 < zero_point < 28
    assert {path.name: path.read_bytes() for path in night.glob("*.fits")} == raw
