"""Small whole files of every format, made from nothing, and what is done to their bytes."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import h5py
import nibabel
import numpy as np
import PIL.Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from tests.sources.images.dicom_files import save, slice_dataset

JPEG = UID("1.2.840.10008.1.2.4.50")
JPEG_2000 = UID("1.2.840.10008.1.2.4.90")
AFFINE = np.diag([-2.0, 1.5, 3.0, 1.0])
VOXELS = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
LABELS = (VOXELS > 60).astype(np.uint8)


def nifti(
    voxels: np.ndarray = VOXELS, affine: np.ndarray = AFFINE, *, version: int = 1, **fields: Any
) -> bytes:
    """A NIfTI of ``voxels`` (x, y, z); ``fields`` of its header are set at the end, unchecked."""
    kind = nibabel.Nifti1Image if version == 1 else nibabel.Nifti2Image
    image = kind(voxels, affine, dtype=voxels.dtype)
    raw = bytearray(image.to_bytes())
    dtype = image.header.template_dtype
    for name, value in fields.items():
        field, offset = dtype.fields[name][:2]
        piece = np.asarray(value, field.base).tobytes()
        raw[offset : offset + len(piece)] = piece
    return bytes(raw)


def fields_of(version: int) -> dict[str, int]:
    """Name → offset of every field of a NIfTI header."""
    header = nibabel.Nifti1Header if version == 1 else nibabel.Nifti2Header
    names = header.template_dtype.fields
    return {name: int(about[1]) for name, about in names.items()}


def zipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def zeros_zipped(mebibytes: int) -> bytes:
    """A gzip stream of so many MiB of zeros: one member again and again."""
    return gzip.compress(bytes(2**24), mtime=0) * (mebibytes // 16)


def dicom(plane: np.ndarray | None = None, **tags: Any) -> Dataset:
    """One slice in its place."""
    plane = np.arange(6 * 8, dtype=np.int16).reshape(6, 8) if plane is None else plane
    return slice_dataset(
        plane, (0, 0, 0), (1, 0, 0), (0, 1, 0), (0.8, 0.7), 1,
        "1.2.826.0.1.3680043.8.498.7", SliceThickness="3", **tags,
    )  # fmt: skip


def dicom_bytes(dataset: Dataset | None = None, **tags: Any) -> bytes:
    target = io.BytesIO()
    save(dataset if dataset is not None else dicom(**tags), target)  # type: ignore[arg-type]
    return target.getvalue()


def encapsulated(codec: str = "JPEG", side: int = 16) -> Dataset:
    """A slice whose one fragment is a JPEG or JPEG 2000 stream."""
    plane = np.add.outer(np.arange(side), np.arange(side)).astype(np.uint8)
    dataset = dicom(plane)
    dataset.PixelData = encapsulate([picture(plane, codec)])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEG if codec == "JPEG" else JPEG_2000
    return dataset


def run_length() -> Dataset:
    dataset = dicom()
    dataset.compress(RLELossless)
    return dataset


def in_syntax(syntax: UID) -> Dataset:
    dataset = dicom()
    dataset.file_meta.TransferSyntaxUID = syntax
    return dataset


def picture(plane: np.ndarray, format_: str, **more: Any) -> bytes:
    target = io.BytesIO()
    PIL.Image.fromarray(plane).save(target, format_, **more)
    return target.getvalue()


GREY = np.add.outer(np.arange(24), np.arange(30)).astype(np.uint8)


def nrrd(encoding: str = "raw", data: bytes | None = None, **fields: str) -> bytes:
    """``fields``: by name, spaces as underscores; an empty one leaves the line out."""
    said = {
        "type": "int16", "dimension": "3", "space": "left-posterior-superior", "sizes": "4 5 6",
        "space directions": "(2,0,0) (0,1.5,0) (0,0,3)", "endian": "little",
        "encoding": encoding, "space origin": "(0,0,0)",
    } | {name.replace("_", " "): value for name, value in fields.items()}  # fmt: skip
    head = "NRRD0004\n" + "".join(f"{name}: {value}\n" for name, value in said.items() if value)
    body = VOXELS.tobytes(order="F") if data is None else data
    return head.encode() + b"\n" + (zipped(body) if encoding == "gzip" else body)


def metaimage(data: bytes | None = None, **fields: str) -> bytes:
    said = {
        "ObjectType": "Image", "NDims": "3", "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False", "CompressedData": "False",
        "TransformMatrix": "1 0 0 0 1 0 0 0 1", "Offset": "0 0 0", "ElementSpacing": "2 1.5 3",
        "DimSize": "4 5 6", "ElementType": "MET_SHORT",
    } | fields  # fmt: skip
    said["ElementDataFile"] = said.pop("ElementDataFile", "LOCAL")  # what follows are voxels
    head = "".join(f"{name} = {value}\n" for name, value in said.items() if value)
    return head.encode() + (VOXELS.tobytes(order="F") if data is None else data)


def hdf5(path: Path, **arrays: Any) -> None:
    with h5py.File(path, "w") as file:
        for name, values in (arrays or {"image": VOXELS, "label": LABELS}).items():
            file.create_dataset(name, data=values)


def hdf5_bytes(**arrays: Any) -> bytes:
    target = io.BytesIO()
    hdf5(target, **arrays)  # type: ignore[arg-type]
    return target.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    target = io.BytesIO()
    np.savez_compressed(target, **(arrays or {"image": VOXELS, "label": LABELS}))
    return target.getvalue()


def npy_in_zip(header: str, body: bytes, name: str = "image.npy") -> bytes:
    """An archive whose one array has just this header."""
    text = header.encode().ljust(117) + b"\n"
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + body)
    return target.getvalue()


SYNTAXES = (ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)


def small_files() -> dict[str, tuple[str, bytes]]:
    """Ending and bytes of a whole file, by name: what is mutated."""
    return {
        "nifti1": (".nii", nifti()),
        "nifti2": (".nii", nifti(version=2)),
        "nifti-float": (".nii", nifti(VOXELS.astype(np.float32), scl_slope=2.0)),
        "nifti-zipped": (".nii.gz", zipped(nifti())),
        "dicom": (".dcm", dicom_bytes()),
        "dicom-implicit": (".dcm", dicom_bytes(in_syntax(ImplicitVRLittleEndian))),
        "dicom-deflated": (".dcm", dicom_bytes(in_syntax(DeflatedExplicitVRLittleEndian))),
        "dicom-rle": (".dcm", dicom_bytes(run_length())),
        "dicom-jpeg": (".dcm", dicom_bytes(encapsulated("JPEG"))),
        "dicom-j2k": (".dcm", dicom_bytes(encapsulated("JPEG2000"))),
        "nrrd": (".nrrd", nrrd()),
        "nrrd-zipped": (".nrrd", nrrd("gzip")),
        "metaimage": (".mha", metaimage()),
        "hdf5": (".h5", hdf5_bytes()),
        "npz": (".npz", npz()),
        "png": (".png", picture(GREY, "PNG")),
        "jpeg": (".jpg", picture(GREY, "JPEG")),
        "tiff": (".tif", picture(GREY, "TIFF")),
        "tiff-lzw": (".tif", picture(GREY, "TIFF", compression="tiff_lzw")),
        "bmp": (".bmp", picture(GREY, "BMP")),
    }
