"""Bytes from plain and compressed files: exactly those that a header announces, never many more."""

from __future__ import annotations

import io
import zlib
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from cohortflow.errors import DecompressionBomb, TruncatedFile, UnreadableFile

FAULTS: tuple[type[Exception], ...] = (EOFError, OSError, zlib.error, isal_zlib.error)  # type: ignore[assignment]
"""What files and decompressors raise; :func:`broken` names it."""
_DEFLATE_LIMIT = 1032  # no deflate stream grows by more
_LARGE_BYTES = 2**30
_LIKELY_GROWTH = 200  # a volume with anything in it; an empty label map may grow by more
_MAX_REST = 2**20
_CHUNK = 2**24


def fill(file: BinaryIO, array: npt.NDArray[Any], where: str) -> None:
    """Fill a contiguous array with the next bytes; what follows them is at most a little.

    Raises :class:`TruncatedFile`, :class:`DecompressionBomb`.
    """
    fill_next(file, array, where)
    refuse_rest(file, where)


def fill_next(file: BinaryIO, array: npt.NDArray[Any], where: str) -> None:
    """Fill a contiguous array with the next bytes; raises :class:`TruncatedFile`."""
    view = array.reshape(-1, order="A").view(np.uint8).data
    done = 0
    while done < len(view):
        got = file.readinto(view[done : done + _CHUNK])  # type: ignore[attr-defined]
        if not got:
            raise TruncatedFile(
                "the file ends before its last voxel",
                where=where,
                expected=f"{len(view)} bytes of voxels",
                found=f"{done} bytes",
                hint="Copy or download it again.",
            )
        done += got


def refuse_rest(file: BinaryIO, where: str) -> None:
    """Raises :class:`DecompressionBomb` where the file goes on for long."""
    rest = 0
    while more := file.read(2**16):
        rest += len(more)
        if rest > _MAX_REST:
            raise DecompressionBomb(
                "the file goes on after its last voxel",
                where=where,
                expected=f"at most {_MAX_REST} bytes more",
                found="more",
            )


def refuse_short(compressed: int, needed: int, where: str) -> None:
    """Raises :class:`TruncatedFile` where no deflate stream of that length can hold the voxels.

    And :class:`DecompressionBomb` where they would be gigabytes of nothing.
    """
    if needed > compressed * _DEFLATE_LIMIT:
        raise TruncatedFile(
            "the compressed file is too short for the voxels it announces",
            where=where,
            expected=f"{needed} bytes of voxels",
            found=f"{compressed} bytes compressed",
        )
    if needed > max(_LARGE_BYTES, compressed * _LIKELY_GROWTH):
        raise DecompressionBomb(
            "a small file that announces gigabytes of voxels",
            where=where,
            expected=f"at most {_LIKELY_GROWTH} times its {compressed} bytes",
            found=str(needed),
            hint="Crop it, or store it with a smaller type of voxel.",
        )


def broken(error: Exception, where: str) -> UnreadableFile | TruncatedFile:
    """The named error of what a decompressor or the disk has said."""
    if isinstance(error, EOFError) or "end-of-stream" in str(error):
        return TruncatedFile(
            "the compressed file ends too early",
            where=where,
            expected="a compressed stream with its end",
            hint="Copy or download it again.",
        )
    if isinstance(error, OSError) and error.errno is not None:
        return UnreadableFile("the file cannot be read", where=where, found=str(error.strerror))
    return UnreadableFile(
        "the file cannot be decompressed",
        where=where,
        expected="the compression that it names",
        found="other or damaged bytes",
        hint="Copy or download it again.",
    )


class Inflated(io.RawIOBase):
    """What a zlib or gzip stream in the rest of a file holds."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._engine = isal_zlib.decompressobj(wbits=47)  # both kinds of header

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        while not self._engine.eof:
            data = self._engine.unconsumed_tail or self._file.read(2**18)
            got: bytes = self._engine.decompress(data, len(view))
            if got:
                view[: len(got)] = got
                return len(got)
            if not data:
                raise EOFError
        return 0
