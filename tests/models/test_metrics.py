"""Values and places of the plot."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from photopipe_gui.gui.models.metrics import METRICS, TimeScale, hours_of, metric
from photopipe_gui.reduction.measure import FrameStats
from photopipe_gui.reduction.table import FrameRow


def test_level_is_per_cent_of_saturation(
    make_row: Callable[..., FrameRow], stats: Callable[[str, float], FrameStats]
) -> None:
    assert metric("level").value(make_row("f"), stats("f", 0.42)) == pytest.approx(42.0)
    assert math.isnan(metric("level").value(make_row("f", saturation=math.nan), stats("f", 0.42)))


def test_every_metric_takes_a_frame_that_was_not_read(make_row: Callable[..., FrameRow]) -> None:
    for one in METRICS:
        value = one.value(make_row("f", saturation=math.nan), FrameStats("f", problem="empty"))
        assert math.isnan(value) or value == 0


def test_hours_go_on_over_midnight_and_frames_without_time_have_a_place(make_row: Callable[..., FrameRow]) -> None:
    rows = [make_row("a", mjd=60000.9), make_row("b", mjd=60001.1), make_row("c", mjd=math.nan)]
    hours = hours_of(rows)
    assert hours[0] == pytest.approx(21.6) and hours[1] == pytest.approx(26.4)
    assert hours[2] > hours[1]


def test_long_gaps_are_closed_and_stretches_keep_their_scale() -> None:
    scale = TimeScale([3.0, 3.1, 3.2, 11.0, 11.1])
    assert len(scale.stretches) == 2
    assert scale.place(3.2) - scale.place(3.0) == pytest.approx(0.2)
    assert scale.place(11.1) - scale.place(11.0) == pytest.approx(0.1)
    assert 0 < scale.place(11.0) - scale.place(3.2) < 0.2
    places = [scale.place(hour) for hour in (2.9, 3.0, 3.15, 3.2, 5.0, 10.9, 11.0, 11.1)]
    assert places == sorted(places)


def test_a_night_without_gaps_stays_as_it_is() -> None:
    scale = TimeScale([1.0, 1.2, 1.4])
    assert len(scale.stretches) == 1
    assert TimeScale().place(4.0) == 4.0
