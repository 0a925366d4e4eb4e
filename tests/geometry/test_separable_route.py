"""The separable route beside SimpleITK: grids that share axes, in any order and either way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohortflow import errors
from cohortflow.geometry import Grid, Reorientation, resample_to_grid, resample_to_size
from cohortflow.geometry.orientation import ORIENTATIONS
from cohortflow.geometry.shared_axes import SharedAxes
from cohortflow.phantoms.canary import oriented_grid
from cohortflow.preprocess import separable
from tests.geometry.samples import ANGLES

SIZES = st.one_of(st.sampled_from([1, 2, 3]), st.integers(1, 12))
STEPS = st.one_of(st.sampled_from([0.5, 1.0, 2.0]), st.floats(0.2, 5.0))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Grid, Grid]:
    """A grid and one along its axes: other spacing, size and place, turned to any orientation."""
    code = draw(st.sampled_from(ORIENTATIONS))
    degrees = draw(st.one_of(st.just((0.0, 0.0, 0.0)), st.tuples(*[ANGLES] * 3)))
    spacing = np.array(draw(st.tuples(*[STEPS] * 3)))
    source = oriented_grid(code, draw(st.tuples(*[SIZES] * 3)), spacing, degrees)
    other = oriented_grid(
        code, draw(st.tuples(*[SIZES] * 3)), draw(st.tuples(*[STEPS] * 3)), degrees
    )
    matrix = np.array(other.matrix)
    shift = np.array(draw(st.tuples(*[st.floats(-4.0, 4.0)] * 3)))
    matrix[:3, 3] = source.centre_mm + matrix[:3, :3] @ (shift - (np.array(other.shape) - 1) / 2)
    way = Reorientation.towards(Grid(other.shape, matrix), draw(st.sampled_from(ORIENTATIONS)))
    return source, way.after


def clear_of(source: Grid, target: Grid, *fractions: float) -> np.ndarray:
    """Where no coordinate is within rounding of a voxel's edge or one of the fractions."""
    way = np.linalg.inv(source.matrix) @ target.matrix
    index = np.moveaxis(np.indices(target.shape), 0, -1) @ way[:3, :3].T + way[:3, 3]
    clear = np.ones(target.shape, bool)
    for edge in (-0.5, np.array(source.shape) - 0.5):
        clear &= (np.abs(index - edge) > 1e-5).all(axis=-1)
    for fraction in fractions:
        off = (index - fraction + 0.5) % 1.0 - 0.5
        clear &= (np.abs(off) > 1e-5).all(axis=-1)
    return clear


@settings(max_examples=150)
@given(
    pairs(),
    st.sampled_from(["linear", "bspline"]),
    st.sampled_from([np.int16, np.uint8, np.float32, np.float64]),
    st.integers(0, 99),
)
def test_images_are_simpleitks(
    grids: tuple[Grid, Grid], interpolation: Any, dtype: Any, seed: int
) -> None:
    source, target = grids
    if interpolation == "bspline" and 2 in source.shape:
        return
    array = np.random.default_rng(seed).integers(0, 200, source.shape).astype(dtype)
    ours = resample_to_grid(array, source, target, interpolation, -5.0, route="separable")
    theirs = resample_to_grid(array, source, target, interpolation, -5.0, route="simpleitk")
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape == target.shape
    clear = clear_of(source, target)
    assert np.abs(ours - theirs)[clear].max(initial=0.0) < 200 * 1e-5


@settings(max_examples=150)
@given(pairs(), st.sampled_from([np.uint8, np.int16, np.uint32, np.bool_]), st.integers(0, 99))
def test_the_nearest_voxel_is_simpleitks(grids: tuple[Grid, Grid], dtype: Any, seed: int) -> None:
    source, target = grids
    array = np.random.default_rng(seed).integers(0, 5, source.shape).astype(dtype)
    ours = resample_to_grid(array, source, target, "nearest", route="separable")
    theirs = resample_to_grid(array, source, target, "nearest", route="simpleitk")
    assert ours.dtype == theirs.dtype == dtype
    clear = clear_of(source, target, 0.5)
    np.testing.assert_array_equal(ours[clear], theirs[clear])


@settings(max_examples=150)
@given(pairs(), st.sampled_from([np.uint8, np.int16, np.int64]), st.integers(0, 99))
def test_labels_are_simpleitks_but_where_two_weigh_the_same(
    grids: tuple[Grid, Grid], dtype: Any, seed: int
) -> None:
    source, target = grids
    array = np.random.default_rng(seed).integers(0, 5, source.shape).astype(dtype)
    ours = resample_to_grid(array, source, target, "labels", route="separable")
    theirs = resample_to_grid(array, source, target, "labels", route="simpleitk")
    shares = np.stack(
        [
            resample_to_grid((array == label).astype(float), source, target, route="simpleitk")
            for label in range(5)
        ]
    )
    first, second = np.sort(shares, axis=0)[:-3:-1]
    clear = clear_of(source, target) & (first - second > 1e-5)
    np.testing.assert_array_equal(ours[clear], theirs[clear])
    assert ours.dtype == theirs.dtype == dtype


def test_of_labels_that_weigh_the_same_the_lowest_as_simpleitk_has_it() -> None:
    """Doubling and halving: every tie is exact, so rounding decides none."""
    rng = np.random.default_rng(3)
    source = oriented_grid("RAS", (8, 8, 8), (2.0, 2.0, 2.0))
    array = rng.integers(0, 4, source.shape).astype(np.uint8)
    for shape in ((4, 4, 4), (16, 16, 16), (4, 16, 8)):
        ours, target = resample_to_size(array, source, shape, "labels")
        theirs = resample_to_grid(array, source, target, "labels", route="simpleitk")
        np.testing.assert_array_equal(ours, theirs)


def test_the_compiled_way_is_taken_and_is_simpleitks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(separable, "COMPILED_FROM", 0)
    source = oriented_grid("LPS", (9, 14, 11), (3.0, 0.8, 0.8), (4.0, 9.0, -2.0))
    target = oriented_grid("LPS", (15, 10, 13), (1.45, 1.53, 1.07), (4.0, 9.0, -2.0))
    array = np.random.default_rng(0).integers(-1000, 1000, source.shape).astype(np.int16)
    for interpolation in ("linear", "labels"):
        ours = resample_to_grid(array, source, target, interpolation, threads=2)
        theirs = resample_to_grid(array, source, target, interpolation, route="simpleitk")
        np.testing.assert_allclose(ours, theirs, atol=1e-2)


def test_axes_that_cross_are_not_shared() -> None:
    source = oriented_grid("RAS", (20, 20, 20))
    turned = oriented_grid("RAS", (20, 20, 20), degrees=(0.0, 0.0, 0.1))
    assert SharedAxes.of(source, turned) is None
    rounded = oriented_grid("RAS", (20, 20, 20), degrees=(0.0, 0.0, 1e-6))
    assert SharedAxes.of(source, rounded) is not None
    with pytest.raises(errors.UsageError, match="share their axes"):
        resample_to_grid(np.zeros(source.shape), source, turned, route="separable")
    with pytest.raises(errors.UsageError, match="share their axes"):
        resample_to_grid(np.zeros(source.shape), source, turned, nearest_along=0)


def test_through_plane_the_nearest_slice_in_plane_the_interpolation() -> None:
    source = oriented_grid("RAS", (4, 8, 8), (8.0, 1.0, 1.0))
    target = oriented_grid("RAS", (16, 5, 5), (2.0, 1.6, 1.6))
    array = np.random.default_rng(0).normal(size=source.shape)
    found = resample_to_grid(array, source, target, "bspline", nearest_along=0)
    between = Grid((4, 5, 5), source.matrix @ np.diag([1.0, 1.6, 1.6, 1.0]))
    flat, _ = resample_to_size(array, source, (4, 5, 5), "bspline")
    np.testing.assert_allclose(found[1::4], flat, atol=1e-9)
    np.testing.assert_array_equal(found[1], found[2])
    assert between.shape == flat.shape


def test_antialiasing_takes_away_what_the_new_voxels_cannot_hold() -> None:
    source = oriented_grid("RAS", (4, 64, 64), (3.0, 0.5, 0.5))
    waves = np.where(np.arange(64) % 2, 1.0, -1.0) * np.ones((4, 64, 1))
    plain, _ = resample_to_size(waves, source, (4, 16, 16), "linear")
    smooth, target = resample_to_size(waves, source, (4, 16, 16), "linear", antialias=True)
    ramp = source.positions_mm() @ np.array([1.0, 2.0, 3.0])
    kept, _ = resample_to_size(ramp, source, (4, 16, 16), "linear", antialias=True)
    inner = (slice(None), slice(4, -4), slice(4, -4))
    np.testing.assert_allclose(kept[inner], (target.positions_mm() @ [1.0, 2.0, 3.0])[inner])
    assert np.abs(smooth[inner]).max() < 1e-3
    assert np.abs(plain).max() <= 1.0
    # Where the grids cross, the same blur, then SimpleITK.
    turned = oriented_grid("RAS", (4, 16, 16), (3.0, 2.0, 2.0), degrees=(0.0, 0.0, 30.0))
    crossed = resample_to_grid(waves, source, turned, antialias=True)
    assert np.abs(crossed[:, 6:10, 6:10]).max() < 0.02
    # Growing, nothing is blurred.
    finer, _ = resample_to_size(waves, source, (8, 128, 128), "linear", antialias=True)
    np.testing.assert_array_equal(finer, resample_to_size(waves, source, (8, 128, 128))[0])


def test_in_index_space_to_a_size_but_to_no_grid() -> None:
    array = np.arange(24.0).reshape(2, 3, 4)
    found, grid = resample_to_size(array, Grid((2, 3, 4)), (2, 6, 8))
    assert grid == Grid((2, 6, 8))
    placed, _ = resample_to_size(array, Grid((2, 3, 4), np.diag([7.0, 2.0, 3.0, 1.0])), (2, 6, 8))
    np.testing.assert_allclose(found, placed)
    with pytest.raises(errors.NoWorldSpace):
        resample_to_grid(array, Grid((2, 3, 4)), Grid((2, 6, 8)))


@pytest.mark.parametrize(("order", "interpolation", "edge"), [(1, "linear", 0), (3, "bspline", 9)])
def test_to_a_size_is_scikit_images_resize(order: int, interpolation: Any, edge: int) -> None:
    """As nnU-Net calls it; its spline differs at the edges, where it repeats the last voxel."""
    resize = pytest.importorskip("skimage.transform").resize
    array = np.random.default_rng(0).normal(size=(24, 40, 34))
    how = {"mode": "edge", "clip": False, "anti_aliasing": False}
    for shape in ((48, 25, 30), (17, 61, 34)):
        ours, _ = resample_to_size(array, Grid(array.shape), shape, interpolation)
        margins = [-(-edge * new // old) for new, old in zip(shape, array.shape, strict=True)]
        inner = tuple(slice(m, n - m) for m, n in zip(margins, shape, strict=True))
        theirs = resize(array, shape, order, **how)
        np.testing.assert_allclose(ours[inner], theirs[inner], atol=2e-5)
