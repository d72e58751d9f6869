"""Cosmic rays: found against truth, stars left alone."""

import math

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, gaussian_filter, label

from photopipe_gui.reduction.core.cosmics import CosmicSettings, find_cosmics, noise_model, sky_noise
from photopipe_gui.reduction.core.detect import detect, measure_seeing
from photopipe_gui.reduction.core.starguard import star_regions

GAIN, READ_NOISE, SKY = 2.0, 8.0, 300.0
SKY_SIGMA = math.sqrt(SKY / GAIN + (READ_NOISE / GAIN) ** 2)


def _star(shape, x, y, flux, fwhm, beta=3.0, steps=5):
    """Return the window and the image of a star integrated over the pixels."""
    half = int(6 * fwhm + 6)
    x0, y0 = int(x) - half, int(y) - half
    size = 2 * half + 1
    fine = (np.arange(size * steps) + 0.5) / steps - 0.5
    alpha = fwhm / (2 * math.sqrt(2 ** (1 / beta) - 1))
    profile = (1 + ((fine + x0 - x)[None] ** 2 + (fine + y0 - y)[:, None] ** 2) / alpha**2) ** -beta
    profile *= flux * (beta - 1) / (math.pi * alpha**2)
    inside = x0 >= 0 and y0 >= 0 and x0 + size <= shape[1] and y0 + size <= shape[0]
    window = np.s_[y0 : y0 + size, x0 : x0 + size]
    return window if inside else None, profile.reshape(size, steps, size, steps).mean((1, 3))


class Scene:
    """Stars and hits on a sky, with the truth kept."""

    def __init__(self, fwhm, n=512, stars=100, hits=100, seed=3, diffusion=0.0):
        rng = np.random.default_rng(seed)
        self.stars = np.zeros((n, n))
        flux = np.clip(300 * rng.pareto(0.5, stars), 500, 45000 * fwhm**2)
        for x, y, f in zip(rng.uniform(0, n, stars), rng.uniform(0, n, stars), flux, strict=True):
            window, image = _star(self.stars.shape, x, y, f, fwhm)
            if window is not None:
                self.stars[window] += image
        self.hits = np.zeros((n, n))
        for _ in range(hits):
            length = 1 if rng.random() < 0.4 else rng.exponential(6) + 1
            along, angle = np.linspace(0, length, int(length * 20) + 2), rng.uniform(0, math.pi)
            x, y = rng.uniform(5, n - 5, 2)
            rows = np.clip(np.floor(y + along * math.sin(angle)).astype(int), 0, n - 1)
            columns = np.clip(np.floor(x + along * math.cos(angle)).astype(int), 0, n - 1)
            np.add.at(self.hits, (rows, columns), 10 ** rng.uniform(2, 4) / GAIN * length / len(along))
        if diffusion:
            self.hits = gaussian_filter(self.hits, diffusion)
        true = SKY + self.stars
        self.sigma = np.sqrt(true / GAIN + (READ_NOISE / GAIN) ** 2)
        noisy = rng.poisson(true * GAIN) / GAIN + rng.normal(0, READ_NOISE / GAIN, true.shape)
        self.image = (noisy + self.hits - SKY).astype(np.float32)

    def score(self, found):
        """Return the shares of hit pixels and of hits over 10 sigma that were found, and of star pixels touched."""
        strong = self.hits > 10 * self.sigma
        groups, count = label(self.hits > self.sigma, np.ones((3, 3)))
        peaks, caught = np.zeros(count + 1), np.zeros(count + 1)
        np.maximum.at(peaks, groups.ravel(), (self.hits / self.sigma).ravel())
        np.maximum.at(caught, groups.ravel(), (found & strong).ravel().astype(float))
        peaks[0] = 0
        near = binary_dilation(self.hits > 0.5 * self.sigma, np.ones((5, 5)))
        on_star = (self.stars > 3 * SKY_SIGMA) & ~near
        empty = (self.stars < SKY_SIGMA) & ~near
        return ((found & strong).sum() / strong.sum(), caught[peaks > 10].mean(),
                (found & on_star).sum() / on_star.sum(), (found & empty).sum() / empty.sum())


def _find(scene, **settings):
    bad = np.zeros(scene.image.shape, bool)
    seeing = measure_seeing(detect(scene.image, threshold=10.0))
    model = noise_model(sky_noise(scene.image, bad), GAIN, READ_NOISE, SKY)
    return find_cosmics(scene.image, bad, model, seeing, CosmicSettings(**settings))


@pytest.mark.parametrize("fwhm", [1.8, 2.0, 2.5, 4.0, 7.0])
def test_complete_and_harmless_in_any_seeing(fwhm):
    scene = Scene(fwhm)
    found = _find(scene)
    pixels, hits, on_star, empty = scene.score(found.hits)
    assert pixels > 0.97 and hits > 0.97
    assert on_star < 0.001 and empty < 2e-5


@pytest.mark.parametrize("fwhm", [1.8, 3.0])
def test_charge_that_diffuses_is_told_from_sharp_stars(fwhm):
    scene = Scene(fwhm, stars=300, diffusion=0.42)
    pixels, hits, on_star, _ = scene.score(_find(scene).hits)
    assert pixels > 0.95 and hits > 0.97 and on_star < 0.002


def test_undersampled_stars_are_guarded():
    scene = Scene(1.5, stars=200)
    found = _find(scene)
    pixels, hits, on_star, _ = scene.score(found.hits)
    assert pixels > 0.95 and hits > 0.95 and on_star < 0.005
    assert found.spared > 100, "without the guard L.A.Cosmic takes a third of such stars' pixels"


def test_photopipes_settings_miss_four_of_ten():
    scene = Scene(4.0)
    _, ours, *_ = scene.score(_find(scene).hits)
    cautious = _find(scene, sigclip=30.0, fine_structure="convolve", iterations=3)
    assert scene.score(cautious.hits)[1] < 0.75 < ours


def test_repair_brings_back_the_image():
    scene = Scene(4.0)
    found = _find(scene)
    off = (found.image - scene.stars)[found.hits & (scene.stars < SKY_SIGMA)]
    assert abs(np.median(off)) < 0.5 * SKY_SIGMA and np.abs(off).max() < 8 * SKY_SIGMA
    np.testing.assert_array_equal(found.image[~found.hits], scene.image[~found.hits])


def test_bad_saturated_and_missing_pixels_are_left_alone():
    scene = Scene(3.0)
    bad = np.zeros(scene.image.shape, bool)
    bad[100:110] = True
    image = scene.image.copy()
    image[105] = np.nan
    image[107] = 60000
    model = noise_model(sky_noise(image, bad), GAIN, READ_NOISE, SKY)
    found = find_cosmics(image, bad, model, 3.0)
    assert not found.hits[bad].any() and np.isnan(found.image[105]).all() and (found.image[107] == 60000).all()
    beside = found.hits[97:100].mean() + found.hits[110:113].mean()
    assert beside < 0.05, "their neighbours are no hits"
    nothing = find_cosmics(np.full((40, 40), np.nan, np.float32), np.ones((40, 40), bool), model, 3.0)
    assert not nothing.hits.any()


def test_hits_at_the_edges_are_found():
    rng = np.random.default_rng(4)
    image = rng.normal(0, 5, (200, 200)).astype(np.float32)
    for y, x in ((0, 50), (199, 80), (70, 0), (90, 199), (0, 0), (1, 120)):
        image[y, x] += 500
    found = find_cosmics(image, np.zeros(image.shape, bool), noise_model(5.0, 2.0, 8.0, 0.0), 4.0)
    assert found.hits[[0, 199, 70, 90, 0, 1], [50, 80, 0, 199, 0, 120]].all()
    assert found.hits.sum() < 12 and np.abs(found.image).max() < 30


def test_too_many_hits_raise_the_limit():
    rng = np.random.default_rng(1)
    noisy = (rng.normal(0, 5, (200, 200)) * (1 + 10 * (rng.random((200, 200)) < 0.2))).astype(np.float32)
    found = find_cosmics(noisy, np.zeros(noisy.shape, bool), noise_model(5.0, 2.0, 8.0, 0.0), 3.0)
    assert found.sigclip > 5


@pytest.mark.parametrize(
    ("noise", "gain", "read_noise", "sky"),
    [(12.0, 2.0, 8.0, 300.0), (20.0, 2.0, 8.0, 300.0), (5.0, 2.0, 8.0, 300.0),
     (12.0, float("nan"), float("nan"), 300.0), (6.0, 1.0, float("nan"), float("nan")), (0.2, 1.0, float("nan"), 50.0)],
)
def test_noise_model_gives_the_noise_that_is_seen(noise, gain, read_noise, sky):
    model = noise_model(noise, gain, read_noise, sky)
    assert model.sigma == pytest.approx(noise, rel=0.11)
    assert model.read_noise > 0 and model.sky >= 0


def test_guard_tells_stars_from_hits():
    image = np.zeros((60, 60), np.float32)
    for x, y in ((20.3, 20.4), (40.5, 20.0)):
        yy, xx = np.mgrid[0:60, 0:60]
        image += (3000 * np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / 2 / 0.75**2)).astype(np.float32)
    image[40, 20] = 3000
    image[40, 38:44] = 2000
    flagged = image > 300
    spared = star_regions(image, flagged, 1.8)
    assert spared[:30].any() and not spared[30:].any()
    assert (spared[:30] == flagged[:30]).all()
    assert not star_regions(image, np.zeros_like(flagged), 1.8).any()
