from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortflow.errors import SeriesTooShort
from cohortflow.preprocess.series import constant_regions, crop, zscore


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(0, 5))
def test_zscore_forgets_offset_and_scale(offset: float, scale: float, seed: int):
    series = np.random.default_rng(seed).normal(size=(2, 30))
    scored = zscore(series)
    np.testing.assert_allclose(scored.mean(axis=1), 0.0, atol=1e-12)
    np.testing.assert_allclose(scored.std(axis=1), 1.0)
    moved = zscore(series * scale + offset)
    np.testing.assert_allclose(moved, scored, atol=1e-12 * (1 + abs(offset) / scale) * 100)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, -1e9, 1 / 3])
def test_a_constant_is_found_and_scored_zero(value: float):
    series = np.vstack([np.full(50, value), np.arange(50.0)])
    assert constant_regions(series).tolist() == [True, False]
    assert not zscore(series)[0].any()


def test_rounding_is_no_variance():
    wobble = np.where(np.arange(50) % 2, 1.0, np.nextafter(1.0, 2.0))
    assert constant_regions(wobble[None])[0]
    assert not constant_regions((1.0 + 1e-9 * np.arange(50))[None])[0]


def test_crop_keeps_the_beginning():
    series = np.arange(12.0).reshape(2, 6)
    np.testing.assert_array_equal(crop(series, 4), series[:, :4])
    np.testing.assert_array_equal(crop(series, 6), series)
    with pytest.raises(SeriesTooShort, match=r"at least 7 samples.*found 6 samples"):
        crop(series, 7)
