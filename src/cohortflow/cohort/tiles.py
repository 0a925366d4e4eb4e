"""A matrix over all pairs of subjects as a lazy view of its tiles."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from cohortflow.errors import EntryMissing

Indices = NDArray[np.int64]

PAIR = re.compile(r"\d+-\d+")
"""Labels of an axis of pairs of blocks."""


def whole_matrix(tiles: Sequence[xr.Dataset]) -> xr.Dataset:
    """One ``distance`` (degree, subject_i, subject_j) of all its tiles; reads what is asked for.

    A tile has ``subject`` and ``valid`` of its rows, and one of two blocks ``other`` and
    ``other_valid`` of its columns. The blocks stand in the order of their own tiles, ``subject``
    and ``valid`` (subject) name all of them. EntryMissing where two blocks have no tile.
    """
    if len(tiles) == 1 and "other" not in tiles[0].variables:
        return tiles[0]
    blocks = [tile for tile in tiles if "other" not in tile.variables]
    places = {_first(block, "subject"): place for place, block in enumerate(blocks)}
    held: dict[tuple[int, int], xr.DataArray] = {}
    for tile in tiles:
        rows = places.get(_first(tile, "subject"))
        columns = places.get(_first(tile, "other" if "other" in tile.variables else "subject"))
        if rows is None or columns is None:
            raise EntryMissing("a block of subjects has no tile of its own")
        held[rows, columns] = tile["distance"]
    _refuse_gaps(held, len(blocks))
    names = np.concatenate([block["subject"].values for block in blocks])
    lazily = indexing.LazilyIndexedArray(_Tiles(held, [block.sizes["subject"] for block in blocks]))
    return xr.Dataset(
        {
            "distance": (("degree", "subject_i", "subject_j"), lazily),
            "subject": ("subject", names),
            "valid": ("subject", np.concatenate([block["valid"].values for block in blocks])),
        },
        coords={"degree": tiles[0]["degree"]},
        attrs=dict(tiles[0].attrs),
    )


def standing(told: Mapping[str, tuple[str, str]]) -> list[str]:
    """Labels of the tiles that make the matrix, from state and reason of each.

    A block of which every subject failed above has no tile of its own, and no other either: they
    are blocked, and are left out as its subjects are. Any other tile that is not done is missed.
    """
    lost = {
        first
        for label, (state, reason) in told.items()
        for first, second in [label.split("-")]
        # What is blocked by something blocked: its reduction had nobody left,
        # and did not fail itself.
        if first == second and state == "blocked" and reason.endswith(" blocked")
    }
    return [label for label in told if not lost & set(label.split("-"))]


class _Tiles(BackendArray):
    """Square: the tile of blocks (i, j) stands for (j, i) too, mirrored."""

    def __init__(self, held: Mapping[tuple[int, int], xr.DataArray], sizes: Sequence[int]) -> None:
        first = held[0, 0]
        self.held = held
        self.block = np.repeat(np.arange(len(sizes)), sizes)
        self.inside = np.concatenate([np.arange(size) for size in sizes])
        self.shape = (first.sizes["degree"], len(self.block), len(self.block))
        self.dtype = first.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        support = indexing.IndexingSupport.OUTER
        return indexing.explicit_indexing_adapter(key, self.shape, support, self._read)

    def _read(self, key: tuple[Any, ...]) -> NDArray[Any]:
        chosen = [np.arange(n)[part] for n, part in zip(self.shape, key, strict=True)]
        degrees, rows, columns = (np.atleast_1d(part) for part in chosen)
        out = np.empty((len(degrees), len(rows), len(columns)), self.dtype)
        for i in np.unique(self.block[rows]):
            for j in np.unique(self.block[columns]):
                here = (
                    np.flatnonzero(self.block[rows] == i),
                    np.flatnonzero(self.block[columns] == j),
                )
                own = self.inside[rows[here[0]]], self.inside[columns[here[1]]]
                out[:, here[0][:, None], here[1]] = self._part(i, j, degrees, *own)
        return out.reshape([n for part in chosen for n in part.shape])

    def _part(
        self, i: int, j: int, degrees: Indices, rows: Indices, columns: Indices
    ) -> NDArray[Any]:
        if (i, j) in self.held:
            tile = self.held[i, j]
            return tile.isel(degree=degrees, subject_i=rows, subject_j=columns).values
        tile = self.held[j, i]
        mirrored = tile.isel(degree=degrees, subject_i=columns, subject_j=rows).values
        return mirrored.transpose(0, 2, 1)


def _first(tile: xr.Dataset, name: str) -> str:
    """A subject stands in one block, so its first one names a block."""
    return str(tile[name][0].values)


def _refuse_gaps(held: Mapping[tuple[int, int], object], blocks: int) -> None:
    for i in range(blocks):
        for j in range(i, blocks):
            if (i, j) not in held and (j, i) not in held:
                raise EntryMissing(
                    "two blocks of subjects have no tile",
                    expected=f"{blocks * (blocks + 1) // 2} tiles of {blocks} blocks",
                    found=str(len(held)),
                    hint="cohortflow status says which of them failed.",
                )
