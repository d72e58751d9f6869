"""A small night of raw frames, and windows that end with the test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from pytestqt.qtbot import QtBot

from photopipe_gui.gui.main_window import MainWindow
from photopipe_gui.gui.models import preflight
from photopipe_gui.gui.settings import Settings
from photopipe_gui.gui.tasks import Workers
from photopipe_gui.gui.theme import theme

CEILING = 16384
#: Levels of the flats in the order they were taken: saturated, too bright, good, too faint.
FLAT_LEVELS = (16384, 14500, 11000, 8000, 5500, 3500, 1500)


def write_raw(folder: Path, time: str, kind: str, image: np.ndarray, camera: int = 1, **cards: object) -> Path:
    """Write a raw RATIR frame of 20210505 at a time ``hhmmss``."""
    path = folder / f"20210505T{time}C{camera}{kind}.fits"
    hdu = fits.PrimaryHDU(image.astype(np.uint16))
    hour, minute, second = time[:2], time[2:4], time[4:]
    base = {
        "INSTRUME": "RATIR",
        "EXPTIME": 10.0,
        "SOFTGAIN": 4.0,
        "FILTER": "i",
        "SDATE": f"2021-05-05T{hour}:{minute}:{second}.00",
        "STROBAM": 1.2,
        "PRPSLID": "GRB",
        "VSTID": 1,
    }
    for key, value in {**base, **cards}.items():
        hdu.header[key] = value
    hdu.writeto(path)
    return path


def flat_image(level: float, shape: tuple[int, int] = (1024, 1024), seed: int = 0) -> np.ndarray:
    """An evenly lit frame with noise, cut at the ceiling."""
    if level >= CEILING:
        return np.full(shape, float(CEILING))
    return np.clip(np.random.default_rng(seed).normal(level, max(2.0, level**0.5), shape), 0, CEILING)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The window does not ask for the catalogue server."""
    monkeypatch.setattr(preflight, "server_answers", lambda: False)


@pytest.fixture(scope="session")
def made_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven flats of C1, two bias frames, two science frames with stars."""
    folder = tmp_path_factory.mktemp("night")
    for number, level in enumerate(FLAT_LEVELS):
        write_raw(folder, f"03{number:02d}00", "f", flat_image(level, seed=number))
    for number in range(2):
        write_raw(folder, f"04{number:02d}00", "b", flat_image(640, seed=20 + number), EXPTIME=0.0)
    y, x = np.mgrid[:1024, :1024]
    for number in range(2):
        image = flat_image(700, seed=30 + number)
        for i in range(8):
            radius = (x - 150 - 100 * i) ** 2 + (y - 300 - 60 * i) ** 2
            image = image + 3000 * np.exp(-radius / (2 * 2.0**2))
        write_raw(folder, f"08{number:02d}00", "o", image, STRRQAP="icenter", ETRRQRA=180.0, ETRRQDE=20.0)
    return folder


@pytest.fixture
def night(made_night: Path, tmp_path: Path) -> Path:
    """A copy of the small night to work in."""
    folder = tmp_path / "my night é"
    shutil.copytree(made_night, folder)
    return folder


@pytest.fixture
def make_window(qtbot: QtBot, tmp_path: Path) -> Iterator[Callable[[], MainWindow]]:
    """Makes shown windows that measure in their own process, and closes them."""
    made: list[MainWindow] = []

    def make() -> MainWindow:
        theme().set_name("light")
        window = MainWindow(Settings(tmp_path / "window.ini"), Workers("serial"))
        window.resize(1366, 768)
        window.show()
        made.append(window)
        return window

    yield make
    for window in made:
        window.close()
        window.deleteLater()
    qtbot.wait(1)


@pytest.fixture
def window(make_window: Callable[[], MainWindow]) -> MainWindow:
    """A shown window without a night."""
    return make_window()


@pytest.fixture
def open_night(qtbot: QtBot) -> Callable[[MainWindow, Path], None]:
    """Opens a night and waits until every frame is measured."""

    def open_and_wait(window: MainWindow, night: Path) -> None:
        with qtbot.waitSignal(window.session.opened, timeout=10000):
            window.open_night(night)
        qtbot.waitUntil(
            lambda: len(window.session.table) > 0
            and all(row.frame_id in window.session.stats for row in window.session.table)
            and not window.loader.busy,
            timeout=20000,
        )

    return open_and_wait


@pytest.fixture
def opened(window: MainWindow, night: Path, open_night: Callable[[MainWindow, Path], None]) -> MainWindow:
    """A window with the small night, measured."""
    open_night(window, night)
    return window


@pytest.fixture
def raw_frame() -> Callable[..., Path]:
    """`write_raw`, to add frames to a night."""
    return write_raw
