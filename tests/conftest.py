"""For all tests: no display is needed, settings stay out of the user's, and nothing goes wrong unseen."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings and caches of each test in a folder of its own."""
    folder = tmp_path_factory.mktemp("config")
    monkeypatch.setenv("PHOTOPIPE_CONFIG_DIR", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))


@pytest.fixture(autouse=True)
def no_unexpected_errors(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail a test that logs an error, unless it is marked ``logs_errors``."""
    yield
    if request.node.get_closest_marker("logs_errors"):
        return
    errors = [
        record.getMessage()
        for when in ("setup", "call")
        for record in caplog.get_records(when)
        if record.levelno >= logging.ERROR and record.name.startswith("photopipe_gui")
    ]
    assert not errors, f"errors were logged: {errors}"


@pytest.fixture(scope="session")
def ratir_night() -> Path:
    """The real night, read-only."""
    folder = REAL_DATA / "ratir"
    if not folder.is_dir():
        pytest.skip(f"the real frames are not there: {folder}")
    return folder
