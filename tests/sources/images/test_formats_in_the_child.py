"""Every format through the process in which untrusted files are read."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import SimpleITK
from PIL import Image

from cohortflow import errors
from cohortflow.sources.images.child import READERS
from cohortflow.sources.images.decoded import Request
from cohortflow.sources.images.persons import COMPARE
from cohortflow.sources.images.reader_process import ReaderProcess
from tests.sources.images.reading import ramp

VOXELS = ramp((3, 4, 5))


def write(format_: str, path: Path) -> None:
    image = SimpleITK.GetImageFromArray(VOXELS)
    match format_:
        case "hdf5":
            with h5py.File(path, "w") as file:
                file["image"] = VOXELS
        case "npz":
            np.savez_compressed(path, image=VOXELS)
        case "picture":
            Image.fromarray(VOXELS[0].astype("u1")).save(path)
        case _:
            SimpleITK.WriteImage(image, str(path), True)


FILES = {
    "nifti": "a.nii.gz", "nrrd": "a.nrrd", "metaimage": "a.mha", "hdf5": "a.h5", "npz": "a.npz",
    "picture": "a.png",
}  # fmt: skip


def test_every_format_has_a_file_here() -> None:
    others = {"dicom", "roi_series", "bold", "fmriprep", "confounds"}  # of which other tests are
    others |= set(COMPARE.values())
    assert set(FILES) == set(READERS) - others


def test_whole_and_damaged_files_in_turn(tmp_path: Path) -> None:
    with ReaderProcess(memory_bytes=2**30, timeout_s=60) as reader:
        for format_, name in FILES.items():
            path = tmp_path / name
            write(format_, path)
            request = Request(format_, (str(path),), "image", "S1")
            (decoded,) = reader.read(request)
            expected = VOXELS[:1] if format_ == "picture" else VOXELS
            np.testing.assert_array_equal(decoded.array, expected)
            path.write_bytes(path.read_bytes()[:-25])
            with pytest.raises((errors.TruncatedFile, errors.UnreadableFile)) as caught:
                reader.read(request)
            assert caught.value.where == "S1"
