"""Dithers from the stars, and an object told from the sky by them."""

import numpy as np
import pytest

from photopipe_gui.reduction.core.background import CellMap
from photopipe_gui.reduction.core.skysplit import dither_offsets, split_sky

ROWS = np.arange(20) * 32 + 15.5


def _maps(offsets, amplitude=0.05, sigma=0.0015, seed=1, holes=True):
    """Return cell maps of a sloping, waved sky with a round object of 100 px that moves with the dithers."""
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(ROWS, ROWS, indexing="ij")
    sky = 1 + 0.02 * x / 640 + 0.005 * np.sin(x / 50)
    maps, truth = [], []
    for dy, dx in offsets:
        thing = amplitude * np.exp(-np.hypot(y - 300 - dy, x - 330 - dx) / 90)
        level = sky + thing + rng.normal(0, sigma, sky.shape)
        if holes:
            level[rng.random(sky.shape) < 0.05] = np.nan
        maps.append(CellMap(level, np.full(sky.shape, sigma), ROWS, ROWS))
        truth.append(thing)
    return maps, np.array(truth)


def test_offsets_in_spite_of_missing_and_spurious_stars():
    rng = np.random.default_rng(2)
    x, y = rng.uniform(0, 1000, 60), rng.uniform(0, 1000, 60)
    true = rng.uniform(-170, 170, (6, 2))
    stars = []
    for dy, dx in true:
        seen = rng.random(60) < 0.7
        stars.append((np.concatenate([x[seen] + dx + rng.normal(0, 0.2, seen.sum()), rng.uniform(0, 1000, 20)]),
                      np.concatenate([y[seen] + dy + rng.normal(0, 0.2, seen.sum()), rng.uniform(0, 1000, 20)])))
    stars.append((np.zeros(2), np.zeros(2)))
    offsets = dither_offsets(stars)
    assert np.abs(offsets[:6] - (true - true[0])).max() < 0.3
    assert np.isnan(offsets[6]).all()


@pytest.mark.parametrize("n", [5, 9, 20])
def test_the_object_is_found_and_the_sky_left(n):
    offsets = np.random.default_rng(3).uniform(-60, 60, (n, 2))
    maps, truth = _maps(offsets)
    split = split_sky(maps, offsets - offsets[0])
    assert split is not None and split.before > 1.5 * split.after
    assert np.abs(split.objects - truth).max() < 0.2 * truth.max(), "at the cusp, between two cells"
    assert (split.objects - truth).std() < 0.04 * truth.max()


def test_no_object_no_split():
    offsets = np.random.default_rng(4).uniform(-60, 60, (8, 2))
    assert split_sky(_maps(offsets, amplitude=0.0)[0], offsets) is None
    still = np.zeros((8, 2))
    assert split_sky(_maps(still)[0], still) is None, "without dithers nothing tells them apart"
    assert split_sky(_maps(offsets[:3])[0], offsets[:3]) is None
    assert split_sky(_maps(offsets)[0], np.full((8, 2), np.nan)) is None


def test_slopes_that_change_are_sky():
    offsets = np.random.default_rng(5).uniform(-60, 60, (6, 2))
    maps, _ = _maps(offsets, amplitude=0.0)
    slopes = np.random.default_rng(6).uniform(-0.02, 0.02, 6)
    tilted = [m._replace(level=m.level * (1 + s * (ROWS - 320) / 640)) for m, s in zip(maps, slopes, strict=True)]
    assert split_sky(tilted, offsets) is None


def test_a_frame_of_unknown_dither_gets_no_object():
    offsets = np.random.default_rng(3).uniform(-60, 60, (9, 2))
    maps, _ = _maps(offsets)
    offsets[2] = np.nan
    split = split_sky(maps, offsets)
    assert np.isnan(split.objects[2]).all() and np.isfinite(np.delete(split.objects, 2, axis=0)).all()
