"""NRRD (.nrrd, .nhdr): the header checked, then exactly the voxels it announces.

Format: the definition of the NRRD file format of Teem. Read are raw, gzip, bzip2 and text, voxels
in the same file or in one file beside it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.errors import BadHeader, NotLabels, UnreadableFile, UnsupportedData
from cohortflow.geometry import grid_from_nrrd, millimetres, names_body_axes
from cohortflow.sources.images import text_header as text
from cohortflow.sources.images.assumed import assumed_place
from cohortflow.sources.images.decoded import Decoded, Request, finished, refuse_size
from cohortflow.sources.images.persons import refuse_persons
from cohortflow.sources.images.times import chosen_time
from cohortflow.sources.images.voxel_blocks import Block, Encoding, read_block

_END = re.compile(rb"\r?\n\r?\n")
_TYPES = {
    "i1": "int8, int8_t, signed char",
    "u1": "uint8, uint8_t, uchar, unsigned char",
    "i2": "int16, int16_t, short, short int, signed short, signed short int",
    "u2": "uint16, uint16_t, ushort, unsigned short, unsigned short int",
    "i4": "int32, int32_t, int, signed int",
    "u4": "uint32, uint32_t, uint, unsigned int",
    "i8": "int64, int64_t, longlong, long long, long long int, signed long long",
    "u8": "uint64, uint64_t, ulonglong, unsigned long long, unsigned long long int",
    "f4": "float",
    "f8": "double",
}
_DTYPES = {name: code for code, names in _TYPES.items() for name in names.split(", ")}
_ENCODINGS: dict[str, Encoding] = {"raw": "raw", "gz": "gzip", "gzip": "gzip"}
_ENCODINGS |= {"bz2": "bzip2", "bzip2": "bzip2", "txt": "text", "text": "text", "ascii": "text"}
_TIMES = {"time", "list", "none", "???"}
_CHANNELS = {"vector", "covariant-vector", "normal", "rgb-color", "rgba-color", "hsv-color"}
_CHANNELS |= {"2-vector", "3-vector", "4-vector", "3-color", "4-color", "3-gradient", "3-normal"}
_OTHER_NAMES = {"centerings": "centers", "datafile": "data file", "lineskip": "line skip"}
_OTHER_NAMES |= {"byteskip": "byte skip"}


@dataclass(frozen=True)
class _Header:
    """``fields`` by name, ``pairs`` of free text, ``offset``: bytes of the header."""

    fields: dict[str, str]
    pairs: dict[str, str]
    offset: int

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(int(size) for size in self.fields["sizes"].split())


@dataclass(frozen=True)
class _Axes:
    """Role of every axis, fastest first: space, channel, time, or none for one of size 1."""

    roles: tuple[str, ...]
    directions: tuple[tuple[float, ...], ...] | None

    def of(self, role: str) -> list[int]:
        return [axis for axis, found in enumerate(self.roles) if found == role]


def read_nrrd(request: Request) -> list[Decoded]:
    """One image or label map: (z, y, x), of colours and vectors (channel, z, y, x).

    Axes that are neither space nor channels are time points. A ``space`` that does not name sides
    of the body places nothing. Raises the InputError of what is wrong.
    """
    where = request.where
    header = _header(request.files[0], where)
    refuse_size(math.prod(header.sizes), request.options, where)
    axes = _axes(header, where)
    decoded = Decoded(request.role, np.empty(0), persons=text.persons_of(header.pairs))
    if axes.of("channel") and request.role == "label":
        raise NotLabels("colours or vectors where labels are expected", where=where)
    array = read_block(_block(header, request), where)
    decoded.array = _ordered(array, axes, request, decoded)
    z, y, x = decoded.array.shape[-3:]
    decoded.matrix = _place(header, axes, (z, y, x), request, decoded)
    return [finished(decoded, request.options, where)]


def compare_persons(request: Request) -> list[Decoded]:
    """Nothing, where every header can be read and none names the request's id."""
    for path in request.files:
        refuse_persons(request.id, text.persons_of(_header(path, request.where).pairs))
    return []


def _header(path: str, where: str) -> _Header:
    with open(path, "rb") as file:
        raw = file.read(text.MAX_BYTES)
    if not re.match(rb"NRRD000[1-5]\r?\n", raw):
        raise UnreadableFile(
            "the file is no NRRD",
            where=where,
            expected="NRRD0001 to NRRD0005 in its first line",
            hint="Is its name right?",
        )
    end = _END.search(raw)
    if end is None and (len(raw) >= text.MAX_BYTES or not re.search(rb"\ndata ?file:", raw)):
        text.refuse_endless(raw, where)
    head = raw[: end.start()] if end else raw
    fields, pairs = _fields(text.lines_of(head)[1:], where)
    for name in ("dimension", "type", "sizes", "encoding"):
        if name not in fields:
            raise BadHeader(f"the header lacks its {name}", where=where)
    (dimension,) = text.whole_numbers(fields["dimension"], 1, "the dimension", where)
    if not 3 <= dimension <= 16:
        raise UnsupportedData(
            "no image of three axes",
            where=where,
            expected="a dimension of 3 or more",
            found=str(dimension),
        )
    text.sizes_of(fields["sizes"], dimension, where)
    return _Header(fields, pairs, end.end() if end else len(raw))


def _fields(lines: list[str], where: str) -> tuple[dict[str, str], dict[str, str]]:
    fields: dict[str, str] = {}
    pairs: dict[str, str] = {}
    for line in lines:
        if line.startswith("#") or not line:
            continue
        name, mark, value = line.partition(":")
        if not mark:
            raise BadHeader("a line of the header is no field", where=where)
        if value.startswith("="):
            pairs[name] = value[1:]
            continue
        name = _OTHER_NAMES.get(name.lower(), name.lower())
        if name in fields:
            raise BadHeader("the header says one thing twice", where=where)
        fields[name] = value.strip()
    return fields, pairs


def _block(header: _Header, request: Request) -> Block:
    where, fields = request.where, header.fields
    code = _DTYPES.get(fields["type"].lower())
    if code is None:
        raise UnsupportedData("voxels are no real numbers", where=where, expected="a number's type")
    encoding = _ENCODINGS.get(fields["encoding"].lower())
    if encoding is None:
        raise UnsupportedData(
            "an encoding that is not read", where=where, expected=", ".join(sorted(_ENCODINGS))
        )
    endian = fields.get("endian", "").lower()
    if code[1] != "1" and encoding != "text" and endian not in ("little", "big"):
        raise BadHeader(
            "the header does not tell the order of bytes", where=where, expected="little or big"
        )
    named = fields.get("data file")
    if named is not None and (named.upper().startswith("LIST") or "%" in named):
        raise UnsupportedData(
            "voxels in several files",
            where=where,
            expected="one file with all voxels",
            hint="Write them into one file.",
        )
    path = request.files[0] if named is None else text.beside(named, request)
    (lines,) = text.whole_numbers(fields.get("line skip", "0"), 1, "the line skip", where)
    (skip,) = text.whole_numbers(fields.get("byte skip", "0"), 1, "the byte skip", where)
    dtype = np.dtype(code).newbyteorder(">" if endian == "big" else "<")
    offset: int | None = header.offset if named is None else 0
    if skip == -1 and encoding == "raw":
        offset, lines, skip = None, 0, 0
    return Block(path, offset, header.sizes, dtype, encoding, lines, skip)


def _axes(header: _Header, where: str) -> _Axes:
    fields, sizes = header.fields, header.sizes
    kinds = fields["kinds"].lower().split() if "kinds" in fields else []
    if kinds and len(kinds) != len(sizes):
        raise BadHeader("not one kind for every axis", where=where, found=f"{len(kinds)} kinds")
    directions = _vectors(fields, len(sizes), where)
    if directions is not None:
        spatial = [vector is not None and any(vector[:3]) for vector in directions]
    elif kinds and any(kind in ("domain", "space") for kind in kinds):
        spatial = [kind in ("domain", "space") for kind in kinds]
    else:
        spatial = [axis < 3 for axis in range(len(sizes))]
    if sum(spatial) != 3:
        raise UnsupportedData(
            "not three axes in space", where=where, expected="3", found=str(sum(spatial))
        )
    kinds = kinds or ["???"] * len(sizes)
    roles = [
        "space" if space else _role(kind, size, where)
        for space, kind, size in zip(spatial, kinds, sizes, strict=True)
    ]
    if roles.count("channel") > 1 or roles.count("time") > 1:
        raise UnsupportedData("more axes than space, time and channels", where=where)
    if directions is None:
        return _Axes(tuple(roles), None)
    found = [vector for vector, space in zip(directions, spatial, strict=True) if vector and space]
    if any(any(vector[3:]) for vector in found):
        raise BadHeader("an axis that runs in space and in time", where=where)
    return _Axes(tuple(roles), tuple(vector[:3] for vector in found))


def _role(kind: str, size: int, where: str) -> str:
    if size == 1:
        return "none"
    if kind in _CHANNELS:
        return "channel"
    # Where a time axis has a step in a space of four axes, it may be called domain or space.
    if kind in _TIMES or kind in ("domain", "space"):
        return "time"
    raise UnsupportedData("an axis of tensors or complex numbers", where=where)


def _vectors(
    fields: dict[str, str], axes: int, where: str
) -> list[tuple[float, ...] | None] | None:
    if "space directions" not in fields:
        return None
    words = re.findall(r"\([^()]*\)|[^\s()]+", fields["space directions"])
    if len(words) != axes:
        raise BadHeader(
            "not one of the space directions for every axis",
            where=where,
            expected=str(axes),
            found=str(len(words)),
        )
    return [None if word.lower() == "none" else _vector(word, where) for word in words]


def _vector(word: str, where: str) -> tuple[float, ...]:
    numbers = [number.strip() for number in word.strip("()").split(",")]
    if len(numbers) not in (3, 4):
        raise BadHeader(
            "a vector in no space of three axes",
            where=where,
            expected="3 numbers",
            found=str(len(numbers)),
        )
    return text.real_numbers(numbers, len(numbers), "a vector", where)


def _ordered(
    array: npt.NDArray[Any], axes: _Axes, request: Request, decoded: Decoded
) -> npt.NDArray[Any]:
    """(channel?, z, y, x) of the time point asked for; ``array`` has the slowest axis first."""
    last = array.ndim - 1
    order = [axis for role in ("none", "time", "channel") for axis in axes.of(role)]
    array = array.transpose([last - axis for axis in [*order, *reversed(axes.of("space"))]])
    array = array[(0,) * len(axes.of("none"))]
    if axes.of("time"):
        array = array[chosen_time(len(array), array.shape, request, decoded)]
    return array


def _place(
    header: _Header, axes: _Axes, shape: tuple[int, int, int], request: Request, decoded: Decoded
) -> npt.NDArray[np.float64] | None:
    where, fields = request.where, header.fields
    space = fields.get("space", "").lower().removesuffix("-time")
    space = space[:3] if space in ("rast", "last", "lpst") else space
    expected = "space directions, and a space that names sides of the body"
    factor = millimetres(_unit(fields, axes), where)
    if axes.directions is None:
        spacings = _spacings(fields, axes, where)
        known = None if spacings is None else [factor * step for step in spacings]
        return assumed_place(known, shape, decoded, request, expected)
    if not names_body_axes(space):
        lengths = factor * np.linalg.norm(axes.directions, axis=1)
        return assumed_place(lengths[::-1].tolist(), shape, decoded, request, expected)
    origin = (0.0, 0.0, 0.0)
    if "space origin" in fields:
        x, y, z = _vector(fields["space origin"], where)[:3]
        origin = (factor * x, factor * y, factor * z)
    else:
        decoded.warn("origin-assumed", "the file has no origin: its first voxel was put at 0, 0, 0")
    steps = factor * np.array(axes.directions)
    return grid_from_nrrd(shape[::-1], space, origin, steps, where).index_to_world


def _spacings(fields: dict[str, str], axes: _Axes, where: str) -> list[float] | None:
    """(z, y, x), in the unit of the file."""
    if "spacings" not in fields:
        return None
    words = fields["spacings"].split()
    every = text.real_numbers(words, len(axes.roles), "the spacings", where)
    found = [every[axis] for axis in reversed(axes.of("space"))]
    return None if any(math.isnan(step) for step in found) else found


def _unit(fields: dict[str, str], axes: _Axes) -> str:
    """The one of all axes in space, empty where none is said."""
    if "space units" in fields:
        units = re.findall(r'"([^"]*)"', fields["space units"])[:3]
    else:
        every = re.findall(r'"([^"]*)"', fields.get("units", ""))
        units = [every[axis] for axis in axes.of("space") if axis < len(every)]
    return units[0] if len(set(units)) == 1 else " ".join(units)
