"""Robust statistics against numpy, against the plain formula, and on awkward data."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photopipe_gui.reduction.stats import clipped_stats, median, median_and_sigma, robust_sigma

DTYPES = [np.uint8, np.uint16, np.int16, np.int32, np.float32, np.float64, ">i2", ">f4"]


def plain_biweight(values: np.ndarray) -> float:
    """The formula, written down once more without any of the short cuts."""
    x = values.astype(np.float64).ravel()
    centre = np.median(x)
    start = np.median(np.abs(x - centre)) / 0.6745
    u2 = ((x - centre) / (6 * start)) ** 2
    inside = u2 < 1
    numerator = (((x - centre) ** 2) * (1 - u2) ** 4)[inside].sum()
    denominator = ((1 - u2) * (1 - 5 * u2))[inside].sum()
    return math.sqrt(x.size * numerator / (denominator * (denominator - 1)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(7, 9), (8, 11), (240, 211)])
def test_median_is_that_of_numpy(dtype: object, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(1).normal(90, 25, shape).clip(0, 120).astype(dtype)
    assert median(image) == pytest.approx(float(np.median(image)), rel=1e-7)
    assert median_and_sigma(image) == (median(image), robust_sigma(image))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 65535), min_size=1, max_size=40))
def test_median_of_counted_levels(values: list[int]) -> None:
    repeated = np.repeat(np.array(values, np.uint16), 40000 // len(values) + 1)
    assert median(repeated) == float(np.median(repeated))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [900, 90000])
def test_robust_sigma_is_the_biweight(dtype: object, size: int) -> None:
    rng = np.random.default_rng(2)
    image = rng.normal(60, 9, size).clip(0, 120)
    image[::40] = 120
    image = image.astype(dtype)
    assert robust_sigma(image) == pytest.approx(plain_biweight(image), rel=1e-5)


def test_robust_sigma_of_normal_noise_with_stars() -> None:
    image = np.random.default_rng(3).normal(1000, 12, (300, 300)).astype(np.float32)
    image[::10, ::10] += 5000
    assert robust_sigma(image) == pytest.approx(12, rel=0.02)
    assert robust_sigma(image + np.float32(5e5)) == pytest.approx(12, rel=0.02)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_and_infinity_are_left_out(dtype: type) -> None:
    clean = np.random.default_rng(4).normal(5, 1, 9999).astype(dtype)
    spoilt = np.concatenate([clean, np.array([np.nan, np.inf, -np.inf] * 40, dtype)])
    assert median(spoilt) == median(clean)
    assert robust_sigma(spoilt) == robust_sigma(clean)
    assert clipped_stats(spoilt) == clipped_stats(clean)


@pytest.mark.parametrize("empty", [np.array([]), np.full(5, np.nan), np.zeros((0, 4), np.uint16)])
def test_nothing_gives_nan(empty: np.ndarray) -> None:
    assert math.isnan(median(empty))
    assert math.isnan(robust_sigma(empty))
    assert all(math.isnan(value) for value in clipped_stats(empty))


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_constant_image(dtype: type) -> None:
    image = np.full((200, 200), 7, dtype)
    assert median(image) == 7
    assert robust_sigma(image) == 0
    assert clipped_stats(image) == (7, 7, 0)


def test_more_than_half_equal_falls_back_to_the_mean_deviation() -> None:
    image = np.zeros(40000, np.uint16)
    image[:10000] = 4
    assert robust_sigma(image) > 0


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_clipped_stats_are_those_of_the_clipped_values(dtype: type) -> None:
    rng = np.random.default_rng(5)
    image = rng.normal(800, 15, (250, 250))
    image[rng.random(image.shape) < 0.03] += 4000
    image = image.astype(dtype)
    values = image.astype(np.float64).ravel()
    for _ in range(5):
        values = values[np.abs(values - np.median(values)) <= 3 * values.std()]
    mean, middle, std = clipped_stats(image)
    assert mean == pytest.approx(values.mean(), rel=1e-6)
    assert middle == np.median(values)
    assert std == pytest.approx(values.std(), rel=1e-4)


def test_the_image_is_not_changed() -> None:
    image = np.random.default_rng(6).normal(0, 1, (64, 64)).astype(np.float32)
    before = image.copy()
    median(image)
    robust_sigma(image)
    clipped_stats(image)
    np.testing.assert_array_equal(image, before)
