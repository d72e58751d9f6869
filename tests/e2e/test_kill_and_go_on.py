"""Killed at random moments and started again, a reduction ends with the products of an undisturbed one."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

KILLS = int(os.environ.get("PHOTOPIPE_KILLS", "3"))
#: Cards that tell when a file was written.
_TIMES = ("DATE", "HISTORY", "COMMENT", "CHECKSUM", "DATASUM")


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    from photopipe_gui.simulate import demo_night

    first = tmp_path_factory.mktemp("kill") / "undisturbed"
    demo_night(first, seed=3)
    second = first.with_name("killed")
    shutil.copytree(first, second, copy_function=shutil.copy2)
    return first, second


def _command(night):
    refcat = night / "truth" / "refcat.fits"
    return [sys.executable, "-m", "photopipe_gui", "reduce", str(night), "--refcat", str(refcat), "--offline", "--yes",
            "--workers", "2"]  # fmt: skip


def _run(night):
    done = subprocess.run(_command(night), capture_output=True, text=True, timeout=280)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done


def _kill_group(process):
    """Kill the program and its workers without warning, as a power cut would."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def _content(path):
    with fits.open(path, memmap=False) as hdus:
        out = []
        for hdu in hdus:
            cards = {c.keyword: c.value for c in hdu.header.cards if c.keyword not in _TIMES}
            out.append((cards, None if hdu.data is None else np.array(hdu.data)))
        return out


def _same(one, other):
    for (cards, data), (cards2, data2) in zip(_content(one), _content(other), strict=True):
        for key in cards.keys() | cards2.keys():
            a, b = cards.get(key), cards2.get(key)
            assert a == b or key.startswith("PPDIG"), (one.name, key, a, b)
        if data is None or data.dtype.names:
            assert (data is None) == (data2 is None)
        else:
            assert np.array_equal(data, data2, equal_nan=data.dtype.kind == "f"), one.name


def _raw(night):
    return {path.name: path.read_bytes() for path in night.glob("*.fits")}


def test_killed_and_started_again_gives_the_same_products(nights):
    undisturbed, killed = nights
    raw = _raw(undisturbed)
    began = time.monotonic()
    _run(undisturbed)
    whole = time.monotonic() - began
    chance = random.Random(11)
    hit = 0
    for _ in range(KILLS):
        process = subprocess.Popen(
            _command(killed), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            process.wait(chance.uniform(0.1, 0.9) * whole)
        except subprocess.TimeoutExpired:
            hit += 1
        _kill_group(process)
    assert hit > 0
    _run(killed)
    for folder in ("calibration", "selected", "reduced", "coadd"):
        names = {path.name for path in (undisturbed / folder).glob("*.fits")}
        assert names
        assert {path.name for path in (killed / folder).glob("*.fits")} == names
        for name in sorted(names):
            _same(undisturbed / folder / name, killed / folder / name)
    assert _raw(undisturbed) == _raw(killed) == raw
    left = [path for path in Path(killed).rglob("*") if path.name.endswith(".part") or path.name == ".scratch"]
    assert left == []
