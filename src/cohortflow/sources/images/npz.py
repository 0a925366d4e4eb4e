"""NumPy archives (.npz): plain arrays in a zip file, never pickled objects."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.errors import (
    BadHeader,
    DecompressionBomb,
    TruncatedFile,
    UnreadableFile,
    UnsupportedData,
)
from cohortflow.sources.images.arrays import Stored, part_names, read_arrays, refuse_array
from cohortflow.sources.images.decoded import Decoded, Request
from cohortflow.sources.images.streams import fill, refuse_short

_MAX_HEADER = 4096
_MAX_REST = 2**20
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_npz(request: Request) -> list[Decoded]:
    """See :func:`~cohortflow.sources.images.arrays.read_arrays`."""
    return read_arrays(request, _opened)


@contextmanager
def _opened(path: str, request: Request) -> Iterator[Mapping[str, Stored]]:
    where = request.where
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if len(members) != len(archive.infolist()):
                raise BadHeader("two arrays of one name", where=where)
            names = part_names(list(members), request)
            yield {part: _stored(archive, members[name], request) for part, name in names.items()}
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        with open(path, "rb") as file:
            begun = file.read(4) == b"PK\x03\x04"
        cut = begun and ("not a zip file" in str(error) or isinstance(error, EOFError))
        kind = TruncatedFile if cut else UnreadableFile
        raise kind(
            "the archive has no end" if cut else "the archive is damaged, or none",
            where=where,
            hint="Copy or download it again.",
        ) from error


def _stored(archive: zipfile.ZipFile, info: zipfile.ZipInfo, request: Request) -> Stored:
    where = request.where
    if info.flag_bits & 1 or info.compress_type not in _COMPRESSIONS:
        raise UnsupportedData(
            "an array that is encrypted, or compressed by something else than deflate", where=where
        )
    with archive.open(info) as stream:
        shape, by_columns, dtype = _header(stream, where)
    refuse_array(shape, dtype, request)
    needed = math.prod(shape) * dtype.itemsize
    if info.file_size > needed + _MAX_HEADER + _MAX_REST:
        raise DecompressionBomb(
            "an array with more bytes than its header announces",
            where=where,
            expected=str(needed),
            found=str(info.file_size),
        )
    refuse_short(info.compress_size, needed, where)
    if info.file_size < needed:
        raise TruncatedFile(
            "an array that ends before its last value",
            where=where,
            expected=f"{needed} bytes",
            found=str(info.file_size),
        )

    def read() -> npt.NDArray[Any]:
        array = np.empty(shape, dtype, order="F" if by_columns else "C")
        with archive.open(info) as stream:
            _header(stream, where)
            fill(stream, array, where)  # type: ignore[arg-type]
        return array

    return Stored(shape, dtype, read)


def _header(stream: Any, where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        read = readers[np.lib.format.read_magic(stream)]
        shape, by_columns, dtype = read(stream, max_header_size=_MAX_HEADER)
    except (ValueError, KeyError) as error:
        raise BadHeader("an array whose header cannot be read", where=where) from error
    if dtype.hasobject:
        raise UnsupportedData(
            "an array of pickled objects",
            where=where,
            expected="numbers",
            hint="Such a file could run any program: it is never opened.",
        )
    return tuple(int(size) for size in shape), by_columns, dtype
