"""The planes of DICOM images: one of a plain file, many of an enhanced or multi-frame one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.errors import BadHeader, TooLarge, TruncatedFile, UnsupportedData
from cohortflow.sources.images.decoded import ReadOptions, refuse_size
from cohortflow.sources.images.dicom_headers import Header, numbers, read_header, whole
from cohortflow.sources.images.dicom_streams import refuse_other_streams

_MAX_FRAMES = 2**16
_BITS = ("BitsAllocated", "BitsStored", "PixelRepresentation")
_ALLOCATED = (1, 8, 16, 32, 64)
_UNCOMPRESSED = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")


@dataclass(frozen=True)
class Frame:
    """One plane: where it lies (LPS mm), how its stored values become real ones.

    ``slice_mm``: how thick it is. ``apart_mm``: from it to the next, as far as the header says so.
    """

    header: Header
    index: int
    rows: int
    columns: int
    orientation: tuple[float, ...] | None
    position: tuple[float, ...] | None
    pixel_spacing: tuple[float, ...] | None
    slice_mm: float | None
    slope: float
    intercept: float
    instance: int
    groups: Any = None
    apart_mm: float | None = None


def frames_of(header: Header, where: str) -> list[Frame]:
    """All planes of a file, in the order in which they are stored."""
    rows, columns = header.number("Rows", where), header.number("Columns", where)
    tags = header.tags
    count = _frame_count(header, where)
    if tags.get("ModalityLUTSequence"):
        raise UnsupportedData(
            "stored values stand for others by a table",
            where=where,
            expected="a Rescale Slope and Intercept",
            found="a Modality LUT",
        )
    shared = _first(tags.get("SharedFunctionalGroupsSequence"))
    each = tags.get("PerFrameFunctionalGroupsSequence")
    if each is not None and len(each) != count:
        raise BadHeader(
            "the header describes another number of frames than it has",
            where=where,
            expected=str(count),
            found=str(len(each)),
        )
    frames = []
    for index in range(count):
        groups = _Groups(tags, shared, each[index] if each is not None else None)
        spacing = numbers(
            groups.get("PixelMeasuresSequence", "PixelSpacing"), 2, "Pixel Spacing", where
        )
        between = groups.get("PixelMeasuresSequence", "SpacingBetweenSlices")
        thick = groups.get("PixelMeasuresSequence", "SliceThickness")
        slope = numbers(
            groups.get("PixelValueTransformationSequence", "RescaleSlope"),
            1,
            "Rescale Slope",
            where,
        )
        if slope == (0.0,):
            raise BadHeader("Rescale Slope makes one value of all", where=where, found="0")
        intercept = numbers(
            groups.get("PixelValueTransformationSequence", "RescaleIntercept"),
            1,
            "Rescale Intercept",
            where,
        )
        orientation = groups.get("PlaneOrientationSequence", "ImageOrientationPatient")
        position = groups.get("PlanePositionSequence", "ImagePositionPatient")
        apart = numbers(between, 1, "Spacing Between Slices", where)
        thickness = numbers(thick, 1, "Slice Thickness", where) or apart
        frames.append(
            Frame(
                header,
                index,
                rows,
                columns,
                numbers(orientation, 6, "Image Orientation (Patient)", where),
                numbers(position, 3, "Image Position (Patient)", where),
                spacing,
                thickness[0] if thickness else None,
                slope[0] if slope else 1.0,
                intercept[0] if intercept else 0.0,
                whole(tags.get("InstanceNumber"), "Instance Number", where) or 0,
                groups,
                abs(apart[0]) if apart else None,
            )
        )
    return frames


def _frame_count(header: Header, where: str) -> int:
    count = whole(header.tags.get("NumberOfFrames"), "Number of Frames", where)
    count = 1 if count is None else count
    if count < 1:
        raise BadHeader("a file of no frames", where=where, found=str(count))
    if count > _MAX_FRAMES:
        raise TooLarge(
            "the file announces more frames than are read",
            where=where,
            expected=f"at most {_MAX_FRAMES:,}",
            found=f"{count:,}",
        )
    return count


class _Groups:
    """A field by the frame's own group, else the shared one, else the file's plain tags."""

    def __init__(self, plain: Any, shared: Any, own: Any) -> None:
        self._levels = [level for level in (own, shared) if level is not None]
        self._plain = plain

    def get(self, sequence: str, keyword: str) -> Any:
        for level in self._levels:
            item = _first(level.get(sequence))
            if item is not None and item.get(keyword) is not None:
                return item.get(keyword)
        return self._plain.get(keyword)


def _first(sequence: Any) -> Any:
    return sequence[0] if sequence else None


def pixels(header: Header, options: ReadOptions, where: str) -> npt.NDArray[Any]:
    """(frame, row, column) or (frame, row, column, sample): stored values, colours as RGB.

    Raises :class:`TruncatedFile`, :class:`UnsupportedData`, :class:`TooLarge`.
    """
    import pydicom
    from pydicom.dataset import FileMetaDataset
    from pydicom.pixels.utils import pixel_array
    from pydicom.uid import UID

    full = read_header(header.path, where, pixels=True).tags
    if not full.get("PixelData"):
        raise TruncatedFile("the file holds no pixels", where=where)
    frames = _frame_count(header, where)
    count, samples = _announced(header, full, frames, options, where)
    if header.syntax in _UNCOMPRESSED:
        bits = int(full.get("BitsAllocated") or 0)
        needed = -(-count * bits // 8)
        if len(full.PixelData) < needed:
            raise TruncatedFile(
                "the file ends before its last pixel",
                where=where,
                expected=f"{needed} bytes",
                found=f"{len(full.PixelData)}",
                hint="Copy or download it again.",
            )
    if not hasattr(full, "file_meta") or "TransferSyntaxUID" not in full.file_meta:
        full.file_meta = FileMetaDataset()
        full.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.1")
    if str(full.get("PhotometricInterpretation", "")).startswith("PALETTE"):
        raise UnsupportedData(
            "pixels are entries of a colour table", where=where, found="PALETTE COLOR"
        )
    shape = (frames, header.number("Rows", where), header.number("Columns", where))
    refuse_other_streams(full, header.syntax, (*shape[1:], samples), frames, where)
    try:
        array = pixel_array(full)
    except (ValueError, RuntimeError, NotImplementedError, AttributeError, TypeError) as error:
        known = pydicom.uid.UID(header.syntax).is_valid
        name = pydicom.uid.UID(header.syntax).name if known else "an unknown transfer syntax"
        raise UnsupportedData(
            "the pixels cannot be decoded: damaged, or compressed in a way that is not read",
            where=where,
            found=name,
            hint="Copy it again, or decompress it with another tool.",
        ) from error
    return array.reshape((*shape, samples) if samples > 1 else shape)


def _announced(
    header: Header, full: Any, frames: int, options: ReadOptions, where: str
) -> tuple[int, int]:
    """Samples in all and in a pixel, of a header that can be."""
    tags = {name: whole(full.get(name), name, where) for name in ("SamplesPerPixel", *_BITS)}
    samples = 1 if tags["SamplesPerPixel"] is None else tags["SamplesPerPixel"]
    allocated, sign = tags["BitsAllocated"], tags["PixelRepresentation"]
    stored = allocated if tags["BitsStored"] is None else tags["BitsStored"]
    if samples not in (1, 3):
        raise BadHeader("pixels have one sample or three", where=where, found=str(samples))
    if (
        allocated not in _ALLOCATED
        or not 1 <= (stored or 0) <= allocated
        or sign not in (None, 0, 1)
    ):
        raise BadHeader(
            "pixels of impossible bits",
            where=where,
            expected="8, 16, 32, and signed or not",
            found=f"{stored} of {allocated} bits, sign {sign}",
        )
    if not full.get("PhotometricInterpretation"):
        raise BadHeader("the header does not say what its samples mean", where=where)
    count = header.number("Rows", where) * header.number("Columns", where) * frames * samples
    refuse_size(count, options, where)
    return count, samples


def planes(frames: list[Frame], options: ReadOptions, where: str) -> Iterator[npt.NDArray[Any]]:
    """Stored values of each frame in turn; a file of many frames is decoded once."""
    held: tuple[str, npt.NDArray[Any]] | None = None
    for frame in frames:
        if held is None or held[0] != frame.header.path:
            held = (frame.header.path, pixels(frame.header, options, where))
        yield held[1][frame.index]


def stacked(frames: list[Frame], options: ReadOptions, where: str) -> npt.NDArray[Any]:
    """(slice, row, column, …) of real values: rescaled by frame, whole where all are whole."""
    from cohortflow.sources.images.decoded import scaled, whole_if_whole

    plain = all(frame.slope == 1.0 and frame.intercept == 0.0 for frame in frames)
    alike = len({(frame.slope, frame.intercept) for frame in frames}) == 1
    whole: npt.NDArray[Any] | None = None
    for number, plane in enumerate(planes(frames, options, where)):
        if not alike:
            plane = plane * np.float64(frames[number].slope) + frames[number].intercept
        if whole is None:
            whole = np.empty((len(frames), *plane.shape), plane.dtype)
        if plane.shape != whole.shape[1:] or plane.dtype != whole.dtype:
            raise BadHeader("frames differ in what a pixel is", where=where, found=str(plane.dtype))
        whole[number] = plane
    assert whole is not None
    if plain:
        return whole
    if alike:
        return scaled(whole, frames[0].slope, frames[0].intercept)
    return whole_if_whole(whole)
