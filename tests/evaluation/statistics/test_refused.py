"""What no statistic takes: never another one in its place, never a number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cohortflow.errors import BadProbabilities, CohortflowError, InvalidEntry, UsageError
from cohortflow.evaluation.cases import Case, Cases
from cohortflow.evaluation.classification import classification_metrics
from cohortflow.evaluation.statistics import (
    adjusted_p_values,
    compare_systems,
    delong_test,
    mcnemar_test,
    ranking_stability,
)

SCORES = [[0.9, 0.1], [0.8, 0.7], [0.7, 0.6]]
RIGHT = [True, False, True]
WORD: Any = "bonferroni"


@pytest.mark.parametrize(
    "ask",
    [
        lambda: adjusted_p_values([0.01, 0.02], WORD),
        lambda: mcnemar_test(RIGHT, RIGHT[::-1], WORD),
        lambda: delong_test([True, True, False, False], [1, 2, 3, 0], [1, 2, 0, 4], level=95),
        lambda: ranking_stability(SCORES, ["a", "b"], better=WORD, seed=0),
        lambda: compare_systems(SCORES, ["a", "a"], seed=0),
    ],
)
def test_a_word_that_is_none_is_no_other_one(ask: Callable[[], Any]) -> None:
    with pytest.raises(UsageError):
        ask()


ONE = Case("a", "MCI", "MCI", 0.9, "scored")


@pytest.mark.parametrize(
    ("other", "error"),
    [
        (ONE, InvalidEntry),
        (Case("b", "MCI", None, 0.9, "scored"), InvalidEntry),
        (Case("b", "MCI", "MCI", 0.9, "scored", (0.9, 0.1)), BadProbabilities),
    ],
)
def test_cases_that_say_two_things(other: Case, error: type[CohortflowError]) -> None:
    """A case that stands twice is a seed counted as a case."""
    cases = Cases((ONE, other), ("HC", "MCI"), "MCI")
    with pytest.raises(error):
        classification_metrics(cases)
