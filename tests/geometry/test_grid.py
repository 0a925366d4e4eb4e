"""A grid by its definition, what it refuses, and conversions there and back."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortflow import errors
from cohortflow.geometry import (
    Grid,
    dicom_planes,
    grid_from_dicom,
    grid_from_itk,
    grid_from_nifti,
    itk_geometry,
    nifti_affine,
    orientation,
)
from cohortflow.phantoms.canary import canary_grids
from tests.geometry.samples import grids

MM = 1e-9


def test_a_grid_by_hand() -> None:
    # z runs up by 5 mm, y backwards by 2, x to the right by 3; the first voxel is at (10, 20, 30).
    matrix = [[0, 0, 3, 10], [0, -2, 0, 20], [5, 0, 0, 30], [0, 0, 0, 1]]
    grid = Grid((2, 3, 4), np.array(matrix, float))
    assert grid.spacing_mm == (5.0, 2.0, 3.0)
    assert orientation(grid) == "RPS"
    assert grid.handedness == "left"
    assert not grid.is_oblique
    assert not grid.is_sheared
    assert grid.voxel_mm3 == pytest.approx(30.0)
    np.testing.assert_array_equal(grid.world_mm((1, 2, 3)), (19.0, 16.0, 35.0))
    np.testing.assert_array_equal(grid.centre_mm, (14.5, 18.0, 32.5))
    np.testing.assert_allclose(grid.index((19.0, 16.0, 35.0)), (1, 2, 3))
    np.testing.assert_array_equal(grid.direction, [[0, 0, 1], [0, -1, 0], [1, 0, 0]])
    np.testing.assert_array_equal(
        nifti_affine(grid), [[3, 0, 0, 10], [0, -2, 0, 20], [0, 0, 5, 30], [0, 0, 0, 1]]
    )
    itk = itk_geometry(grid)
    assert (itk.size, itk.spacing, itk.origin) == ((4, 3, 2), (3.0, 2.0, 5.0), (-10.0, -20.0, 30.0))
    assert itk.direction == (-1, 0, 0, 0, 1, 0, 0, 0, 1)
    planes = dicom_planes(grid)
    assert planes.image_orientation == (-1, 0, 0, 0, 1, 0)
    assert planes.image_positions == ((-10, -20, 30), (-10, -20, 35))
    assert planes.pixel_spacing == (2.0, 3.0)
    assert (planes.rows, planes.columns) == (3, 4)


def test_24_of_each_handedness_straight_and_oblique() -> None:
    hands = [(name.endswith("oblique"), grid.handedness) for name, grid in canary_grids()]
    assert {pair: hands.count(pair) for pair in set(hands)} == {
        (oblique, hand): 24 for oblique in (False, True) for hand in ("left", "right")
    }
    assert all(grid.is_oblique == name.endswith("oblique") for name, grid in canary_grids())


@given(grids(), st.data())
def test_world_and_index_are_inverse(grid: Grid, data: st.DataObject) -> None:
    index = data.draw(st.tuples(*(st.integers(0, size - 1) for size in grid.shape)))
    matrix = np.asarray(grid.index_to_world)
    plain = [sum(matrix[r, c] * index[c] for c in range(3)) + matrix[r, 3] for r in range(3)]
    np.testing.assert_allclose(grid.world_mm(index), plain, atol=MM)
    np.testing.assert_allclose(grid.positions_mm()[index], plain, atol=MM)
    np.testing.assert_allclose(grid.index(plain), index, atol=1e-7)


@given(grids(sheared=True))
def test_nifti_there_and_back_holds_shear(grid: Grid) -> None:
    assert grid.is_sheared
    back = grid_from_nifti(grid.shape[::-1], nifti_affine(grid))
    assert back == grid


@given(grids())
def test_itk_there_and_back(grid: Grid) -> None:
    itk = itk_geometry(grid)
    back = grid_from_itk(itk.size, itk.origin, itk.spacing, itk.direction)
    assert back.shape == grid.shape
    np.testing.assert_allclose(back.matrix, grid.matrix, atol=MM)


@given(grids())
def test_dicom_there_and_back_is_right_handed(grid: Grid) -> None:
    back, order = grid_from_dicom(dicom_planes(grid), single_slice_mm=grid.spacing_mm[0])
    np.testing.assert_allclose(back.positions_mm(), grid.positions_mm()[list(order)], atol=MM * 1e3)
    assert back.handedness == "right"
    assert list(order) == sorted(order, reverse=grid.handedness == "left")


@given(grids(sheared=True))
def test_shear_is_refused_by_those_that_cannot_hold_it(grid: Grid) -> None:
    for convert in (itk_geometry, dicom_planes):
        with pytest.raises(errors.ShearedGrid, match="right angles"):
            convert(grid)


def test_units_of_nifti() -> None:
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    affine[:3, 3] = (5.0, 6.0, 7.0)
    metres = affine.copy()
    metres[:3] /= 1e3
    microns = affine.copy()
    microns[:3] *= 1e3
    meant = grid_from_nifti((2, 3, 4), affine).matrix
    for unit, matrix in (("meter", metres), ("micron", microns), ("unknown", affine)):
        np.testing.assert_allclose(grid_from_nifti((2, 3, 4), matrix, unit).matrix, meant)
    with pytest.raises(errors.ImpossibleGeometry, match="parsec"):
        grid_from_nifti((2, 3, 4), affine, "parsec")


def test_an_entry_keeps_every_bit() -> None:
    for _, grid in itertools.islice(canary_grids(), 1, None, 7):
        stored = json.loads(json.dumps(grid.attributes()))
        assert Grid.from_attributes((3, *grid.shape), stored) == grid
    assert Grid.from_attributes((2, 3, 4), {}) == Grid((2, 3, 4))
    assert Grid((2, 3, 4)).attributes() == {}


def test_a_grid_cannot_be_changed_by_its_maker() -> None:
    matrix = np.eye(4)
    grid = Grid((2, 3, 4), matrix)
    matrix[0, 3] = 9.0
    assert grid.matrix[0, 3] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        grid.matrix[0, 3] = 9.0


@pytest.mark.parametrize(
    "ask",
    [
        lambda grid: grid.spacing_mm,
        lambda grid: grid.handedness,
        lambda grid: grid.world_mm((0, 0, 0)),
        nifti_affine,
        itk_geometry,
        dicom_planes,
        orientation,
    ],
)
def test_index_space_has_neither_millimetres_nor_directions(ask) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(errors.NoWorldSpace, match="index space"):
        ask(Grid((2, 3, 4)))


def changed(entry: tuple[int, int] | None = None, value: float = 0.0) -> np.ndarray:
    matrix = np.diag([2.0, 3.0, 4.0, 1.0])
    if entry:
        matrix[entry] = value
    return matrix


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (changed((0, 3), np.nan), "finite numbers"),
        (changed((1, 1), np.inf), "finite numbers"),
        (changed((3, 0), 1.0), "last row"),
        (changed((3, 3), 2.0), "last row"),
        (changed((0, 0), 0.0), "voxel"),
        (changed((0, 0), 1e-9), "voxel"),
        (changed((0, 0), 1e30), "voxel"),
        (changed((2, 3), -1e9), "origin"),
        (np.array([[1, 2, 0, 0], [1, 2, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "one plane"),
        (np.eye(3), r"\(4, 4\)"),
        (np.full((4, 4), "left"), "no numbers"),
        ([[1, 2], [3]], "no numbers"),
    ],
)
def test_impossible_matrices_are_refused_by_name(matrix: np.ndarray, words: str) -> None:
    with pytest.raises(errors.ImpossibleGeometry, match=words):
        Grid((2, 3, 4), matrix)
    with pytest.raises(errors.ImpossibleGeometry, match=words):
        grid_from_nifti((2, 3, 4), matrix, where="sub-01.nii")


@pytest.mark.parametrize(
    "shape", [(2, 3), (2, 3, 4, 5), (0, 3, 4), (2, -3, 4), (2.5, 3, 4), "234x"]
)
def test_impossible_shapes_are_refused_by_name(shape: tuple[int, int, int]) -> None:
    with pytest.raises(errors.ImpossibleGeometry):
        Grid(shape, np.eye(4))


def test_a_flat_nifti_has_no_grid() -> None:
    with pytest.raises(errors.ImpossibleGeometry, match="three axes"):
        grid_from_nifti((5, 5), np.eye(4))


@pytest.mark.parametrize("spacing", [(1.0, 0.0, 1.0), (1.0, -2.0, 1.0), (1.0, np.nan, 1.0)])
def test_impossible_spacings_of_itk(spacing: tuple[float, float, float]) -> None:
    with pytest.raises(errors.ImpossibleGeometry, match="spacing"):
        grid_from_itk((2, 3, 4), (0, 0, 0), spacing, np.eye(3))


@pytest.mark.parametrize(
    ("origin", "direction"),
    [((0, 0), np.eye(3)), ((0, 0, 0), np.eye(2)), ((0, 0, 0), "left"), ((0, np.nan, 0), np.eye(3))],
)
def test_impossible_numbers_of_itk(origin: tuple[float, ...], direction: np.ndarray) -> None:
    with pytest.raises(errors.ImpossibleGeometry, match=r"origin|direction"):
        grid_from_itk((2, 3, 4), origin, (1, 1, 1), direction)


def test_itk_directions_that_are_no_rotation() -> None:
    with pytest.raises(errors.ImpossibleGeometry, match="voxel"):
        grid_from_itk((2, 3, 4), (0, 0, 0), (1, 1, 1), np.zeros((3, 3)))
    leaning = np.array([[1, 0.3, 0], [0, 1, 0], [0, 0, 1]])
    assert grid_from_itk((2, 3, 4), (0, 0, 0), (1, 1, 1), leaning).is_sheared
