"""A Zarr store that reads through a Storage: its patience, its named errors, no fill values.

A plain Zarr store takes a chunk that is gone, or a bucket, for one that was never written, and
hands out its fill value. Here every chunk was written, so a missing one is an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any

import xarray as xr
from xarray.backends import ZarrStore
from xarray.core.indexing import LazilyIndexedArray
from zarr.abc.store import (
    ByteRequest,
    OffsetByteRequest,
    RangeByteRequest,
    Store,
    SuffixByteRequest,
)
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec
from zarr.core.buffer import Buffer, BufferPrototype

from cohortflow.cohort.slabs import Slabs, StoredSlabs, cores
from cohortflow.errors import EntryMissing

if TYPE_CHECKING:
    from cohortflow.cohort.storage import Storage

_REQUESTS_AT_ONCE = 10
_METADATA = ("zarr.json", ".zgroup", ".zarray", ".zattrs", ".zmetadata")


class StoredArrays(Store):
    """The arrays of one attempt, read only."""

    supports_writes = False
    supports_deletes = False
    supports_listing = True

    def __init__(self, storage: Storage, path: str) -> None:
        super().__init__(read_only=True)
        self._storage = storage
        self._path = path
        self._metadata: dict[str, bytes | None] = {}  # zarr asks for it twice

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, StoredArrays)
            and self._storage.url == other._storage.url
            and self._path == other._path
        )

    def __repr__(self) -> str:
        return f"<StoredArrays {self._storage.url}/{self._path}>"

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        data = await asyncio.to_thread(self._read, key)
        return None if data is None else prototype.buffer.from_bytes(_part(data, byte_range))

    def _read(self, key: str) -> bytes | None:
        path = f"{self._path}/{key}"
        if key.rsplit("/", 1)[-1] not in _METADATA:
            return self._storage.read(path)
        if key not in self._metadata:
            try:
                self._metadata[key] = self._storage.read(path)
            except EntryMissing:
                self._metadata[key] = None
        return self._metadata[key]

    async def get_partial_values(
        self,
        prototype: BufferPrototype,
        key_ranges: Iterable[tuple[str, ByteRequest | None]],
    ) -> list[Buffer | None]:
        wanted = [self.get(key, prototype, part) for key, part in key_ranges]
        return list(await asyncio.gather(*wanted))

    async def exists(self, key: str) -> bool:
        return await asyncio.to_thread(self._storage.exists, f"{self._path}/{key}")

    async def list(self) -> AsyncIterator[str]:
        async for key in self.list_prefix(""):
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        for path, _ in await asyncio.to_thread(lambda: list(self._storage.walk(self._path))):
            key = path.removeprefix(f"{self._path}/")
            if key.startswith(prefix):
                yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        folder = f"{self._path}/{prefix}".rstrip("/")
        for name in await asyncio.to_thread(self._storage.list, folder):
            yield name

    async def set(self, key: str, value: Buffer) -> None:
        self._check_writable()  # an entry is never written to: zarr's own error says so

    async def delete(self, key: str) -> None:
        self._check_writable()


def _part(data: bytes, wanted: ByteRequest | None) -> bytes:
    match wanted:
        case RangeByteRequest(start, end):
            return data[start:end]
        case OffsetByteRequest(offset):
            return data[offset:]
        case SuffixByteRequest(suffix):
            return data[-suffix:]
        case _:
            return data


def open_group(storage: Storage, path: str, *, by_zarr: bool = False) -> ZarrStore:
    """What ``xarray.open_dataset`` takes. ``by_zarr``: every array, for comparison."""
    kind = ZarrStore if by_zarr else _Group
    # Told the format, zarr does not look for files of another.
    found: ZarrStore = kind.open_group(
        StoredArrays(storage, path), mode="r", consolidated=True, zarr_format=3
    )
    if isinstance(found, _Group):
        found.storage, found.path = storage, path
    return found


class _Group(ZarrStore):
    """Arrays of slabs are read straight into place, all others as zarr does."""

    storage: Storage
    path: str
    __slots__ = ("path", "storage")

    def open_store_variable(self, name: str) -> xr.Variable:
        variable: xr.Variable = super().open_store_variable(name)  # type: ignore[no-untyped-call]
        array = self.members[name]
        slabs = _slabs(array)
        if slabs is None:
            return variable
        folder = f"{self.path}/{name}"
        near = self.storage.local_path("") is not None
        read = StoredSlabs(
            slabs,
            lambda key: self.storage.read(f"{folder}/{key}"),
            f"{self.storage.url}/{folder}",
            cores() if near else _REQUESTS_AT_ONCE,
        )
        return xr.Variable(
            variable.dims, LazilyIndexedArray(read), variable.attrs, variable.encoding
        )


def _slabs(array: Any) -> Slabs | None:
    """Where an array is packed and named as ours are."""
    about = array.metadata
    slabs = Slabs.of(array.shape, array.dtype, array.chunks)
    if slabs is None or [type(codec) for codec in about.codecs] != [
        BytesCodec,
        BloscCodec,
        Crc32cCodec,
    ]:
        return None
    origin = (0,) * array.ndim
    named = about.chunk_key_encoding.encode_chunk_key(origin) == slabs.key(0)
    return slabs if named and array.dtype.isnative else None
