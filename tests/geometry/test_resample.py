"""Resampling: where the canary's ramp says each voxel came from,
and SciPy's answers beside ours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from cohortflow import errors
from cohortflow.geometry import (
    ORIENTATIONS,
    Grid,
    Reorientation,
    resample_to_grid,
    resample_to_spacing,
    spaced_grid,
)
from cohortflow.phantoms.canary import Canary, canary_grids, oriented_grid
from tests.geometry.samples import grids

SPACINGS = st.tuples(*[st.floats(0.7, 4.0)] * 3)
INTERPOLATIONS = ("linear", "bspline", "nearest", "labels")


def indices(grid: Grid, target: Grid) -> np.ndarray:
    """(z, y, x, 3): where each voxel of the target lies on the grid, by inverting the matrix."""
    way = np.linalg.inv(grid.matrix) @ target.matrix
    return np.asarray(np.moveaxis(np.indices(target.shape), 0, -1) @ way[:3, :3].T + way[:3, 3])


def between_centres(grid: Grid, target: Grid) -> np.ndarray:
    index = indices(grid, target)
    return np.asarray(((index >= 0) & (index <= np.array(grid.shape) - 1)).all(axis=-1))


def test_the_ramp_tells_that_every_voxel_is_in_its_place() -> None:
    elsewhere = oriented_grid("LSA", (14, 15, 13), (2.2, 1.9, 2.6), degrees=(-31.0, 8.0, 40.0))
    for name, grid in canary_grids():
        canary = Canary.within(grid)
        ramp = canary.intensity_at(grid.positions_mm())
        for target in (spaced_grid(grid, (1.7, 3.3, 2.9)), elsewhere):
            inside = between_centres(grid, target)
            assert inside.sum() > 300
            found = resample_to_grid(ramp, grid, target)
            meant = canary.intensity_at(target.positions_mm())
            # The ramp rises by at least 1 per mm along every axis.
            assert np.abs(found - meant)[inside].max() < 1e-4, name


@settings(max_examples=40)
@given(grids(), SPACINGS, st.integers(0, 99))
def test_linear_is_scipys(grid: Grid, spacing: tuple[float, float, float], seed: int) -> None:
    array = np.random.default_rng(seed).normal(size=grid.shape)
    found, matrix = resample_to_spacing(array, grid.matrix, spacing)
    index = indices(grid, Grid(found.shape, matrix))
    meant = map_coordinates(array, np.moveaxis(index, -1, 0), order=1, mode="nearest")
    np.testing.assert_allclose(found, meant, atol=1e-6)


@settings(max_examples=40)
@given(grids(), SPACINGS, st.integers(0, 99))
def test_nearest_is_the_voxel_in_which_the_place_lies(
    grid: Grid, spacing: tuple[float, float, float], seed: int
) -> None:
    array = np.random.default_rng(seed).integers(0, 9, grid.shape, dtype=np.uint8)
    found, matrix = resample_to_spacing(array, grid.matrix, spacing, "nearest")
    index = indices(grid, Grid(found.shape, matrix))
    clear = (np.abs(index - np.floor(index) - 0.5) > 1e-6).all(axis=-1)
    at = np.clip(np.rint(index).astype(int), 0, np.array(grid.shape) - 1)
    np.testing.assert_array_equal(found[clear], array[tuple(np.moveaxis(at, -1, 0))][clear])


@settings(max_examples=40)
@given(grids(), SPACINGS)
def test_the_new_grid(grid: Grid, spacing: tuple[float, float, float]) -> None:
    target = spaced_grid(grid, spacing)
    np.testing.assert_allclose(target.spacing_mm, spacing)
    np.testing.assert_allclose(target.centre_mm, grid.centre_mm, atol=1e-9)
    np.testing.assert_allclose(target.direction, grid.direction, atol=1e-9)
    extent = np.array(grid.shape) * grid.spacing_mm
    covered = np.array(target.shape) * target.spacing_mm
    assert (np.abs(covered - extent) <= np.array(spacing) * (0.5 + 1e-9))[
        np.array(target.shape) > 1
    ].all()


@settings(max_examples=30)
@given(grids(), SPACINGS, st.sampled_from(INTERPOLATIONS))
def test_nothing_is_filled_in_at_the_edges(
    grid: Grid, spacing: tuple[float, float, float], interpolation: Any
) -> None:
    array = np.full(grid.shape, 7, dtype=np.int16)
    if interpolation == "bspline" and 2 in grid.shape:
        with pytest.raises(errors.UndefinedResult, match="two voxels"):
            resample_to_spacing(array, grid.matrix, spacing, interpolation)
        return
    found, _ = resample_to_spacing(array, grid.matrix, spacing, interpolation)
    np.testing.assert_allclose(found, 7, rtol=1e-5)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_turning_and_resampling_commute(interpolation: Any) -> None:
    grid = oriented_grid("RAS", (9, 7, 5), (2.5, 3.0, 2.0), degrees=(9.0, 5.0, -7.0))
    array = np.random.default_rng(0).integers(0, 5, grid.shape).astype(np.int16)
    spacing = {"S": 1.55, "A": 2.1, "R": 2.65}
    spacing |= {"I": spacing["S"], "P": spacing["A"], "L": spacing["R"]}
    straight, _ = resample_to_spacing(
        array, grid.matrix, [spacing[c] for c in "SAR"], interpolation
    )
    for code in ORIENTATIONS:
        way = Reorientation.towards(grid, code)
        turned, matrix = resample_to_spacing(
            way.apply(array), way.after.matrix, [spacing[c] for c in reversed(code)], interpolation
        )
        back = Reorientation.towards(Grid(turned.shape, matrix), "RAS")
        np.testing.assert_allclose(back.apply(turned), straight, atol=1e-4)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_the_same_spacing_changes_nothing(interpolation: Any) -> None:
    for _, grid in list(canary_grids())[::11]:
        labels = Canary.within(grid).labels(grid)
        found, matrix = resample_to_spacing(labels, grid.matrix, grid.spacing_mm, interpolation)
        np.testing.assert_allclose(found, labels, atol=1e-4)
        np.testing.assert_allclose(matrix, grid.matrix, atol=1e-9)


def test_dtypes() -> None:
    grid = oriented_grid("RAS", (4, 4, 4))
    for given_, smooth in (
        (np.int16, np.float32),
        (np.float32, np.float32),
        (np.float64, np.float64),
    ):
        array = np.ones(grid.shape, given_)
        assert resample_to_spacing(array, grid.matrix, 1.5)[0].dtype == smooth
        assert resample_to_spacing(array, grid.matrix, 1.5, "nearest")[0].dtype == given_
    for kept in (np.bool_, np.uint8, np.int64):
        for interpolation in ("nearest", "labels"):
            array = np.ones(grid.shape, kept)
            found, _ = resample_to_spacing(array, grid.matrix, 1.5, interpolation)
            assert found.dtype == kept
            assert found.all()


def test_beyond_the_image_is_outside() -> None:
    grid = oriented_grid("RAS", (4, 4, 4))
    away = oriented_grid("RAS", (4, 4, 4), centre_mm=(900.0, 0.0, 0.0))
    assert (resample_to_grid(np.ones(grid.shape), grid, away, outside=-1000.0) == -1000.0).all()


def test_refusals() -> None:
    grid = oriented_grid("RAS", (4, 4, 4))
    array = np.ones(grid.shape)
    for spacing in (0.0, -1.0, np.nan, (1.0, 1.0, 0.0)):
        with pytest.raises(errors.UsageError, match="spacing"):
            resample_to_spacing(array, grid.matrix, spacing)
    with pytest.raises(errors.UsageError, match="linear"):
        resample_to_spacing(array, grid.matrix, 1.0, "liner")  # type: ignore[arg-type]
    with pytest.raises(errors.UsageError, match="separable"):
        resample_to_spacing(array, grid.matrix, 1.0, route="seperable")
    with pytest.raises(errors.UsageError, match="axes"):
        resample_to_spacing(np.ones((2, 4, 4, 4)), grid.matrix, 1.0)
    with pytest.raises(errors.GeometryMismatch, match="not on its grid"):
        resample_to_grid(np.ones((4, 4, 5)), grid, grid)
    with pytest.raises(errors.NoWorldSpace):
        resample_to_grid(array, grid, Grid((4, 4, 4)))
