from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control, mannwhitneyu

from cohortflow.topology.group_maps.rank_sum import rank_sum_pairs


def matrices(count: int, size: int, rng: np.random.Generator, shift: float = 0.0) -> np.ndarray:
    # Rounded to one digit: ties in every pair.
    half = np.round(rng.normal(shift, 1.0, (count, size, size)), 1)
    full = np.triu(half, 1)
    return full + np.swapaxes(full, 1, 2)


def test_equals_one_test_at_a_time():
    rng = np.random.default_rng(0)
    first, second = matrices(9, 5, rng), matrices(12, 5, rng, 0.7)
    tests = rank_sum_pairs(first, second)
    expected = []
    for i in range(5):
        for j in range(i + 1, 5):
            x, y = first[:, i, j], second[:, i, j]
            one = mannwhitneyu(x, y, method="asymptotic")
            larger = np.mean(x[:, None] > y) - np.mean(x[:, None] < y)
            expected.append(one.pvalue)
            assert tests.p_value[i, j] == tests.p_value[j, i] == one.pvalue
            assert tests.effect[i, j] == tests.effect[j, i] == pytest.approx(larger)
    q = false_discovery_control(expected)
    np.testing.assert_allclose(tests.q_value[np.triu_indices(5, 1)], q)
    assert (tests.p_value.diagonal() == 1).all()
    assert (tests.q_value.diagonal() == 1).all()
    assert (tests.effect.diagonal() == 0).all()


def test_groups_exchanged_turn_the_effect_only():
    rng = np.random.default_rng(1)
    first, second = matrices(6, 4, rng), matrices(7, 4, rng, 1.0)
    there, back = rank_sum_pairs(first, second), rank_sum_pairs(second, first)
    np.testing.assert_allclose(there.p_value, back.p_value)
    np.testing.assert_allclose(there.effect, -back.effect)
    assert there.effect[0, 1] < 0


def test_equal_values_everywhere_say_nothing():
    tests = rank_sum_pairs(np.zeros((4, 3, 3)), np.zeros((5, 3, 3)))
    assert (tests.p_value == 1).all()
    assert not tests.effect.any()


def test_identical_groups_rarely_pass():
    rng = np.random.default_rng(2)
    tests = rank_sum_pairs(rng.normal(size=(40, 60, 60)), rng.normal(size=(40, 60, 60)))
    upper = tests.p_value[np.triu_indices(60, 1)]
    assert 0.003 < (upper < 0.01).mean() < 0.02
    assert (tests.q_value[np.triu_indices(60, 1)] < 0.01).sum() == 0
