"""A matrix in tiles reads as the whole one does, and reads no more than it is asked for."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from xarray.backends import BackendArray
from xarray.core import indexing

from cohortflow.cohort.tiles import whole_matrix
from cohortflow.errors import EntryMissing

DEGREES = 2


def in_tiles(sizes: list[int]) -> tuple[xr.Dataset, dict[tuple[int, int], xr.Dataset]]:
    """A random symmetric matrix whole, and its tiles by pair of blocks."""
    size = sum(sizes)
    half = np.random.default_rng(size).normal(size=(DEGREES, size, size))
    values = half + half.transpose(0, 2, 1)
    names = np.array([f"sub-{k:02d}" for k in range(size)])
    valid = np.arange(size) % 3 != 1
    ends = np.cumsum([0, *sizes])
    blocks = [slice(a, b) for a, b in itertools.pairwise(ends)]
    tiles = {}
    for i, j in itertools.combinations_with_replacement(range(len(sizes)), 2):
        columns = {"other": names[blocks[j]], "other_valid": valid[blocks[j]]} if i != j else {}
        tiles[i, j] = matrix(values[:, blocks[i], blocks[j]], names[blocks[i]], valid[blocks[i]])
        tiles[i, j] = tiles[i, j].assign({n: ("other", v) for n, v in columns.items()})
    return matrix(values, names, valid), tiles


def matrix(values: Any, names: Any, valid: Any) -> xr.Dataset:
    return xr.Dataset(
        {
            "distance": (("degree", "subject_i", "subject_j"), values),
            "subject": ("subject", names),
            "valid": ("subject", valid),
        },
        coords={"degree": [0, 1]},
        attrs={"region": "r3"},
    )


SIZES = st.lists(st.integers(1, 4), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(SIZES, st.data())
def test_any_part_of_the_view_is_that_part_of_the_whole(sizes: list[int], data: st.DataObject):
    whole, tiles = in_tiles(sizes)
    view = whole_matrix(list(tiles.values()))
    size = sum(sizes)
    index = st.integers(-size, size - 1)
    part = st.one_of(
        index,
        st.lists(index, max_size=5),
        # xarray itself fails on an empty slice that steps back, of any lazy array.
        st.slices(size).filter(lambda part: (part.step or 1) > 0),
        st.lists(st.booleans(), min_size=size, max_size=size).map(np.array),
    )
    chosen: dict[str, Any] = {
        "degree": data.draw(st.sampled_from([0, 1, [1, 0], slice(None)])),
        "subject_i": data.draw(part),
        "subject_j": data.draw(part),
    }
    expected = whole["distance"].isel(chosen)
    xr.testing.assert_identical(view["distance"].isel(chosen).load(), expected)
    # Lazily one after the other, as a report orders and thins.
    rows = view["distance"].isel(subject_i=chosen["subject_i"])
    twice = rows.isel(subject_j=chosen["subject_j"], degree=chosen["degree"])
    np.testing.assert_array_equal(twice.values, expected.values)
    xr.testing.assert_identical(view.load(), whole)


class Watched(BackendArray):
    """Tells which tile is read."""

    def __init__(self, values: Any, pair: tuple[int, int], read: list[tuple[int, int]]) -> None:
        self.values, self.pair, self.read = values, pair, read
        self.shape, self.dtype = values.shape, values.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        support = indexing.IndexingSupport.OUTER
        return indexing.explicit_indexing_adapter(key, self.shape, support, self._read)

    def _read(self, key: tuple[Any, ...]) -> Any:
        self.read.append(self.pair)
        return self.values[np.ix_(*(np.arange(n)[k] for n, k in zip(self.shape, key, strict=True)))]


def test_only_the_tiles_that_are_asked_for_are_read():
    whole, tiles = in_tiles([3, 2, 4])
    read: list[tuple[int, int]] = []
    for pair, tile in tiles.items():
        lazily = indexing.LazilyIndexedArray(Watched(tile["distance"].values, pair, read))
        tiles[pair] = tile.assign(distance=(tile["distance"].dims, lazily))
    view = whole_matrix(list(tiles.values()))
    assert read == []
    np.testing.assert_array_equal(view["distance"][:, 3:5, 5:], whole["distance"][:, 3:5, 5:])
    np.testing.assert_array_equal(view["distance"][0, 8, :4], whole["distance"][0, 8, :4])
    assert read == [(1, 2), (0, 2), (1, 2)]


def test_a_pair_of_blocks_without_a_tile_is_an_error():
    _, tiles = in_tiles([3, 2, 4])
    without = [tile for pair, tile in tiles.items() if pair != (0, 2)]
    with pytest.raises(EntryMissing, match="two blocks"):
        whole_matrix(without)
    with pytest.raises(EntryMissing, match="no tile of its own"):
        whole_matrix([tile for pair, tile in tiles.items() if pair != (1, 1)])
