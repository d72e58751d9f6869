"""The strength of the fringes, from a frame of noise and fringes."""

import numpy as np
import pytest

from photopipe_gui.reduction.core.fringes import fine_structure, fringe_factor, strength

SHAPE = (400, 400)
Y, X = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
WAVES = (20 * np.sin(2 * np.pi * (X + 0.3 * Y) / 35)).astype(np.float32)


def _sky(hot=True):
    sky = (2000 + 0.1 * X + WAVES).astype(np.float32)
    if hot:
        sky[::50, ::50] += 5000
    return sky


def test_fine_structure_is_the_fringes_without_slope_and_hot_pixels():
    fine = fine_structure(_sky())
    inner = np.s_[40:360, 40:360]
    assert np.abs(fine[::50, ::50]).max() == 0
    assert np.corrcoef(fine[inner].ravel(), WAVES[inner].ravel())[0, 1] > 0.97
    assert strength(fine) == pytest.approx(21, rel=0.15), "MAD / 0.6745 of a sine of 20"


@pytest.mark.parametrize("factor", [0.2, -0.1, 0.05])
def test_factor_is_found_under_stars_and_noise(factor):
    rng = np.random.default_rng(1)
    left = (rng.normal(0, 30, SHAPE) + factor * WAVES).astype(np.float32)
    hidden = np.zeros(SHAPE, bool)
    hidden[100:200, 50:150] = True
    left[hidden] += 1000
    left[300, 300] = np.nan
    assert fringe_factor(left, fine_structure(_sky()), hidden, 30.0, 20) == pytest.approx(factor, abs=0.03)


def test_no_fringes_no_factor():
    rng = np.random.default_rng(2)
    noise = [rng.normal(0, 30, SHAPE).astype(np.float32) for _ in range(5)]
    sky = 2000 + np.mean(noise, axis=0)
    hidden = np.zeros(SHAPE, bool)
    assert fringe_factor(noise[0] - (sky - 2000), fine_structure(sky.astype(np.float32)), hidden, 30.0, 5) == 0
    assert fringe_factor(noise[0], fine_structure(_sky()), ~hidden, 30.0, 5) == 0
    assert fringe_factor(noise[0], np.zeros(SHAPE, np.float32), hidden, 30.0, 5) == 0
