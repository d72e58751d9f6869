"""Level, maps, surfaces, object masks and the cleaning of a sky frame."""

import numpy as np
import pytest

from photopipe_gui.reduction.core.background import (
    CellMap,
    cell_map,
    clipped_level,
    expand_cells,
    fill_cells,
    fit_surface,
    sky_model,
    sky_ratio,
)
from photopipe_gui.reduction.core.objects import extended_mask, first_mask, median_of_nine, object_mask
from photopipe_gui.reduction.core.saturation import grow, saturated_with_bleed
from photopipe_gui.reduction.core.skyframe import denoise, fill_holes


def _noise(shape=(400, 300), level=500.0, sigma=10.0, seed=1):
    return np.random.default_rng(seed).normal(level, sigma, shape).astype(np.float32)


def test_level_is_that_of_the_sky_under_stars_and_holes():
    image = _noise()
    image[::7, ::5] += 4000
    image[:20] = np.nan
    exclude = np.zeros(image.shape, bool)
    exclude[:, :50] = True
    image[:, :50] = 9999
    level = clipped_level(image, exclude)
    assert level.median == pytest.approx(500, abs=0.6) and level.sigma == pytest.approx(10, rel=0.05)


def test_level_of_nothing_and_of_a_constant():
    assert np.isnan(clipped_level(np.full((9, 9), np.nan)).median)
    assert clipped_level(np.full((50, 50), 7.0, np.float32)).median == 7.0
    assert clipped_level(np.zeros((0, 5), np.float32)).n == 0


def test_large_images_are_sampled_without_loss():
    image = _noise((3000, 2500))
    image[:, ::2] += 40  # amplifiers: odd and even columns differ
    assert clipped_level(image).median == pytest.approx(520, abs=0.5)


@pytest.mark.parametrize("shape", [(400, 300), (97, 203), (64, 64), (30, 500)])
def test_model_follows_a_gradient_to_the_edges(shape):
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    truth = 500 + 0.2 * x + 0.1 * y
    image = (_noise(shape, 0.0, 3.0) + truth).astype(np.float32)
    model, noise = sky_model(image, None, 32)
    assert np.abs(model - truth).max() < 3.5
    assert np.abs(model - truth).mean() < (0.5 if min(shape) > 32 else 1.0), "one cell knows no slope"
    assert 2.7 < noise < 4.0, "3, and the slope within a cell"


def test_cells_without_pixels_are_filled_from_around():
    image = _noise((256, 256), 100.0, 1.0)
    hidden = np.zeros(image.shape, bool)
    hidden[60:200, 60:200] = True
    image[hidden] = 1e5
    cells = cell_map(image, hidden, 32)
    assert np.isnan(cells.level).sum() >= 9
    filled = fill_cells(cells.level)
    assert np.allclose(filled, 100, atol=0.5)
    assert np.allclose(expand_cells(filled, cells.rows, cells.columns, image.shape), 100, atol=0.5)
    assert (fill_cells(np.full((3, 3), np.nan)) == 0).all()


def test_surface_passes_under_an_object():
    y, x = np.mgrid[0:16, 0:16] / 15.0
    sky = 100 + 8 * x - 5 * y + 4 * x * x
    level = sky + np.random.default_rng(0).normal(0, 0.3, sky.shape)
    level[4:10, 5:11] += 30
    level[0, 0] = np.nan
    surface, scatter = fit_surface(CellMap(level, np.ones_like(level), np.arange(16.0), np.arange(16.0)), 2)
    assert np.abs(surface - sky).max() < 1.0 and 0.1 < scatter < 0.6


def test_ratio_uses_the_same_pixels_of_both():
    x = np.mgrid[0:200, 0:200][1] / 200
    sky = (1000 * (1 + 0.3 * x)).astype(np.float32)
    image = 1.7 * sky
    hidden = np.zeros(sky.shape, bool)
    hidden[:, 100:] = True
    image[hidden] = np.nan
    assert sky_ratio(image, sky, hidden) == pytest.approx(1.7, rel=1e-4)
    assert sky_ratio(image, -sky, hidden) == 0.0
    assert sky_ratio(image, sky, np.ones(sky.shape, bool)) == 0.0


def test_grow_and_bleed_at_the_edges():
    flags = np.zeros((20, 20), bool)
    flags[0, 19] = True
    assert grow(flags, 3, 2).sum() == 4 * 3
    assert grow(flags, 0, 0).sum() == 1
    image = np.zeros((30, 10))
    image[0:8, 0] = 100
    assert saturated_with_bleed(image, 100, 5)[:14, :2].all()
    assert saturated_with_bleed(image, 100, 5).sum() == 14 * 2
    assert not saturated_with_bleed(image, 101, 5).any()


def _star_field(n=40, seed=4, shape=(400, 400), fwhm=4.0, flux=3e4, beta=2.5):
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(20, shape[1] - 20, n), rng.uniform(20, shape[0] - 20, n)
    yy, xx = np.mgrid[0 : shape[0], 0 : shape[1]]
    alpha = fwhm / (2 * np.sqrt(2 ** (1 / beta) - 1))
    image = np.zeros(shape)
    for a, b in zip(x, y, strict=True):
        image += flux * (beta - 1) / np.pi / alpha**2 * (1 + ((xx - a) ** 2 + (yy - b) ** 2) / alpha**2) ** -beta
    return image


def test_objects_are_masked_down_to_their_wings_and_the_sky_is_not():
    stars = _star_field()
    mask = object_mask((stars + _noise(stars.shape, 0.0)).astype(np.float32))
    assert mask[stars > 3].mean() > 0.97, "wings at a third of the noise of a pixel"
    assert mask.mean() < 0.5
    level = np.median((stars + _noise(stars.shape, 0.0))[~mask])
    assert abs(level) < 0.7
    assert object_mask(_noise((600, 600), 0.0)).mean() < 0.005


def test_hot_pixels_and_bad_pixels_are_no_objects():
    image = _noise((300, 300), 0.0)
    image[50, 60] = 5000
    image[70, 80] = np.nan
    image[100:110, 100:110] = 3000
    bad = np.zeros(image.shape, np.uint8)
    bad[100:110, 100:110] = 1
    mask = object_mask(image, bad)
    assert not mask[48:53, 58:63].any() and not mask[95:115, 95:115].any()
    assert not object_mask(np.full((50, 50), np.nan, np.float32)).any()
    assert not object_mask(np.zeros((50, 50), np.float32)).any()


def test_a_galaxy_is_told_from_the_gradient_and_the_fringes():
    y, x = np.mgrid[0:1024, 0:1024]
    sky = 2000 * (1 + 0.02 * x / 1024 + 0.01 * np.sin(2 * np.pi * (x + 0.5 * y) / 45))
    galaxy = 300 * np.exp(-np.hypot((y - 500) / 80, (x - 480) / 110))
    noise = _noise(sky.shape, 0.0, 30.0)
    with_it = first_mask((sky + galaxy + noise).astype(np.float32), None)
    assert with_it[galaxy > 60].mean() > 0.95
    without = first_mask((sky + noise).astype(np.float32), None)
    assert without.mean() < 0.02
    assert not extended_mask(cell_map(np.full((100, 100), np.nan, np.float32), None, 64), (100, 100)).any()


def test_median_of_nine_takes_out_single_pixels():
    image = np.zeros((9, 9), np.float32)
    image[4, 4] = 100
    image[0, 0] = 5
    smooth = median_of_nine(image)
    assert smooth[4, 4] == 0 and median_of_nine(np.ones((2, 2), np.float32)).sum() == 4


def test_holes_are_filled_with_the_sky_around_them():
    y, x = np.mgrid[0:512, 0:512]
    sky = (1000 + 0.2 * x + 0.1 * y + 10 * np.sin(x / 12)).astype(np.float32)
    hole = np.zeros(sky.shape, bool)
    hole[100:110, 50:60] = True
    big = hole.copy()
    big[200:400, 200:420] = True
    broken = np.where(big, np.nan, sky)
    filled = fill_holes(broken, big)
    assert np.isfinite(filled).all() and np.array_equal(filled[~big], sky[~big])
    assert np.abs(filled - sky)[hole].max() < 4
    assert np.abs(filled - sky)[250:350, 250:370].mean() < 9, "inside, the trend; the fringes are beyond knowing"
    assert np.isnan(fill_holes(np.full((5, 5), np.nan, np.float32), np.ones((5, 5), bool))).all()


def test_denoising_keeps_structure_and_takes_out_noise():
    y, x = np.mgrid[0:512, 0:512]
    truth = (2000 + 0.1 * x + 25 * np.sin(2 * np.pi * (x + 0.4 * y) / 30)).astype(np.float32)
    rng = np.random.default_rng(5)
    hot = rng.integers(5, 507, (200, 2))
    truth[hot[:, 0], hot[:, 1]] += 500
    error = np.full(truth.shape, 10.0, np.float32)
    clean = denoise((truth + rng.normal(0, 10, truth.shape)).astype(np.float32), error)
    left = clean - truth
    assert left.std() < 4.0, "of 10"
    assert np.abs(left[hot[:, 0], hot[:, 1]]).mean() < 12, "hot pixels stay as measured"
    assert np.abs(np.median(left.reshape(16, 32, 16, 32), axis=(1, 3))).max() < 1.5
