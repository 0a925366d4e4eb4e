"""The compiled algorithms beside the slow ones, on cases made to be hard."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cohortflow.errors import MissingValues, UsageError
from cohortflow.topology import (
    wasserstein_distance,
    wasserstein_matching,
    wasserstein_matrix,
    wasserstein_tile,
)
from cohortflow.topology.distances import blocks, costs
from cohortflow.topology.distances.prepared import prepare
from cohortflow.topology.ragged import pack
from tests.topology.reference import augmented_cost, wasserstein_reference

ORDERS = st.sampled_from([1.0, 1.5, 2.0, 3.0])
NORMS = st.sampled_from(["linf", "l2"])
KINDS = ["fine", "coarse", "heavy", "scales", "near", "same", "part", "diagonal", "long"]


def pair(kind: str, line: bool, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two diagrams of up to 14 bars: fine numbers, ties, heavy tails, scales far apart, almost and
    wholly equal diagrams, a diagram and a part of it, bars on the diagonal, long bars."""
    rng = np.random.default_rng(seed)
    m, n = rng.integers(0, 15, 2)
    draw = {
        "coarse": lambda k: rng.integers(0, 4, k).astype(float),
        "heavy": lambda k: rng.pareto(0.7, k),
        "scales": lambda k: 10.0 ** rng.uniform(-6, 6, k),
        "diagonal": lambda k: rng.integers(0, 2, k) * rng.random(k),
        "long": lambda k: 1e6 + rng.random(k),
    }.get(kind, rng.random)
    births_a, births_b = (np.full(k, 0.25) if line else draw(k) for k in (m, n))
    a = np.column_stack([births_a, births_a + draw(m)])
    b = np.column_stack([births_b, births_b + draw(n)])
    if kind in ("near", "same", "part"):
        b = rng.permutation(a)[: m if kind != "part" else m // 2].copy()
    if kind == "near":
        b[:, 1] += rng.choice([0.0, 1e-7, 1e-3], len(b))
    return a, b


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(KINDS), st.booleans(), st.integers(0, 2**32), ORDERS, NORMS)
@example("long", False, 228, 1.5, "linf")  # of equal sizes, and solved by the whole assignment
def test_hard_pairs_equal_the_augmented_assignment(kind, line, seed, order, norm):
    a, b = pair(kind, line, seed)
    expected = wasserstein_reference(a, b, order, norm)
    found = wasserstein_distance(a, b, order, norm)
    assert found == pytest.approx(expected, rel=1e-10, abs=1e-300)
    assert found == wasserstein_distance(b, a, order, norm), "the same bits from either side"


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(KINDS), st.booleans(), st.integers(0, 2**32), ORDERS, NORMS)
def test_a_matching_names_every_bar_once_and_attains_the_distance(kind, line, seed, order, norm):
    a, b = pair(kind, line, seed)
    found = wasserstein_matching(a, b, order, norm)
    assert found.distance == wasserstein_distance(a, b, order, norm)
    assert sorted([*found.pairs[:, 0], *found.diagonal_a]) == list(range(len(a)))
    assert sorted([*found.pairs[:, 1], *found.diagonal_b]) == list(range(len(b)))
    cost = augmented_cost(a, b, norm) ** order
    total = cost[found.pairs[:, 0], found.pairs[:, 1]].sum()
    total += cost[found.diagonal_a, len(b) :][:, :1].sum() if len(a) else 0.0
    total += cost[len(a) :, found.diagonal_b][:1].sum() if len(b) else 0.0
    assert total ** (1.0 / order) == pytest.approx(found.distance, rel=1e-12, abs=1e-300)


def on_line(tile_of, diagrams: list[np.ndarray], norm, *order: float) -> np.ndarray:
    """What a compiled tile makes of all pairs of deaths (bar,), births 0."""
    packed = pack([np.column_stack([0.0 * deaths, deaths]) for deaths in diagrams])
    a = prepare(*packed, 1.0, norm, "refuse")
    out, todo = np.zeros((len(diagrams),) * 2), np.ones((len(diagrams),) * 2, dtype=bool)
    tile_of(a.bars, a.offsets, a.bars, a.offsets, *order, todo, out)
    return out


def squares_on_line(a, b, todo) -> tuple[np.ndarray, np.ndarray]:
    """What the tile of order 2 and the table of any order make of the pairs in ``todo``."""
    from cohortflow.topology.distances.line_squares import LANES
    from cohortflow.topology.distances.tile import line_tile, square_tile

    found, table = np.zeros(todo.shape), np.zeros(todo.shape)
    tables = a.bars, a.offsets, b.bars, b.offsets
    square_tile(*tables, LANES, np.count_nonzero(todo), todo, found)
    line_tile(*tables, 2.0, todo, table)
    return found, table


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(KINDS), NORMS, st.sampled_from([0.0, 0.25, -3.0]))
def test_four_pairs_at_once_have_the_bits_of_the_table(seed, kind, norm, birth):
    rng = np.random.default_rng(seed)
    drawn = [x[:, 1] for k in range(4) for x in pair(kind, True, int(rng.integers(2**32)))]
    drawn += [rng.random(k) for k in rng.integers(1, 70, 3)]
    filled = [np.column_stack([0.0 * x + birth, x - min(x) + birth]) for x in drawn if len(x)]
    a, b = (prepare(*pack(some), 2.0, norm, "refuse") for some in (filled, filled[::-2]))
    todo = rng.random((len(a.sizes), len(b.sizes))) < rng.choice([0.2, 0.7, 1.0])
    found, table = squares_on_line(a, b, todo)
    sure = ~np.isnan(found)
    np.testing.assert_array_equal(found[sure], table[sure])
    np.testing.assert_array_equal(found[~todo], 0.0)


def test_pairs_of_equal_sizes_are_solved_together_and_uneven_ones_are_not():
    rng = np.random.default_rng(0)

    def solved(*sizes: int) -> np.ndarray:
        bars = pack([np.column_stack([np.zeros(k), rng.random(k)]) for k in sizes])
        a = prepare(*bars, 2.0, "l2", "refuse")
        return ~np.isnan(squares_on_line(a, a, np.ones((len(sizes),) * 2, dtype=bool))[0])

    assert solved(40, 37, 39).all(), "nine pairs, the last of them alone"
    uneven = solved(200, 8, 8, 8, 8)
    assert not uneven[0].any()
    assert uneven[3, 1:].all(), "four pairs of which none is long"
    sizes = [200, 1, 3, 90]
    diagrams = [np.column_stack([np.zeros(k), rng.random(k)]) for k in sizes]
    singly = [[wasserstein_distance(x, y, 2.0, "l2") for y in diagrams] for x in diagrams]
    np.testing.assert_array_equal(wasserstein_matrix(diagrams, 2.0, "l2"), singly)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["fine", "coarse", "heavy", "near"]), NORMS)
def test_both_sweeps_equal_the_table_on_many_bars(seed, kind, norm):
    from cohortflow.topology.distances.tile import kept_tile, line_tile, sweep_tile

    rng = np.random.default_rng(seed)
    draw = {
        "coarse": lambda k: rng.integers(0, 12, k).astype(float),
        "heavy": lambda k: rng.pareto(0.7, k),
    }.get(kind, rng.random)
    sizes = rng.integers(1, 300, rng.integers(2, 5))
    diagrams = [draw(k) for k in sizes]
    if kind == "near":
        diagrams[1] = diagrams[0] + 10.0 ** rng.uniform(-12, -1) * rng.random(sizes[0])
    table = on_line(line_tile, diagrams, norm, 1.0)
    np.testing.assert_allclose(on_line(kept_tile, diagrams, norm), table, rtol=1e-12)
    sweep = on_line(sweep_tile, diagrams, norm)
    sure = ~np.isnan(sweep)
    np.testing.assert_allclose(sweep[sure], table[sure], rtol=1e-12)
    np.testing.assert_array_equal(sweep, sweep.T)


def test_the_faster_sweep_knows_what_it_cannot_know():
    from cohortflow.topology.distances.tile import sweep_tile

    rng = np.random.default_rng(0)
    deaths = rng.random(100)
    found = on_line(sweep_tile, [deaths, rng.random(90), deaths + 1e-9, deaths], "l2")
    np.testing.assert_array_equal(np.isnan(found[0]), [False, False, True, False])
    assert found[0, 1] > 0.0
    assert found[0, 3] == 0.0
    pair = [np.column_stack([0.0 * d, d]) for d in (deaths, deaths + 1e-9)]
    assert wasserstein_distance(*pair) == pytest.approx(100 * 1e-9, rel=1e-6)


@pytest.mark.parametrize(("order", "norm"), itertools.product([1.0, 2.0, 2.5], ["linf", "l2"]))
def test_many_bars_in_the_plane_equal_the_augmented_assignment(order: float, norm: str):
    rng = np.random.default_rng(1)
    for m, n in [(60, 75), (80, 12), (50, 50)]:
        births = rng.random(m), rng.random(n).round(1)
        a, b = (np.column_stack([x, x + rng.gamma(0.5, 0.3, len(x))]) for x in births)
        expected = wasserstein_reference(a, b, order, norm)
        assert wasserstein_distance(a, b, order, norm) == pytest.approx(expected, rel=1e-12)


def test_long_bars_that_hardly_differ_are_solved_without_subtraction(monkeypatch):
    rng = np.random.default_rng(0)
    births = rng.random(12)
    a = np.column_stack([births, births + 1e9 + rng.random(12)])
    b = a + rng.normal(size=a.shape) * 1e-3
    solved = []
    slow = costs.augmented_matching
    monkeypatch.setattr(costs, "augmented_matching", lambda *of: solved.append(1) or slow(*of))
    expected = wasserstein_reference(a, b, 2.0, "l2")
    assert wasserstein_distance(a, b, 2.0, "l2") == pytest.approx(expected, rel=1e-10)
    assert solved == [1]
    assert wasserstein_matching(a, b, 2.0, "l2").distance == pytest.approx(expected, rel=1e-10)
    solved.clear()
    wasserstein_distance(a, b[:6], 2.0, "l2")
    assert solved == [], "bars that go to the diagonal cost enough"


def examples(count: int, seed: int = 0) -> list[np.ndarray]:
    return [pair(KINDS[k % len(KINDS)], k % 3 == 0, seed + k)[0] for k in range(count)]


@pytest.mark.parametrize("order", [1.0, 1.7, 2.0])
def test_tiles_put_together_equal_the_whole_matrix(order: float, monkeypatch):
    diagrams = [*examples(17), examples(1)[0]]
    whole = wasserstein_matrix(diagrams, order)
    monkeypatch.setattr(blocks, "SIZE", 5)
    np.testing.assert_array_equal(wasserstein_matrix(diagrams, order), whole)
    parts = diagrams[:6], diagrams[6:7], diagrams[7:]
    tiles = [
        [wasserstein_tile(pack(x), None if x is y else pack(y), order) for y in parts]
        for x in parts
    ]
    np.testing.assert_array_equal(np.block(tiles), whole)
    assert whole[0, -1] == 0.0
    assert (whole[np.triu_indices(17, 1)] > 0.0).any()


def test_essential_bars_in_a_matrix_and_in_a_matching():
    diagrams = [
        np.array([(0.0, np.inf), (0.0, 1.0)]),
        np.array([(0.5, np.inf), (0.0, 1.5)]),
        np.array([(0.0, 1.0)]),
        np.array([(0.0, np.inf), (3.0, np.inf)]),
    ]
    matrix = wasserstein_matrix(diagrams, 2.0, essential="match")
    for (i, a), (j, b) in itertools.product(enumerate(diagrams), enumerate(diagrams)):
        assert matrix[i, j] == wasserstein_distance(a, b, 2.0, essential="match")
    assert np.isinf(matrix).sum() == 10
    matched = wasserstein_matching(diagrams[0], diagrams[1], essential="match")
    assert matched.pairs.tolist() == [[0, 0], [1, 1]]
    dropped = wasserstein_matching(diagrams[0], diagrams[1], essential="drop")
    assert dropped.pairs.tolist() == [[1, 1]]
    assert dropped.diagonal_a.tolist() == []
    with pytest.raises(UsageError, match="infinitely much"):
        wasserstein_matching(diagrams[0], diagrams[3], essential="match")


def test_what_is_no_list_of_diagrams():
    bars = np.array([(0.0, 1.0), (0.0, 2.0)])
    for offsets in ([0, 1], [1, 2], [0, 2, 1, 2], []):
        with pytest.raises(UsageError, match="do not fit"):
            wasserstein_tile((bars, np.array(offsets, dtype=np.int64)))
    with pytest.raises(MissingValues):
        wasserstein_matrix([bars, [(np.nan, 1.0)]])
    with pytest.raises(UsageError, match="range of float64"):
        wasserstein_matrix([bars * 1e200], order=2.0)
    assert wasserstein_matrix([]).shape == (0, 0)
    assert wasserstein_matrix([bars], others=[]).shape == (1, 0)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(KINDS), min_size=3, max_size=3), st.booleans(), st.data())
def test_distances_of_hard_diagrams_are_a_metric(kinds, line, data):
    diagrams = [pair(kind, line, data.draw(st.integers(0, 2**32)))[0] for kind in kinds]
    matrix = wasserstein_matrix(diagrams, data.draw(ORDERS), data.draw(NORMS))
    np.testing.assert_array_equal(matrix, matrix.T)
    assert not matrix.diagonal().any()
    for i, j, k in itertools.permutations(range(3)):
        assert matrix[i, k] <= (matrix[i, j] + matrix[j, k]) * (1.0 + 1e-12)


@pytest.mark.parametrize("order", [1.0, 2.0])
@pytest.mark.parametrize(("norm", "power"), [("linf", np.inf), ("l2", 2.0)])
def test_gudhi_agrees(order: float, norm: str, power: float):
    pytest.importorskip("ot", reason="gudhi.wasserstein needs POT, which is not a dependency")
    from gudhi.wasserstein import wasserstein_distance as peer

    for kind, line, seed in itertools.product(["fine", "coarse", "heavy"], [True, False], range(5)):
        a, b = pair(kind, line, seed)
        expected = peer(a, b, order=order, internal_p=power)
        assert wasserstein_distance(a, b, order, norm) == pytest.approx(expected, rel=1e-9)


def test_persim_agrees_in_order_1_and_l2():
    persim = pytest.importorskip("persim", reason="a peer, not a dependency")
    for kind, line, seed in itertools.product(["fine", "coarse"], [True, False], range(5)):
        a, b = pair(kind, line, seed)
        if len(a) and len(b):
            expected = persim.wasserstein(a, b)
            # It computes distances from dot products, which costs it half the digits.
            assert wasserstein_distance(a, b, 1.0, "l2") == pytest.approx(expected, abs=1e-6)
