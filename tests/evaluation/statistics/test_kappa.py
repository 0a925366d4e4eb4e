"""Cohen's kappa against scikit-learn and a textbook's table; its intervals against scipy's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import bootstrap
from sklearn.metrics import cohen_kappa_score

from cohortflow.errors import EmptyInput, ShapeMismatch
from cohortflow.evaluation.statistics.kappa import _kappa, cohen_kappa


def test_the_example_of_fleiss() -> None:
    """Fleiss, Levin and Paik 2003, table 18.1: 100 cases, kappa 0.68."""
    counts = [[75, 1, 4], [5, 4, 1], [0, 0, 10]]
    pairs = [(a, b) for a, row in enumerate(counts) for b, n in enumerate(row) for _ in range(n)]
    first, second = zip(*((f"c{a}", f"c{b}") for a, b in pairs), strict=True)
    found = cohen_kappa(first, second, resamples=99)
    assert found.kappa == pytest.approx(0.68, abs=0.005)
    assert found.n == 100
    assert found.share == pytest.approx(0.89)


def test_the_fast_form_is_scikit_learns() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.integers(0, 3, (2, 40, 25)).astype(float)
    slow = [cohen_kappa_score(a, b) for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(_kappa(first, second, axis=-1), slow, atol=1e-12)


def test_the_interval_is_that_of_scipy() -> None:
    rng = np.random.default_rng(4)
    first = rng.integers(0, 3, 120)
    second = np.where(rng.random(120) < 0.7, first, rng.integers(0, 3, 120))
    found = cohen_kappa([f"c{n}" for n in first], [f"c{n}" for n in second], resamples=4000)
    theirs = bootstrap(
        (first.astype(float), second.astype(float)), _kappa, paired=True, vectorized=True,
        n_resamples=4000, rng=np.random.default_rng(5),
    ).confidence_interval  # fmt: skip
    assert found.interval.low == pytest.approx(theirs.low, abs=0.02)
    assert found.interval.high == pytest.approx(theirs.high, abs=0.02)
    assert found.interval.low < found.kappa < found.interval.high


def test_where_chance_alone_agrees_there_is_none() -> None:
    found = cohen_kappa(["pass"] * 9, ["pass"] * 9)
    assert math.isnan(found.kappa)
    assert found.share == 1.0
    assert found.interval.reason


def test_nobody_and_two_lengths() -> None:
    with pytest.raises(EmptyInput):
        cohen_kappa([], [])
    with pytest.raises(ShapeMismatch):
        cohen_kappa(["pass"], ["pass", "fail"])
