from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohortflow.errors import MissingValues, UsageError
from cohortflow.topology import (
    bottleneck_distance,
    bottleneck_matching,
    bottleneck_matrix,
    delay_embedding,
    rips_persistence,
    wasserstein_distance,
)
from cohortflow.topology.distances import blocks
from tests.topology.reference import augmented_cost, bottleneck_by_bisection, bottleneck_reference
from tests.topology.test_matching_algorithms import KINDS, pair

EMPTY = np.empty((0, 2))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([(0, 1)], [(0, 1.5)], 0.5),
        ([(0, 1)], [(0, 4)], 2.0),
        ([(0, 1), (1, 3)], EMPTY, 1.0),
        (EMPTY, EMPTY, 0.0),
        ([(0, 10)], [(0, 10), (0, 20)], 10.0),
        ([(0, 4), (0, 4)], [(0, 4)], 2.0),
        ([(2, 2)], [(7, 7)], 0.0),
        ([(-3, -1)], [(-3, 0)], 1.0),
        ([(0, 9)], [(3, 13)], 4.0),
    ],
)
def test_exact_values(a, b, expected: float):
    assert bottleneck_distance(a, b) == bottleneck_distance(b, a) == expected
    assert bottleneck_matching(a, b).distance == expected


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(KINDS), st.booleans(), st.integers(0, 2**32))
def test_hard_pairs_equal_the_bisection_bit_by_bit(kind, line, seed):
    a, b = pair(kind, line, seed)
    found = bottleneck_distance(a, b)
    assert found == bottleneck_by_bisection(a, b)
    assert found == bottleneck_distance(b[::-1], a)


def test_the_bisection_is_the_least_over_all_permutations():
    for seed in range(60):
        a, b = pair(KINDS[seed % len(KINDS)], seed % 2 == 0, seed)
        a, b = a[:3], b[:3]
        assert bottleneck_by_bisection(a, b) == bottleneck_reference(a, b)


@pytest.mark.parametrize("kind", ["grid", "near", "scales", "chain", "many to few"])
def test_larger_diagrams_equal_the_bisection(kind: str):
    rng = np.random.default_rng(0)
    for m, n in [(40, 40), (70, 30), (1, 60)]:
        if kind == "grid":
            tables = [rng.integers(0, 6, (k, 2)) for k in (m, n)]
        elif kind == "scales":
            tables = [10.0 ** rng.uniform(-4, 4, (k, 2)) for k in (m, n)]
        elif kind == "chain":  # each bar's nearest partner is its neighbour's: long paths
            tables = [
                np.column_stack([np.arange(k) + 0.4 * (k == m), 9 + 0 * np.arange(k)])
                for k in (m, n)
            ]
        elif kind == "near":
            whole = rng.random((max(m, n), 2))
            tables = [whole[:m], whole[:n] + rng.normal(0, 1e-2, (n, 2)).clip(0)]
        else:
            tables = [rng.random((m, 2)), np.repeat(rng.random((3, 2)), n, axis=0)[:n]]
        a, b = (np.column_stack([t[:, 0], t[:, 0] + t[:, 1]]) for t in tables)
        assert bottleneck_distance(a, b) == bottleneck_by_bisection(a, b)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(KINDS), st.booleans(), st.integers(0, 2**32))
def test_a_matching_names_every_bar_once_and_attains_the_distance(kind, line, seed):
    a, b = pair(kind, line, seed)
    found = bottleneck_matching(a, b)
    assert found.distance == bottleneck_distance(a, b)
    assert sorted([*found.pairs[:, 0], *found.diagonal_a]) == list(range(len(a)))
    assert sorted([*found.pairs[:, 1], *found.diagonal_b]) == list(range(len(b)))
    cost = augmented_cost(a, b, "linf")
    worst = cost[found.pairs[:, 0], found.pairs[:, 1]].max(initial=0.0)
    worst = max(worst, *cost[found.diagonal_a, len(b) :].max(axis=1, initial=0.0), 0.0)
    worst = max(worst, *cost[len(a) :, found.diagonal_b].max(axis=0, initial=0.0), 0.0)
    assert worst == found.distance


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(KINDS), min_size=3, max_size=3), st.booleans(), st.data())
def test_it_is_a_metric_below_every_wasserstein_distance(kinds, line, data):
    diagrams = [pair(kind, line, data.draw(st.integers(0, 2**32)))[0] for kind in kinds]
    matrix = bottleneck_matrix(diagrams)
    np.testing.assert_array_equal(matrix, matrix.T)
    for i, j, k in itertools.permutations(range(3)):
        assert matrix[i, k] <= (matrix[i, j] + matrix[j, k]) * (1.0 + 1e-12)
        assert matrix[i, j] <= wasserstein_distance(diagrams[i], diagrams[j], 2.0) * (1.0 + 1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.floats(1e-4, 0.3))
def test_moved_points_move_a_diagram_by_twice_as_much_at_most(seed, step):
    rng = np.random.default_rng(seed)
    cloud = rng.normal(size=(25, 3))
    turn = rng.normal(size=cloud.shape)
    moved = cloud + step * turn / np.linalg.norm(turn, axis=1, keepdims=True)
    for a, b in zip(rips_persistence(cloud), rips_persistence(moved), strict=True):
        assert bottleneck_distance(a, b, essential="match") <= 2.0 * step * (1.0 + 1e-12)


def test_matrices_hold_the_single_distances(monkeypatch):
    rows = [pair(KINDS[k % len(KINDS)], k % 3 == 0, k)[0] for k in range(14)]
    columns = [pair("coarse", k % 2 == 0, k)[1] for k in range(5)]
    square, table = bottleneck_matrix(rows), bottleneck_matrix(rows, others=columns)
    assert not square.diagonal().any()
    for (i, a), (j, b) in itertools.product(enumerate(rows), enumerate(rows)):
        assert square[i, j] == bottleneck_distance(a, b)
    for (i, a), (j, b) in itertools.product(enumerate(rows), enumerate(columns)):
        assert table[i, j] == bottleneck_distance(a, b)
    monkeypatch.setattr(blocks, "SIZE", 4)
    np.testing.assert_array_equal(bottleneck_matrix(rows), square)
    np.testing.assert_array_equal(bottleneck_matrix(rows, others=columns), table)
    assert bottleneck_matrix([]).shape == (0, 0)
    assert bottleneck_matrix([], others=columns).shape == (0, 5)


def test_essential_bars():
    a = [(0.0, np.inf), (0.0, 1.0)]
    b = [(0.0, 1.5), (0.75, np.inf)]
    two = [(3.0, np.inf), (0.0, np.inf)]
    with pytest.raises(UsageError, match=r'essential="drop".*essential="match"'):
        bottleneck_distance(a, b)
    assert bottleneck_distance(a, b, essential="drop") == 0.5
    assert bottleneck_distance(a, b, essential="match") == 0.75
    assert bottleneck_matching(a, b, essential="match").pairs.tolist() == [[0, 1], [1, 0]]
    assert bottleneck_matching(a, b, essential="drop").pairs.tolist() == [[1, 0]]
    assert bottleneck_distance(two, two[::-1], essential="match") == 0.0
    matrix = bottleneck_matrix([a, b, two, EMPTY], essential="match")
    assert np.isinf(matrix).sum() == 10
    assert not matrix.diagonal().any()
    with pytest.raises(UsageError, match="infinitely much"):
        bottleneck_matching(a, two, essential="match")


def test_what_is_no_diagram():
    with pytest.raises(MissingValues):
        bottleneck_matrix([EMPTY, [(0.0, np.nan)]])
    with pytest.raises(MissingValues):
        bottleneck_distance([(-np.inf, 1.0)], EMPTY)
    with pytest.raises(UsageError, match="dies before"):
        bottleneck_matching(EMPTY, [(1.0, 0.0)])


def test_gudhi_agrees():
    from gudhi.hera import bottleneck_distance as peer

    for kind, line, seed in itertools.product(["fine", "coarse", "heavy"], [True, False], range(8)):
        a, b = (x[x[:, 1] > x[:, 0]] for x in pair(kind, line, seed))
        assert bottleneck_distance(a, b) == pytest.approx(peer(a, b, delta=0.0), rel=1e-12)


def test_persim_agrees_on_diagrams_of_clouds():
    persim = pytest.importorskip("persim", reason="a peer, not a dependency")
    rng = np.random.default_rng(0)
    clouds = [delay_embedding(rng.normal(size=n)) for n in (40, 55)]
    for a, b in zip(*(rips_persistence(cloud) for cloud in clouds), strict=True):
        a, b = a[np.isfinite(a[:, 1])], b[np.isfinite(b[:, 1])]
        assert bottleneck_distance(a, b) == persim.bottleneck(a, b)
