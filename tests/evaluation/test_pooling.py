from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortflow.errors import InvalidEntry
from cohortflow.evaluation.cases import Case, Cases
from cohortflow.evaluation.pooling import pool_folds, pool_seeds


def fold(*rows: tuple[str, str, str | None]) -> Cases:
    made = tuple(
        Case(
            subject, truth, guess, None if guess is None else 0.5, "scored" if guess else "missing"
        )
        for subject, truth, guess in rows
    )
    return Cases(made, ("HC", "MCI"), "MCI")


FOLDS = [
    fold(("a", "HC", "HC"), ("b", "MCI", "MCI")),
    fold(("c", "HC", "MCI"), ("d", "MCI", None), ("e", "MCI", "MCI")),
]


def test_folds_are_joined_case_by_case() -> None:
    pool = pool_folds(FOLDS, folds_expected=3)
    assert (pool.folds, pool.folds_expected) == (2, 3)
    accuracy = pool.metrics()[0]
    # 3 of 5, not the mean of 2/2 and 1/3.
    assert (accuracy.value, accuracy.n) == (3 / 5, 5)
    assert (accuracy.low, accuracy.high) == pytest.approx((0.14663, 0.94726), abs=1e-5)
    assert pool.newcomers == {}


def test_a_newcomer_scored_by_several_folds_counts_once_and_apart() -> None:
    guesses = ("MCI", "HC")
    folds = [
        replace(one, cases=(*one.cases, Case("new", "MCI", guess, 0.5, "scored")))
        for one, guess in zip(FOLDS, guesses, strict=True)
    ]
    pool = pool_folds(folds)
    assert pool.newcomers == {"new": 0.5}
    assert pool.metrics()[0] == pool_folds(FOLDS).metrics()[0]


def test_subjects_left_out_stay_listed_and_uncounted() -> None:
    left = replace(FOLDS[0], cases=(*FOLDS[0].cases, Case("x", "HC", None, None, "left_out")))
    pool = pool_folds([left, FOLDS[1]])
    assert pool.cases.named("left_out") == ["x"]
    assert pool.metrics() == pool_folds(FOLDS).metrics()


def test_folds_of_other_classes_are_refused() -> None:
    with pytest.raises(InvalidEntry, match="same classes"):
        pool_folds([FOLDS[0], replace(FOLDS[1], classes=("EMCI", "HC"), positive="EMCI")])
    with pytest.raises(InvalidEntry, match="no fold"):
        pool_folds([])


def test_seeds_give_mean_and_sample_sd() -> None:
    values = [0.5, 0.75, 0.7, math.nan]
    pool = pool_seeds(values, n_expected=5)
    assert pool.mean == pytest.approx(np.mean(values[:3]))
    assert pool.sd == pytest.approx(np.std(values[:3], ddof=1))
    assert (pool.n, pool.n_expected) == (3, 5)


def test_one_seed_has_no_spread_and_none_no_mean() -> None:
    assert pool_seeds([0.5]).mean == 0.5
    assert math.isnan(pool_seeds([0.5]).sd)
    assert math.isnan(pool_seeds([]).mean)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.booleans()), min_size=1))
def test_each_judged_subject_is_in_one_denominator_once(rows: list[tuple[int, bool, bool]]) -> None:
    folds: dict[int, list[tuple[str, str, str | None]]] = {}
    for i, (at, known, again) in enumerate(rows):
        case = (f"s{i}", "HC", "HC" if known else None)
        for number in {at, (at + 1) % 4} if again else {at}:
            folds.setdefault(number, []).append(case)
    pool = pool_folds([fold(*cases) for cases in folds.values()])
    assert pool.metrics()[0].n + len(pool.newcomers) == len(rows)
