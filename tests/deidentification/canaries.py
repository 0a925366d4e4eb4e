"""A source that is full of what leads back to people: every planted text is one of a kind."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import h5py
import nibabel
import numpy as np
import PIL.Image
import PIL.PngImagePlugin
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from cohortflow.geometry import Grid
from tests.hostile.seeds import AFFINE, VOXELS, metaimage, nrrd
from tests.sources.images.dicom_files import write_series

CANARIES: dict[str, str] = {}
"""What a canary is → its text."""
MATRIX = np.array([[0, 0, 2.0, 0], [0, 2.0, 0, 0], [3.0, 0, 0, 0], [0, 0, 0, 1.0]])
CT = np.arange(8 * 9 * 10, dtype=np.int16).reshape(8, 9, 10)


def plant(what: str) -> str:
    """A text that stands nowhere else; letters and digits only, so that no encoding changes it."""
    if what not in CANARIES:
        CANARIES[what] = f"Quokka{len(CANARIES):02d}Vexatious"
    return CANARIES[what]


def plant_number(what: str, text: str) -> str:
    CANARIES[what] = text
    return text


def write_source(folder: Path) -> Path:
    """The source; folders above it are named after people, too."""
    source = folder / plant("folder of a hospital") / plant("folder of a physician") / "source"
    source.mkdir(parents=True)
    _dicom(source / "ct1")
    _nifti(source / "mr1")
    _text_headers(source)
    _picture(source / "pic1")
    _arrays(source)
    _bad(source)
    _participants(source.parent)
    return source


def _tags(z: int, dataset: Dataset) -> None:
    for keyword in (
        "PatientName", "PatientID", "OtherPatientIDs", "PatientBirthName", "PatientMotherBirthName",
        "AccessionNumber", "StudyID", "ReferringPhysicianName", "OperatorsName", "InstitutionName",
        "InstitutionAddress", "PatientAddress", "PatientTelephoneNumbers", "DeviceSerialNumber",
        "StationName", "PatientComments", "ImageComments", "StudyDescription", "SeriesDescription",
        "ProtocolName", "Manufacturer", "EthnicGroup", "Occupation",
    ):  # fmt: skip
        setattr(dataset, keyword, plant(f"DICOM {keyword}"))
    dataset.PatientBirthDate = plant_number("DICOM PatientBirthDate", "19310217")
    dataset.StudyDate = plant_number("DICOM StudyDate", "20150623")
    dataset.StudyInstanceUID = plant_number("DICOM StudyInstanceUID", "1.2.826.0.1.77123456789")
    item = Dataset()
    item.RequestedProcedureDescription = plant("DICOM text in a sequence")
    dataset.RequestAttributesSequence = Sequence([item])
    block = dataset.private_block(0x0009, plant("DICOM private creator"), create=True)
    block.add_new(0x01, "LO", plant("DICOM private tag"))


def _dicom(folder: Path) -> None:
    name = plant("name of a slice's file")
    write_series(folder, CT, MATRIX, names=f"{name}_{{}}.dcm".format, edit=_tags)


def _nifti(folder: Path) -> None:
    folder.mkdir()
    image = nibabel.Nifti1Image(VOXELS, AFFINE)
    header = image.header
    for field, width in (("descrip", 80), ("aux_file", 24), ("intent_name", 16), ("db_name", 18)):
        header[field] = plant(f"NIfTI {field}")[:width].encode()
        CANARIES[f"NIfTI {field}"] = plant(f"NIfTI {field}")[:width]
    comment = nibabel.nifti1.Nifti1Extension("comment", plant("NIfTI extension").encode())
    header.extensions.append(comment)
    nibabel.save(image, folder / f"{plant('name of an image')}.nii.gz")
    sidecar = {"InstitutionName": plant("sidecar"), "PatientName": plant("sidecar's patient")}
    (folder / f"{plant('name of an image')}.json").write_text(json.dumps(sidecar))


def _text_headers(source: Path) -> None:
    (source / "nr1").mkdir()
    raw = nrrd(content=plant("NRRD content"))
    said = f"# {plant('NRRD comment')}\n0010|0030:={plant('NRRD key and value')}\n"
    (source / "nr1" / "a.nrrd").write_bytes(raw.replace(b"type:", said.encode() + b"type:", 1))
    (source / "mh1").mkdir()
    told = {"Comment": plant("MetaImage comment"), "Hospital": plant("MetaImage key")}
    (source / "mh1" / "a.mha").write_bytes(metaimage(**told))


def _picture(folder: Path) -> None:
    folder.mkdir()
    image = PIL.Image.fromarray(np.arange(99 * 70, dtype=np.uint8).reshape(99, 70))
    text = PIL.PngImagePlugin.PngInfo()
    text.add_text("Comment", plant("PNG text"))
    text.add_itxt("Author", plant("PNG international text"))
    exif = PIL.Image.Exif()
    exif[0x013B] = plant("EXIF artist")
    image.save(folder / "a.png", pnginfo=text, exif=exif)


def _arrays(source: Path) -> None:
    (source / "hd1").mkdir()
    with h5py.File(source / "hd1" / "a.h5", "w") as file:
        file.create_dataset("image", data=VOXELS).attrs["patient"] = plant("HDF5 attribute")
        file.attrs["hospital"] = plant("HDF5 attribute of the file")
        file.create_dataset(plant("name of an HDF5 array"), data=[1])
    (source / "np1").mkdir()
    target = io.BytesIO()
    np.savez(target, image=VOXELS)
    with zipfile.ZipFile(target, "a") as archive:
        archive.comment = plant("npz comment").encode()
    (source / "np1" / "a.npz").write_bytes(target.getvalue())


def _bad(source: Path) -> None:
    """What is refused, by errors that have a text of a person before them."""

    def write(name: str, file: str, data: bytes) -> None:
        (source / name).mkdir()
        (source / name / file).write_bytes(data)

    write("bad1", "a.nrrd", nrrd(type=plant("NRRD type")))
    write("bad2", "a.mha", metaimage(ElementType=plant("MetaImage type")))
    write("bad3", "a.mhd", metaimage(b"", ElementDataFile=plant("MetaImage data file")))
    write("bad4", "a.nii", plant("text where an image is expected").encode() * 40)
    write("bad5", "a.nrrd", nrrd(sizes=f"4 5 {plant('NRRD sizes')}"))

    for key in ("folder of a DICOM without a header", "folder of a DICOM that ends early"):
        data = (
            b"no header" * 99 if "without" in key else b"\0" * 128 + b"DICM" + b"\2\0\0\0UL\4\0\4"
        )
        write(plant(key), "a.dcm", data)
    write(plant("folder of an NRRD that ends early"), "a.nrrd", nrrd()[:60])
    write(plant("folder of a MetaImage that is none"), "a.mha", b"no header at all")

    def text_in_numbers(z: int, dataset: Dataset) -> None:
        dataset.InstanceNumber = 1
        dataset.add_new(0x00280030, "LO", [plant("DICOM number")] * 2)

    write_series(source / "bad6", CT, MATRIX, edit=text_in_numbers)

    def whose(z: int, dataset: Dataset) -> None:
        dataset.PatientName = plant("a subject's own name")
        dataset.PatientID = plant("a subject's own number")

    for key in ("a subject's own name", "a subject's own number"):
        write_series(source / plant(key), CT, MATRIX, edit=whose)
    moved = Grid((8, 9, 10), MATRIX)
    assert moved.shape == CT.shape


def _participants(folder: Path) -> None:
    columns = (
        "name",
        "birth_date",
        "mrn",
        "home_address",
        "phone_number",
        "e_mail",
        "insurance_no",
    )
    subjects = [
        "ct1", "mr1", "nr1", "mh1", "pic1", "hd1", "np1", *(f"bad{n}" for n in range(1, 7)),
        plant("a subject's own name"), plant("a subject's own number"),
    ]  # fmt: skip
    rows = ["\t".join(("participant_id", "group", *columns))]
    values = [plant(f"participants' {column}") for column in columns]
    rows += ["\t".join((subject, "HC", *values)) for subject in subjects]
    (folder / f"{plant('name of a table')}.tsv").write_text("\n".join(rows) + "\n")
