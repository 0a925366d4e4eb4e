"""DICOM files made from nothing: by pydicom and the written-out equation, no line of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

TO_LPS = np.diag([-1.0, -1.0, 1.0])
Edit = Callable[[int, Dataset], None]


def slice_dataset(
    plane: np.ndarray,
    position: Sequence[float],
    row_cosine: Sequence[float],
    column_cosine: Sequence[float],
    spacing: tuple[float, float],
    number: int,
    series_uid: str,
    **tags: Any,
) -> Dataset:
    """One CT-like slice. ``plane`` (row, column); ``spacing``: between rows, between columns."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid(
        entropy_srcs=[series_uid, str(number)]
    )
    dataset.SeriesInstanceUID = series_uid
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=[series_uid])
    dataset.FrameOfReferenceUID = generate_uid(entropy_srcs=[series_uid, "frame"])
    dataset.Modality = "CT"
    dataset.PatientName = ""
    dataset.PatientID = ""
    dataset.SeriesNumber = 1
    dataset.InstanceNumber = number
    dataset.Rows, dataset.Columns = plane.shape[:2]
    dataset.SamplesPerPixel = 1 if plane.ndim == 2 else 3
    dataset.PhotometricInterpretation = "MONOCHROME2" if plane.ndim == 2 else "RGB"
    if plane.ndim == 3:
        dataset.PlanarConfiguration = 0
    bits = plane.dtype.itemsize * 8
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = int(plane.dtype.kind == "i")
    dataset.PixelSpacing = [_text(n) for n in spacing]
    dataset.ImageOrientationPatient = [_text(n) for n in (*row_cosine, *column_cosine)]
    dataset.ImagePositionPatient = [_text(n) for n in position]
    dataset.PixelData = np.ascontiguousarray(plane).tobytes()
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    return dataset


def _text(number: float) -> str:
    return f"{number:.10g}"[:16]


def write_series(
    folder: Path,
    array: np.ndarray,
    matrix: np.ndarray,
    *,
    names: Callable[[int], str] = "{:03d}.dcm".format,
    series_uid: str = "1.2.826.0.1.3680043.8.498.1",
    edit: Edit | None = None,
    tags: Mapping[str, Any] | None = None,
) -> list[Path]:
    """A file for each z of ``array`` (z, y, x); ``matrix``: index (z, y, x, 1) → RAS mm.

    ``edit(number, dataset)`` changes a slice before it is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    steps = TO_LPS @ matrix[:3, :3]
    lengths = np.linalg.norm(steps, axis=0)
    paths = []
    for z in range(array.shape[0]):
        position = TO_LPS @ (matrix[:3, 3] + z * matrix[:3, 0])
        dataset = slice_dataset(
            array[z], position.tolist(), (steps[:, 2] / lengths[2]).tolist(),
            (steps[:, 1] / lengths[1]).tolist(), (lengths[1], lengths[2]), z + 1, series_uid,
            **(tags or {}),
        )  # fmt: skip
        if edit is not None:
            edit(z, dataset)
        path = folder / names(z)
        save(dataset, path)
        paths.append(path)
    return paths


def save(dataset: Dataset, path: Path) -> None:
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
