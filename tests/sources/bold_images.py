"""Generated BOLD images whose truth is known."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np

from cohortflow.sources.atlases import Atlas


def oblique_affine(spacing_mm: tuple[float, float, float] = (3.0, 2.5, 4.0)) -> np.ndarray:
    """Voxel (i, j, k) → world (x, y, z) RAS+ mm, rotated about two axes, with a flip."""
    a, b = np.deg2rad(20), np.deg2rad(-13)
    about_z = [[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]
    about_x = [[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]]
    affine = np.eye(4)
    affine[:3, :3] = np.array(about_z) @ about_x @ np.diag([-spacing_mm[0], *spacing_mm[1:]])
    affine[:3, 3] = [31.0, -22.0, -17.0]
    return affine


def world(affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(i, j, k, 3): centre of every voxel in mm, the slow and obvious way."""
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    return np.asarray(grid @ affine[:3, :3].T + affine[:3, 3])


def save(path: Path, data: np.ndarray, affine: np.ndarray, tr: float = 2.0) -> Path:
    image = nibabel.Nifti1Image(data, affine)
    if data.ndim == 4:
        image.header.set_zooms((*image.header.get_zooms()[:3], tr))
        image.header.set_xyzt_units("mm", "sec")
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(image, path)
    return path


def cut(path: Path, keep: float) -> None:
    """Truncate the content of a .nii.gz, or the file itself where it is not zipped."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])


def unzipped(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())


def three_spheres(affine: np.ndarray, shape: tuple[int, ...]) -> Atlas:
    """Two regions inside the image and one far outside."""
    inside = [affine[:3, :3] @ np.array(c) + affine[:3, 3] for c in ([5, 6, 4], [10.3, 7.4, 5.8])]
    return Atlas("three", ("a", "b", "far"), (1, 2, 3), None, np.array([*inside, [500, 0, 0]]))
