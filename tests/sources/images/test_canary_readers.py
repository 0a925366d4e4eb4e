"""Left is left: the canary phantom, written by others' formulas, through the readers."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from cohortflow.geometry import Grid
from cohortflow.phantoms.canary import Canary, canary_grids
from cohortflow.sources.images.decoded import Decoded
from tests.sources.images.dicom_files import write_series
from tests.sources.images.reading import one

GRIDS = dict(canary_grids())
BACKWARDS = np.eye(4)[[2, 1, 0, 3]]


def check(decoded: Decoded, canary: Canary, voxels: np.ndarray) -> None:
    """Every voxel shows the letter that stands at its place in the world, and none was lost."""
    assert decoded.matrix is not None
    np.testing.assert_array_equal(decoded.array, canary.label_at(decoded.grid.positions_mm()))
    assert np.array_equal(np.bincount(decoded.array.ravel()), np.bincount(voxels.ravel()))


def drawn(grid: Grid) -> tuple[Canary, np.ndarray]:
    canary = Canary.within(grid)
    return canary, canary.labels(grid)


def furthest_mm(a: Grid, b: Grid) -> float:
    """Between the nearest corners of two grids that may be turned against each other."""
    one, other = a.corners_mm(), b.corners_mm()
    return float(np.linalg.norm(one[:, None] - other[None], axis=-1).min(axis=1).max())


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti(name: str, suffix: str, tmp_path: Path) -> None:
    grid = GRIDS[name]
    canary, labels = drawn(grid)
    affine = grid.matrix @ BACKWARDS
    nibabel.save(nibabel.Nifti1Image(labels.transpose(2, 1, 0), affine), tmp_path / f"a{suffix}")
    decoded = one("nifti", tmp_path / f"a{suffix}", role="label")
    check(decoded, canary, labels)
    assert furthest_mm(decoded.grid, grid) < 1e-4


@pytest.mark.parametrize("name", GRIDS)
def test_dicom(name: str, tmp_path: Path) -> None:
    grid = GRIDS[name]
    canary, labels = drawn(grid)
    paths = write_series(tmp_path, labels.astype(np.int16), grid.matrix)
    decoded = one("dicom", paths)
    check(decoded, canary, labels)
    assert furthest_mm(decoded.grid, grid) < 1e-4
