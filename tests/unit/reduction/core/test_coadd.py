"""Resampling and combination against star fields of known truth."""

from __future__ import annotations

import numpy as np
import pytest
import sep
from starfield import add_stars, make_wcs, observe, sky_sigma, spread_positions

from photopipe_gui.reduction.core import coadd, grid, pixelmap, resample
from photopipe_gui.reduction.core.reject import Layer, Rejection

RATIR_TPV = [(axis, term, value) for axis in (1, 2) for term, value in (
    (1, 1.0), (17, -19.60381671), (21, -19.60381671), (19, -39.20763342),
    (31, -4128.15179797), (37, -4128.15179797), (33, -12384.45539391), (35, -12384.45539391))]


def place(image, wcs, target, flags=None, scale=1.0):
    flags = np.zeros(image.shape, np.uint8) if flags is None else flags
    return resample.resample(image, flags, pixelmap.pixel_map(target, wcs, image.shape), scale)


def aperture_sum(image, x, y, radius):
    return sep.sum_circle(np.ascontiguousarray(image, dtype=np.float32), x, y, radius, subpix=0)[0]


def fwhm_of(image, x, y, half=12):
    """FWHM from a least-squares Gaussian on each star, median."""
    from scipy.optimize import curve_fit

    def model(r, amplitude, sigma, level):
        return amplitude * np.exp(-(r**2) / (2 * sigma**2)) + level

    widths = []
    for xs, ys in zip(x, y, strict=True):
        xi, yi = round(xs), round(ys)
        cut = image[yi - half : yi + half + 1, xi - half : xi + half + 1]
        gy, gx = np.mgrid[-half : half + 1, -half : half + 1]
        r = np.hypot(gx + xi - xs, gy + yi - ys).ravel()
        found, _ = curve_fit(model, r, cut.ravel(), p0=(cut.max(), 1.5, 0))
        widths.append(2.3548 * abs(found[1]))
    return float(np.median(widths))


@pytest.mark.parametrize(("rotation", "parity", "pv"), [(0.4, 1, None), (33.0, 1, None), (-88.1, 1, RATIR_TPV),
                                                        (181.0, -1, RATIR_TPV)])
def test_pixel_map_agrees_with_the_wcs(rotation, parity, pv):
    shape = (900, 1900)
    wcs = make_wcs(shape, 7.3, -11.8, rotation, 0.3, parity=parity, pv=pv)
    target = grid.output_grid([(wcs, shape)])
    pixels = pixelmap.pixel_map(target, wcs, shape)
    worst = 0.0
    for row in range(0, pixels.shape[0], 37):
        x, y, area = pixels.rows(row, row + 1)
        inside = (x > 0) & (x < shape[1] - 1) & (y > 0) & (y < shape[0] - 1)
        if not inside.any():
            continue
        back_x, back_y = target.pixels(*wcs.all_pix2world(x[inside], y[inside], 0))
        column = np.flatnonzero(inside[0]) + pixels.x0
        worst = max(worst, np.hypot(back_x - column, back_y - row - pixels.y0).max())
        assert np.all((area[inside] > 0.8) & (area[inside] < 1.3))
    assert worst < 0.01


def test_grid_holds_every_frame_and_agrees_with_astropy():
    shape = (300, 400)
    frames = [(make_wcs(shape, dx, dy, 3.0, 0.4, ra=359.999), shape) for dx, dy in ((0, 0), (150, -80), (-60, 40))]
    target = grid.output_grid(frames)
    wcs = target.wcs()
    assert grid.pixel_scale(frames[0][0], shape) == pytest.approx(0.4 / 3600, rel=1e-5)
    for frame_wcs, frame_shape in frames:
        x, y = grid.outline(frame_shape)
        ra, dec = frame_wcs.all_pix2world(x, y, 0)
        gx, gy = target.pixels(ra, dec)
        ax, ay = wcs.all_world2pix(ra, dec, 0)
        assert np.abs(gx - ax).max() < 1e-6 and np.abs(gy - ay).max() < 1e-6
        assert gx.min() >= -0.5 and gy.min() >= -0.5
        assert gx.max() <= target.shape[1] - 0.5 and gy.max() <= target.shape[0] - 0.5


def test_far_apart_frames_are_told_apart():
    boxes = np.array([[0, 0, 10, 10], [100, 0, 110, 10], [8, 8, 18, 18], [17, 0, 30, 12]])
    assert grid.touching(boxes) == [[0, 2, 3], [1]]


@pytest.mark.parametrize("fwhm", [2.2, 3.5, 6.0])
def test_flux_is_conserved_at_every_phase(fwhm):
    phases = np.linspace(0, 1, 9)[:-1]
    shape = (1 + 8 * 70, 1 + 8 * 70)
    gx, gy = np.meshgrid(np.arange(8) * 70 + 35 + phases, np.arange(8) * 70 + 35 + phases)
    image = add_stars(np.zeros(shape), gx.ravel(), gy.ravel(), 1e5, fwhm).astype(np.float32)
    wcs = make_wcs(shape, 0.37, 0.81, 0.2)
    target = grid.output_grid([(wcs, shape)])
    out = place(image, wcs, target)
    x, y = target.pixels(*wcs.all_pix2world(gx.ravel(), gy.ravel(), 0))
    before = aperture_sum(image, gx.ravel(), gy.ravel(), 5 * fwhm)
    after = aperture_sum(out.image, x - out.x0, y - out.y0, 5 * fwhm)
    assert np.abs(after / before - 1).max() < 1e-3


def test_flux_is_conserved_through_distortion_and_a_coarser_scale():
    shape = (900, 1900)
    wcs = make_wcs(shape, 0, 0, -88.1, 0.3, pv=RATIR_TPV)
    x, y = (part.ravel() for part in np.meshgrid(np.arange(60, 1850, 150) + 0.3, np.arange(60, 850, 130) + 0.6))
    image = add_stars(np.zeros(shape), x, y, 1e5, 4.0).astype(np.float32)
    for side in (0.3, 0.315):
        target = grid.output_grid([(wcs, shape)], side / 3600)
        out = place(image, wcs, target)
        gx, gy = target.pixels(*wcs.all_pix2world(x, y, 0))
        ratio = aperture_sum(out.image, gx - out.x0, gy - out.y0, 22) / aperture_sum(image, x, y, 22)
        assert np.abs(ratio - 1).max() < 1.5e-3


def test_bad_pixels_and_holes_do_not_spread():
    rng = np.random.default_rng(3)
    shape = (200, 220)
    image = rng.normal(0, 1, shape).astype(np.float32)
    clean = image.copy()
    flags = np.zeros(shape, np.uint8)
    spots = rng.integers(10, 190, (60, 2))
    image[spots[:, 0], spots[:, 1]] = 1e5
    flags[spots[:, 0], spots[:, 1]] = resample.EXCLUDED
    image[100:110, 50:60] = np.nan
    wcs = make_wcs(shape, 0.4, 0.3, 1.0)
    target = grid.output_grid([(wcs, shape)])
    out, want = place(image, wcs, target, flags), place(clean, wcs, target)
    good = out.flags == 0
    assert np.isfinite(out.image).all()
    assert np.abs(out.image - want.image)[good].max() < 1.0
    lost = (want.flags == 0).sum() - good.sum()
    assert 4 * 50 + 100 < lost < 5 * 60 + 200


def dithered(rng, n, stars, shape=(260, 280), fwhm=3.0, beta=3.5, noise=True):
    """Return the grid, the star positions on it, the resampled frames, layers, and shifts of n dithered exposures."""
    wide = [make_wcs(shape, *rng.uniform(-8, 8, 2), rng.uniform(-0.5, 0.5)) for _ in range(n)]
    target = grid.output_grid([(wcs, shape) for wcs in wide])
    ra, dec = make_wcs(shape).all_pix2world(stars[0], stars[1], 0)
    widths = np.broadcast_to(fwhm, n)
    frames = []
    for wcs, width in zip(wide, widths, strict=True):
        signal = add_stars(np.zeros(shape), *wcs.all_world2pix(ra, dec, 0), stars[2], width, beta)
        frames.append(observe(signal, rng) if noise else signal.astype(np.float32))
    return target, target.pixels(ra, dec), wide, frames, widths


def near_stars(shape, x, y, radius):
    yy, xx = np.indices(shape)
    return np.any([np.hypot(xx - a, yy - b) < radius for a, b in zip(x, y, strict=True)], axis=0)


def stack(target, wide, frames, widths, rejection=None, noise=None, flags=None):
    flags = flags or [None] * len(frames)
    placed = [place(f, w, target, g) for f, w, g in zip(frames, wide, flags, strict=True)]
    layers = [Layer(noise or sky_sigma(), float(p.variance.mean()), 2.0, width)
              for p, width in zip(placed, widths, strict=True)]
    sources = [coadd.InMemory(p) for p in placed]
    return coadd.combine(sources, layers, target.shape, rejection or Rejection(), memory=1 << 20), layers


def test_noise_is_at_the_optimum_and_the_weight_map_states_it():
    rng = np.random.default_rng(5)
    n = 7
    target, _, wide, frames, widths = dithered(rng, n, (np.array([-500.0]), np.array([-500.0]), 1.0))
    out, layers = stack(target, wide, frames, widths)
    inner = out.image[20:-20, 20:-20]
    assert (out.count[30:-30, 30:-30] >= n - 1).all()
    pull = inner * np.sqrt(out.weight[20:-20, 20:-20])
    assert np.std(pull) == pytest.approx(1.0, abs=0.03)
    box = 12
    cut = inner[: inner.shape[0] // box * box, : inner.shape[1] // box * box]
    sums = cut.reshape(cut.shape[0] // box, box, -1, box).sum(axis=(1, 3)).ravel()
    best = sky_sigma() / np.sqrt(n) * box
    assert np.std(sums) < 1.03 * best * (1 + 1.5 / np.sqrt(2 * sums.size))
    # Large apertures are noisier than independent pixels would be, by the stated factor.
    assert best / box / np.std(inner) == pytest.approx(coadd.correlation_factor(layers), rel=0.03)


def test_weights_are_the_inverse_variance_where_the_coverage_differs():
    rng = np.random.default_rng(6)
    shape = (240, 400)
    sigma = [3.0, 6.0, 4.0, 5.0]
    wide = [make_wcs(shape, 120 * k + 0.37, 0.61, 0.1) for k in range(4)]
    target = grid.output_grid([(wcs, shape) for wcs in wide])
    # Fixed phases: 0.37, 0.6 ... px, where the variance of a resampled pixel differs most from frame to frame.
    placed = [place(rng.normal(0, s, shape).astype(np.float32), w, target) for s, w in zip(sigma, wide, strict=True)]
    layers = [Layer(s, float(p.variance.mean())) for s, p in zip(sigma, placed, strict=True)]
    out = coadd.combine([coadd.InMemory(p) for p in placed], layers, target.shape, Rejection())
    seen = {}
    for count in (1, 2, 3, 4):
        at = out.count == count
        seen[count] = np.std((out.image * np.sqrt(out.weight))[at])
        assert at.sum() > 3000
    assert np.allclose(list(seen.values()), 1.0, atol=0.03), seen
    assert np.isnan(out.image[out.count == 0]).all() and (out.weight[out.count == 0] == 0).all()


def test_seeing_is_not_spread():
    rng = np.random.default_rng(7)
    stars = spread_positions(rng, 25, (260, 280), 35, 25)
    for fwhm in (2.3, 3.5):
        target, (x, y), wide, frames, widths = dithered(rng, 5, (*stars, 1e6), fwhm=fwhm, noise=False)
        out, _ = stack(target, wide, frames, widths)
        ra, dec = make_wcs((260, 280)).all_pix2world(*stars, 0)
        before = np.mean([fwhm_of(f, *w.all_world2pix(ra, dec, 0)) for f, w in zip(frames, wide, strict=True)])
        assert fwhm_of(out.image, x, y) < 1.03 * before


def test_cosmic_rays_and_trails_are_gone_with_five_frames():
    rng = np.random.default_rng(8)
    stars = spread_positions(rng, 20, (260, 280), 35, 25)
    target, (x, y), wide, frames, widths = dithered(rng, 5, (*stars, 3e4))
    clean, _ = stack(target, wide, frames, widths)
    for frame in frames:
        ys, xs = rng.integers(5, 250, 25), rng.integers(5, 270, 25)
        frame[ys, xs] += rng.uniform(150, 20000, 25)
        frame[ys, xs + 1] += rng.uniform(0, 5000, 25)
    yy, xx = np.mgrid[0:260, 0:280]
    frames[2] += 300 * np.exp(-((yy - 0.7 * xx - 20) ** 2) / (2 * 2.5**2)).astype(np.float32)
    dirty, _ = stack(target, wide, frames, widths)
    noise = np.sqrt(1 / clean.weight[20:-20, 20:-20] + np.maximum(clean.image[20:-20, 20:-20], 0) / (2.0 * 5))
    off = (dirty.image - clean.image)[20:-20, 20:-20] / noise
    star = near_stars(target.shape, x, y, 5)[20:-20, 20:-20]
    assert np.abs(off).max() > 0.1
    assert np.abs(off[~star]).max() < 4 and (np.abs(off[~star]) > 3).sum() <= 3
    assert np.abs(off[star]).max() < 6
    assert abs(off.mean()) < 0.02


@pytest.mark.parametrize("beta", [None, 3.0])
def test_star_cores_survive_changes_of_seeing(beta):
    rng = np.random.default_rng(9)
    stars = spread_positions(rng, 25, (260, 280), 35, 25)
    fluxes = np.geomspace(3e3, 3e6, 25)
    fwhm = 3.0 * np.array([0.85, 0.92, 1.0, 1.0, 1.08, 1.15])
    target, (x, y), wide, frames, widths = dithered(rng, 6, (*stars, fluxes), fwhm=fwhm, beta=beta)
    kept, _ = stack(target, wide, frames, widths)
    plain, _ = stack(target, wide, frames, widths, Rejection(enabled=False))
    near = near_stars(target.shape, x, y, 4)
    assert (kept.count[near] < plain.count[near]).mean() < 0.01
    ratio = aperture_sum(kept.image, x, y, 8) / aperture_sum(plain.image, x, y, 8)
    assert np.abs(ratio - 1).max() < 2e-3


def test_two_frames_still_lose_a_trail_but_not_stars():
    rng = np.random.default_rng(10)
    stars = spread_positions(rng, 20, (260, 280), 35, 25)
    target, (x, y), wide, frames, widths = dithered(rng, 2, (*stars, 1e5), fwhm=np.array([2.8, 3.3]))
    plain, _ = stack(target, wide, frames, widths, Rejection(enabled=False))
    frames[0][120:123] += 5000
    out, _ = stack(target, wide, frames, widths)
    off = (out.image - plain.image) * np.sqrt(plain.weight)
    off[near_stars(target.shape, x, y, 12)] = 0
    assert np.abs(off[20:-20, 20:-20]).max() < 5
    ratio = aperture_sum(out.image, x, y, 8) / aperture_sum(plain.image, x, y, 8)
    assert np.abs(np.median(ratio) - 1) < 1e-3


def test_saturated_pixels_give_way_to_good_ones_and_are_marked():
    rng = np.random.default_rng(11)
    target, (x, y), wide, frames, widths = dithered(rng, 4, (np.array([140.0]), np.array([130.0]), 1e6))
    flags = [(f > 3e4).astype(np.uint8) * resample.SATURATED for f in frames]
    flags[0][:] = 0
    some, _ = stack(target, wide, frames, widths, flags=flags)
    flags[0] = flags[1]
    flags[0] = (frames[0] > 3e4).astype(np.uint8) * resample.SATURATED
    every, _ = stack(target, wide, frames, widths, flags=flags)
    at = round(float(y[0])), round(float(x[0]))
    assert some.saturated[at] and some.count[at] == 1 and some.weight[at] > 0
    assert every.saturated[at] and every.weight[at] == 0 and every.image[at] > 2e4
    assert not some.saturated[at[0], at[1] + 30]


def test_sky_noise_sees_through_stars_and_gradients():
    rng = np.random.default_rng(12)
    image = rng.normal(0, 7, (300, 300)) + np.linspace(0, 500, 300)[None]
    stars = spread_positions(rng, 30, (300, 300), 20, 10)
    add_stars(image, *stars, 2e4, 4.0)
    assert coadd.sky_noise(image.astype(np.float32), np.ones(image.shape, bool)) == pytest.approx(7, rel=0.06)
    assert np.isnan(coadd.sky_noise(image.astype(np.float32), np.zeros(image.shape, bool)))


def test_a_trail_leaves_nothing_over_holes_of_the_other_frame():
    rng = np.random.default_rng(13)
    target, _, wide, frames, widths = dithered(rng, 2, (np.array([-500.0]), np.array([-500.0]), 1.0))
    flags = [np.zeros(frames[0].shape, np.uint8) for _ in frames]
    frames[0][120:126] += 4000
    flags[1][rng.integers(100, 146, 250), rng.integers(20, 260, 250)] = resample.EXCLUDED
    out, _ = stack(target, wide, frames, widths, flags=flags)
    inner = (out.image * np.sqrt(out.weight))[20:-20, 20:-20]
    assert np.nanmax(inner) < 15  # the trail itself has 280 sigma
    assert np.isnan(inner).sum() > 20


def test_resampling_keeps_a_constant_and_a_plane():
    shape = (150, 170)
    yy, xx = np.indices(shape)
    wcs = make_wcs(shape, 0.3, 0.7, 12.0)
    target = grid.output_grid([(wcs, shape)])
    pixels = pixelmap.pixel_map(target, wcs, shape)
    for kernel in resample.KERNELS:
        plane = (0.5 * xx - 0.2 * yy + 7).astype(np.float32)
        out = resample.resample(plane, np.zeros(shape, np.uint8), pixels, kernel=kernel, conserve=False)
        for row in (60, 100):
            x, y, _ = pixels.rows(row, row + 1)
            inside = (out.flags[row] == 0) & (x[0] > 8) & (x[0] < 160) & (y[0] > 8) & (y[0] < 140)
            assert inside.sum() > 50
            assert np.abs(out.image[row] - (0.5 * x[0] - 0.2 * y[0] + 7))[inside].max() < 0.02
    with pytest.raises(ValueError, match="kernel must be one of"):
        resample.kernel_of("nearest")
