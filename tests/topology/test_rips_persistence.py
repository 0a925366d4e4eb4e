from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import pdist, squareform

from cohortflow.errors import EmptyInput, MissingValues, UsageError
from cohortflow.topology import delay_embedding, rips_persistence

CLOUDS = arrays(
    np.float64,
    st.tuples(st.integers(1, 14), st.integers(1, 3)),
    elements=st.integers(-3, 3).map(float),
)


def sine(noise: float = 0.0, period: float = 8.0) -> np.ndarray:
    time = np.arange(100)
    jitter = np.random.default_rng(0).normal(0.0, noise, 100) if noise else 0.0
    return np.sin(2 * np.pi * time / period) + jitter


def lengths(diagram: np.ndarray) -> np.ndarray:
    return np.sort(diagram[:, 1] - diagram[:, 0])[::-1]


def boundary_reference(cloud: np.ndarray, max_degree: int) -> list[np.ndarray]:
    """Plain column reduction of the whole boundary matrix over Z/2."""
    from itertools import combinations

    distance = squareform(pdist(cloud)) if len(cloud) > 1 else np.zeros((1, 1))
    simplices = sorted(
        (max((distance[i, j] for i, j in combinations(face, 2)), default=0.0), len(face), face)
        for size in range(1, max_degree + 3)
        for face in combinations(range(len(cloud)), size)
    )
    index = {face: i for i, (_, _, face) in enumerate(simplices)}
    columns: dict[int, set[int]] = {}
    paired, bars = set(), [[] for _ in range(max_degree + 1)]
    for j, (value, size, face) in enumerate(simplices):
        column = {index[face[:k] + face[k + 1 :]] for k in range(size)} if size > 1 else set()
        while column and max(column) in columns:
            column ^= columns[max(column)]
        if column:
            low = max(column)
            columns[low] = column
            paired |= {low, j}
            birth = simplices[low][0]
            if value > birth:
                bars[size - 2].append((birth, value))
    for i, (value, size, _) in enumerate(simplices):
        if i not in paired and size <= max_degree + 1:
            bars[size - 1].append((value, np.inf))
    return [np.array(sorted(one)).reshape(-1, 2) for one in bars]


@settings(max_examples=40, deadline=None)
@given(CLOUDS)
def test_equals_the_reduction_of_the_whole_complex(cloud: np.ndarray):
    # Integer grids: many ties and duplicate points.
    found = rips_persistence(cloud[:9], max_degree=2)
    for got, expected in zip(found, boundary_reference(cloud[:9], 2), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-14)


@settings(max_examples=40, deadline=None)
@given(CLOUDS)
def test_what_is_promised_of_every_diagram(cloud: np.ndarray):
    diagrams = rips_persistence(cloud, max_degree=2)
    for degree, diagram in enumerate(diagrams):
        assert diagram.shape[1:] == (2,)
        assert diagram.dtype == np.float64
        assert (diagram[:, 1] > diagram[:, 0]).all()
        assert np.isinf(diagram[:, 1]).sum() == (1 if degree == 0 else 0)
        assert diagram.tolist() == sorted(diagram.tolist())
    assert (diagrams[0][:, 0] == 0.0).all()


def test_h0_deaths_are_the_edges_of_the_minimum_spanning_tree():
    cloud = delay_embedding(np.random.default_rng(1).normal(size=80))
    h0 = rips_persistence(cloud, max_degree=0)[0]
    tree = minimum_spanning_tree(squareform(pdist(cloud))).data
    assert len(h0) == len(cloud)
    np.testing.assert_allclose(h0[:-1, 1], np.sort(tree), rtol=1e-14)


def test_a_unit_square_has_one_loop_and_an_octahedron_one_void():
    square = rips_persistence([[0, 0], [1, 0], [1, 1], [0, 1]], max_degree=2)
    np.testing.assert_allclose(square[1], [[1.0, np.sqrt(2.0)]])
    octahedron = rips_persistence(np.vstack([np.eye(3), -np.eye(3)]), max_degree=2)
    np.testing.assert_allclose(octahedron[2], [[np.sqrt(2.0), 2.0]])
    assert len(octahedron[1]) == 0


def test_a_sine_is_one_loop():
    h1 = rips_persistence(delay_embedding(sine()), max_degree=1)[1]
    np.testing.assert_allclose(lengths(h1), [0.958], atol=5e-4)
    slow = rips_persistence(delay_embedding(sine(period=20.0)), max_degree=1)[1]
    assert lengths(slow)[0] == pytest.approx(0.479, abs=5e-4)


def test_noise_shortens_the_loop_and_adds_short_ones():
    longest, second = lengths(rips_persistence(delay_embedding(sine(0.05)), max_degree=1)[1])[:2]
    assert longest == pytest.approx(0.9, abs=0.1)
    assert second < 0.05


@pytest.mark.parametrize("seed", range(3))
def test_shift_sign_and_time_reversal_change_nothing_and_scaling_scales(seed: int):
    series = np.random.default_rng(seed).normal(size=60)
    plain = rips_persistence(delay_embedding(series))
    for other in (series + 5.0, -series, series[::-1]):
        for got, expected in zip(rips_persistence(delay_embedding(other)), plain, strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-9)
    for got, expected in zip(rips_persistence(delay_embedding(-3.0 * series)), plain, strict=True):
        np.testing.assert_allclose(got, 3.0 * expected, rtol=1e-12)


def test_one_point_repeated_is_one_essential_bar():
    h0, h1, h2 = rips_persistence(np.zeros((5, 3)))
    np.testing.assert_array_equal(h0, [[0.0, np.inf]])
    assert h1.shape == h2.shape == (0, 2)


def test_nan_is_refused_where_gudhi_would_answer():
    cloud = np.random.default_rng(0).normal(size=(20, 3))
    cloud[3, 1] = np.nan
    with pytest.raises(MissingValues):
        rips_persistence(cloud)


def test_shapes_that_are_no_cloud():
    with pytest.raises(EmptyInput):
        rips_persistence(np.empty((0, 3)))
    with pytest.raises(UsageError, match="table of points"):
        rips_persistence(np.ones(3))
    with pytest.raises(UsageError, match="degree"):
        rips_persistence(np.ones((3, 2)), max_degree=-1)
