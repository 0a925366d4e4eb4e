"""What no statistic takes: never another one in its place, never a number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cohortflow.errors import BadProbabilities, CohortflowError, InvalidEntry, NotFinite, UsageError
from cohortflow.evaluation.cases import Case, Cases
from cohortflow.evaluation.classification import classification_metrics
from cohortflow.evaluation.depth import depth_metrics
from cohortflow.evaluation.image_quality import image_metrics
from cohortflow.evaluation.multilabel import multilabel_metrics
from cohortflow.evaluation.regression import regression_metrics
from cohortflow.evaluation.statistics import (
    adjusted_p_values,
    bca_interval,
    bland_altman,
    compare_systems,
    delong_test,
    mcnemar_test,
    ranking_stability,
    wilcoxon_test,
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


HIDDEN: Any = np.ma.masked_greater([1.0, 2.0, 3.0, 99.0], 9.0)
WHOLE = [1.0, 2.0, 3.0, 4.0]
HALVES = [True, True, False, False]


@pytest.mark.parametrize(
    "ask",
    [
        lambda: bca_interval(HIDDEN, np.mean, seed=0),
        lambda: wilcoxon_test(WHOLE, HIDDEN),
        lambda: delong_test(HALVES, WHOLE, HIDDEN),
        lambda: mcnemar_test(HALVES, np.ma.masked_array(HALVES, HALVES)),
        lambda: compare_systems(HIDDEN.reshape(2, 2), ["a", "b"], seed=0),
        lambda: ranking_stability(HIDDEN.reshape(2, 2), ["a", "b"], better="higher", seed=0),
        lambda: bland_altman(WHOLE, HIDDEN, unit="ml"),
        lambda: regression_metrics(HIDDEN, WHOLE, unit="ml"),
        lambda: regression_metrics(WHOLE, HIDDEN, unit="ml"),
        lambda: depth_metrics(HIDDEN.reshape(2, 2), np.ones((2, 2)), unit="mm"),
        lambda: image_metrics(np.ones((2, 2)), HIDDEN.reshape(2, 2), data_range=9.0, unit="HU"),
        lambda: multilabel_metrics([[1], [0]], HIDDEN[:2, None] / 99, ["a"]),
    ],
)
def test_what_lies_under_a_mask_is_no_value(ask: Callable[[], Any]) -> None:
    with pytest.raises(NotFinite, match="masked"):
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
