"""Distances whose powers are no numbers any more: tiny bars, and orders in the hundreds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohortflow.errors import DoesNotFit
from cohortflow.topology import (
    bottleneck_distance,
    wasserstein_distance,
    wasserstein_matching,
    wasserstein_matrix,
)
from cohortflow.topology.distances import room
from tests.topology.test_matching_algorithms import NORMS, pair


@pytest.mark.parametrize(
    ("a", "b", "order", "expected"),
    [
        ([[0, 1e-300]], [], 2.0, 5e-301),
        ([[0, 1e-200]], [[0, 3e-200]], 2.0, np.sqrt(2.5) * 1e-200),
        ([[0, 0.1]], [], 400.0, 0.05),
        ([[0, 0.2]], [[0, 0.1]], 1000.0, 0.1),
        ([[0, 0.25]], [[0, 0.25], [0, 0.02]], 1000.0, 0.01),
        ([[0, 1e300]], [], 1.0, 5e299),
        ([[0, 0]], [[1, 1]], 2.0, 0.0),
    ],
)
def test_known_values(a: list, b: list, order: float, expected: float) -> None:
    assert wasserstein_distance(a, b, order) == pytest.approx(expected, rel=1e-12)
    assert wasserstein_distance(b, a, order) == wasserstein_distance(a, b, order)
    assert wasserstein_matching(a, b, order).distance == wasserstein_distance(a, b, order)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.booleans(), st.sampled_from([1.0, 2.0, 3.5]), NORMS)
def test_a_distance_scales_with_its_diagrams(seed: int, line: bool, order: float, norm: str):
    a, b = pair("random", line, seed)
    tiny = 2.0**-700
    expected = wasserstein_distance(a, b, order, norm)
    found = wasserstein_distance(a * tiny, b * tiny, order, norm) / tiny
    assert found == pytest.approx(expected, rel=1e-12)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([60.0, 300.0]))
def test_high_orders_lie_between_the_bottleneck_and_its_multiple(seed: int, order: float):
    a, b = pair("random", False, seed)
    least, found = bottleneck_distance(a, b), wasserstein_distance(a, b, order)
    count = len(a) + len(b)
    assert least * (1 - 1e-12) <= found <= least * max(count, 1) ** (1.0 / order) * (1 + 1e-12)


def test_a_matrix_has_the_same_bits_from_either_side_and_alone():
    rng = np.random.default_rng(0)
    diagrams = [np.sort(rng.random((size, 2)) * 0.02, axis=1) for size in (20, 3, 0, 20, 7)]
    diagrams.append(diagrams[0])
    matrix = wasserstein_matrix(diagrams, order=200.0)
    np.testing.assert_array_equal(matrix, matrix.T)
    assert matrix[0, 5] == 0.0
    for i, a in enumerate(diagrams):
        for j, b in enumerate(diagrams):
            assert matrix[i, j] == wasserstein_distance(a, b, order=200.0)


def test_essential_bars_count_where_they_are_as_small():
    a, b = [[0, 1e-200], [0, np.inf]], [[0, 1e-200], [1e-180, np.inf]]
    assert wasserstein_distance(a, b, 2.0, essential="match") == pytest.approx(1e-180, rel=1e-12)
    assert wasserstein_distance(a, a, 2.0, essential="match") == 0.0


def test_tables_that_no_memory_holds_are_refused_with_their_size(monkeypatch):
    monkeypatch.setattr(room, "MOST_BYTES", 8 * 30 * 30)
    rng = np.random.default_rng(0)
    few, many = (np.sort(rng.random((size, 2)), axis=1) for size in (29, 31))
    assert wasserstein_distance(few, few[::-1] + 1e-3) > 0.0
    with pytest.raises(DoesNotFit, match="31 × 31 costs"):
        wasserstein_matrix([few, many], others=[many, few])
    with pytest.raises(DoesNotFit, match="costs"):
        wasserstein_matching(np.sort(many * [0, 1], axis=1), few * [0, 1], order=2.0)
