"""The canary through NRRD and MetaImage: where ITK itself says that each voxel stands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from cohortflow.geometry import Grid
from cohortflow.phantoms.canary import Canary, canary_grids
from cohortflow.sources.images.decoded import Decoded
from tests.geometry.strangers import by_simpleitk
from tests.sources.images.reading import one

GRIDS = dict(canary_grids())
MM = 1e-4


def stranger_image(grid: Grid, voxels: np.ndarray) -> SimpleITK.Image:
    """Placed by the definition of the matrix alone: columns (z, y, x) → world RAS."""
    matrix = np.asarray(grid.index_to_world) * np.array([[-1.0], [-1.0], [1.0], [1.0]])
    steps = matrix[:3, 2::-1]  # x, y, z
    spacing = np.sqrt((steps**2).sum(axis=0))
    image = SimpleITK.GetImageFromArray(voxels)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((steps / spacing).ravel().tolist())
    image.SetOrigin(matrix[:3, 3].tolist())
    return image


def check(decoded: Decoded, path: Path) -> None:
    seen = by_simpleitk(path).zyx()
    np.testing.assert_array_equal(decoded.array, seen.voxels)
    np.testing.assert_allclose(decoded.grid.positions_mm(), seen.positions, atol=MM)


@pytest.mark.parametrize("suffix", ["nrrd", "nhdr", "mha", "mhd"])
def test_every_orientation(suffix: str, tmp_path: Path) -> None:
    form = "nrrd" if suffix in ("nrrd", "nhdr") else "metaimage"
    for number, (name, grid) in enumerate(GRIDS.items()):
        compressed = number % 4 > 1  # straight and oblique ones of every other orientation
        path = tmp_path / f"{name}.{suffix}"
        labels = Canary.within(grid).labels(grid)
        SimpleITK.WriteImage(stranger_image(grid, labels), str(path), compressed)
        decoded = one(form, path, "label")
        check(decoded, path)
        np.testing.assert_allclose(decoded.grid.positions_mm(), grid.positions_mm(), atol=MM)


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (1, 1, 1)),
        ("LPS", (1, 1, 1)),
        ("right-anterior-superior", (-1, -1, 1)),
        ("RAS", (-1, -1, 1)),
        ("left-anterior-superior", (1, -1, 1)),
    ],
)
def test_spaces_of_nrrd(space: str, signs: tuple[int, int, int], tmp_path: Path) -> None:
    grid = GRIDS["PIR-oblique"]
    image = stranger_image(grid, Canary.within(grid).labels(grid))
    written, path = tmp_path / "lps.nrrd", tmp_path / "other.nrrd"
    SimpleITK.WriteImage(image, str(written), False)
    spacing = np.array(image.GetSpacing())
    steps = np.array(image.GetDirection()).reshape(3, 3).T * spacing[:, None] * signs
    origin = np.array(image.GetOrigin()) * signs
    directions = " ".join("(" + ",".join(map(repr, step.tolist())) + ")" for step in steps)
    head, _, voxels = written.read_bytes().partition(b"\n\n")
    lines = [line for line in head.decode().split("\n") if not line.startswith("space")]
    lines += [f"space: {space}", f"space directions: {directions}"]
    lines += ["space origin: (" + ",".join(map(repr, origin.tolist())) + ")"]
    path.write_bytes("\n".join(lines).encode() + b"\n\n" + voxels)
    decoded = one("nrrd", path, "label")
    check(decoded, written)
    check(decoded, path)  # ITK knows all of these spaces too
