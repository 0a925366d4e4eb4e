from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cohortflow.errors import EmptyInput, MissingValues, UsageError
from cohortflow.topology import bottleneck_distance, cubical_persistence
from tests.topology.rips_reference import reduce_filtration

VALUES = st.one_of(st.integers(-2, 3).map(float), st.just(np.inf), st.floats(-1e3, 1e3))
IMAGES = arrays(
    np.float64,
    st.one_of(
        st.tuples(st.integers(1, 5), st.integers(1, 5)),
        st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)),
    ),
    elements=VALUES,
)
RING = np.array([[1.0, 1.0, 1.0], [2.0, 9.0, 1.0], [1.0, 1.0, 1.0]])


def whole_complex(image: np.ndarray) -> list[np.ndarray]:
    """Every cell of the doubled grid, at the least value of the pixels it touches."""
    cells = {}
    for cell in product(*(range(2 * size + 1) for size in image.shape)):
        around = [
            [c // 2] if c % 2 else [k for k in (c // 2 - 1, c // 2) if 0 <= k < size]
            for c, size in zip(cell, image.shape, strict=True)
        ]
        cells[cell] = min(image[pixel] for pixel in product(*around))

    def faces(cell: tuple[int, ...]) -> list[tuple[int, ...]]:
        odd = [axis for axis, c in enumerate(cell) if c % 2]
        return [(*cell[:a], cell[a] + step, *cell[a + 1 :]) for a in odd for step in (-1, 1)]

    return reduce_filtration(cells, lambda cell: sum(c % 2 for c in cell), faces, image.ndim - 1)


@settings(max_examples=60, deadline=None)
@given(IMAGES)
def test_equals_the_reduction_of_the_whole_complex(image: np.ndarray):
    for got, expected in zip(cubical_persistence(image), whole_complex(image), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_a_ring_is_one_loop_and_a_hollow_cube_one_void():
    h0, h1 = cubical_persistence(RING)
    np.testing.assert_array_equal(h0, [[1.0, np.inf]])
    np.testing.assert_array_equal(h1, [[2.0, 9.0]])
    cube = np.zeros((3, 3, 3))
    cube[1, 1, 1] = 5.0
    h0, h1, h2 = cubical_persistence(cube)
    assert len(h0) == 1
    assert len(h1) == 0
    np.testing.assert_array_equal(h2, [[0.0, 5.0]])


def test_superlevel_sets_are_the_sublevel_sets_of_the_negated_image():
    image = np.random.default_rng(0).normal(size=(7, 8, 6))
    for got, expected in zip(
        cubical_persistence(image, superlevel=True), cubical_persistence(-image), strict=True
    ):
        np.testing.assert_array_equal(got, expected)
    h0, _ = cubical_persistence(RING, superlevel=True)
    np.testing.assert_array_equal(h0, [[-9.0, np.inf]])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.5))
def test_diagrams_move_no_more_than_the_values(seed: int, epsilon: float):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 5, (8, 9)).astype(float)
    moved = image + rng.uniform(-epsilon, epsilon, image.shape)
    for a, b in zip(cubical_persistence(image), cubical_persistence(moved), strict=True):
        assert bottleneck_distance(a, b, essential="match") <= epsilon + 1e-12


def test_axes_turned_or_exchanged_change_nothing():
    image = np.random.default_rng(1).normal(size=(6, 7, 5))
    plain = cubical_persistence(image)
    for other in (image.T, image[::-1], image[:, ::-1], image.swapaxes(0, 1)):
        for got, expected in zip(cubical_persistence(other), plain, strict=True):
            np.testing.assert_array_equal(got, expected)


def test_degrees_asked_for():
    assert len(cubical_persistence(RING, max_degree=0)) == 1
    diagrams = cubical_persistence(RING, max_degree=3)
    assert [diagram.shape for diagram in diagrams[2:]] == [(0, 2), (0, 2)]


def test_what_is_no_image():
    with pytest.raises(UsageError, match="axes"):
        cubical_persistence(np.zeros(4))
    with pytest.raises(UsageError, match="degree"):
        cubical_persistence(RING, max_degree=-1)
    with pytest.raises(EmptyInput):
        cubical_persistence(np.empty((0, 3)))
    for value, superlevel in ((np.nan, False), (-np.inf, False), (np.inf, True)):
        broken = RING.copy()
        broken[1, 2] = value
        with pytest.raises(MissingValues, match=r"\(1, 2\)"):
            cubical_persistence(broken, superlevel=superlevel)
    assert [len(diagram) for diagram in cubical_persistence(np.full((2, 2), np.inf))] == [0, 0]
