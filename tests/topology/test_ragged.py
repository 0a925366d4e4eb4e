from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from cohortflow.errors import UsageError
from cohortflow.topology import wasserstein_tile
from cohortflow.topology.ragged import pack, transpose, unpack


@given(st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=1, max_size=4))
def test_pack_transpose_unpack_returns_every_diagram(counts: list[list[int]]):
    rng = np.random.default_rng(0)
    subjects = [[rng.random((n, 2)) for n in regions] for regions in counts]
    packed = [pack(regions) for regions in subjects]
    bars, offsets = transpose([p[0] for p in packed], [p[1] for p in packed])
    dataset = xr.Dataset(
        {
            "birth_death_1": (("bar_1", "birth_death"), bars),
            "offset_1": ("cell_edge", offsets),
        }
    )
    for region in range(3):
        cells = unpack(dataset, 1, region * len(subjects), (region + 1) * len(subjects))
        assert len(cells) == len(subjects)
        for subject, cell in enumerate(cells):
            np.testing.assert_array_equal(cell, subjects[subject][region])


def test_nothing_but_empty_diagrams():
    bars, offsets = pack([np.empty((0, 2))] * 3)
    assert bars.shape == (0, 2)
    np.testing.assert_array_equal(offsets, [0, 0, 0, 0])


TABLE = np.array([[0.0, 1.0], [0.5, 2.0]])


@pytest.mark.parametrize(
    "diagrams",
    [
        [TABLE, TABLE[:, ::-1], TABLE[:0]],
        [TABLE, []],
        [TABLE.tolist(), TABLE],
        [TABLE.astype(np.float32), TABLE],
        [TABLE.astype(">f8")],
        [TABLE.astype(int)],
        [np.empty((0, 5))],
        [np.empty((3, 0)), TABLE],
        np.stack([TABLE, TABLE]),
        [],
    ],
)
def test_whatever_holds_bars_is_packed(diagrams):
    bars, offsets = pack(diagrams)
    one_by_one = [np.asarray(d, dtype=np.float64).reshape(-1, 2).tolist() for d in diagrams]
    assert bars.dtype == np.float64
    assert [part.tolist() for part in np.split(bars, offsets[1:-1])][: len(diagrams)] == one_by_one
    assert offsets[-1] == len(bars)


@pytest.mark.parametrize("odd", [[0.0, 1.0], [[0.0, 1.0, 2.0]], [["a", "b"]], [[1j, 2j]], 5.0])
def test_what_is_no_table_of_bars_is_refused(odd):
    for diagrams in ([odd], [TABLE, odd]):
        with pytest.raises(UsageError, match="table of"):
            pack(diagrams)


@pytest.mark.parametrize(
    ("bars", "offsets", "says"),
    [
        ([[0, 1], [0, 2]], [0, 1, 2], None),
        ([[0, 1], [0, 2]], np.array([0, 2], np.uint64), None),
        ([[0, 1], [0, 2]], np.array([0, 2, 1, 2], np.uint64), "do not fit"),
        ([[0, 1], [0, 2]], [0.0, 2.0], "row of integers"),
        ([[0, 1], [0, 2]], [[0, 2]], "row of integers"),
        ([[0, 1, 2]], [0, 1], "table of bars"),
        ([[0, 1], [2]], [0, 2], "table of numbers"),
        ([["a", "b"]], [0, 1], "table of numbers"),
    ],
)
def test_packed_diagrams_are_checked(bars, offsets, says):
    if says is None:
        found = wasserstein_tile((bars, offsets))
        assert found.shape == (len(offsets) - 1,) * 2
        return
    with pytest.raises(UsageError, match=says):
        wasserstein_tile((bars, offsets))
