"""Measurements kept between sessions."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from photopipe_gui.gui import tasks
from photopipe_gui.gui.measure_cache import MeasureCache
from photopipe_gui.reduction.executor import SerialExecutor
from photopipe_gui.reduction.fitsio import Area
from photopipe_gui.reduction.measure import FrameStats
from photopipe_gui.reduction.progress import SilentReporter
from photopipe_gui.reduction.table import FrameRow, FrameTable


@pytest.fixture
def cache(tmp_path: Path) -> MeasureCache:
    return MeasureCache(tmp_path / "deep" / "cache.sqlite")


@pytest.fixture
def frame(make_row: Callable[..., FrameRow], tmp_path: Path) -> FrameRow:
    path = tmp_path / "f0.fits"
    path.write_bytes(b"x" * 100)
    return replace(make_row("f0"), path=path, area=Area(0, 10, 0, 10))


def test_what_is_stored_comes_back_whole(
    cache: MeasureCache, frame: FrameRow, stats: Callable[[str, float], FrameStats]
) -> None:
    thumbnail = np.arange(12, dtype=np.uint8).reshape(3, 4)
    kept = stats("f0", 0.42)
    cache.store([(frame, kept, thumbnail)])
    found, picture = cache.load([frame])["f0"]
    assert found.median == kept.median and found.n_saturated == kept.n_saturated
    assert np.isnan(found.fwhm)
    assert (found.histogram == kept.histogram).all() and (picture == thumbnail).all()


def test_a_file_that_changed_is_measured_again(
    cache: MeasureCache, frame: FrameRow, stats: Callable[[str, float], FrameStats]
) -> None:
    cache.store([(frame, stats("f0", 0.42), None)])
    os.utime(frame.path, ns=(1, 1))
    assert cache.load([frame]) == {}


def test_another_area_or_level_is_measured_again(
    cache: MeasureCache, frame: FrameRow, stats: Callable[[str, float], FrameStats]
) -> None:
    cache.store([(frame, stats("f0", 0.42), None)])
    assert cache.load([replace(frame, area=Area(0, 5, 0, 5))]) == {}
    assert cache.load([replace(frame, saturation=60000.0)]) == {}
    assert set(cache.load([frame])) == {"f0"}


def test_a_frame_with_a_problem_is_not_kept(cache: MeasureCache, frame: FrameRow) -> None:
    cache.store([(frame, FrameStats("f0", problem="cut short"), None)])
    assert cache.load([frame]) == {}


def test_a_damaged_cache_is_started_anew(
    tmp_path: Path, frame: FrameRow, stats: Callable[[str, float], FrameStats], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "cache.sqlite"
    path.write_bytes(b"no database at all" * 100)
    cache = MeasureCache(path)
    with caplog.at_level(logging.WARNING):
        assert cache.load([frame]) == {}
    assert "measured again" in caplog.text
    cache.store([(frame, stats("f0", 0.42), None)])
    assert set(cache.load([frame])) == {"f0"}


def test_a_frame_is_measured_once_over_two_sessions(
    cache: MeasureCache, frame: FrameRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    from astropy.io import fits

    fits.PrimaryHDU(np.random.default_rng(1).normal(3000, 5, (20, 20)).astype(np.uint16)).writeto(
        frame.path, overwrite=True
    )
    table = FrameTable(frame.path.parent, "ratir", (frame,))
    first, second = SilentReporter(), SilentReporter()
    tasks.measure_frames(table, SerialExecutor, cache)(first)

    def never() -> SerialExecutor:
        raise AssertionError("nothing is left to measure")

    assert tasks.measure_frames(table, never, cache)(second) == 1
    assert second.results[0].stats.median == first.results[0].stats.median
    assert (second.results[0].thumbnail == first.results[0].thumbnail).all()
