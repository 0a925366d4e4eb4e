"""Arrays packed and unpacked by us, beside zarr, which stays the reference."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr
from google_crc32c import value
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cohortflow.cohort import arrays
from cohortflow.cohort.arrays import encode_arrays, open_arrays
from cohortflow.cohort.object_storage import ObjectStorage
from cohortflow.cohort.stored_arrays import StoredSlabs, open_group
from cohortflow.errors import EntryCorrupt

DTYPES = ("uint8", "int16", "uint16", "int32", "int64", "float32", "float64")


def numbers(shape: tuple[int, ...], dtype: str) -> npt.NDArray[Any]:
    drawn = np.random.default_rng(len(shape)).normal(0, 60, shape)
    return drawn.clip(0, 200).astype(dtype)


def dataset(shape: tuple[int, ...], dtype: str, rows: int) -> xr.Dataset:
    dims = [f"axis{number}" for number in range(len(shape))]
    image = xr.DataArray(numbers(shape, dtype), dims=dims)
    image.encoding["chunks"] = (rows, *shape[1:])
    beside = xr.DataArray(np.linspace(-1, 1, shape[0]), dims=dims[:1])
    alone = xr.DataArray(["liver", "spleen"], dims=["organ"])
    return xr.Dataset({"image": image, "beside": beside, "alone": alone}, attrs={"told": [1, 2.5]})


def by_zarr(given: xr.Dataset) -> dict[str, bytes]:
    plain = given.assign(alone=given["alone"].astype(str))
    return arrays._by_zarr(plain, {str(name): arrays._chunks(given[name]) for name in given})


@settings(max_examples=25, deadline=None)
@given(
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple),
    dtype=st.sampled_from(DTYPES),
    rows=st.integers(1, 11),
)
def test_the_same_bytes_as_zarr(shape: tuple[int, ...], dtype: str, rows: int) -> None:
    given = dataset(shape, dtype, rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "LARGE_BYTES", 1)
        ours = encode_arrays(given)
    assert ours == by_zarr(given)


@pytest.mark.parametrize("order", [">", "<"])
def test_the_same_bytes_whatever_the_memory_is_like(order: str) -> None:
    image = numbers((70, 90, 110), f"{order}i2").transpose(2, 0, 1)[::-1]
    given = xr.Dataset({"image": (("z", "y", "x"), image)})
    given["alone"] = ("organ", np.array(["liver"]))
    ours = encode_arrays(given)
    assert ours == by_zarr(given.assign(image=given["image"].astype("<i2")))


def test_what_shares_a_dim_with_something_else_is_zarrs() -> None:
    large = xr.Dataset({"features": (("item", "feature"), numbers((600, 300), "float64"))})
    named = large.assign_coords(item=[f"item {number}" for number in range(600)])
    assert arrays._slabs(large, {"features": (300, 300)})
    assert not arrays._slabs(named, {"features": (300, 300), "item": (600,)})
    assert not arrays._slabs(large, {"features": (600, 100)})


class Stored(ObjectStorage):
    """Memory with one group in it."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__(f"memory://{uuid.uuid4()}")
        self.write_tree("e", files)

    def zarrs(self) -> xr.Dataset:
        return xr.open_dataset(open_group(self, "e", by_zarr=True), chunks=None, cache=False)


@pytest.fixture(scope="module")
def stored() -> Iterator[Stored]:
    storage = Stored(encode_arrays(dataset((23, 17, 90), "float64", 5)))
    yield storage
    storage.delete("")


def test_volumes_are_read_by_us(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[Any, ...]] = []
    plain = StoredSlabs._read
    monkeypatch.setattr(
        StoredSlabs, "_read", lambda self, key: (read.append(key), plain(self, key))[1]
    )
    found = open_arrays(stored, "e")
    assert found["image"].dtype == "float64"
    assert not read, "nothing is read before it is asked for"
    assert found.identical(stored.zarrs())
    assert len(read) == 2, "the text is zarr's"


KEYS = st.one_of(
    st.integers(-5, 4),
    st.slices(5),
    st.lists(st.integers(-5, 4), max_size=6).map(lambda picked: np.array(picked, int)),
)


@settings(max_examples=100, deadline=None)
@given(z=KEYS, y=KEYS, x=KEYS)
def test_any_part_is_what_zarr_reads(stored: Stored, z: Any, y: Any, x: Any) -> None:
    key = {"axis0": z, "axis1": y, "axis2": x}
    # xarray itself stumbles over slices of nothing that go backwards, whatever is behind it.
    sizes = zip(key.values(), (23, 17, 90), strict=True)
    assume(all(not isinstance(k, slice) or range(n)[k] for k, n in sizes))
    part = open_arrays(stored, "e")["image"].isel(key).to_numpy()
    assert np.array_equal(part, stored.zarrs()["image"].isel(key).to_numpy())


def test_whole_chunks_in_any_order_and_twice(stored: Stored) -> None:
    whole = stored.zarrs()["image"].to_numpy()
    for rows in ([5, 6, 7, 8, 9], [9, 8, 7, 6, 5], [5, 0, 6, 7, 8, 9], [*range(10)] * 2):
        part = open_arrays(stored, "e")["image"].isel(axis0=rows).to_numpy()
        assert np.array_equal(part, whole[rows])


def _sum(body: bytes) -> bytes:
    return body + int(value(body)).to_bytes(4, "little")


@pytest.mark.parametrize(
    "change",
    [
        lambda data, other: data[:-1],
        lambda data, other: b"",
        lambda data, other: _sum(b""),
        lambda data, other: _sum(data[:20]),
        lambda data, other: _sum(data[:16] + bytes(len(data) - 20)),
        lambda data, other: other,  # whole, and of fewer numbers: the rest would be what was there
        lambda data, other: data[:50] + b"?" + data[51:],
    ],
)
def test_a_chunk_that_is_another_is_named(change: Any) -> None:
    storage = Stored(encode_arrays(dataset((23, 17, 90), "float64", 5)))
    smaller = encode_arrays(dataset((23, 17, 90), "float64", 4))
    path = "image/c/1/0/0"
    storage.write(f"e/{path}", change(storage.read(f"e/{path}"), smaller[path]))
    with pytest.raises(EntryCorrupt, match="chunk is not as it was written"):
        open_arrays(storage, "e").load()
    storage.delete("")
