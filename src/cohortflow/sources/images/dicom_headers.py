"""What is read of a DICOM file: an allow-list of tags, and of values. Nothing else gets out.

Source: PS3.3 (image plane, pixel, functional groups), PS3.5 (encoding).
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from cohortflow.errors import (
    BadHeader,
    DecompressionBomb,
    TruncatedFile,
    UnreadableFile,
)

DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT = "1.2.840.10008.1.2.1"
SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")

_GEOMETRY = (
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "PixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)
_PIXELS = (
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "RescaleSlope",
    "RescaleIntercept",
    "ModalityLUTSequence",
    "SegmentationType",
    "SegmentSequence",
    "MaximumFractionalValue",
    "SegmentsOverlap",
    "LossyImageCompression",
    "PixelPaddingValue",
)
_SERIES = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "InstanceNumber")
_PERSON = ("PatientName", "PatientID", "OtherPatientIDs", "PatientBirthName")
# Numbers and short codes that say how, not whose. A code is told only where it is one of a list.
_NUMBERS = (
    "SliceThickness",
    "EchoTime",
    "RepetitionTime",
    "InversionTime",
    "FlipAngle",
    "MagneticFieldStrength",
    "KVP",
    "EchoTrainLength",
)
_MODALITIES = frozenset(
    [
        "CT",
        "MR",
        "PT",
        "NM",
        "US",
        "CR",
        "DX",
        "MG",
        "XA",
        "RF",
        "OT",
        "SC",
        "SM",
        "OP",
        "OPT",
        "ES",
        "IVUS",
        "BI",
        "BMD",
        "IO",
        "PX",
        "RG",
        "TG",
        "XC",
        "SEG",
    ]
)
TAGS = (*_GEOMETRY, *_PIXELS, *_SERIES, *_PERSON, *_NUMBERS, "Modality", "NumberOfFrames")

_LENGTH = b"\x02\x00\x00\x00UL"  # File Meta Information Group Length
_MAX_INFLATED = 256 * 2**20
_MAX_GROWTH = 200


@dataclass(frozen=True)
class Header:
    """The allowed tags of one file. ``syntax``: its transfer syntax. ``persons``: private."""

    path: str
    tags: Any
    syntax: str
    persons: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def is_segmentation(self) -> bool:
        return str(self.tags.get("SOPClassUID", "")) in SEGMENTATIONS

    @property
    def is_image(self) -> bool:
        """Whether it has rows and columns of pixels."""
        return "Rows" in self.tags and "Columns" in self.tags

    @property
    def series_uid(self) -> str:
        return str(self.tags.get("SeriesInstanceUID", ""))

    @property
    def series_number(self) -> int | None:
        return whole(self.tags.get("SeriesNumber"), "Series Number", "")

    def number(self, keyword: str, where: str) -> int:
        """A whole number that must be there and above 0."""
        value = whole(self.tags.get(keyword), keyword, where)
        if value is None or value < 1:
            raise BadHeader(f"{keyword} is missing or not above 0", where=where, found=str(value))
        return value


def read_header(path: str, where: str, pixels: bool = False) -> Header:
    """The allowed tags of a file; ``pixels``: with its Pixel Data.

    Raises :class:`UnreadableFile`, :class:`TruncatedFile`, :class:`DecompressionBomb`.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError

    syntax, should_be_image = _meta(path, where)
    tags = [*TAGS, "PixelData"] if pixels else list(TAGS)
    try:
        if syntax == DEFLATED:
            dataset = _inflated(path, tags, where)
        else:
            dataset = pydicom.dcmread(path, specific_tags=tags, stop_before_pixels=not pixels)
    except (EOFError, InvalidDicomError) as error:
        raise TruncatedFile(
            "the file ends inside its header", where=where, hint="Copy or download it again."
        ) from error
    header = Header(path, dataset, syntax, _persons(dataset), _facts(dataset))
    if should_be_image and not header.is_image:
        # Left out as no image, it would be a slice lost in silence.
        raise TruncatedFile(
            "the header of an image lacks its rows and columns",
            where=where,
            hint="Copy or download it again.",
        )
    return header


def _meta(path: str, where: str) -> tuple[str, bool]:
    """The transfer syntax, and whether the file says that it is an image."""
    from pydicom.errors import InvalidDicomError
    from pydicom.filereader import read_file_meta_info

    try:
        with open(path, "rb") as file:
            start = file.read(144)
        if start[128:132] != b"DICM":
            raise UnreadableFile(
                "the file is no DICOM",
                where=where,
                expected="DICM after 128 bytes",
                hint="Is its name right?",
            )
        told = start[132:138] == _LENGTH and int.from_bytes(start[140:], "little")
        if len(start) < 144 or 144 + (told or 0) > os.path.getsize(path):
            raise EOFError
        meta = read_file_meta_info(path)
    except (EOFError, InvalidDicomError) as error:
        raise TruncatedFile("the file ends inside its header", where=where) from error
    if "TransferSyntaxUID" not in meta:
        raise BadHeader("the header names no transfer syntax", where=where)
    kind = meta.get("MediaStorageSOPClassUID")
    is_image = kind is not None and ("Image Storage" in kind.name or kind in SEGMENTATIONS)
    return str(meta.TransferSyntaxUID), is_image


def _inflated(path: str, tags: Sequence[str], where: str) -> Any:
    """A deflated data set, inflated within bounds: the library would inflate without any."""
    from pydicom.datadict import tag_for_keyword
    from pydicom.filereader import read_dataset, read_preamble
    from pydicom.tag import Tag

    with open(path, "rb") as file:
        read_preamble(file, False)
        length = _meta_length(file, where)
        file.seek(132 + length)
        packed = file.read()
    machine = zlib.decompressobj(-zlib.MAX_WBITS)
    limit = min(_MAX_INFLATED, max(2**22, _MAX_GROWTH * len(packed)))
    plain = machine.decompress(packed, limit)
    if machine.unconsumed_tail:
        raise DecompressionBomb(
            "the deflated file grows beyond what an image needs",
            where=where,
            expected=f"at most {limit} bytes of {len(packed)}",
            found="more",
        )
    if not machine.eof:
        raise TruncatedFile("the deflated file ends too early", where=where)
    wanted = [Tag(tag) for keyword in tags if (tag := tag_for_keyword(keyword)) is not None]
    return read_dataset(BytesIO(plain), False, True, specific_tags=wanted)  # type: ignore[arg-type]


def _meta_length(file: Any, where: str) -> int:
    """Bytes of the file meta information, its own length element included (PS3.10, 7.1)."""
    head = file.read(12)
    if head[:6] != _LENGTH:
        raise BadHeader("the file's meta information does not begin with its length", where=where)
    return 12 + int.from_bytes(head[8:12], "little")


def _persons(dataset: Any) -> tuple[str, ...]:
    found = (str(dataset.get(keyword, "")).strip() for keyword in _PERSON)
    return tuple(text for text in found if text)


def _facts(dataset: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    modality = str(dataset.get("Modality", "")).strip()
    if modality in _MODALITIES:
        facts["modality"] = modality
    if str(dataset.get("PhotometricInterpretation", "")).strip() == "MONOCHROME1":
        facts["inverted"] = True
    if str(dataset.get("LossyImageCompression", "")).strip() == "01":
        facts["lossy"] = True
    for keyword in _NUMBERS:
        try:
            value = float(dataset.get(keyword))
        except (TypeError, ValueError):
            continue
        if math.isfinite(value):
            facts[keyword] = value
    return facts


def numbers(value: Any, count: int, name: str, where: str) -> tuple[float, ...] | None:
    """Finite numbers of a field; None where it is absent or empty."""
    if value is None or value == "":
        return None
    try:
        listed = tuple(float(one) for one in (value if _several(value) else [value]))
    except (TypeError, ValueError) as error:
        raise BadHeader(f"{name} holds text", where=where, expected=f"{count} numbers") from error
    if len(listed) != count or not all(map(math.isfinite, listed)):
        raise BadHeader(
            f"{name} cannot be",
            where=where,
            expected=f"{count} finite numbers",
            found=str(listed[:9]),
        )
    return listed


def whole(value: Any, name: str, where: str) -> int | None:
    """A whole number of a field; None where it is absent or empty."""
    found = numbers(value, 1, name, where)
    if found is None:
        return None
    if not found[0].is_integer():
        raise BadHeader(f"{name} is no whole number", where=where, found=str(found[0]))
    return int(found[0])


def _several(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes))
