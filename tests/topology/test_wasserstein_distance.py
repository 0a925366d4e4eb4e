from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from cohortflow.errors import MissingValues, UsageError
from cohortflow.topology import (
    bottleneck_distance,
    delay_embedding,
    rips_persistence,
    wasserstein_distance,
    wasserstein_matrix,
)
from tests.topology.reference import bottleneck_reference, wasserstein_reference

EMPTY = np.empty((0, 2))


def diagrams(max_bars: int = 8, births: st.SearchStrategy[float] | None = None):
    """Coarse numbers make ties and duplicates, fine ones make everything else."""
    coarse, fine = st.integers(0, 4).map(float), st.floats(0.0, 10.0, allow_subnormal=False)
    number = st.one_of(coarse, fine)
    bar = st.tuples(births if births is not None else number, number).map(
        lambda pair: (pair[0], pair[0] + pair[1])
    )
    return st.lists(bar, max_size=max_bars).map(lambda bars: np.array(bars).reshape(-1, 2))


ORDERS = st.sampled_from([1.0, 1.5, 2.0, 3.0])
NORMS = st.sampled_from(["linf", "l2"])


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([(0, 1)], [(0, 1.5)], 0.5),
        ([(0, 1)], [(0, 4)], 2.5),
        ([(0, 1), (1, 3)], EMPTY, 1.5),
        (EMPTY, EMPTY, 0.0),
        ([(1, 2)], [(1.5, 2.5)], 0.5),
    ],
)
def test_exact_values(a: object, b: object, expected: float):
    assert wasserstein_distance(a, b) == expected
    assert wasserstein_distance(b, a) == expected


def test_ground_norms_and_orders_by_hand():
    assert wasserstein_distance([(0, 2)], EMPTY, ground_norm="l2") == pytest.approx(np.sqrt(2.0))
    assert wasserstein_distance([(0, 2)], EMPTY, ground_norm="linf") == 1.0
    assert wasserstein_distance([(0, 9)], [(3, 13)], ground_norm="l2") == pytest.approx(5.0)
    assert wasserstein_distance([(0, 9)], [(3, 13)], ground_norm="linf") == 4.0
    two = np.array([(0, 6), (0, 8)])
    assert wasserstein_distance(two, EMPTY, order=2.0) == 5.0


@settings(max_examples=300, deadline=None)
@given(diagrams(), diagrams(), ORDERS, NORMS)
@example(np.zeros((0, 2)), np.zeros((0, 2)), 1.0, "linf")
def test_equals_the_augmented_assignment(a, b, order, norm):
    expected = wasserstein_reference(a, b, order, norm)
    assert wasserstein_distance(a, b, order, norm) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2), st.data(), ORDERS, NORMS)
def test_one_birth_for_all_equals_the_augmented_assignment(birth, data, order, norm):
    # The compiled route of H0, births of 0 among others.
    bars = diagrams(12, st.just(float(birth)))
    a, b = data.draw(bars), data.draw(bars)
    expected = wasserstein_reference(a, b, order, norm)
    assert wasserstein_distance(a, b, order, norm) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("order", "norm"), itertools.product([1.0, 2.0, 1.5], ["linf", "l2"]))
def test_diagrams_of_real_size_equal_the_augmented_assignment(order: float, norm: str):
    rng = np.random.default_rng(0)
    clouds = [delay_embedding(rng.normal(size=n)) for n in (90, 110)]
    for a, b in zip(*(rips_persistence(cloud) for cloud in clouds), strict=True):
        a, b = a[np.isfinite(a[:, 1])], b[np.isfinite(b[:, 1])]
        expected = wasserstein_reference(a, b, order, norm)
        assert wasserstein_distance(a, b, order, norm) == pytest.approx(expected, rel=1e-12)


@settings(max_examples=100, deadline=None)
@given(diagrams(), diagrams(), diagrams(), ORDERS, NORMS)
def test_it_is_a_metric(a, b, c, order, norm):
    def distance(x, y):
        return wasserstein_distance(x, y, order, norm)

    assert distance(a, a[::-1]) == 0.0
    assert distance(a, b) == pytest.approx(distance(b, a), rel=1e-12, abs=1e-12)
    assert distance(a, c) <= (distance(a, b) + distance(b, c)) * (1 + 1e-9) + 1e-9


@settings(max_examples=100, deadline=None)
@given(diagrams(), diagrams(), ORDERS, NORMS, st.floats(0.1, 10.0))
def test_scaling_and_bars_of_zero_length(a, b, order, norm, factor):
    distance = wasserstein_distance(a, b, order, norm)
    scaled = wasserstein_distance(factor * a, factor * b, order, norm)
    assert scaled == pytest.approx(factor * distance, rel=1e-9, abs=1e-9)
    padded = np.vstack([a, [[1.0, 1.0], [2.0, 2.0]]])
    assert wasserstein_distance(padded, b, order, norm) == pytest.approx(
        distance, rel=1e-9, abs=1e-9
    )


def test_a_small_distance_between_long_bars_keeps_its_digits():
    # "total minus gain" would leave 1e-8 of 1e8, and a root makes it worse.
    rng = np.random.default_rng(0)
    births = rng.random(30)
    a = np.column_stack([births, births + 1e8 * rng.random(30)])
    b = a.copy()
    b[0, 0] += 1e-3
    assert wasserstein_distance(a, b, order=2.0) == pytest.approx(1e-3, rel=1e-9)


def test_essential_bars():
    a, b = [(0.0, np.inf), (0.0, 1.0)], [(0.5, np.inf), (0.0, 1.5)]
    with pytest.raises(UsageError, match=r'essential="drop".*essential="match"'):
        wasserstein_distance(a, b)
    assert wasserstein_distance(a, b, essential="drop") == 0.5
    assert wasserstein_distance(a, b, essential="match") == 1.0
    assert wasserstein_distance(a, b, order=2.0, essential="match") == pytest.approx(np.sqrt(0.5))
    assert wasserstein_distance(a, [(0.0, 1.0)], essential="match") == np.inf
    assert bottleneck_distance(a, [(0.0, 1.0)], essential="match") == np.inf
    crossed = [(3.0, np.inf), (0.0, np.inf)]
    assert wasserstein_distance(crossed, crossed[::-1], essential="match") == 0.0


@pytest.mark.parametrize("distance", [wasserstein_distance, bottleneck_distance])
def test_what_is_no_diagram(distance):
    with pytest.raises(MissingValues):
        distance([(0.0, np.nan)], EMPTY)
    with pytest.raises(UsageError, match="dies before"):
        distance([(1.0, 0.0)], EMPTY)
    with pytest.raises(UsageError, match="table of bars"):
        distance(np.ones((2, 3)), EMPTY)
    with pytest.raises(UsageError, match="'refuse' or 'drop' or 'match'"):
        distance(EMPTY, EMPTY, essential="ignore")


def test_parameters_out_of_range():
    with pytest.raises(UsageError, match="order ≥ 1"):
        wasserstein_distance(EMPTY, EMPTY, order=0.5)
    with pytest.raises(UsageError, match="bottleneck_distance"):
        wasserstein_distance(EMPTY, EMPTY, order=np.inf)
    with pytest.raises(UsageError, match="'linf' or 'l2'"):
        wasserstein_distance([(0, 1)], EMPTY, ground_norm="l1")


@settings(max_examples=100, deadline=None)
@given(diagrams(4), diagrams(3))
def test_bottleneck_equals_brute_force(a, b):
    assert bottleneck_distance(a, b) == bottleneck_reference(a, b)


@settings(max_examples=100, deadline=None)
@given(diagrams(), diagrams())
def test_bottleneck_is_the_limit_of_large_orders(a, b):
    limit = bottleneck_distance(a, b)
    assume(limit > 1e-3)
    assert wasserstein_distance(a, b, order=60.0) == pytest.approx(limit, rel=0.06)


@settings(max_examples=30, deadline=None)
@given(st.lists(diagrams(5), max_size=5), st.lists(diagrams(5), max_size=4), ORDERS, NORMS)
def test_matrices_hold_the_single_distances(rows, columns, order, norm):
    square = wasserstein_matrix(rows, order, norm)
    table = wasserstein_matrix(rows, order, norm, others=columns)
    assert square.shape == (len(rows), len(rows))
    assert table.shape == (len(rows), len(columns))
    np.testing.assert_array_equal(square, square.T)
    for (i, a), (j, b) in itertools.combinations(enumerate(rows), 2):
        assert square[i, j] == wasserstein_distance(a, b, order, norm)
    for (i, a), (j, b) in itertools.product(enumerate(rows), enumerate(columns)):
        assert table[i, j] == wasserstein_distance(a, b, order, norm)
    assert not square.diagonal().any()


def test_a_matrix_refuses_essential_bars_unless_told():
    bars = [np.array([(0.0, np.inf)])] * 2
    with pytest.raises(UsageError, match="essential"):
        wasserstein_matrix(bars)
    assert not wasserstein_matrix(bars, essential="drop").any()
