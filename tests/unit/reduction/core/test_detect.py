import numpy as np
import pytest
from scipy.spatial import cKDTree
from skyfields import image

from photopipe_gui.reduction.core.detect import FLAG_SATURATED, detect, measure_seeing


def field(n, shape, seed=1, faint=1500.0, bright=2e5):
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(12, shape[1] - 12, n), rng.uniform(12, shape[0] - 12, n)
    return x, y, faint * (bright / faint) ** (rng.random(n) ** 2)


def matched(sources, x, y, radius=1.0):
    distance, index = cKDTree(np.column_stack([x, y])).query(np.column_stack([sources.x, sources.y]))
    return distance < radius, index


@pytest.mark.parametrize("picture", [
    np.zeros((64, 64)), np.full((64, 64), np.nan), np.full((80, 60), 7.0), np.zeros((4, 4)),
    np.random.default_rng(0).normal(100, 5, (200, 200)),
])
def test_nothing_is_found_where_nothing_is(picture):
    sources = detect(picture)
    assert sources.n == 0
    assert np.isnan(measure_seeing(sources))


def test_positions_scatter_as_the_photons_allow():
    shape = (700, 800)
    x, y, flux = field(120, shape)
    sources = detect(image(x, y, flux, shape, 3.2))
    good, index = matched(sources, x, y)
    assert good.all()
    assert len(np.unique(index)) >= 117
    clean = sources.flags == 0
    pull = np.concatenate([(sources.x - x[index])[clean], (sources.y - y[index])[clean]])
    pull /= np.tile(sources.centroid_sigma()[clean], 2)
    assert 0.7 < 1.4826 * np.median(np.abs(pull)) < 1.5
    assert abs(np.median(sources.x - x[index])) < 0.01
    assert abs(np.median(sources.y - y[index])) < 0.01


@pytest.mark.parametrize("fwhm", [1.9, 3.0, 5.0, 9.0])
def test_seeing_is_the_width_of_the_stars(fwhm):
    shape = (600, 600)
    x, y, flux = field(40, shape, faint=2e4, bright=4e5)
    assert measure_seeing(detect(image(x, y, flux, shape, fwhm))) == pytest.approx(fwhm, rel=0.08)


def test_seeing_of_profiles_with_wings_is_their_half_width():
    shape = (600, 600)
    x, y, flux = field(40, shape, faint=2e4, bright=4e5)
    assert measure_seeing(detect(image(x, y, flux, shape, 4.0, beta=3.0))) == pytest.approx(4.0, rel=0.1)


@pytest.mark.parametrize("fwhm", [2.2, 3.5, 6.0])
def test_cosmic_rays_and_hot_pixels_ten_times_the_stars_are_left_out(fwhm):
    shape = (700, 700)
    x, y, flux = field(40, shape, faint=8000)
    picture = image(x, y, flux, shape, fwhm)
    rng = np.random.default_rng(5)
    for _ in range(400):
        a, b, angle = rng.uniform(8, 690), rng.uniform(8, 690), rng.uniform(0, np.pi)
        for step in range(rng.integers(1, 7)):
            picture[int(b + step * np.sin(angle)), int(a + step * np.cos(angle))] += rng.uniform(200, 6000)
    sources = detect(picture)
    good, index = matched(sources, x, y)
    assert len(np.unique(index[good])) >= 36
    assert (~good).sum() <= 3
    assert sources.spikes > 300


def test_nan_and_mask_hide_stars_and_make_none():
    shape = (500, 500)
    x, y, flux = field(40, shape, faint=2e4)
    picture = image(x, y, flux, shape, 3.0)
    picture[:, 200:215] = np.nan
    picture[:60] = np.nan
    mask = np.zeros(shape, dtype=np.uint8)
    mask[300:500, 300:500] = 1
    picture[350:450, 350:450] = 60000.0
    sources = detect(picture, mask)
    hidden = (y < 57) | ((x > 197) & (x < 217)) | ((x > 297) & (y > 297))
    good, index = matched(sources, x, y, 1.5)
    assert good.all()
    assert set(np.flatnonzero(~hidden & (y > 64) & ~((x > 190) & (x < 224)) & ~((x > 290) & (y > 290)))) <= set(index)


def test_a_steep_sky_does_not_matter():
    shape = (600, 600)
    x, y, flux = field(50, shape, faint=8000)
    flat = image(x, y, flux, shape, 3.0)
    steep = flat + np.add.outer(np.linspace(0, 800, 600), np.linspace(300, 0, 600)).astype(np.float32)
    assert abs(detect(steep).n - detect(flat).n) <= 1


def test_saturated_stars_are_flagged_and_kept():
    shape = (300, 300)
    x, y = np.array([80.3, 200.6]), np.array([90.1, 210.4])
    picture = image(x, y, [3e6, 3e4], shape, 4.0)
    clipped = np.minimum(picture, 20000)
    sources = detect(clipped, saturation=20000)
    good, index = matched(sources, x, y)
    assert good.all()
    assert list(sources.flags[np.argsort(index)] & FLAG_SATURATED) == [FLAG_SATURATED, 0]
    by_plane = detect(clipped - 7000, saturated=clipped >= 20000)
    np.testing.assert_array_equal(by_plane.flags & FLAG_SATURATED, sources.flags & FLAG_SATURATED)


def test_brightest_first_and_no_more_than_asked():
    shape = (500, 500)
    x, y, flux = field(60, shape, faint=8000)
    every = detect(image(x, y, flux, shape, 3.0))
    few = detect(image(x, y, flux, shape, 3.0), max_sources=10)
    assert few.n == 10
    assert (np.diff(every.flux) <= 0).all()
    np.testing.assert_array_equal(few.x, every.x[:10])


def test_the_image_given_is_not_changed():
    shape = (200, 200)
    picture = image([90.0], [100.0], [5e4], shape, 3.0)
    picture[3, 3] = np.nan
    before = picture.copy()
    detect(picture)
    np.testing.assert_array_equal(picture, before)


def test_noise_of_the_background_is_reported():
    sources = detect(image([90.0], [100.0], [5e4], (300, 300), 3.0, sky=321.0, noise=6.0))
    assert sources.background_rms == pytest.approx(6.0, rel=0.05)
    assert sources.background == pytest.approx(321.0, abs=0.5)
