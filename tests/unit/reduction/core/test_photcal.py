"""Zero points, curves of growth and ties between frames against truth."""

from __future__ import annotations

import numpy as np
import pytest
from starfield import add_stars, observe, sky_sigma, spread_positions

from photopipe_gui.reduction.core.aperture import aperture_photometry, contamination, local_sky, ring, touched
from photopipe_gui.reduction.core.growth import measure_growth, usual_growth
from photopipe_gui.reduction.core.photcal import clip_loss, fit_zero_point, flux_scale, match_sky
from photopipe_gui.reduction.core.relphot import StarList, tie_frames
from photopipe_gui.reduction.core.starphot import measure_stars


def trial(rng, n=30, zero=27.3, scatter=0.0, outliers=0, clip=3.0):
    """Fit a zero point to n stars with errors from 0.003 to 0.06 mag."""
    error = rng.uniform(0.003, 0.05, n)
    reference_error = rng.uniform(0.002, 0.03, n)
    truth = rng.uniform(15, 19, n)
    magnitude = truth - zero + rng.normal(0, error)
    reference = truth + rng.normal(0, np.hypot(reference_error, scatter))
    reference[:outliers] += rng.choice([-1, 1], outliers) * rng.uniform(0.3, 2, outliers)
    return fit_zero_point(magnitude, error, reference, reference_error, clip=clip)


@pytest.mark.parametrize(("scatter", "outliers", "clip"), [(0.0, 0, 3.0), (0.0, 4, 3.0), (0.03, 2, 3.0), (0.0, 0, 1.0)])
def test_pulls_of_the_zero_point_have_unit_width(scatter, outliers, clip):
    rng = np.random.default_rng(1)
    fits = [trial(rng, scatter=scatter, outliers=outliers, clip=clip) for _ in range(600)]
    pulls = np.array([(fit.value - 27.3) / fit.error for fit in fits])
    assert abs(pulls.mean()) < 0.15
    assert 0.85 < pulls.std() < 1.15


def test_thirty_stars_of_a_hundredth_give_five_thousandths():
    rng = np.random.default_rng(2)
    off = []
    for _ in range(300):
        truth = rng.uniform(15, 18, 30)
        fit = fit_zero_point(truth - 27 + rng.normal(0, 0.005, 30), np.full(30, 0.005),
                             truth + rng.normal(0, 0.01, 30), np.full(30, 0.01))
        off.append(fit.value - 27)
    assert np.abs(off).max() < 0.0085 and np.std(off) < 0.0025


def test_scatter_rms_and_what_is_left_out():
    rng = np.random.default_rng(3)
    error = np.full(40, 0.02)
    error[:5] = 0.2
    magnitude, reference = rng.normal(-10, 1, 40), np.zeros(40)
    reference = magnitude + 25 + rng.normal(0, 0.02, 40)
    reference[:5] += 3
    reference[5], reference[6] = np.nan, reference[6] + 1
    fit = fit_zero_point(magnitude, error, reference, np.zeros(40))
    assert not fit.used[:7].any() and fit.n == fit.used.sum() >= 31
    assert fit.scatter == pytest.approx(0.02, rel=0.4) and fit.rms == pytest.approx(0.02, rel=0.3)
    none = fit_zero_point(magnitude[:3], error[:3], reference[:3], np.zeros(3))
    assert np.isnan(none.value) and none.n == 0
    single = fit_zero_point(magnitude[10:11], error[10:11], reference[10:11], np.full(1, 0.01))
    assert single.n == 1 and single.error == pytest.approx(np.hypot(0.02, 0.01), rel=0.02)


def test_clip_loss_agrees_with_trials():
    rng = np.random.default_rng(4)
    values = rng.normal(0, 1, (4000, 100))
    first = values.mean(axis=1, keepdims=True)
    kept = np.abs(values - first) < values.std(axis=1, keepdims=True)
    means = (values * kept).sum(axis=1) / kept.sum(axis=1)
    assert means.std() * 10 == pytest.approx(clip_loss(1.0), rel=0.06)
    assert clip_loss(5.0) == pytest.approx(1.0, abs=1e-3)


def test_a_frame_with_a_higher_zero_point_is_scaled_down():
    assert flux_scale(27.5, 27.0) == pytest.approx(10**-0.2)
    assert flux_scale(27.0, 27.0) == 1.0


def test_matching_is_one_to_one_across_the_meridian():
    ra, dec = np.array([359.9999, 0.0003, 0.01]), np.array([10.0, 10.0, 10.0])
    reference_ra, reference_dec = np.array([0.0000, 0.0101, np.nan, 50.0]), np.array([10.0, 10.0, 10.0, 0.0])
    star, entry, alone = match_sky(ra, dec, reference_ra, reference_dec, 1.0)
    assert star.tolist() == [0, 2] and entry.tolist() == [0, 1] and alone.all()
    assert len(match_sky(ra, dec, np.zeros(0), np.zeros(0), 1.0)[0]) == 0


@pytest.mark.parametrize("beta", [None, 2.5, 3.2, 4.765])
@pytest.mark.parametrize("fwhm", [2.4, 4.0])
def test_total_fluxes_do_not_depend_on_the_profile(beta, fwhm):
    off, stated = [], []
    for seed in (5, 6):
        rng = np.random.default_rng(seed)
        shape = (560, 560)
        x, y = spread_positions(rng, 30, shape, 16 * fwhm, 6 * fwhm)
        flux = 10 ** rng.uniform(4.6, 5.8, len(x))
        image = observe(add_stars(np.zeros(shape), x, y, flux, fwhm, beta, reach=40), rng)
        bad = np.zeros(shape, bool)
        growth = measure_growth(image, x, y, fwhm=fwhm, noise=sky_sigma(), gain=2.0)
        for radius in (1.0, 1.5, 2.5):
            sums = aperture_photometry(image, bad, x, y, radius * fwhm, fwhm=fwhm, noise=sky_sigma(), gain=2.0)
            off.append(np.median(sums.flux / growth.captured(radius * fwhm) / flux) - 1)
        stated.append(growth.error)
    assert abs(np.mean(off)) < 0.005 and np.abs(off).max() < 0.012
    assert max(stated) < 0.006


def test_a_halo_that_no_moffat_profile_has_is_measured():
    rng = np.random.default_rng(7)
    shape = (560, 560)
    x, y = spread_positions(rng, 30, shape, 45, 30)
    flux = 10 ** rng.uniform(4.8, 5.8, len(x))
    image = add_stars(np.zeros(shape), x, y, 0.85 * flux, 3.0, None)
    image = observe(add_stars(image, x, y, 0.15 * flux, 6.6, None), rng)
    bad = np.zeros(shape, bool)
    growth = measure_growth(image, x, y, fwhm=3.1, noise=sky_sigma(), gain=2.0)
    sums = aperture_photometry(image, bad, x, y, 4.6, fwhm=3.1, noise=sky_sigma(), gain=2.0)
    assert abs(np.median(sums.flux / growth.captured(4.6) / flux) - 1) < 0.006


def test_aperture_errors_are_those_of_repeated_exposures():
    rng = np.random.default_rng(8)
    x, y = np.meshgrid(np.arange(40, 400, 60) + 0.3, np.arange(40, 400, 60) + 0.7)
    x, y = x.ravel(), y.ravel()
    signal = add_stars(np.zeros((420, 420)), x, y, 2e4, 3.0)
    bad = np.zeros(signal.shape, bool)
    runs = [aperture_photometry(observe(signal, rng), bad, x, y, 4.5, fwhm=3.0, noise=sky_sigma(), gain=2.0)
            for _ in range(30)]
    scatter = np.std([run.flux for run in runs], axis=0)
    assert np.mean(scatter) / np.mean(runs[0].error) == pytest.approx(1.0, abs=0.06)


def test_local_sky_sees_past_neighbours():
    rng = np.random.default_rng(9)
    image = rng.normal(5, 2, (120, 120)).astype(np.float32)
    add_stars(image, [60, 80], [60, 62], [1e5, 5e4], 3.0)
    image[40:50, 60:70] = np.nan
    found = local_sky(image, np.isnan(image), np.array([60.0]), np.array([60.0]), *ring(3.0))
    assert found.level[0] == pytest.approx(5, abs=0.4) and found.count[0] > 300
    empty = local_sky(image, np.ones(image.shape, bool), np.array([60.0]), np.array([60.0]), *ring(3.0))
    assert empty.count[0] == 0 and empty.level[0] == 0


def test_what_touches_and_what_contaminates():
    flags = np.zeros((50, 50), bool)
    flags[20, 25] = True
    x, y = np.array([22.0, 35.0, 2.0]), np.array([20.0, 20.0, 30.0])
    assert touched(flags, x, y, 4.0).tolist() == [True, False, True]
    share = contamination(np.array([10.0, 13.0, 60.0]), np.array([10.0, 10.0, 10.0]), np.array([1e4, 1e3, 1e4]), 4, 3)
    assert share[0] == pytest.approx(0.1, rel=0.1) and share[1] > 5 and share[2] < 1e-3


def test_without_stars_nothing_is_invented():
    rng = np.random.default_rng(10)
    none = np.zeros((200, 200), bool)
    found = measure_stars(rng.normal(0, 5, (200, 200)).astype(np.float32), none, none, none)
    assert found.n == 0 and np.isnan(found.fwhm)
    blank = measure_stars(np.full((200, 200), np.nan, np.float32), none, none, none)
    assert blank.n == 0
    assert usual_growth(3.0).error >= 0.01


def star_lists(rng, zero, n=60, error=0.01, seen=0.7):
    ra, dec, mag = rng.uniform(150, 150.1, n), rng.uniform(20, 20.1, n), rng.uniform(15, 19, n)
    lists = []
    for value in zero:
        there = rng.uniform(0, 1, n) < seen
        n_there = int(there.sum())
        noisy = mag[there] - value + rng.normal(0, error, n_there)
        lists.append(StarList(ra[there] + rng.normal(0, 2e-5, n_there), dec[there], noisy, np.full(n_there, error)))
    return lists


def test_frames_are_tied_by_their_common_stars():
    rng = np.random.default_rng(11)
    zero = np.array([27.0, 26.4, 27.2, 25.9, 27.0])
    pulls = []
    for _ in range(40):
        lists = star_lists(rng, zero)
        lists[1].magnitude[:3] += 1.5  # three stars that varied, or were hit
        ties = tie_frames(lists)
        assert len(set(ties.component)) == 1 and (ties.common > 20).all()
        off = ties.value - zero
        assert np.abs(off - off.mean()).max() < 0.012
        pulls.append((off - off.mean()) / ties.error)
    assert 0.6 < np.std(pulls) < 1.2


def test_frames_apart_are_not_tied():
    rng = np.random.default_rng(12)
    west, east = star_lists(rng, [27.0, 26.0]), star_lists(rng, [27.0, 26.5])
    for stars in east:
        stars.ra[:] += 1.0
    lonely = StarList(np.array([10.0]), np.array([0.0]), np.array([-8.0]), np.array([0.01]))
    empty = StarList(*(np.zeros(0),) * 4)
    ties = tie_frames([*west, *east, lonely, empty])
    assert ties.component[0] == ties.component[1] != ties.component[2] == ties.component[3]
    assert len(set(ties.component)) == 4 and ties.common[4] == ties.common[5] == 0
    assert ties.value[0] - ties.value[1] == pytest.approx(1.0, abs=0.01)
    assert ties.value[2] - ties.value[3] == pytest.approx(0.5, abs=0.01)
    assert np.isfinite(ties.value).all()
