"""One larger cloud: predictions, refusals, H0 without a matrix, thresholds without all pairs."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from cohortflow.errors import DoesNotFit
from cohortflow.topology import RipsCost, predict_rips_cost, rips_persistence
from tests.topology.rips_reference import euclidean, gudhi_diagrams

PEAK = """
import sys
import numpy as np
from cohortflow.topology import rips_persistence
from tasks.peak_memory import peak_memory_bytes
points, degree = map(int, sys.argv[1:])
cloud = np.random.default_rng(0).normal(size=(points, 3))
rips_persistence(cloud[:400], degree)
before = peak_memory_bytes()
rips_persistence(cloud, degree)
print(peak_memory_bytes() - before)
"""
NOTHING = RipsCost(seconds=0.0, memory_bytes=0.0)


def cloud(points: int) -> np.ndarray:
    return np.random.default_rng(points).normal(size=(points, 3))


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_more_points_edges_and_coordinates_cost_more(degree: int):
    sizes = (2, 10, 100, 362, 363, 3000, 20_000)
    costs = [predict_rips_cost(n, degree) for n in sizes]
    assert [c.seconds for c in costs] == sorted(c.seconds for c in costs)
    assert [c.memory_bytes for c in costs] == sorted(c.memory_bytes for c in costs)
    few, many = (predict_rips_cost(1000, degree, edges=edges) for edges in (1000, 100_000))
    assert few.seconds <= many.seconds
    assert few.memory_bytes <= many.memory_bytes
    assert predict_rips_cost(1000, degree, dimension=50).seconds > costs[4].seconds


def test_what_is_promised_is_let_in_and_what_is_hopeless_is_not():
    from cohortflow.topology.rips.cost import LIMIT

    assert not predict_rips_cost(20_000, 0).exceeds(LIMIT)
    assert not predict_rips_cost(3000, 1).exceeds(LIMIT)
    assert predict_rips_cost(20_000, 1).exceeds(LIMIT)
    assert predict_rips_cost(10**7, 0).exceeds(LIMIT)


@pytest.mark.slow
@pytest.mark.parametrize(("points", "degree"), [(1500, 1), (2500, 2), (20_000, 0)])
def test_memory_stays_below_the_prediction(points: int, degree: int):
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(points), str(degree)],
        capture_output=True,
        text=True,
        check=True,
        timeout=280,
    )
    predicted = predict_rips_cost(points, degree).memory_bytes
    slack = 16 * 2**20
    assert int(done.stdout) <= predicted + slack
    assert degree == 0 or int(done.stdout) >= predicted / 10


def test_a_cloud_beyond_the_limit_is_refused_with_the_prediction():
    with pytest.raises(
        DoesNotFit, match=r"predicted .* s, .* MiB.*threshold.*max_degree"
    ) as caught:
        rips_persistence(np.random.default_rng(0).normal(size=(50_000, 3)), max_degree=1)
    assert "50000 points" in str(caught.value)
    for degree in (0, 1):
        for metric in ("euclidean", "precomputed"):
            with pytest.raises(DoesNotFit):
                rips_persistence(euclidean(cloud(20)), degree, metric=metric, limit=NOTHING)


def test_what_a_collapse_leaves_is_refused_before_it_is_gone_into():
    # A circle of 300 points does not collapse: its 327 million tetrahedra would take minutes.
    angle = 2.0 * np.pi * np.arange(300) / 300
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    with pytest.raises(DoesNotFit, match="collapse leaves of 300 points"):
        rips_persistence(circle, limit=RipsCost(seconds=5.0, memory_bytes=2**30))


def test_h0_of_twenty_thousand_points():
    points = np.arange(20_000.0)[:, None] * [3.0, 4.0]
    points = np.random.default_rng(0).permutation(points)
    h0 = rips_persistence(points, max_degree=0)[0]
    assert h0.shape == (20_000, 2)
    np.testing.assert_array_equal(h0[:-1, 1], 5.0)


def test_a_large_cloud_under_a_threshold_holds_only_the_edges_within():
    # Two squares far apart, among lonely points on a line further out: more pairs than are let in.
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    lonely = np.column_stack([np.zeros(30_000), 100.0 + 10.0 * np.arange(30_000)])
    points = np.vstack([square, square + 20.0, lonely])
    h0, h1, h2 = rips_persistence(points, threshold=3.0)
    assert np.isinf(h0[:, 1]).sum() == 30_002
    np.testing.assert_array_equal(h1, [[1.0, np.sqrt(2.0)]] * 2)
    assert len(h2) == 0
    with pytest.raises(DoesNotFit, match="edges within the threshold"):
        rips_persistence(points, threshold=1e6)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_the_sparse_route_gives_the_same_bits(degree: int):
    from cohortflow.topology.rips.cost import LIMIT
    from cohortflow.topology.rips.sparse import sparse_persistence

    rng = np.random.default_rng(degree)
    for points in (rng.normal(size=(60, 3)), rng.integers(-3, 4, (60, 2)).astype(float)):
        for threshold in (0.0, 0.5, 1.0, 2.0):
            found = sparse_persistence(points, threshold, degree, LIMIT)
            expected = gudhi_diagrams(euclidean(points), degree, threshold)
            for got, wanted in zip(found, expected, strict=True):
                np.testing.assert_array_equal(got, wanted)
