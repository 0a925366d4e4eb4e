"""The voxels that a text header describes: beside it or behind it, plain, compressed or as text."""

from __future__ import annotations

import bz2
import math
import os
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, cast

import numpy as np
import numpy.typing as npt
from isal import igzip

from cohortflow.errors import BadHeader, TruncatedFile
from cohortflow.sources.images.streams import FAULTS, Inflated, broken, fill, refuse_short

Encoding = Literal["raw", "gzip", "zlib", "bzip2", "text"]
_MAX_LINES = 10_000
_MAX_SKIP = 2**24
_TEXT_BYTES = 64  # that one voxel written as text may take


@dataclass(frozen=True)
class Block:
    """``sizes``: fastest first. ``offset``: bytes before it; None where it is the end of its file.

    ``lines``, ``skip``: what is passed over then, the bytes after decompression.
    """

    path: str
    offset: int | None
    sizes: tuple[int, ...]
    dtype: np.dtype[Any]
    encoding: Encoding
    lines: int = 0
    skip: int = 0


def read_block(block: Block, where: str) -> npt.NDArray[Any]:
    """Array with the slowest axis first; raises the InputError of what is wrong."""
    if not (0 <= block.lines <= _MAX_LINES and 0 <= block.skip <= _MAX_SKIP):
        raise BadHeader(
            "more is passed over before the voxels than can be",
            where=where,
            found=f"{block.lines} lines, {block.skip} bytes",
        )
    needed = math.prod(block.sizes) * block.dtype.itemsize
    try:
        with open(block.path, "rb") as file:
            left = _begin(file, block, needed, where)
            if block.encoding == "text":
                return _text(file, block, where)
            if block.encoding == "raw" and left < needed:
                raise _too_short(needed, left, where)
            if block.encoding in ("gzip", "zlib"):
                refuse_short(left, needed, where)
            with _opened(file, block.encoding) as stream:
                _pass_over(stream, block.skip, where)
                array = np.empty(block.sizes[::-1], block.dtype)
                fill(stream, array, where)
                return array
    except FAULTS as error:
        raise broken(error, where) from error


def _begin(file: BinaryIO, block: Block, needed: int, where: str) -> int:
    """Stand before the voxels; how many bytes are left."""
    size = os.fstat(file.fileno()).st_size
    offset = size - needed if block.offset is None else block.offset
    if offset < 0:
        raise _too_short(needed, size, where)
    file.seek(offset)
    for _ in range(block.lines):
        if not file.readline(_MAX_SKIP).endswith(b"\n"):
            raise BadHeader("fewer lines before the voxels than the header says", where=where)
    skip = block.skip if block.encoding == "raw" else 0
    return size - file.tell() - skip


def _opened(file: BinaryIO, encoding: Encoding) -> BinaryIO:
    if encoding == "gzip":
        return cast(BinaryIO, igzip.IGzipFile(fileobj=file, mode="rb"))  # type: ignore[no-untyped-call]
    if encoding == "zlib":
        return cast(BinaryIO, Inflated(file))
    return cast(BinaryIO, bz2.BZ2File(file)) if encoding == "bzip2" else file


def _pass_over(stream: BinaryIO, count: int, where: str) -> None:
    while count:
        got = len(stream.read(min(count, 2**20)))
        if not got:
            raise _too_short(count, 0, where)
        count -= got


def _text(file: BinaryIO, block: Block, where: str) -> npt.NDArray[Any]:
    count = math.prod(block.sizes)
    _pass_over(file, block.skip, where)
    words = file.read(count * _TEXT_BYTES).replace(b",", b" ").split()
    if len(words) < count:
        raise TruncatedFile(
            "the file ends before its last voxel",
            where=where,
            expected=f"{count} numbers",
            found=str(len(words)),
            hint="Copy or download it again.",
        )
    if len(words) > count:
        raise BadHeader(
            "more voxels than the header announces",
            where=where,
            expected=str(count),
            found=str(len(words)),
        )
    try:
        if block.dtype.kind == "f":
            values: npt.NDArray[Any] = np.array(words).astype(block.dtype)
        else:
            values = np.array([int(word) for word in words], block.dtype)
    except (ValueError, OverflowError) as error:
        raise BadHeader("a voxel is no number of its type", where=where) from error
    return values.reshape(block.sizes[::-1])


def _too_short(needed: int, found: int, where: str) -> TruncatedFile:
    return TruncatedFile(
        "the file is too short for the voxels it announces",
        where=where,
        expected=f"{needed} bytes",
        found=str(max(found, 0)),
        hint="Copy or download it again.",
    )
