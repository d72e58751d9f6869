import numpy as np
import pytest
from skyfields import separation_px, tan

from photopipe_gui.reduction.core.relative import Placed, adjust, corrected, make_mosaic, place

SCALE = 0.3 / 3600
SHAPE = (1000, 1000)


def chain(rng, noise=0.1, n_frames=5, step=350, stars=1500, wrong=1.0):
    """Make frames in a row, each overlapping the next: true WCS, WCS as first tied, sources."""
    sky = tan(SCALE * np.diag([-1, 1]), (0, 0), (120.0, 35.0))
    x, y = rng.uniform(-200, 3200, stars), rng.uniform(-200, 1300, stars)
    flux = 10 ** rng.uniform(3, 5, stars)
    ra, dec = sky.all_pix2world(x, y, 0)
    frames = []
    for k in range(n_frames):
        cd = SCALE * np.diag([-1.0, 1.0])
        true = tan(cd, (-step * k, 0), (120.0, 35.0))
        turn = 0 if k == 0 else rng.normal(0, wrong * 5e-4)
        bad = cd @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        shift = np.zeros(2) if k == 0 else rng.normal(0, 0.5 * wrong, 2)
        tied = tan(bad, (-step * k + shift[0], shift[1]), (120.0, 35.0))
        u, v = true.all_world2pix(ra, dec, 0)
        seen = (u > 0) & (v > 0) & (u < 999) & (v < 999) & (rng.random(stars) < 0.8)
        n = int(seen.sum())
        frames.append((true, tied, u[seen] + rng.normal(0, noise, n), v[seen] + rng.normal(0, noise, n), flux[seen]))
    return frames


def placed(frames, noise):
    return [place(tied, u, v, f, np.full(len(u), noise)) for _, tied, u, v, f in frames]


def test_a_chain_of_frames_comes_into_line_at_once():
    frames = chain(np.random.default_rng(2))
    answer = adjust(placed(frames, 0.1), SCALE)
    np.testing.assert_array_equal(answer[0].matrix, [[1, 0, 0], [0, 1, 0]])
    better = [corrected(tied, SHAPE, correction) for (_, tied, *_), correction in zip(frames, answer, strict=True)]
    for k in range(len(frames) - 1):
        assert answer[k].matched > 100
        assert np.median(mismatch(frames[k][0], frames[k + 1][0], better[k], better[k + 1])) < 0.04
        assert np.median(mismatch(frames[k][0], frames[k + 1][0], frames[k][1], frames[k + 1][1])) > 0.15


def mismatch(true_one, true_other, one, other):
    """Return how far two WCS disagree in px about pixels that show the same sky."""
    x, y = (v.ravel() for v in np.meshgrid(np.arange(0, 1000, 50.0), np.arange(0, 1000, 50.0)))
    u, v = true_other.all_world2pix(*true_one.all_pix2world(x, y, 0), 0)
    both = (u > 0) & (u < 999) & (v > 0) & (v < 999)
    p, q = other.all_world2pix(*one.all_pix2world(x[both], y[both], 0), 0)
    return np.hypot(p - u[both], q - v[both])


def test_scatter_of_the_positions_is_told_honestly():
    rms = []
    for seed in range(4):
        frames = chain(np.random.default_rng(seed), noise=0.12, n_frames=3, step=100)
        for correction in adjust(placed(frames, 0.12), SCALE):
            rms += list(correction.rms / SCALE)
    assert np.mean(rms) == pytest.approx(0.12, rel=0.08)


def test_wrong_stars_do_not_pull_a_frame_off():
    rng = np.random.default_rng(5)
    frames = chain(rng, n_frames=2, step=100, wrong=0.3)
    true, tied, u, v, f = frames[1]
    spoilt = rng.random(len(u)) < 0.15
    u, v = np.where(spoilt, u + rng.uniform(0.5, 2, len(u)), u), np.where(spoilt, v + rng.uniform(0.5, 2, len(u)), v)
    answer = adjust(placed([frames[0], (true, tied, u, v, f)], 0.1), SCALE)
    assert np.median(separation_px(true, corrected(tied, SHAPE, answer[1]), SHAPE, 0.3)) < 0.05


def test_the_mosaic_holds_each_star_once():
    ra, dec = np.array([10.0, 10.01, 10.02]), np.array([1.0, 1.0, 1.0])
    one = Placed(ra, dec, np.array([100.0, 50, 20]), np.full(3, 1e-5))
    other = Placed(ra[1:] + 2e-5, dec[1:], np.array([25.0, 10]), np.full(2, 1e-5))
    mosaic = make_mosaic([one, other], 1e-4)
    assert len(mosaic) == 3
    np.testing.assert_array_equal(mosaic.count, [1, 2, 2])
    np.testing.assert_allclose(mosaic.ra, [10.0, 10.01001, 10.02001], atol=1e-9)
    np.testing.assert_allclose(mosaic.magnitude, -2.5 * np.log10([100, 50, 20]))
    np.testing.assert_array_equal(mosaic.members[1], [1, 2])


def test_the_mosaic_knows_no_seam_at_zero_hours():
    one = Placed(np.array([359.999, 0.001]), np.zeros(2), np.ones(2), np.full(2, 1e-5))
    mosaic = make_mosaic([one, one], 1e-4)
    assert len(mosaic) == 2
    np.testing.assert_allclose(np.sort(mosaic.ra), [0.001, 359.999], atol=1e-9)
