"""The collapse alone: fewer edges, the same persistence;
and the order and ranks that it stands on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import pdist, squareform

from cohortflow.topology.rips.dense import collapsed_edges
from cohortflow.topology.rips.lengths import (
    VERTEX,
    VERTICES,
    ascending_edges,
    enclosing_radius,
)
from tests.topology.rips_reference import euclidean, gudhi_diagrams

LENGTHS = st.integers(2, 9).flatmap(
    lambda n: arrays(
        np.float64,
        n * (n - 1) // 2,
        elements=st.one_of(st.sampled_from([0.0, 1.0, 1.5, 2.0]), st.floats(0.0, 1e300)),
    )
)


def graph(lengths: np.ndarray, points: int, threshold: float = np.inf) -> np.ndarray:
    """The collapsed graph as a matrix of lengths, inf where there is no edge."""
    edges, values, _ = collapsed_edges(lengths, points, threshold)
    found = np.full((points, points), np.inf)
    np.fill_diagonal(found, 0.0)
    u, v = edges >> VERTEX & VERTICES, edges & VERTICES
    found[u, v] = found[v, u] = values[edges >> 2 * VERTEX]
    return found


def same_persistence(lengths: np.ndarray, points: int, degree: int, threshold: float) -> int:
    left = graph(lengths, points, threshold)
    for got, expected in zip(
        gudhi_diagrams(left, degree, np.finfo(float).max),
        gudhi_diagrams(squareform(lengths), degree, threshold),
        strict=True,
    ):
        np.testing.assert_array_equal(got, expected)
    # Edges only ever come later or never.
    assert (left >= squareform(lengths)).all()
    return int(np.isfinite(left).sum() - points) // 2


@settings(max_examples=150, deadline=None)
@given(LENGTHS, st.sampled_from([1.0, 2.0, np.inf]))
def test_keeps_the_persistence_of_any_weighted_graph(lengths: np.ndarray, threshold: float):
    points = len(squareform(lengths))
    same_persistence(lengths, points, points - 2, threshold)


@pytest.mark.parametrize("points", [60, 64, 65, 130])
def test_few_edges_of_a_cloud_stay(points: int):
    cloud = np.random.default_rng(points).normal(size=(points, 3))
    lengths = pdist(cloud)
    assert same_persistence(lengths, points, 2, np.inf) < 6 * points


def test_ranks_of_four_bytes_leave_the_same_edges(monkeypatch: pytest.MonkeyPatch):
    from cohortflow.topology.rips import dense

    lengths = pdist(np.random.default_rng(0).normal(size=(50, 3)))
    short = graph(lengths, 50)
    monkeypatch.setattr(dense, "SHORT_RANKS", 0)
    np.testing.assert_array_equal(graph(lengths, 50), short)


@settings(max_examples=60, deadline=None)
@given(
    arrays(
        np.float64, st.tuples(st.integers(1, 5), st.integers(2, 12)), elements=st.floats(-1e9, 1e9)
    )
)
def test_the_enclosing_radius(coordinates: np.ndarray):
    lengths, expected = pdist(coordinates.T), euclidean(coordinates.T)
    assert enclosing_radius(lengths, len(expected)) == expected.max(axis=1).min()


@settings(max_examples=150, deadline=None)
@given(LENGTHS, st.one_of(st.just(np.inf), st.floats(0.0, 3.0)))
def test_edges_ascend(lengths: np.ndarray, limit: float):
    points = len(squareform(lengths))
    keys = ascending_edges(lengths, points, min(limit, np.finfo(float).max))
    u, v = keys >> VERTEX & VERTICES, keys & VERTICES
    assert (u < v).all()
    assert len(set(zip(u.tolist(), v.tolist(), strict=True))) == len(keys)
    expected = np.sort(lengths[lengths <= limit])
    np.testing.assert_array_equal(squareform(lengths)[u, v], expected)


@pytest.mark.parametrize("kind", ["one far out", "all equal", "nearly equal", "wide", "descending"])
def test_many_edges_of_odd_lengths_ascend(kind: str):
    points = 150
    count, rng = points * (points - 1) // 2, np.random.default_rng(0)
    lengths = 1.0 + rng.random(count) * 1e-9
    if kind == "one far out":
        lengths[5] = 1e-300
    if kind == "all equal":
        lengths[:] = 2.0
    if kind == "wide":
        lengths = 10.0 ** rng.uniform(-300, 300, count)
    if kind == "descending":
        lengths = np.sort(lengths)[::-1].copy()
    keys = ascending_edges(lengths, points, np.finfo(float).max)
    u, v = keys >> VERTEX & VERTICES, keys & VERTICES
    np.testing.assert_array_equal(squareform(lengths)[u, v], np.sort(lengths))
