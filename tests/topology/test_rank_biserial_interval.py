from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from cohortflow.errors import UsageError
from cohortflow.topology.group_maps.intervals import rank_biserial_interval


@pytest.mark.parametrize(("m", "n", "confidence"), [(5, 9, 0.95), (40, 40, 0.9), (1, 1, 0.5)])
def test_ends_solve_the_quartic_of_the_source(m: int, n: int, confidence: float):
    from scipy.special import ndtri

    z, spare = ndtri((1 + confidence) / 2), (m + n) / 2 - 1
    effect = np.array([-1.0, -0.6, 0.0, 0.3, 1.0])
    ends = rank_biserial_interval(effect, m, n, confidence)
    for end in ends:
        theta, estimate = (1 + end) / 2, (1 + effect) / 2
        more = spare * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        square = z**2 * theta * (1 - theta) * (1 + more) / (m * n)
        np.testing.assert_allclose((estimate - theta) ** 2, square, atol=1e-12)
    low, high = ends
    assert (low <= effect).all()
    assert (effect <= high).all()
    assert (low[1:] < effect[1:]).all(), "only an effect of -1 is its own lower end"
    assert low[0] == -1.0
    assert high[-1] == 1.0
    np.testing.assert_allclose(low, -rank_biserial_interval(-effect, m, n, confidence)[1])


@pytest.mark.parametrize(("m", "n", "shift"), [(10, 10, 0.0), (12, 30, 1.0), (50, 50, 2.0)])
def test_it_holds_the_truth_as_often_as_it_says(m: int, n: int, shift: float):
    rng = np.random.default_rng(0)
    x, y = rng.normal(shift, 1.0, (2000, m)), rng.normal(size=(2000, n))
    effect = 2.0 * np.mean(x[:, :, None] > y[:, None, :], axis=(1, 2)) - 1.0
    low, high = rank_biserial_interval(effect, m, n, 0.95)
    truth = 2.0 * ndtr(shift / np.sqrt(2.0)) - 1.0
    assert 0.93 < np.mean((low <= truth) & (truth <= high)) < 0.98


def test_bad_input():
    with pytest.raises(UsageError, match="confidence"):
        rank_biserial_interval(np.zeros(1), 3, 3, 1.0)
    with pytest.raises(UsageError, match="both groups"):
        rank_biserial_interval(np.zeros(1), 0, 3)


@pytest.mark.parametrize("effect", [1.5, -1.01, np.nan])
def test_what_is_no_correlation_has_no_interval(effect: float):
    with pytest.raises(UsageError, match="lies in"):
        rank_biserial_interval(np.array([0.0, effect]), 5, 6)
