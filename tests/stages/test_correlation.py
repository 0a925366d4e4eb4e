from __future__ import annotations

import numpy as np

from cohortflow.stages.correlation import STAGE
from tests.golden.check import assert_golden
from tests.stages.examples import run, series_entry


def series() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(4, 30)).cumsum(axis=1)


def test_golden():
    assert_golden(STAGE, run(STAGE, series=series_entry(series())))


def test_pearson_with_unit_diagonal():
    values = series()
    matrix = run(STAGE, series=series_entry(values)).dataset["connectivity"].values
    scored = (values - values.mean(1, keepdims=True)) / values.std(1, keepdims=True)
    np.testing.assert_allclose(matrix, scored @ scored.T / 30, atol=1e-12)
    assert (matrix.diagonal() == 1.0).all()
    np.testing.assert_array_equal(matrix, matrix.T)


def test_invalid_regions_are_nan_and_nothing_else_is():
    values = series()
    values[1] = 0.0
    valid = [True, False, True, True]
    dataset = run(STAGE, series=series_entry(values, valid=valid)).dataset
    expected = np.outer(valid, valid)
    np.testing.assert_array_equal(np.isfinite(dataset["connectivity"]), expected)
    one = run(STAGE, series=series_entry(values, valid=[False, False, True, False])).dataset
    assert one["connectivity"].values[2, 2] == 1.0
