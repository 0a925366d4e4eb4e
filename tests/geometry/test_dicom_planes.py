"""Stacks of slices: sorted by geometry, and what is wrong with one is named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortflow import errors
from cohortflow.geometry import DicomPlanes, Grid, grid_from_dicom, grids_agree, itk_geometry
from tests.geometry.strangers import dicom_place

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def stack(heights: list[float], **other: object) -> DicomPlanes:
    positions = tuple((-100.0, -80.0, height) for height in heights)
    planes = DicomPlanes(7, 9, AXIAL, positions, (0.7, 0.8))
    return replace(planes, **other)  # type: ignore[arg-type]


def test_an_axial_series_by_hand() -> None:
    grid, order = grid_from_dicom(stack([12.5, 10.0, 15.0]))
    assert order == (1, 0, 2)
    assert grid.shape == (3, 7, 9)
    np.testing.assert_allclose(
        grid.matrix,
        np.array([[0, 0, -0.8, 100], [0, -0.7, 0, 80], [2.5, 0, 0, 10], [0, 0, 0, 1]]),
    )


def tilted(degrees: float) -> DicomPlanes:
    slide = np.tan(np.deg2rad(degrees)) * 2.0
    positions = tuple((-100.0, -80.0 + slide * n, 2.0 * n) for n in range(10))
    return stack([], image_positions=positions)


@pytest.mark.parametrize("degrees", [0.5, -7.0, 20.0])
def test_gantry_tilt_is_refused_and_taken_as_shear_when_asked(degrees: float) -> None:
    planes = tilted(degrees)
    with pytest.raises(errors.GantryTilt, match=f"{abs(degrees):g}° of tilt"):
        grid_from_dicom(planes)
    grid, order = grid_from_dicom(planes, tilted=True)
    assert grid.is_sheared
    for z, position in enumerate(planes.image_positions):
        place = dicom_place(planes.image_orientation, position, planes.pixel_spacing, 6, 8)
        np.testing.assert_allclose(grid.world_mm((order[z], 6, 8)), place, atol=1e-9)
    with pytest.raises(errors.ShearedGrid):
        itk_geometry(grid)


def test_what_rounding_does_is_no_tilt() -> None:
    grid, _ = grid_from_dicom(tilted(0.003))
    assert not grid.is_sheared


@pytest.mark.parametrize(
    ("heights", "fault", "words"),
    [
        ([0, 2, 4, 4, 6], errors.DuplicateSlice, "slices 3 and 4 of 5 at 4 and 4 mm"),
        ([0, 0], errors.DuplicateSlice, "slices 1 and 2"),
        ([0, 2, 2.001, 4, 6], errors.DuplicateSlice, "slices 2 and 3"),
        ([0, 2, 4, 8, 10], errors.MissingSlice, "1 slice.* every 2 mm.* 3 and 4 of 5 at 4 and 8"),
        ([0, 2, 6, 8, 14, 16, 18], errors.MissingSlice, "3 slice"),
        ([0, 2, 4, 7, 9], errors.UnevenSlices, "2 to 3 mm"),
        ([0, 2, 4, 6.1, 8], errors.UnevenSlices, "1.9 to 2.1 mm"),
        ([0, 2, 4, 9, 11, 15], errors.UnevenSlices, "varies"),
    ],
)
def test_faults_of_a_stack_are_named(
    heights: list[float], fault: type[errors.CohortflowError], words: str
) -> None:
    shuffled = np.random.default_rng(3).permutation(heights).tolist()
    with pytest.raises(fault, match=words) as caught:
        grid_from_dicom(stack(shuffled), where="series 4")
    assert type(caught.value) is fault
    assert "series 4" in str(caught.value)


@given(st.integers(2, 60), st.floats(0.02, 12.0), st.floats(-900.0, 900.0))
def test_positions_rounded_to_a_hundredth_are_even(count: int, gap: float, start: float) -> None:
    places = 2 if gap >= 0.2 else 4
    rounded = [round(start + gap * n, places) for n in range(count)]
    grid, order = grid_from_dicom(stack(rounded))
    assert order == tuple(range(count))
    assert grid.spacing_mm[0] == pytest.approx(gap, abs=2 * 10.0**-places / (count - 1))


def test_small_differences_may_not_add_up() -> None:
    gaps = [1.98] * 50 + [2.02] * 50
    with pytest.raises(errors.UnevenSlices, match=r"slice 51 is 1 mm away"):
        grid_from_dicom(stack(np.cumsum([0.0, *gaps]).tolist()))


def test_a_slice_beside_the_stack() -> None:
    positions = [(-100.0, -80.0, 2.0 * n) for n in range(9)]
    positions[4] = (-99.0, -80.0, 8.0)
    for tilt in (False, True):
        with pytest.raises(errors.UnevenSlices, match="slice 5 is 1 mm away"):
            grid_from_dicom(stack([], image_positions=tuple(positions)), tilted=tilt)


def test_a_lone_slice_needs_a_thickness() -> None:
    with pytest.raises(errors.UnknownSpacing, match="thick"):
        grid_from_dicom(stack([4.0]))
    for nothing in (0.0, -3.0, np.nan):
        with pytest.raises(errors.UnknownSpacing):
            grid_from_dicom(stack([4.0]), single_slice_mm=nothing)
    grid, order = grid_from_dicom(stack([4.0]), single_slice_mm=3.0)
    assert (order, grid.spacing_mm) == ((0,), (3.0, 0.7, 0.8))
    assert grids_agree(grid, Grid((1, 7, 9), grid.matrix))


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"image_orientation": (1, 0, 0, 0, 1)}, "Image Orientation"),
        ({"image_orientation": (1, 0, 0, 0, np.nan, 0)}, "Image Orientation"),
        ({"image_orientation": (1, 0, 0, 1, 0, 0)}, "right angles"),
        ({"image_orientation": (1, 0, 0, 0, 0.9, 0)}, "unit vectors"),
        ({"image_orientation": (0, 0, 0, 0, 0, 0)}, "unit vectors"),
        ({"image_positions": ()}, "no slice"),
        ({"image_positions": ((0, 0, 0), (0, 0, np.inf))}, "Image Position"),
        ({"pixel_spacing": (0.7,)}, "Pixel Spacing"),
        ({"pixel_spacing": (0.0, 0.7)}, "above 0"),
        ({"pixel_spacing": (-0.7, 0.7)}, "above 0"),
        ({"rows": 0}, "without voxels"),
    ],
)
def test_impossible_attributes_are_refused_by_name(other: dict[str, object], words: str) -> None:
    with pytest.raises(errors.ImpossibleGeometry, match=words):
        grid_from_dicom(stack([0, 2, 4], **other))
