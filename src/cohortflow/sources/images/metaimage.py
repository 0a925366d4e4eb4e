"""MetaImage (.mha, .mhd): the header checked, then exactly the voxels it announces.

Its world is LPS. Voxels stand in the same file or in one file beside it, plain, compressed or as
text.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.errors import BadHeader, NotLabels, UnreadableFile, UnsupportedData
from cohortflow.geometry import grid_from_itk, millimetres
from cohortflow.sources.images import text_header as text
from cohortflow.sources.images.assumed import assumed_place
from cohortflow.sources.images.decoded import Decoded, Request, finished, refuse_size
from cohortflow.sources.images.persons import refuse_persons
from cohortflow.sources.images.times import chosen_time
from cohortflow.sources.images.voxel_blocks import Block, Encoding, read_block

_DTYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_OTHER_NAMES = {"Orientation": "TransformMatrix", "Rotation": "TransformMatrix"}
_OTHER_NAMES |= {"Origin": "Offset", "Position": "Offset"}
_OTHER_NAMES |= {"ElementByteOrderMSB": "BinaryDataByteOrderMSB"}
_LAST = "ElementDataFile"

Fields = dict[str, str]


def read_metaimage(request: Request) -> list[Decoded]:
    """One image or label map: (z, y, x), of several channels (channel, z, y, x).

    A fourth axis is time. Raises the InputError of what is wrong.
    """
    where = request.where
    fields, offset = _header(request.files[0], where)
    sizes = _sizes(fields, where)
    (channels,) = text.whole_numbers(
        fields.get("ElementNumberOfChannels", "1"), 1, "the number of channels", where
    )
    if channels < 1:
        raise BadHeader("an image without channels", where=where, found=str(channels))
    refuse_size(math.prod(sizes) * channels, request.options, where)
    if channels > 1 and request.role == "label":
        raise NotLabels("colours or vectors where labels are expected", where=where)
    decoded = Decoded(request.role, np.empty(0), persons=text.persons_of(fields))
    array = read_block(_block(fields, offset, (channels, *sizes), request), where)
    array = np.moveaxis(array, -1, -4) if channels > 1 else array[..., 0]
    if len(sizes) == 4:
        array = (
            array[chosen_time(len(array), array.shape, request, decoded)]
            if sizes[3] > 1
            else array[0]
        )
    decoded.array = array
    decoded.matrix = _place(fields, sizes, request, decoded)
    return [finished(decoded, request.options, where)]


def compare_persons(request: Request) -> list[Decoded]:
    """Nothing, where every header can be read and none names the request's id."""
    for path in request.files:
        refuse_persons(request.id, text.persons_of(_header(path, request.where)[0]))
    return []


def _header(path: str, where: str) -> tuple[Fields, int]:
    """Fields by name, and bytes of the header."""
    with open(path, "rb") as file:
        raw = file.read(text.MAX_BYTES)
    at, fields = 0, Fields()
    while True:
        end = raw.find(b"\n", at)
        if end < 0 and not (at < len(raw) < text.MAX_BYTES and raw[at:].startswith(_LAST.encode())):
            if not fields:
                raise UnreadableFile(
                    "the file is no MetaImage", where=where, hint="Is its name right?"
                )
            text.refuse_endless(raw, where)
        end = len(raw) if end < 0 else end
        (line,) = text.lines_of(raw[at:end])
        at = end + 1
        name, mark, value = line.partition("=")
        name = _OTHER_NAMES.get(name.strip(), name.strip())
        if not fields and name not in ("ObjectType", "NDims", "Comment"):
            raise UnreadableFile(
                "the file is no MetaImage",
                where=where,
                expected="ObjectType in its first line",
                hint="Is its name right?",
            )
        if line.strip() and (not mark or name in fields):
            raise BadHeader("a line of the header is no field, or says one twice", where=where)
        fields[name] = value.strip()
        if name == _LAST:
            return fields, at


def _sizes(fields: Fields, where: str) -> tuple[int, ...]:
    for name in ("NDims", "DimSize", "ElementType"):
        if name not in fields:
            raise BadHeader(f"the header lacks its {name}", where=where)
    if fields.get("ObjectType", "Image") != "Image":
        raise UnsupportedData("an object that is no image", where=where, expected="Image")
    (axes,) = text.whole_numbers(fields["NDims"], 1, "NDims", where)
    if axes not in (3, 4):
        raise UnsupportedData(
            "no image of three axes", where=where, expected="3, or 4 with time", found=str(axes)
        )
    return text.sizes_of(fields["DimSize"], axes, where)


def _block(fields: Fields, offset: int, sizes: tuple[int, ...], request: Request) -> Block:
    where = request.where
    code = _DTYPES.get(fields["ElementType"])
    if code is None:
        raise UnsupportedData(
            "voxels are no real numbers", where=where, expected=", ".join(_DTYPES)
        )
    encoding: Encoding = "zlib" if _truth(fields, "CompressedData", where) else "raw"
    if not _truth(fields, "BinaryData", where, default=True):
        encoding = "text"
    if code[1] != "1" and encoding != "text" and "BinaryDataByteOrderMSB" not in fields:
        raise BadHeader(
            "the header does not tell the order of bytes",
            where=where,
            expected="BinaryDataByteOrderMSB",
        )
    big = _truth(fields, "BinaryDataByteOrderMSB", where)
    dtype = np.dtype(code).newbyteorder(">" if big else "<")
    named = fields[_LAST]
    if named.upper() == "LOCAL":
        return Block(request.files[0], offset, sizes, dtype, encoding)
    if named.upper().startswith("LIST") or "%" in named:
        raise UnsupportedData(
            "voxels in several files",
            where=where,
            expected="one file with all voxels",
            hint="Write them into one file.",
        )
    (skip,) = text.whole_numbers(fields.get("HeaderSize", "0"), 1, "HeaderSize", where)
    if skip < -1 or (skip == -1 and encoding != "raw"):
        raise BadHeader("the voxels begin where they cannot", where=where, found=str(skip))
    return Block(text.beside(named, request), None if skip == -1 else skip, sizes, dtype, encoding)


def _truth(fields: Fields, name: str, where: str, default: bool = False) -> bool:
    found = fields.get(name, str(default)).lower()
    if found not in ("true", "false"):
        raise BadHeader(f"{name} is neither true nor false", where=where)
    return found == "true"


def _place(
    fields: Fields, sizes: tuple[int, ...], request: Request, decoded: Decoded
) -> npt.NDArray[np.float64] | None:
    where, axes = request.where, len(sizes)
    factor = millimetres(fields.get("DistanceUnits", ""), where)
    spacing = None
    if "ElementSpacing" in fields:
        every = text.real_numbers(fields["ElementSpacing"].split(), axes, "ElementSpacing", where)
        spacing = [factor * step for step in every[:3]]
    if spacing is None or "TransformMatrix" not in fields:
        known = None if spacing is None else spacing[::-1]
        expected = "ElementSpacing and TransformMatrix"
        return assumed_place(known, sizes[2::-1], decoded, request, expected)
    direction = _direction(fields, axes, where)
    origin = [0.0, 0.0, 0.0]
    if "Offset" in fields:
        every = text.real_numbers(fields["Offset"].split(), axes, "Offset", where)
        origin = [factor * place for place in every[:3]]
    else:
        decoded.warn("origin-assumed", "the file has no origin: its first voxel was put at 0, 0, 0")
    return grid_from_itk(sizes[:3], origin, spacing, direction, where).index_to_world


def _direction(fields: Fields, axes: int, where: str) -> npt.NDArray[Any]:
    """(3, 3), columns are the ways of x, y, z: the file has them one after the other."""
    words = fields["TransformMatrix"].split()
    matrix = np.array(text.real_numbers(words, axes * axes, "TransformMatrix", where))
    matrix = matrix.reshape(axes, axes).T
    if matrix[:3, 3:].any() or matrix[3:, :3].any():
        raise BadHeader("an axis that runs in space and in time", where=where)
    return matrix[:3, :3]
