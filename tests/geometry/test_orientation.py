"""Turning arrays: what nibabel and ITK call it, where they turn it, and back without a trace."""

from __future__ import annotations

from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st

from cohortflow import errors
from cohortflow.geometry import (
    ORIENTATIONS,
    Grid,
    Reorientation,
    itk_geometry,
    nifti_affine,
    orientation,
    to_orientation,
)
from cohortflow.phantoms.canary import Canary, canary_grids, oriented_grid
from tests.geometry.samples import grids

TARGETS = st.sampled_from(ORIENTATIONS)


def numbered(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.int32).reshape(shape)


def test_the_names_are_nibabels_and_itks() -> None:
    assert len(set(ORIENTATIONS)) == 48
    for name, grid in canary_grids():
        nifti = "".join(nibabel.orientations.aff2axcodes(nifti_affine(grid)))
        itk = SimpleITK.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(
            itk_geometry(grid).direction
        )
        assert orientation(grid) == nifti == itk == name[:3]


@settings(max_examples=50)
@given(st.one_of(grids(), grids(sheared=True)))
def test_the_name_is_nibabels_at_any_angle(grid: Grid) -> None:
    assert orientation(grid) == "".join(nibabel.orientations.aff2axcodes(nifti_affine(grid)))


def nibabels(array: np.ndarray, grid: Grid, target: str) -> tuple[np.ndarray, np.ndarray]:
    image: Any = nibabel.nifti1.Nifti1Image(np.ascontiguousarray(array.T), nifti_affine(grid))
    way = nibabel.orientations.ornt_transform(
        nibabel.orientations.io_orientation(image.affine),
        nibabel.orientations.axcodes2ornt(target),
    )
    turned = image.as_reoriented(way)
    return np.asarray(turned.dataobj), np.asarray(turned.affine)


@settings(max_examples=50)
@given(grids(), TARGETS)
def test_nibabel_turns_it_the_same_way(grid: Grid, target: str) -> None:
    array = numbered(grid.shape)
    turned, matrix = to_orientation(array, grid.matrix, target)
    theirs, affine = nibabels(array, grid, target)
    np.testing.assert_array_equal(turned.T, theirs)
    np.testing.assert_allclose(nifti_affine(Grid(turned.shape, matrix)), affine, atol=1e-9)


def test_itk_turns_it_the_same_way() -> None:
    for at, (_, grid) in enumerate(canary_grids()):
        labels = numbered(grid.shape)
        image = SimpleITK.GetImageFromArray(labels)
        geometry = itk_geometry(grid)
        image.SetOrigin(geometry.origin)
        image.SetSpacing(geometry.spacing)
        image.SetDirection(geometry.direction)
        target = ORIENTATIONS[(at * 5) % 48]
        theirs = SimpleITK.DICOMOrient(image, target)
        way = Reorientation.towards(grid, target)
        np.testing.assert_array_equal(way.apply(labels), SimpleITK.GetArrayViewFromImage(theirs))
        ours = itk_geometry(way.after)
        np.testing.assert_allclose(ours.origin, theirs.GetOrigin(), atol=1e-9)
        np.testing.assert_allclose(ours.spacing, theirs.GetSpacing(), atol=1e-12)
        np.testing.assert_allclose(ours.direction, theirs.GetDirection(), atol=1e-12)


@settings(max_examples=50)
@given(st.one_of(grids(), grids(sheared=True)), TARGETS)
def test_every_voxel_stays_where_it_is_in_the_world(grid: Grid, target: str) -> None:
    way = Reorientation.towards(grid, target)
    assert orientation(way.after) == target
    positions = np.moveaxis(grid.positions_mm(), -1, 0)
    np.testing.assert_allclose(
        np.moveaxis(way.apply(positions), 0, -1), way.after.positions_mm(), atol=1e-9
    )


@settings(max_examples=50)
@given(st.one_of(grids(), grids(sheared=True)), TARGETS)
def test_the_way_onto_another_grid_of_the_same_voxels_is_found(grid: Grid, target: str) -> None:
    after = Reorientation.towards(grid, target).after
    way = Reorientation.onto(grid, after)
    array = numbered(grid.shape)
    turned = Reorientation.towards(grid, target).apply(array)
    np.testing.assert_array_equal(way.apply(array), turned)


def test_there_is_no_way_onto_a_grid_of_other_voxels() -> None:
    grid = oriented_grid("LPS", (4, 5, 6), (2.0, 2.0, 2.0))
    shifted = np.array(grid.index_to_world)
    shifted[0, 3] += 0.5
    for other in (
        Grid(grid.shape, shifted),
        oriented_grid("LPS", (4, 5, 7), (2.0, 2.0, 2.0)),
        oriented_grid("LPS", (4, 5, 6), (2.0, 2.0, 2.0), (45.0, 0.0, 0.0)),
    ):
        with pytest.raises(errors.GeometryMismatch, match="another grid"):
            Reorientation.onto(grid, other)


@given(grids(), TARGETS, st.lists(st.integers(1, 3), max_size=2))
def test_the_way_back_is_exact(grid: Grid, target: str, lead: list[int]) -> None:
    array = numbered((*lead, *grid.shape))
    way = Reorientation.towards(grid, target)
    turned = way.apply(array)
    assert np.shares_memory(turned, array)
    np.testing.assert_array_equal(way.undo(turned), array)
    again, matrix = to_orientation(turned, way.after.matrix, orientation(grid))
    np.testing.assert_array_equal(again, array)
    np.testing.assert_allclose(matrix, grid.matrix, atol=1e-9)


@settings(max_examples=50)
@given(grids(), TARGETS, TARGETS)
def test_two_turns_are_one(grid: Grid, first: str, second: str) -> None:
    array = numbered(grid.shape)
    detour = to_orientation(*to_orientation(array, grid.matrix, first), second)
    straight = to_orientation(array, grid.matrix, second)
    np.testing.assert_array_equal(detour[0], straight[0])
    np.testing.assert_allclose(detour[1], straight[1], atol=1e-9)


def test_the_canary_is_the_same_in_every_orientation() -> None:
    ras = oriented_grid("RAS")
    canary = Canary.within(ras)
    for code in ORIENTATIONS:
        shape = dict(zip("LRPAIS", (20, 20, 16, 16, 18, 18), strict=True))
        spacing = dict(zip("LRPAIS", (2.0, 2.0, 3.0, 3.0, 2.5, 2.5), strict=True))
        grid = oriented_grid(
            code, [shape[c] for c in reversed(code)], [spacing[c] for c in reversed(code)]
        )
        turned, matrix = to_orientation(canary.labels(grid), grid.matrix, "RAS")
        np.testing.assert_array_equal(turned, canary.labels(ras))
        np.testing.assert_allclose(matrix, ras.matrix, atol=1e-9)


@pytest.mark.parametrize("target", ["RAX", "RLS", "RA", "", "RASS"])
def test_letters_that_are_no_orientation(target: str) -> None:
    with pytest.raises(errors.UsageError, match="orientation"):
        to_orientation(np.zeros((2, 3, 4)), np.eye(4), target)


def test_small_letters_will_do() -> None:
    assert orientation(Reorientation.towards(oriented_grid("SAL"), "lps").after) == "LPS"


def test_an_array_of_another_shape_is_not_turned() -> None:
    way = Reorientation.towards(oriented_grid("RAS", (2, 3, 4)), "SRA")
    with pytest.raises(errors.GeometryMismatch, match=r"\(2, 3, 4\)"):
        way.apply(np.zeros((4, 3, 2)))
    with pytest.raises(errors.GeometryMismatch):
        way.undo(np.zeros((2, 3, 4)))
