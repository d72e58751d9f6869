import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.stats import binom

from photopipe_gui.reduction.core.asterism import Prior, admissible_choices, triangles
from photopipe_gui.reduction.core.match import chance_of, find_match, fit_linear, mutual_pairs, similarity_matrix


def scattered(rng, n, half):
    return rng.uniform(-half, half, n) + 1j * rng.uniform(-half, half, n)


def test_triangles_ignore_rotation_scale_and_order():
    rng = np.random.default_rng(2)
    z = scattered(rng, 7, 500)
    moved = 1.3 * np.exp(0.7j) * z[::-1] + 40 - 9j
    one, other = triangles(z, 1, 1e5), triangles(moved, 1, 1e5)
    assert len(one) == len(other) > 20
    np.testing.assert_allclose(one.key[np.lexsort(one.key.T)], other.key[np.lexsort(other.key.T)], rtol=1e-9)
    assert sorted(one.turn) == sorted(other.turn)
    mirrored = triangles(np.conj(z), 1, 1e5)
    assert sorted(mirrored.turn) == sorted(-one.turn)


@pytest.mark.parametrize("flipped", [False, True])
def test_a_similarity_is_recovered(flipped):
    rng = np.random.default_rng(3)
    z = scattered(rng, 30, 500)
    alpha, beta = 1.01 * np.exp(0.04j), 120 - 60j
    w = alpha * (np.conj(z) if flipped else z) + beta
    prior = Prior(0j, 400, np.pi, (0.97, 1.03), True, 700)
    match, _ = find_match(z, w[rng.permutation(30)], prior, 1e6)
    assert match is not None
    np.testing.assert_allclose(match.matrix, similarity_matrix(alpha, beta, flipped), atol=1e-6)
    assert len(match.source) == 30


def test_a_transformation_outside_the_prior_is_not_found():
    rng = np.random.default_rng(4)
    z = scattered(rng, 25, 500)
    for w in (1.2 * z, z + 900, np.exp(0.4j) * z, np.conj(z)):
        match, _ = find_match(z, w, Prior(0j, 300, 0.1, (0.97, 1.03), False, 700), 1e6)
        assert match is None


def test_mutual_pairs_are_unique_and_nearest():
    here = np.array([[0.0, 0], [0.4, 0], [5, 5], [9, 9]])
    there = np.array([[0.1, 0], [5, 5.5], [20, 20]])
    one, other = mutual_pairs(here, there, cKDTree(there), 1.0)
    assert dict(zip(one, other, strict=True)) == {0: 0, 2: 1}


def test_linear_fits_undo_what_was_done():
    rng = np.random.default_rng(6)
    here = rng.uniform(-100, 100, (9, 2))
    matrix = np.array([[1.1, 0.2, 5], [0.1, -0.9, -3]])
    np.testing.assert_allclose(fit_linear(here, here @ matrix[:, :2].T + matrix[:, 2], False), matrix, atol=1e-9)


def test_chance_is_the_binomial_tail_times_the_choices():
    expected = np.log10(binom.sf(4, 20, 0.01) * 1000)
    assert chance_of(5, 20, 0.01, np.log(1000)) == pytest.approx(expected, abs=1e-6)
    assert chance_of(0, 20, 0.01, 5.0) == 0.0
    assert chance_of(3, 20, 0.5, 50.0) == 0.0
    assert chance_of(400, 400, 1e-9, 0.0) == -300.0


def test_choices_within_a_prior_are_never_fewer_than_there_are():
    rng = np.random.default_rng(8)
    z, w = scattered(rng, 8, 400), scattered(rng, 9, 400)
    prior = Prior(0j, 250, 0.5, (0.8, 1.25), False, 600)
    count = 0
    for a in range(8):
        for b in range(a + 1, 8):
            for c in range(9):
                for d in range(9):
                    if c != d:
                        alpha = (w[d] - w[c]) / (z[b] - z[a])
                        shift = abs(w[c] - alpha * z[a])
                        count += 0.8 <= abs(alpha) <= 1.25 and abs(np.angle(alpha)) <= 0.5 and shift <= 250
    assert admissible_choices(z, w, prior) == count
    assert admissible_choices(z, w, prior, most=1) >= count


def test_the_bound_holds_on_unrelated_fields():
    """Of fields that have nothing to do with each other, no more than 1 in 100 may reach a bound of 1 in 100."""
    reached = 0
    for seed in range(250):
        rng = np.random.default_rng(seed)
        prior = Prior(0j, 300, np.pi, (0.95, 1.05), True, 700)
        match, best = find_match(scattered(rng, 14, 500), scattered(rng, 35, 900), prior, 1e6, ladder=((18, 0.01),))
        assert match is None
        reached += best <= -2
    assert reached <= 6
