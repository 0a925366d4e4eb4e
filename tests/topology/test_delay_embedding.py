from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortflow.errors import MissingValues, SeriesTooShort, UsageError
from cohortflow.topology import delay_embedding


def test_windows_of_three():
    cloud = delay_embedding([1, 2, 3, 4, 5])
    assert cloud.dtype == np.float64
    np.testing.assert_array_equal(cloud, [[1, 2, 3], [2, 3, 4], [3, 4, 5]])


def test_a_lag_skips_samples():
    np.testing.assert_array_equal(
        delay_embedding([0, 1, 2, 3, 4, 5], dimension=2, lag=3), [[0, 3], [1, 4], [2, 5]]
    )


@given(n=st.integers(1, 60), dimension=st.integers(1, 6), lag=st.integers(1, 6))
def test_shape_and_entries(n: int, dimension: int, lag: int):
    span = (dimension - 1) * lag
    series = np.arange(n, dtype=float) ** 2
    if n <= span:
        with pytest.raises(SeriesTooShort):
            delay_embedding(series, dimension, lag)
        return
    cloud = delay_embedding(series, dimension, lag)
    assert cloud.shape == (n - span, dimension)
    for k in range(dimension):
        np.testing.assert_array_equal(cloud[:, k], series[k * lag : n - span + k * lag])


def test_two_samples_are_too_short():
    with pytest.raises(SeriesTooShort, match="at least 3 samples"):
        delay_embedding([1.0, 2.0])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_missing_values_name_the_sample(bad: float):
    with pytest.raises(MissingValues, match="sample 2"):
        delay_embedding([0.0, 1.0, bad, 3.0])


@pytest.mark.parametrize("arguments", [{"dimension": 0}, {"lag": 0}])
def test_a_dimension_or_lag_below_one(arguments: dict[str, int]):
    with pytest.raises(UsageError, match="at least 1"):
        delay_embedding([1.0, 2.0, 3.0], **arguments)


def test_a_table_of_series_is_refused():
    with pytest.raises(UsageError, match="one series"):
        delay_embedding(np.ones((3, 10)))
