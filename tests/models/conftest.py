"""A table of frames that exist nowhere, with their measurements."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from photopipe_gui.gui.models.night import NightModel
from photopipe_gui.instruments import registry
from photopipe_gui.reduction.measure import FrameStats
from photopipe_gui.reduction.session import Session
from photopipe_gui.reduction.table import FrameRow, FrameTable

SATURATION = 16383.0


def row(name: str, ftype: str = "flat", camera: int = 1, filter: str = "i", mjd: float = 56489.1, **more: object):
    """A frame of the RATIR night that nobody took."""
    defaults = {"exptime": 10.0, "saturation": SATURATION, "target": "P576-F" if ftype == "object" else ""}
    return FrameRow(name, Path(f"/nowhere/{name[:19]}.fits"), camera, str(more.pop("channel", "")), ftype, filter,
                    mjd=mjd, **{**defaults, **more})  # fmt: skip


@pytest.fixture
def make_row() -> Callable[..., FrameRow]:
    return row


@pytest.fixture
def rows() -> tuple[FrameRow, ...]:
    """Five flats in i, two halves of a split camera, two bias frames, one science frame."""
    flats = [row(f"f{i}", mjd=56489.10 + i * 0.001) for i in range(5)]
    halves = [
        row("s0_Z", camera=2, filter="Z", channel="a", mjd=56489.12),
        row("s0_Y", camera=2, filter="Y", channel="b", mjd=56489.12),
    ]
    bias = [row(f"b{i}", "bias", exptime=0.0, mjd=56489.13 + i * 0.0001) for i in range(2)]
    return (*flats, *halves, *bias, row("o0", "object", mjd=56489.4))


LEVELS = {"f0": 1.0, "f1": 0.7, "f2": 0.5, "f3": 0.3, "f4": 0.1, "s0_Z": 0.5, "s0_Y": 0.9, "b0": 0.04, "b1": 0.04}


def stats_of(name: str, level: float) -> FrameStats:
    return FrameStats(
        name, level * SATURATION, 10.0, 0.0, SATURATION, int(level >= 1), 100, np.full(256, 1), np.zeros((4, 4))
    )


@pytest.fixture
def stats() -> Callable[[str, float], FrameStats]:
    return stats_of


@pytest.fixture
def night(qapp: object, rows: tuple[FrameRow, ...], tmp_path: Path) -> NightModel:
    """An open night in which everything is measured."""
    model = NightModel()
    model.open(tmp_path, registry.get("ratir"), FrameTable(tmp_path, "ratir", rows), Session())
    model.add_measurements((stats_of(one.frame_id, LEVELS.get(one.frame_id, 0.05)), None) for one in rows)
    return model
