"""Grids that are one up to rounding, and the refusal of those that are not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortflow import errors
from cohortflow.geometry import (
    ORIENTATIONS,
    Grid,
    Reorientation,
    farthest_apart_mm,
    grids_agree,
    require_agreement,
)
from cohortflow.phantoms.canary import canary_grids, oriented_grid
from tests.geometry.samples import grids


@given(grids(), grids())
def test_farthest_apart_is_the_largest_over_all_voxels(a: Grid, b: Grid) -> None:
    b = Grid(a.shape, b.matrix)
    every = np.linalg.norm(a.positions_mm() - b.positions_mm(), axis=-1).max()
    assert farthest_apart_mm(a, b) == pytest.approx(every)
    assert grids_agree(a, b) == grids_agree(b, a)


def test_single_precision_is_forgiven() -> None:
    for _, grid in canary_grids():
        single = Grid(grid.shape, grid.matrix.astype(np.float32))
        assert grids_agree(grid, single)
        require_agreement(grid, single)


@given(grids(), st.integers(0, 2), st.sampled_from((-1.0, 1.0)))
def test_tolerance_is_in_voxels(grid: Grid, axis: int, sign: float) -> None:
    for share, agree in ((0.009, True), (0.011, False)):
        matrix = np.array(grid.matrix)
        matrix[axis, 3] += sign * share * min(grid.spacing_mm)
        moved = Grid(grid.shape, matrix)
        assert grids_agree(grid, moved) is agree
        assert grids_agree(grid, moved, tolerance_voxels=0.012)


def test_every_other_orientation_is_another_grid() -> None:
    grid = oriented_grid("LPS", (4, 4, 4), (2.0, 2.0, 2.0))
    agreeing = [
        code for code in ORIENTATIONS if grids_agree(grid, Reorientation.towards(grid, code).after)
    ]
    assert agreeing == ["LPS"]


def test_index_space_is_kept_apart_from_world_space() -> None:
    world, index = Grid((2, 3, 4), np.eye(4)), Grid((2, 3, 4))
    assert grids_agree(index, Grid((2, 3, 4)))
    assert not grids_agree(index, Grid((2, 3, 5)))
    assert not grids_agree(index, world)
    with pytest.raises(errors.GeometryMismatch, match="index space"):
        require_agreement(world, index)


def test_the_refusal_shows_both_matrices() -> None:
    image = oriented_grid("RAS", (4, 5, 6), (3.0, 2.0, 1.0), centre_mm=(0, 0, 0))
    label = oriented_grid("RAS", (4, 5, 6), (3.0, 2.0, 1.0), centre_mm=(0, 0, 1.5))
    with pytest.raises(errors.GeometryMismatch, match=r"1\.5 mm") as caught:
        require_agreement(image, label, where="sub-07")
    text = str(caught.value)
    assert "sub-07: the label map" in text
    assert (
        "expected shape (4, 5, 6), index_to_world [0 0 1 -2.5; 0 2 0 -4; 3 0 0 -4.5; 0 0 0 1]"
        in text
    )
    assert "found shape (4, 5, 6), index_to_world [0 0 1 -2.5; 0 2 0 -4; 3 0 0 -3; 0 0 0 1]" in text
    with pytest.raises(errors.GeometryMismatch, match=r"\(3, 5, 6\)"):
        require_agreement(image, oriented_grid("RAS", (3, 5, 6)))
