"""Published images: mask volumes as printed, and what ITK, h5py and Pillow make of them."""

from __future__ import annotations

import csv
from pathlib import Path

import h5py
import numpy as np
import pytest
import SimpleITK
from PIL import Image

from tests.geometry.strangers import by_simpleitk
from tests.sources.images.reading import one, read


def published(folder: Path, case: str, feature: str) -> float:
    with open(folder / "baseline" / "baseline_shape.csv", encoding="utf-8") as file:
        (row,) = (row for row in csv.DictReader(file) if row["featureName"] == feature)
    return float(row[case])


@pytest.mark.parametrize("case", ["brain1", "breast1"])
def test_mask_volumes_are_the_published_ones(case: str, test_data: Path) -> None:
    folder = test_data / "mri" / "pyradiomics"
    image = one("nrrd", folder / f"{case}_image.nrrd")
    label = one("nrrd", folder / f"{case}_label.nrrd", "label")
    assert image.grid == label.grid
    volume = int((label.array == 1).sum()) * label.grid.voxel_mm3
    assert volume == pytest.approx(published(folder, case, "original_shape_VoxelVolume"), rel=1e-12)


def test_every_nrrd_is_where_itk_says(test_data: Path) -> None:
    paths = sorted((test_data / "dicom" / "dcmqi").glob("*.nrrd"))
    assert len(paths) == 11
    for path in paths:
        decoded, seen = one("nrrd", path, "label"), by_simpleitk(path).zyx()
        np.testing.assert_array_equal(decoded.array, seen.voxels)
        np.testing.assert_allclose(
            decoded.grid.corners_mm(),
            np.reshape(seen.positions[[0, -1]][:, [0, -1]][:, :, [0, -1]], (8, 3)),
            atol=1e-6,
        )


def test_a_real_image_through_metaimage(test_data: Path, tmp_path: Path) -> None:
    source = test_data / "mri" / "pyradiomics" / "brain1_image.nrrd"
    SimpleITK.WriteImage(SimpleITK.ReadImage(source), tmp_path / "a.mha", True)
    first, second = one("nrrd", source), one("metaimage", tmp_path / "a.mha")
    np.testing.assert_array_equal(first.array, second.array)
    np.testing.assert_allclose(first.grid.corners_mm(), second.grid.corners_mm(), atol=1e-4)


def test_acdc(test_data: Path) -> None:
    paths = sorted((test_data / "mri" / "acdc").glob("*.h5"))
    assert len(paths) == 8
    for path in paths:
        found = {decoded.part: decoded for decoded in read("hdf5", path)}
        assert set(found) == {"image", "label", "scribble"}
        with h5py.File(path) as file:
            for part, decoded in found.items():
                np.testing.assert_array_equal(decoded.array, file[part][()])
        assert set(np.unique(found["label"].array)) <= {0, 1, 2, 3}


def test_lesions_in_ultrasound(test_data: Path) -> None:
    pictures = sorted(
        path
        for path in (test_data / "ultrasound" / "busi").glob("*/*.png")
        if "_mask" not in path.name
    )
    assert len(pictures) == 21
    for path in pictures:
        masks = sorted(path.parent.glob(f"{path.stem}_mask*.png"))
        image, label = one("picture", path), one("picture", masks, "label")
        plain = np.asarray(Image.open(path))
        np.testing.assert_array_equal(image.array, np.moveaxis(plain, -1, 0))
        every = [np.asarray(Image.open(mask).convert("L")) > 0 for mask in masks]
        np.testing.assert_array_equal(label.array, np.any(every, axis=0))
        assert label.array.shape == image.array.shape[1:]
        assert label.facts["masks"] == (2 if path.stem == "benign (25)" else 1)
        assert label.array.any() == (path.parent.name != "normal")


def test_lungs_in_films(test_data: Path) -> None:
    folder = test_data / "cxr" / "lungseg"
    for number in range(1, 5):
        image = one("picture", folder / f"{number}.jpg")
        label = one("picture", folder / f"{number}-mask.png", "label")
        assert image.array.shape == (1, 512, 512)
        assert np.unique(label.array).tolist() == [0, 1]
        assert 0.1 < label.array.mean() < 0.5
