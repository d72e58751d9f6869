"""From pixels to display indices."""

from __future__ import annotations

import numpy as np
import pytest

from photopipe_gui.gui import display

RNG = np.random.default_rng(5)


def test_zscale_ignores_stars_and_bad_pixels() -> None:
    image = RNG.normal(1000, 10, (400, 400)).astype(np.float32)
    image[::20, ::20] = 60000
    image[:40] = np.nan
    low, high = display.limits(image, "zscale")
    assert 950 < low < 1000 < high < 1100


@pytest.mark.parametrize("stretch", display.STRETCHES)
@pytest.mark.parametrize("image", [np.full((50, 50), np.nan, np.float32), np.full((3, 200), 7, np.uint16),
                                   np.array([[np.inf, 1.0], [np.nan, -np.inf]], np.float32)])  # fmt: skip
def test_limits_are_always_usable(stretch: str, image: np.ndarray) -> None:
    low, high = display.limits(image, stretch)
    assert np.isfinite([low, high]).all() and low < high
    display.to_indices(image, low, high, stretch)


@pytest.mark.parametrize("stretch", display.STRETCHES)
def test_both_pixel_types_are_shown_alike_and_in_order(stretch: str) -> None:
    image = np.linspace(100, 40000, 3000).astype(np.uint16).reshape(30, 100)
    whole = display.to_indices(image, 1000.0, 30000.0, stretch)
    real = display.to_indices(image.astype(np.float32), 1000.0, 30000.0, stretch)
    assert np.abs(whole.astype(int) - real).max() <= 1
    assert (np.diff(whole.ravel().astype(int)) >= 0).all()
    assert whole.min() == 0 and whole.max() == display.TOP


def test_states_of_pixels_have_indices_of_their_own() -> None:
    image = np.full((4, 4), 100.0, np.float32)
    image[0, 0], image[1, 1], image[2, 2] = np.nan, 16383, np.inf
    bad = np.zeros((4, 4), bool)
    bad[3, 3] = True
    shown = display.to_indices(image, 0.0, 200.0, "zscale", saturation=20000.0, bad=bad)
    assert shown[0, 0] == shown[3, 3] == display.BAD
    assert shown[1, 1] == display.TOP
    assert shown[2, 2] == display.SATURATED
    assert display.to_indices(image, 0.0, 200.0, "zscale", saturation=16383.0)[1, 1] == display.SATURATED


def test_saturation_is_at_or_above_the_level() -> None:
    image = np.array([[16382, 16383, 16384]], np.uint16)
    shown = display.to_indices(image, 0.0, 65535.0, "linear", saturation=16383.0)
    assert (shown == display.SATURATED).tolist() == [[False, True, True]]


def test_the_contour_runs_round_a_source_and_not_round_noise() -> None:
    y, x = np.mgrid[:60, :60]
    image = (np.hypot(x - 30, y - 30) < 10).astype(np.float32) * 100
    image[5, 5] = 100
    shown = display.to_indices(image, 0.0, 100.0, "zscale", contour=50.0)
    drawn = shown == display.CONTOUR
    radii = np.hypot(x - 30, y - 30)[drawn]
    assert drawn.sum() > 40
    assert radii.min() > 8 and radii.max() < 12


@pytest.mark.parametrize("name", display.COLOR_MAPS)
def test_color_tables_cover_every_brightness(name: str) -> None:
    table = display.color_table(name)
    assert table.shape == (display.TOP + 1, 3)
    assert len(np.unique(table, axis=0)) > 150
