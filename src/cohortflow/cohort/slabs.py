"""Chunks that are slabs of an array: packed and unpacked straight between its memory and bytes.

Byte for byte what zarr writes and reads, which stays beside it for all else and as its reference;
but zarr copies a chunk three times on its way out and twice on its way in.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from xarray.backends import BackendArray
from xarray.core.indexing import ExplicitIndexer, IndexingSupport, explicit_indexing_adapter

from cohortflow.errors import EntryCorrupt

CODEC: Final = "zstd"
LEVEL: Final = 3
_SUM = struct.Struct("<I")
_BLOSC = struct.Struct("<4x3I")
"""Of a Blosc buffer: bytes unpacked, bytes of a block, bytes packed."""


@dataclass(frozen=True)
class Slabs:
    """An array cut along its first axis only, ``rows`` to a chunk, the last one filled up."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    rows: int

    @classmethod
    def of(cls, shape: Sequence[int], dtype: np.dtype[Any], chunks: Sequence[int]) -> Slabs | None:
        """None where chunks are no slabs, or numbers no plain ones."""
        plain = dtype.kind in "iuf" and bool(shape) and min(shape) > 0
        if not plain or tuple(chunks[1:]) != tuple(shape[1:]):
            return None
        return cls(tuple(shape), dtype, chunks[0])

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def chunk(self) -> tuple[int, ...]:
        return (self.rows, *self.shape[1:])

    def key(self, number: int) -> str:
        """The file of a chunk, below that of its array."""
        return "/".join(["c", str(number), *("0" for _ in self.shape[1:])])

    def pack(self, array: npt.NDArray[Any], fill: Any) -> dict[str, bytes]:
        """Each chunk's file. ``fill``: as the metadata has it, for what the last one lacks."""

        def packed(number: int) -> bytes:
            part = array[number * self.rows : (number + 1) * self.rows]
            if len(part) < self.rows:
                whole = np.full(self.chunk, np.asarray(fill).astype(self.dtype))
                whole[: len(part)] = part
                part = whole
            return _pack(np.ascontiguousarray(part, self.dtype.newbyteorder("<")))

        numbers = range(-(-self.shape[0] // self.rows))
        return dict(zip(map(self.key, numbers), _each(packed, numbers, cores()), strict=True))


def _pack(part: npt.NDArray[Any]) -> bytes:
    from google_crc32c import value
    from numcodecs import blosc

    data = blosc.compress(part, CODEC.encode(), LEVEL, shuffle=blosc.BITSHUFFLE)
    return b"".join((data, _SUM.pack(value(data))))


class StoredSlabs(BackendArray):
    """What xarray reads lazily: ``read`` returns the file of a chunk's key."""

    def __init__(
        self, slabs: Slabs, read: Callable[[str], bytes], where: str, at_once: int
    ) -> None:
        self.shape, self.dtype = slabs.shape, slabs.dtype
        self._slabs, self._file, self._where, self._at_once = slabs, read, where, at_once

    def __getitem__(self, key: ExplicitIndexer) -> Any:
        return explicit_indexing_adapter(key, self.shape, IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> npt.NDArray[Any]:
        picked = [np.arange(size)[part] for size, part in zip(self.shape, key, strict=True)]
        rows, rest = np.atleast_1d(picked[0]), key[1:]
        out = np.empty((len(rows), *(n for one in picked[1:] for n in one.shape)), self.dtype)
        whole = out.shape[1:] == self.shape[1:] and all(isinstance(k, slice) for k in rest)
        owners = rows // self._slabs.rows

        def fill(number: int) -> None:
            places = np.flatnonzero(owners == number)
            inside = rows[places] - number * self._slabs.rows
            if whole and np.array_equal(inside, np.arange(self._slabs.rows)):
                # Rows in order stand in order: what was asked for is this chunk, as it lies.
                self._unpack(number, out[places[0] : places[-1] + 1])
                return
            chunk = np.empty(self._slabs.chunk, self.dtype)
            self._unpack(number, chunk)
            out[places] = _outer(chunk, (inside, *rest))

        for _ in _each(fill, np.unique(owners).tolist(), self._at_once):
            pass
        return out if picked[0].ndim else out[0]

    def _unpack(self, number: int, out: npt.NDArray[Any]) -> None:
        from google_crc32c import value
        from numcodecs import blosc

        key = self._slabs.key(number)
        data = np.frombuffer(self._file(key), np.uint8)
        body, end = data[: -_SUM.size], data[-_SUM.size :]
        if len(body) < _BLOSC.size or _SUM.pack(value(body)) != end.tobytes():
            raise self._corrupt(key, "its checksum is not that of its bytes")
        unpacked, _, packed = _BLOSC.unpack_from(body.data)
        if (unpacked, packed) != (out.nbytes, len(body)):
            raise self._corrupt(key, f"{packed} bytes that hold {unpacked}")
        try:
            blosc.decompress(body, out)
        except RuntimeError as error:
            raise self._corrupt(key, "it cannot be unpacked") from error

    def _corrupt(self, key: str, found: str) -> EntryCorrupt:
        return EntryCorrupt(
            "a chunk is not as it was written",
            where=f"{self._where}/{key}",
            found=found,
            expected=f"{np.prod(self._slabs.chunk)} numbers and their checksum",
            hint="See 'cohortflow fsck --deep'; without its entry.json it is made again.",
        )


def _outer(chunk: npt.NDArray[Any], key: Sequence[Any]) -> npt.NDArray[Any]:
    for axis in reversed(range(len(key))):
        chunk = chunk[(slice(None),) * axis + (key[axis],)]
    return chunk


def _each(work: Callable[[int], Any], numbers: Sequence[int], at_once: int) -> Iterator[Any]:
    """In threads, always: in the main one Blosc would start threads of its own."""
    with ThreadPoolExecutor(min(at_once, len(numbers)) or 1) as pool:
        yield from pool.map(work, numbers)


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
