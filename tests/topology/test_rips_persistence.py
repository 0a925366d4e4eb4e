from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import pdist, squareform

from cohortflow.topology import bottleneck_distance, delay_embedding, rips_persistence
from tests.topology.rips_reference import euclidean, rips_reference

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


@settings(max_examples=40, deadline=None)
@given(CLOUDS)
def test_equals_the_reduction_of_the_whole_complex(cloud: np.ndarray):
    # Integer grids: many ties and duplicate points.
    found = rips_persistence(cloud[:9], max_degree=2)
    for got, expected in zip(found, rips_reference(euclidean(cloud[:9]), 2), strict=True):
        np.testing.assert_array_equal(got, expected)


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


@settings(max_examples=40, deadline=None)
@given(CLOUDS, st.integers(0, 2**32 - 1), st.floats(0.0, 0.7))
def test_diagrams_move_no_more_than_twice_what_the_points_do(
    cloud: np.ndarray, seed: int, epsilon: float
):
    step = np.random.default_rng(seed).normal(size=cloud.shape)
    step *= epsilon / np.maximum(np.linalg.norm(step, axis=1, keepdims=True), 1e-300)
    for a, b in zip(rips_persistence(cloud), rips_persistence(cloud + step), strict=True):
        assert bottleneck_distance(a, b, essential="match") <= 2.0 * epsilon + 1e-12


@pytest.mark.parametrize("threshold", [0.0, 0.7, 1.5, 2.0])
def test_what_a_threshold_leaves_open_lives_for_ever(threshold: float):
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    h0, h1 = rips_persistence(square, max_degree=1, threshold=threshold)
    joined = threshold >= 1.0
    assert np.isinf(h0[:, 1]).sum() == (1 if joined else 4)
    filled = np.sqrt(2.0) if threshold >= np.sqrt(2.0) else np.inf
    np.testing.assert_array_equal(h1, [[1.0, filled]] if joined else np.empty((0, 2)))


@settings(max_examples=40, deadline=None)
@given(CLOUDS, st.sampled_from([0.0, 0.9, 1.0, 2.3, 4.0, np.inf]))
def test_a_threshold_is_the_complex_cut_there(cloud: np.ndarray, threshold: float):
    found = rips_persistence(cloud[:9], max_degree=2, threshold=threshold)
    expected = rips_reference(euclidean(cloud[:9]), 2, threshold)
    for got, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)
    alone = rips_persistence(cloud[:9], max_degree=0, threshold=threshold)[0]
    np.testing.assert_array_equal(alone, expected[0])


def test_a_distance_matrix_gives_what_its_points_give():
    cloud = np.random.default_rng(5).normal(size=(40, 3))
    for degree in (0, 1, 2, 3):
        for got, expected in zip(
            rips_persistence(euclidean(cloud), degree, metric="precomputed"),
            rips_persistence(cloud, degree),
            strict=True,
        ):
            np.testing.assert_array_equal(got, expected)


LENGTHS = st.integers(1, 8).flatmap(
    lambda n: arrays(
        np.float64, (n, n), elements=st.sampled_from([0.0, -0.0, 1e-300, 1.0, 1.5, 2.0, np.inf])
    )
)


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.sampled_from([1.0, np.inf]))
def test_any_symmetric_matrix_is_a_weighted_graph(half: np.ndarray, threshold: float):
    # No triangle inequality, zeros off the diagonal, missing edges.
    lengths = np.where(np.tri(len(half), dtype=bool), half.T, half)
    np.fill_diagonal(lengths, 0.0)
    found = rips_persistence(lengths, metric="precomputed", threshold=threshold)
    expected = rips_reference(lengths, 2, threshold)
    for got, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)
    alone = rips_persistence(lengths, 0, metric="precomputed", threshold=threshold)[0]
    np.testing.assert_array_equal(alone, expected[0])


@pytest.mark.parametrize("exponent", [-1074, -900, -400, 400, 900, 1015])
def test_lengths_far_from_one_scale_exactly(exponent: int):
    cloud = np.random.default_rng(6).integers(-9, 10, (30, 3)).astype(float)
    for degree in (0, 2):
        plain, far = (
            rips_persistence(cloud, degree),
            rips_persistence(np.ldexp(cloud, exponent), degree),
        )
        for got, expected in zip(far, plain, strict=True):
            if exponent < -1022:  # subnormal lengths are rounded to whole steps
                assert abs(len(got) - len(expected)) <= len(expected)
            else:
                np.testing.assert_array_equal(got, np.ldexp(expected, exponent))


def test_a_sphere_in_four_dimensions_has_its_void_in_degree_three():
    cross = np.vstack([np.eye(4), -np.eye(4)])
    diagrams = rips_persistence(cross, max_degree=3)
    np.testing.assert_allclose(diagrams[3], [[np.sqrt(2.0), 2.0]])
    assert [len(diagram) for diagram in diagrams[1:3]] == [0, 0]


def test_one_point_repeated_is_one_essential_bar():
    h0, h1, h2 = rips_persistence(np.zeros((5, 3)))
    np.testing.assert_array_equal(h0, [[0.0, np.inf]])
    assert h1.shape == h2.shape == (0, 2)
