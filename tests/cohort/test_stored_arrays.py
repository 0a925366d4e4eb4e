"""Arrays read through a storage: what a lost chunk, a flipped bit and a silent store lead to."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator

import numpy as np
import pytest
import xarray as xr
from zarr.core.buffer import default_buffer_prototype

from cohortflow.cohort.arrays import encode_arrays, open_arrays
from cohortflow.cohort.object_storage import ObjectStorage
from cohortflow.cohort.stored_arrays import StoredArrays
from cohortflow.errors import EntryCorrupt, EntryMissing, StoreUnavailable

CHUNK = "e/arrays/values/c/1/0"


class Watched(ObjectStorage):
    """Memory that counts its reads, and may be away."""

    away = False

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.reads: list[str] = []

    def read(self, path: str) -> bytes:
        self.reads.append(path)
        if self.away:
            raise StoreUnavailable("the store cannot be reached", where=path)
        return super().read(path)


@pytest.fixture
def storage() -> Iterator[Watched]:
    storage = Watched(f"memory://{uuid.uuid4()}")
    values = xr.DataArray(np.arange(12.0).reshape(4, 3), dims=("row", "column"))
    values.encoding["chunks"] = (2, 3)
    storage.write_tree("e/arrays", encode_arrays(values.to_dataset(name="values")))
    yield storage
    storage.delete("")


def test_what_was_committed_is_not_written_to(storage: Watched) -> None:
    before = {path: storage.read(path) for path, _ in storage.walk("e")}
    store = StoredArrays(storage, "e/arrays")
    for change in (
        store.set("values/c/0/0", default_buffer_prototype().buffer.from_bytes(b"x")),
        store.delete("values/c/0/0"),
    ):
        with pytest.raises(ValueError, match="read-only"):
            asyncio.run(change)
    assert {path: storage.read(path) for path, _ in storage.walk("e")} == before


def test_what_was_written_is_read_by_as_many_requests_as_there_are_chunks(
    storage: Watched,
) -> None:
    found = open_arrays(storage, "e/arrays")
    assert storage.reads == ["e/arrays/zarr.json"], "opening reads one file"
    assert np.array_equal(found["values"].to_numpy(), np.arange(12.0).reshape(4, 3))
    assert len(storage.reads) == 3
    assert found["values"][0].to_numpy().tolist() == [0, 1, 2]


def test_a_lost_chunk_is_no_fill_value(storage: Watched) -> None:
    storage.delete(CHUNK)
    found = open_arrays(storage, "e/arrays")
    with pytest.raises(EntryMissing, match="c/1/0"):
        found.load()


def test_a_store_that_is_away_is_named(storage: Watched) -> None:
    found = open_arrays(storage, "e/arrays")
    storage.away = True
    with pytest.raises(StoreUnavailable):
        found.load()


def test_a_flipped_bit_is_an_error(storage: Watched) -> None:
    data = bytearray(storage.read(CHUNK))
    data[-6] ^= 1
    storage.write(CHUNK, bytes(data))
    with pytest.raises(EntryCorrupt, match="checksum"):
        open_arrays(storage, "e/arrays").load()
