from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohortflow.errors import MissingValues, UsageError
from cohortflow.topology import (
    betti_curve,
    bottleneck_distance,
    persistence_landscape,
    persistence_silhouette,
)
from tests.topology.test_matching_algorithms import KINDS, pair

EMPTY = np.empty((0, 2))
GRID = np.array([-1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0])
BARS = np.array([(0.0, 2.0), (0.5, 3.0), (1.0, 1.0)])
SEEDS = st.integers(0, 2**32)


def grid_of(seed: int, bars: np.ndarray) -> np.ndarray:
    """Some values anywhere, and some on births, deaths and middles."""
    rng = np.random.default_rng(seed)
    exact = rng.choice([*bars.ravel(), *bars.mean(axis=1), 0.0], 8)
    return np.concatenate([rng.uniform(-1.0, bars.max(initial=1.0) + 1.0, 8), exact])


def tents(bars: np.ndarray, value: float) -> list[float]:
    return sorted((max(0.0, min(value - b, d - value)) for b, d in bars), reverse=True)


def test_by_hand():
    np.testing.assert_array_equal(betti_curve(BARS, GRID), [0, 1, 2, 2, 2, 1, 0, 0])
    landscape = persistence_landscape(BARS, GRID, levels=3)
    np.testing.assert_array_equal(landscape[0], [0, 0, 0.5, 1.0, 1.0, 1.0, 0, 0])
    np.testing.assert_array_equal(landscape[1], [0, 0, 0, 0.5, 0.5, 0, 0, 0])
    assert not landscape[2].any()
    silhouette = persistence_silhouette(BARS, GRID)
    expected = 2.0 * np.array([0, 0, 0.5, 1, 0.5, 0, 0, 0]) + 2.5 * np.array(
        [0, 0, 0, 0.5, 1, 1, 0, 0]
    )
    np.testing.assert_allclose(silhouette, expected / 4.5, rtol=1e-15)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.booleans(),
    SEEDS,
    st.integers(1, 20),
    st.sampled_from([0.0, 1.0, 2.5]),
)
def test_one_value_at_a_time(kind, line, seed, levels, power):
    bars, _ = pair(kind, line, seed)
    grid = grid_of(seed, bars)
    alive = [sum(b <= t < d for b, d in bars) for t in grid]
    np.testing.assert_array_equal(betti_curve(bars, grid), alive)
    found = persistence_landscape(bars, grid, levels)
    expected = [(tents(bars, t) + [0.0] * levels)[:levels] for t in grid]
    np.testing.assert_array_equal(found, np.transpose(expected))
    weights = [(d - b) ** power if d > b else 0.0 for b, d in bars]
    mean = [
        sum(w * max(0.0, min(t - b, d - t)) for w, (b, d) in zip(weights, bars, strict=True))
        / (sum(weights) or 1.0)
        for t in grid
    ]
    np.testing.assert_allclose(
        persistence_silhouette(bars, grid, power), mean, rtol=1e-9, atol=1e-12
    )


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(KINDS), st.booleans(), SEEDS)
def test_landscapes_are_no_further_apart_than_diagrams(kind, line, seed):
    a, b = pair(kind, line, seed)
    grid = grid_of(seed, a)
    apart = np.abs(persistence_landscape(a, grid, 20) - persistence_landscape(b, grid, 20))
    # Within the rounding of the largest value: a landscape subtracts from it.
    rounding = 1e-12 * np.abs([*grid, *a.ravel(), *b.ravel()]).max(initial=0.0)
    assert apart.max() <= bottleneck_distance(a, b) + rounding


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(KINDS), st.booleans(), SEEDS)
def test_order_and_bars_of_no_length_say_nothing(kind, line, seed):
    bars, _ = pair(kind, line, seed)
    other = np.vstack([bars[::-1], [(0.3, 0.3)]])
    grid = grid_of(seed, bars)
    np.testing.assert_array_equal(betti_curve(bars, grid), betti_curve(other, grid))
    np.testing.assert_array_equal(
        persistence_landscape(bars, grid), persistence_landscape(other, grid)
    )
    for power in (0.0, 1.0):
        np.testing.assert_allclose(
            persistence_silhouette(bars, grid, power),
            persistence_silhouette(other, grid, power),
            rtol=1e-12,
            atol=1e-300,
        )


def test_essential_bars_and_empty_diagrams():
    endless = [(0.0, np.inf), (0.0, 2.0)]
    for vector in (betti_curve, persistence_landscape, persistence_silhouette):
        with pytest.raises(UsageError, match="essential"):
            vector(endless, GRID)
        dropped = vector(endless, GRID, essential="drop")
        np.testing.assert_array_equal(dropped, vector([(0.0, 2.0)], GRID))
        assert not vector(EMPTY, GRID).any()
        assert vector(EMPTY, GRID).shape[-1] == len(GRID)
        assert vector(BARS, []).shape[-1] == 0
        with pytest.raises(UsageError, match="essential="):
            vector(EMPTY, GRID, essential="match")
    counted = betti_curve(endless, GRID, essential="count")
    np.testing.assert_array_equal(counted, [0, 2, 2, 2, 2, 1, 1, 1])


@pytest.mark.parametrize("vector", [betti_curve, persistence_landscape, persistence_silhouette])
def test_what_is_no_diagram_and_no_grid(vector):
    with pytest.raises(MissingValues):
        vector([(0.0, np.nan)], GRID)
    with pytest.raises(UsageError, match="dies before"):
        vector([(1.0, 0.0)], GRID)
    for grid in ([np.nan], [np.inf], [[0.0]]):
        with pytest.raises(UsageError, match="grid"):
            vector(BARS, grid)


def test_parameters_out_of_range():
    with pytest.raises(UsageError, match="levels=0"):
        persistence_landscape(BARS, GRID, levels=0)
    for power in (-1.0, np.nan, np.inf):
        with pytest.raises(UsageError, match="power"):
            persistence_silhouette(BARS, GRID, power)


def test_gudhi_agrees_up_to_its_factor():
    from gudhi.representations.vector_methods import BettiCurve, Landscape, Silhouette

    grid = np.linspace(0.0, 3.0, 31)
    span = {"resolution": 31, "sample_range": [0.0, 3.0]}
    for seed in range(20):
        bars = pair(["fine", "coarse"][seed % 2], seed % 3 == 0, seed)[0]
        if not len(bars[bars[:, 1] > bars[:, 0]]):
            continue
        np.testing.assert_array_equal(betti_curve(bars, grid), BettiCurve(**span)(bars))
        peer = Landscape(num_landscapes=4, **span)(bars).reshape(4, -1) / np.sqrt(2.0)
        np.testing.assert_allclose(persistence_landscape(bars, grid, 4), peer, atol=1e-14)
        weighed = Silhouette(weight=lambda bar: bar[1] - bar[0], **span)
        peer = weighed(bars) / np.sqrt(2.0)
        np.testing.assert_allclose(persistence_silhouette(bars, grid), peer, atol=1e-14)


def test_only_shares_of_the_weights_matter_so_no_power_leaves_float64():
    bars, grid = np.array([[0.0, 10.0], [0.0, 20.0]]), [1.0, 5.0, 12.0]
    np.testing.assert_array_equal(persistence_silhouette(bars, grid, power=1000.0), [1.0, 5.0, 8.0])
    np.testing.assert_array_equal(
        persistence_silhouette(bars * 2.0**-700, np.array(grid) * 2.0**-700, power=3.0),
        persistence_silhouette(bars, grid, power=3.0) * 2.0**-700,
    )
