from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest, permutation_test, rankdata

from cohortflow.errors import GroupTooSmall, MissingValues, UsageError
from cohortflow.topology.group_maps import permutations
from cohortflow.topology.group_maps.permutations import permuted_rank_sum_pairs
from cohortflow.topology.group_maps.rank_sum import rank_sum_pairs
from tests.topology.test_rank_sum_pairs import matrices

UPPER = np.triu_indices(4, 1)


def reference(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One pair and one permutation at a time, through scipy: every way to part the subjects."""
    columns = [(first[:, i, j], second[:, i, j]) for i, j in zip(*UPPER, strict=True)]
    nulls, found, alone = [], [], []
    for x, y in columns:

        def statistic(a, b, axis=-1):
            whole = np.concatenate([a, b], axis=axis)
            ranks = rankdata(whole, axis=axis)
            sums = ranks[..., : a.shape[axis]].sum(axis=axis)
            return np.abs(sums - a.shape[axis] * (whole.shape[axis] + 1) / 2)

        done = permutation_test(
            (x, y), statistic, vectorized=True, alternative="greater", n_resamples=np.inf
        )
        deviations = rankdata(np.concatenate([x, y])) - (len(x) + len(y) + 1) / 2
        spread = np.sqrt((deviations**2).sum()) or np.inf
        nulls.append(done.null_distribution / spread)
        found.append(done.statistic / spread)
        alone.append(done.pvalue)
    largest = np.max(nulls, axis=0)
    return np.array(alone), np.array([(largest >= one - 1e-12).mean() for one in found])


@pytest.mark.parametrize(("m", "n"), [(4, 5), (3, 7), (2, 2), (2, 7)])
def test_all_permutations_equal_those_of_scipy(m: int, n: int):
    rng = np.random.default_rng(m)
    first, second = matrices(m, 4, rng, 0.8), matrices(n, 4, rng)
    first[:, 0, 1] = first[:, 1, 0] = second[:, 0, 1] = second[:, 1, 0] = 2.0
    tests = permuted_rank_sum_pairs(first, second, 1000)
    alone, family = reference(first, second)
    assert tests.exhaustive
    np.testing.assert_allclose(tests.p_value[UPPER], alone, rtol=1e-12)
    np.testing.assert_allclose(tests.p_family[UPPER], family, rtol=1e-12)
    assert tests.p_value[0, 1] == tests.p_family[0, 1] == 1.0


def test_drawn_permutations_come_near_all_of_them(monkeypatch):
    rng = np.random.default_rng(0)
    first, second = matrices(5, 4, rng, 0.8), matrices(6, 4, rng)  # 462 ways
    every = permuted_rank_sum_pairs(first, second, 462)
    drawn = permuted_rank_sum_pairs(first, second, 461)
    assert (every.exhaustive, every.permutations) == (True, 462)
    assert (drawn.exhaustive, drawn.permutations) == (False, 461)
    np.testing.assert_allclose(drawn.p_value, every.p_value, atol=0.07)
    np.testing.assert_allclose(drawn.p_family, every.p_family, atol=0.07)
    again = permuted_rank_sum_pairs(first, second, 461)
    np.testing.assert_array_equal(again.p_family, drawn.p_family)
    other = permuted_rank_sum_pairs(first, second, 461, seed=1)
    assert (other.p_value != drawn.p_value).any()
    monkeypatch.setattr(permutations, "BATCH", 7)
    np.testing.assert_array_equal(
        permuted_rank_sum_pairs(first, second, 461).p_value, drawn.p_value
    )


def test_no_p_is_below_what_the_number_of_permutations_can_tell():
    rng = np.random.default_rng(0)
    first, second = matrices(20, 4, rng, 9.0), matrices(20, 4, rng)
    tests = permuted_rank_sum_pairs(first, second, 50)
    assert (tests.p_value[UPPER] == 1 / 51).all()
    assert (tests.p_family[UPPER] == 1 / 51).all()


def test_p_is_uniform_where_the_groups_do_not_differ_and_the_family_is_kept():
    rng = np.random.default_rng(0)
    smallest, values = [], []
    for trial in range(500):
        tests = permuted_rank_sum_pairs(
            rng.normal(size=(20, 4, 4)), rng.normal(size=(25, 4, 4)), 199, seed=trial
        )
        values.append(tests.p_value[0, 1])
        smallest.append(tests.p_family.min())
    assert kstest(values, "uniform").pvalue > 0.01
    assert np.mean(np.array(smallest) <= 0.05) < 0.09  # four standard errors above 0.05
    assert kstest(smallest, "uniform").pvalue > 0.01


def test_what_holds_of_every_test():
    rng = np.random.default_rng(3)
    first, second = matrices(8, 4, rng, 1.5), matrices(9, 4, rng)
    there, back = (
        permuted_rank_sum_pairs(*groups, 24310) for groups in ((first, second), (second, first))
    )
    assert there.exhaustive
    np.testing.assert_array_equal(there.p_value, back.p_value)
    np.testing.assert_array_equal(there.p_family, back.p_family)
    np.testing.assert_array_equal(there.p_value, there.p_value.T)
    assert (there.p_family >= there.p_value).all()
    assert (there.p_value.diagonal() == 1.0).all()
    normal = rank_sum_pairs(first, second).p_value
    np.testing.assert_allclose(there.p_value, normal, atol=0.02)


def test_bad_input():
    good = np.zeros((3, 4, 4))
    bad = good.copy()
    bad[0, 0, 1] = np.nan
    for test in (rank_sum_pairs, lambda *groups: permuted_rank_sum_pairs(*groups, 9)):
        with pytest.raises(MissingValues):
            test(good, bad)
        with pytest.raises(GroupTooSmall):
            test(good, good[:0])
        with pytest.raises(UsageError, match="one size"):
            test(good, np.zeros((3, 5, 5)))
        for size in (0, 1):
            assert test(good[:, :size, :size], good[:, :size, :size]).p_value.shape == (size, size)
        one = test(good[:1], good[:1])
        assert (one.p_value == 1.0).all()
    with pytest.raises(UsageError, match="permutes"):
        permuted_rank_sum_pairs(good, good, 0)
