"""Precision, F1 and the confusion matrix.

A missing case is a false negative of its class and, as it could have been called any of them, a
false positive of every other: no prediction in its place could be worse for any class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cohortflow.evaluation.cases import Cases
from cohortflow.evaluation.check_cases import check_cases
from cohortflow.evaluation.measurement import Measurement, measured, undefined


@dataclass(frozen=True)
class Confusion:
    """``counts`` (truth, prediction), integers; ``missing`` (truth): judged and without one."""

    classes: tuple[str, ...]
    counts: NDArray[np.int64]
    missing: NDArray[np.int64]

    @property
    def n(self) -> int:
        return int(self.counts.sum() + self.missing.sum())


def confusion_matrix(cases: Cases) -> Confusion:
    """Judged cases by truth and prediction, those without a prediction apart."""
    check_cases(cases)
    place = {name: i for i, name in enumerate(cases.classes)}
    counts = np.zeros((len(place), len(place)), np.int64)
    missing = np.zeros(len(place), np.int64)
    for case in cases.judged:
        row = place[case.truth]
        if case.counted == "scored" and case.prediction is not None:
            counts[row, place[case.prediction]] += 1
        else:
            missing[row] += 1
    return Confusion(cases.classes, counts, missing)


def precision(cases: Cases, name: str, metric: str, label: str = "") -> Measurement:
    """Of what is called ``name``, what is; 0 where nothing is called so, though there is some."""
    hits, false_calls, _ = _against_others(cases, name)
    if not cases.count(name):
        return undefined(metric, 0, f"no case of {name}", label=label)
    called = hits + false_calls
    return measured(metric, hits / called if called else 0.0, called, label=label)


def f1(cases: Cases, name: str, metric: str, label: str = "") -> Measurement:
    """2 TP / (2 TP + FP + FN) of one class; undefined where it has no case."""
    hits, false_calls, overlooked = _against_others(cases, name)
    if not cases.count(name):
        return undefined(metric, 0, f"no case of {name}", label=label)
    value = 2 * hits / (2 * hits + false_calls + overlooked)
    return measured(metric, value, len(cases.judged), label=label)


def precisions(cases: Cases, metric: str) -> list[Measurement]:
    """Precision of each class."""
    return [precision(cases, name, metric, name) for name in cases.classes]


def f1s(cases: Cases, metric: str) -> list[Measurement]:
    """F1 of each class."""
    return [f1(cases, name, metric, name) for name in cases.classes]


def f1_micro(cases: Cases) -> Measurement:
    """F1 of counts summed over classes: with one class a case, each error is one false positive
    and one false negative, so that it is the accuracy."""
    n = len(cases.judged)
    if n == 0:
        return undefined("f1/micro", 0, "no case")
    return measured("f1/micro", cases.correct / n, n)


def _against_others(cases: Cases, name: str) -> tuple[int, int, int]:
    """True positives, false positives and false negatives of one class."""
    hits = false_calls = overlooked = 0
    for case in cases.judged:
        missing = case.counted != "scored" or case.prediction is None
        if case.truth == name:
            hits += case.correct
            overlooked += not case.correct
        else:
            false_calls += missing or case.prediction == name
    return hits, false_calls, overlooked
