"""A DICOM series of an array, written by plain pydicom and the formula of the standard."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian

PERSON = {
    "PatientName": "Planted^Name",
    "PatientID": "MRN-4711",
    "PatientBirthDate": "19450508",
    "PatientSex": "F",
    "StudyDate": "20240229",
    "SeriesDate": "20240229",
    "AcquisitionDate": "20240229",
    "AccessionNumber": "ACC-0815",
    "ReferringPhysicianName": "Planted^Doctor",
    "InstitutionName": "Planted Hospital",
    "StudyDescription": "Planted description",
    "SeriesDescription": "Planted series",
    "StudyID": "PLANTED1",
    "PatientComments": "Planted comment",
}


def uid(*parts: object) -> str:
    return f"2.25.{int(hashlib.sha256(repr(parts).encode()).hexdigest()[:30], 16)}"


def text(numbers: Any) -> list[str]:
    return [f"{float(number):.9g}" for number in numbers]


def write_series(
    folder: Path, array: np.ndarray, matrix: np.ndarray, series: str = "1", person: bool = True
) -> None:
    """``array`` (z, y, x) at ``matrix`` (z, y, x, 1) → RAS+; a file a slice, names in disorder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, pixels in enumerate(array):
        image = _common(series, CTImageStorage, uid("image", series, number), person)
        image.InstanceNumber = (number * 7) % 1009
        _pixels(image, pixels)
        first, orientation, spacing, thick = _plane(matrix, number)
        image.ImagePositionPatient = text(first)
        image.ImageOrientationPatient = text(orientation)
        image.PixelSpacing = text(spacing)
        image.SliceThickness = text([thick])[0]
        image.save_as(folder / f"{(number * 7) % 1009:04d}.dcm", enforce_file_format=True)


def write_multiframe(folder: Path, array: np.ndarray, matrix: np.ndarray, order: list[int]) -> None:
    """An enhanced CT of the same, its frames in this order."""
    folder.mkdir(parents=True, exist_ok=True)
    image = _common("9", EnhancedCTImageStorage, uid("enhanced"), True)
    image.InstanceNumber = 1
    image.NumberOfFrames = len(order)
    _pixels(image, array[order])
    measures, orientations = Dataset(), Dataset()
    _, orientation, spacing, thick = _plane(matrix, 0)
    measures.PixelSpacing, measures.SliceThickness = text(spacing), text([thick])[0]
    orientations.ImageOrientationPatient = text(orientation)
    shared = Dataset()
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([orientations])
    image.SharedFunctionalGroupsSequence = Sequence([shared])
    groups = []
    for number in order:
        position, own = Dataset(), Dataset()
        position.ImagePositionPatient = text(_plane(matrix, number)[0])
        own.PlanePositionSequence = Sequence([position])
        groups.append(own)
    image.PerFrameFunctionalGroupsSequence = Sequence(groups)
    image.save_as(folder / "enhanced.dcm", enforce_file_format=True)


def _plane(matrix: np.ndarray, number: int) -> tuple[Any, Any, Any, float]:
    """First voxel, directions along a row and down a column, spacing of rows and columns; LPS."""
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ matrix
    first = (lps @ [number, 0, 0, 1])[:3]
    lengths = np.linalg.norm(lps[:3, :3], axis=0)
    along_row, down_column = lps[:3, 2] / lengths[2], lps[:3, 1] / lengths[1]
    return first, [*along_row, *down_column], (lengths[1], lengths[2]), float(lengths[0])


def _common(series: str, sop_class: str, instance: str, person: bool) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = instance
    image = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    image.SOPClassUID, image.SOPInstanceUID = sop_class, instance
    image.StudyInstanceUID, image.SeriesInstanceUID = uid("study"), uid("series", series)
    image.FrameOfReferenceUID, image.SeriesNumber = uid("frame"), series
    image.Modality = "CT"
    for name, value in PERSON.items() if person else ():
        setattr(image, name, value)
    return image


def _pixels(image: Dataset, pixels: np.ndarray) -> None:
    image.Rows, image.Columns = pixels.shape[-2:]
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
    image.PixelRepresentation = 0
    image.PixelData = pixels.astype("<u2").tobytes()
