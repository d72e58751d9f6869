"""The combination of images against numpy, against known noise, and within its memory."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photopipe_gui.reduction.core.combine import METHODS, ArraySource, Combined, Input, Tile, combine
from photopipe_gui.reduction.core.network import Buffers, select
from photopipe_gui.reduction.core.order import OrderStatistics, choose


def stacked(frames: np.ndarray, **keywords: object) -> Combined:
    return combine([Input(ArraySource(frame)) for frame in frames], **keywords)  # type: ignore[arg-type]


def noise_frames(n: int, shape: tuple[int, int] = (120, 150), sigma: float = 5.0, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(1000, sigma, (n, *shape)).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.data())
def test_select_gives_every_order_statistic(n: int, data: st.DataObject) -> None:
    ranks = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=5))
    seed = data.draw(st.integers(0, 2**32 - 1))
    values = np.random.default_rng(seed).integers(0, 9, (n, 37)).astype(np.uint16)
    before = values.copy()
    found = [array.copy() for array in select(list(values), ranks, Buffers(50, values.dtype))]
    np.testing.assert_array_equal(found, np.sort(values, axis=0)[ranks])
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_sorting_and_network_find_the_same(n: int, dtype: type) -> None:
    stack = np.random.default_rng(n).integers(0, 50, (n, 5000)).astype(dtype)
    ranks = (0, n // 2, n - 1)
    found = np.empty((2, 3, 5000), np.float32)
    for by_sorting in (False, True):
        order = OrderStatistics(n, ranks, 6000, stack.dtype, by_sorting)
        order.find(stack, list(found[int(by_sorting)]))
        order.find(stack, list(found[int(by_sorting)]))
    np.testing.assert_array_equal(found[0], np.sort(stack, axis=0)[list(ranks)])
    np.testing.assert_array_equal(found[0], found[1])


def test_the_way_of_selection_depends_on_threads_alone() -> None:
    for threads in (1, 2, 64):
        by_sorting, used = choose(25, (12, 5, 19), np.dtype(np.uint16), threads)
        assert used == (threads if by_sorting else 1)
    assert choose(1000, (500,), np.dtype(np.uint16), 64) == (True, 64)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 3, 8, 25])
def test_median_is_that_of_numpy(dtype: type, n: int) -> None:
    frames = np.random.default_rng(n).normal(100, 20, (n, 45, 70)).astype(dtype)
    expected = np.median(frames.astype(np.float64), axis=0).astype(np.float32)
    np.testing.assert_allclose(stacked(frames).image, expected, rtol=2e-7)


def test_median_of_16_bit_frames_is_exact_at_both_ends_of_the_range() -> None:
    frames = np.array([0, 65535, 65535, 0, 32767, 32768], np.uint16)[:, None, None] * np.ones((1, 9, 66), np.uint16)
    assert (stacked(frames).image == np.float32(32767.5)).all()
    assert (stacked(frames[1:5]).image == np.float32((32767 + 65535) / 2)).all()


def test_nan_and_infinity_are_left_out_as_by_nanmedian() -> None:
    frames = noise_frames(9)
    rng = np.random.default_rng(2)
    frames[rng.random(frames.shape) < 0.2] = np.nan
    frames[:, 5, 7] = np.nan
    frames[1:, 5, 8] = np.nan
    expected = frames.copy()
    frames[0, 60, 3] = np.inf
    expected[0, 60, 3] = np.nan
    result = stacked(frames)
    assert np.isnan(result.image[5, 7])
    assert result.count[5, 7] == 0
    assert np.isnan(result.uncertainty[5, 7])
    expected[:, 5, 7] = 0
    got = result.image.copy()
    got[5, 7] = 0
    np.testing.assert_array_equal(got, np.nanmedian(expected, axis=0))
    np.testing.assert_array_equal(result.count, np.isfinite(frames).sum(axis=0))
    assert result.contributions[3].n_valid == np.isfinite(frames[3]).sum()


@pytest.mark.parametrize("method", METHODS)
def test_calibration_planes_and_scales(method: str) -> None:
    rng = np.random.default_rng(3)
    shape = (50, 131)
    flat = 1 + 0.2 * np.sin(np.arange(shape[1]) / 30) * np.ones(shape)
    bias = rng.normal(600, 3, shape).astype(np.float32)
    dark = rng.gamma(1, 2, shape).astype(np.float32)
    levels, times = [20000.0, 31000.0, 12000.0, 26000.0, 17000.0], [4.0, 2.5, 10.0, 3.0, 7.0]
    raw = [np.rint(bias + dark * t + flat * level).astype(np.uint16) for level, t in zip(levels, times, strict=True)]
    inputs = [
        Input(ArraySource(frame), exposure=t, scale=level) for frame, level, t in zip(raw, levels, times, strict=True)
    ]
    result = combine(inputs, method=method, bias=ArraySource(bias), dark=ArraySource(dark))  # type: ignore[arg-type]
    np.testing.assert_allclose(result.image, flat, atol=0.6 / 12000)


def test_frames_of_one_exposure_are_combined_as_integers_with_the_same_result() -> None:
    rng = np.random.default_rng(4)
    bias, dark = rng.normal(500, 2, (2, 40, 64)).astype(np.float32)
    raw = rng.poisson(3000, (6, 40, 64)).astype(np.uint16)
    planes = {"bias": ArraySource(bias), "dark": ArraySource(dark)}
    as_integers = combine([Input(ArraySource(frame), 2.0, 80.0) for frame in raw], **planes)  # type: ignore[arg-type]
    as_floats = combine(
        [Input(ArraySource(frame.astype(np.float32)), 2.0, 80.0) for frame in raw],
        **planes,  # type: ignore[arg-type]
    )
    expected = np.median((raw - bias.astype(float) - 2.0 * dark) / 80.0, axis=0)
    np.testing.assert_allclose(as_integers.image, expected, rtol=1e-6)
    np.testing.assert_allclose(as_floats.image, expected, rtol=1e-5)
    np.testing.assert_allclose(as_integers.uncertainty, as_floats.uncertainty, rtol=1e-3)


@pytest.mark.parametrize(("method", "worst"), [("clip", 1.05), ("winsor", 1.02), ("median", 1.27)])
@pytest.mark.parametrize("n", [5, 12, 25])
def test_noise_of_the_result_and_its_uncertainty(method: str, worst: float, n: int) -> None:
    frames = noise_frames(n, (256, 256))
    result = stacked(frames, method=method)
    error = result.image - 1000
    assert error.std() < worst * 5 / np.sqrt(n)
    assert abs((error / result.uncertainty).std() - 1) < 0.04


@pytest.mark.parametrize("method", ["clip", "winsor"])
def test_outliers_leave_no_trace(method: str) -> None:
    frames = noise_frames(8)
    frames[2, 40:60, 40:60] += 3000
    frames[5, 80:90, 80:90] -= 300
    result = stacked(frames, method=method)
    hit = (result.image[40:60, 40:60] - 1000) / result.uncertainty[40:60, 40:60]
    assert np.abs(hit).max() < (5 if method == "clip" else 8)
    assert abs(hit.mean()) < (0.3 if method == "clip" else 2)
    clean = result.contributions[0]
    assert result.contributions[2].n_rejected > clean.n_rejected + 380
    assert result.contributions[2].outlier_fraction == pytest.approx(400 / frames[0].size, abs=2e-4)
    assert clean.outlier_fraction < 1e-4
    if method == "clip":
        assert (result.count[40:60, 40:60] <= 7).all()


def test_an_outlier_does_not_hide_itself_among_few_frames() -> None:
    frames = noise_frames(4)
    frames[1, 30:40, 30:40] += 100
    assert abs(stacked(frames, method="clip").image[30:40, 30:40].mean() - 1000) < 1.5


def test_constant_frames_keep_their_value_and_lose_a_hit() -> None:
    frames = np.full((6, 20, 70), 1234, np.uint16)
    frames[3, 4, 5] = 60000
    for method in METHODS:
        result = stacked(frames, method=method)
        assert abs(result.image - 1234).max() < (1 if method == "winsor" else 1e-3)
    assert stacked(frames, method="clip").contributions[3].n_rejected == 1


def test_coarse_integers_are_not_clipped_to_one_level() -> None:
    frames = np.rint(np.random.default_rng(5).normal(100.3, 0.35, (25, 128, 128))).astype(np.uint16)
    assert stacked(frames, method="clip").image.mean() == pytest.approx(frames.mean(), abs=0.01)


def test_faint_frames_weigh_less() -> None:
    rng = np.random.default_rng(6)
    noise = np.array([1.0, 1.0, 1.0, 4.0, 4.0])
    frames = (1 + 0.01 * noise[:, None, None] * rng.normal(size=(5, 200, 200))).astype(np.float32)
    inputs = [Input(ArraySource(frame), noise=sigma) for frame, sigma in zip(frames, noise, strict=True)]
    result = combine(inputs, method="clip")
    best = 0.01 / np.sqrt((noise**-2.0).sum())
    assert (result.image - 1).std() < 1.06 * best
    assert abs(((result.image - 1) / result.uncertainty).std() - 1) < 0.06


def test_values_at_the_ceiling_are_no_measurement() -> None:
    frames = np.full((4, 20, 70), 900, np.uint16)
    frames[:2, 5, 5] = 1000
    frames[:, 6, 6] = 1000
    inputs = [Input(ArraySource(frame), ceiling=1000.0) for frame in frames]
    result = combine(inputs, method="clip")
    assert result.image[5, 5] == 900
    assert result.count[5, 5] == 2
    assert np.isnan(result.image[6, 6])
    assert np.isfinite(result.image).sum() == result.image.size - 1


def test_residuals_tell_the_frame_that_is_off() -> None:
    frames = noise_frames(7)
    frames[4] += 5.0
    residuals = [part.mean_residual for part in stacked(frames).contributions]
    assert np.argmax(residuals) == 4
    assert residuals[4] == pytest.approx(1.0, abs=0.25)


@pytest.mark.parametrize("method", METHODS)
def test_result_does_not_depend_on_memory_or_threads(method: str) -> None:
    frames = noise_frames(6, (90, 333))
    frames[2, 10, 20:40] = np.nan
    one = stacked(frames, method=method, workers=1)
    for keywords in ({"workers": 3, "memory_limit": 1 << 18}, {"workers": 2, "memory_limit": 1}):
        other = stacked(frames, method=method, **keywords)
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.uncertainty, other.uncertainty)
        np.testing.assert_array_equal(one.count, other.count)


class CountingSource(ArraySource):
    """Remembers the largest rectangle that was asked for."""

    largest = 0

    def read(self, tile: Tile, out: np.ndarray) -> None:
        CountingSource.largest = max(CountingSource.largest, out.size)
        super().read(tile, out)


def test_strips_stay_within_the_memory() -> None:
    CountingSource.largest = 0
    frame = np.zeros((512, 512), np.uint16)
    limit = 8 << 20
    combine([Input(CountingSource(frame))] * 300, memory_limit=limit, workers=2)
    planes = 512 * 512 * (4 + 4 + 2)
    assert CountingSource.largest * 300 * (2 + 2 + 1) + planes < limit


def test_one_frame_and_two_frames() -> None:
    frames = noise_frames(2)
    single = stacked(frames[:1], method="clip")
    np.testing.assert_array_equal(single.image, frames[0])
    assert np.isnan(single.uncertainty).all()
    assert (single.count == 1).all()
    pair = stacked(frames)
    np.testing.assert_allclose(pair.image, frames.mean(axis=0), rtol=1e-6)
    assert abs(((pair.image - 1000) / pair.uncertainty).std() - 1) < 0.1


def test_cancel_is_asked_at_each_strip_and_stops_all_threads() -> None:
    class Stop(Exception):
        pass

    seen: list[tuple[int, int]] = []

    def tick(done: int, total: int) -> None:
        seen.append((done, total))
        if done == 3:
            raise Stop

    frames = noise_frames(3, (400, 400))
    with pytest.raises(Stop):
        stacked(frames, tick=tick, workers=2, memory_limit=3 << 20)
    assert seen[-1][0] == 3 < seen[-1][1]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("combine")]


def test_progress_reaches_the_end() -> None:
    seen: list[tuple[int, int]] = []
    stacked(noise_frames(3), tick=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] == len(seen)


def test_an_error_of_a_source_comes_out() -> None:
    class Broken(ArraySource):
        def read(self, tile: Tile, out: np.ndarray) -> None:
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        combine([Input(Broken(np.zeros((30, 30), np.uint16)))], workers=2)


def test_what_cannot_be_combined_is_refused() -> None:
    a, b = ArraySource(np.zeros((3, 4))), ArraySource(np.zeros((3, 5)))
    with pytest.raises(ValueError, match="nothing"):
        combine([])
    with pytest.raises(ValueError, match="different shapes"):
        combine([Input(a), Input(b)])
    with pytest.raises(ValueError, match="different shapes"):
        combine([Input(a)], bias=b)
    with pytest.raises(ValueError, match="positive"):
        combine([Input(a, scale=0.0)])
    with pytest.raises(ValueError, match="method"):
        combine([Input(a)], method="mode")  # type: ignore[arg-type]
