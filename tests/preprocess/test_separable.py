"""The compiled ways beside the obvious ones: the same bits, whatever the number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohortflow.preprocess import separable
from cohortflow.preprocess.axis_taps import Axis
from cohortflow.preprocess.separable import resample_labels, resample_smooth
from cohortflow.preprocess.spline_operators import gaussian, operator

COMPILED = (np.int16, np.float64)


@st.composite
def axis(draw: st.DrawFn, rules: tuple[str, ...] = ("linear", "nearest")) -> Axis:
    size, places = draw(st.integers(1, 9)), draw(st.integers(1, 12))
    # Halves make labels tie.
    step = draw(st.one_of(st.sampled_from([0.5, 1.5]), st.floats(0.1, 3.0)))
    step *= draw(st.sampled_from([-1.0, 1.0]))
    start = draw(st.one_of(st.sampled_from([-0.5, 0.5, 2.5]), st.floats(-2.0, size + 1.0)))
    rule: Any = draw(st.sampled_from(rules))
    return Axis(size, start + step * np.arange(places), rule)


AXES = st.tuples(axis(), axis(), axis())


def both_ways(call: Any) -> tuple[np.ndarray, np.ndarray]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(separable, "COMPILED_FROM", 0)
        compiled = call(threads=3)
    return compiled, call(threads=1)


@settings(max_examples=80)
@given(AXES, st.sampled_from(COMPILED), st.integers(0, 99))
def test_linear_has_the_bits_of_the_obvious_way(
    axes: tuple[Axis, ...], dtype: Any, seed: int
) -> None:
    shape = [axis.size for axis in axes]
    source = (1000 * np.random.default_rng(seed).normal(size=shape)).astype(dtype)
    compiled, obvious = both_ways(
        lambda threads: resample_smooth(source, axes, -7.0, threads=threads)
    )
    np.testing.assert_array_equal(compiled, obvious)
    assert compiled.dtype == (np.float64 if dtype == np.float64 else np.float32)


@settings(max_examples=80)
@given(AXES, st.sampled_from((np.uint8, np.bool_)), st.integers(0, 99))
def test_labels_have_the_bits_of_the_obvious_way(
    axes: tuple[Axis, ...], dtype: Any, seed: int
) -> None:
    shape = [axis.size for axis in axes]
    source = np.random.default_rng(seed).integers(0, 4, shape).astype(dtype)
    compiled, obvious = both_ways(lambda threads: resample_labels(source, axes, 1, threads=threads))
    np.testing.assert_array_equal(compiled, obvious)
    assert compiled.dtype == dtype


def test_of_labels_with_equal_weight_the_lowest() -> None:
    half = Axis(2, np.array([0.5]))
    one = Axis(1, np.array([0.0]))
    for first, second in ((3, 5), (5, 3)):
        pair = np.array([[[first, second]]], np.uint8)
        found = both_ways(lambda threads, pair=pair: resample_labels(pair, (one, one, half)))
        assert [way.tolist() for way in found] == [[[[3]]], [[[3]]]]
    mixed = np.array([[[1, 2], [2, 0]]])  # 2 twice, a quarter each
    assert resample_labels(mixed, (one, half, half)).tolist() == [[[2]]]


def test_rounding_of_a_matrix_decides_no_tie() -> None:
    off = Axis(5, np.array([0.5, 1.5 - 1e-9, 2.5 + 1e-9, 3.0 + 1e-8]), "nearest")
    assert off.nearest().tolist() == [1, 2, 3, 3]
    assert off.coordinates.tolist() == [0.5, 1.5, 2.5, 3.0]
    assert Axis(5, np.array([0.49, 0.51]), "nearest").nearest().tolist() == [0, 1]


def test_the_image_ends_half_a_voxel_from_its_outermost_centres() -> None:
    places = Axis(3, np.array([-0.51, -0.5, 0.0, 2.49, 2.5]))
    assert places.inside == slice(1, 4)
    one = Axis(1, np.array([0.0]))
    found = resample_smooth(np.array([[[1.0, 2.0, 4.0]]]), (one, one, places), -9.0)
    assert found.tolist() == [[[-9.0, 1.0, 1.0, 4.0, -9.0]]]
    away = Axis(3, np.array([7.0, 8.0]))
    assert (resample_smooth(np.ones((1, 1, 3)), (one, one, away), 5.0) == 5.0).all()


def test_a_voxel_that_is_no_number_stays_where_it_is() -> None:
    source = np.zeros((1, 1, 4))
    source[..., 2] = np.nan
    one = Axis(1, np.array([0.0]))
    found = resample_smooth(source, (one, one, Axis(4, np.array([1.0, 1.5, 2.0, 3.0]))))
    assert np.isnan(found).ravel().tolist() == [False, True, True, False]


@settings(max_examples=60)
@given(axis(("linear", "bspline", "nearest")), st.floats(0.1, 4.0))
def test_operators_keep_a_constant(along: Axis, blur: float) -> None:
    blurred = Axis(along.size, along.coordinates, along.rule, blur)
    for one in (along, blurred):
        np.testing.assert_allclose(operator(one).sum(axis=1), 1.0, atol=1e-9)


def test_a_blur_is_scipys_away_from_the_edges() -> None:
    from scipy.ndimage import gaussian_filter1d

    values = np.random.default_rng(0).normal(size=60)
    meant = gaussian_filter1d(values, 1.3, truncate=4.0)
    np.testing.assert_allclose((gaussian(60, 1.3) @ values)[8:-8], meant[8:-8], atol=1e-4)


@settings(max_examples=30)
@given(
    st.tuples(*[axis(("linear", "bspline", "nearest"))] * 3), st.floats(0.0, 2.0), st.integers(0, 9)
)
def test_blocks_are_the_whole_operator(axes: tuple[Axis, ...], blur: float, seed: int) -> None:
    """Whichever axis goes first, and however many threads."""
    axes = tuple(Axis(one.size, one.coordinates, one.rule, max(blur, 0.1)) for one in axes)
    source = np.random.default_rng(seed).normal(size=[axis.size for axis in axes])
    found = resample_smooth(source, axes, 0.0, threads=1)
    meant = np.einsum("abc,za,yb,xc->zyx", source, *(operator(axis) for axis in axes))
    np.testing.assert_allclose(found[tuple(axis.inside for axis in axes)], meant, atol=1e-12)
    np.testing.assert_array_equal(found, resample_smooth(source, axes, 0.0, threads=3))
