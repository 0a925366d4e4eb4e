"""Metrics of a classification in which a case without a prediction is a wrong one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

from cohortflow.errors import UnknownName, UsageError, nearest
from cohortflow.evaluation import counts, probabilities
from cohortflow.evaluation.cases import Cases
from cohortflow.evaluation.check_cases import check_cases
from cohortflow.evaluation.definitions import definition
from cohortflow.evaluation.intervals import CLOPPER_PEARSON, clopper_pearson
from cohortflow.evaluation.measurement import Measurement, measured, undefined

MetricName = Literal[
    "accuracy", "balanced_accuracy", "sensitivity", "specificity", "auc",
    "precision", "precision/class", "precision/macro", "recall/class",
    "f1", "f1/class", "f1/macro", "f1/micro", "auc/class", "auc/macro",
    "auprc", "auprc/class", "auprc/macro", "brier", "brier/sum", "ece@10", "ece@15",
]  # fmt: skip
"""What a pipeline can ask for by name; :func:`classification_metrics` takes any parameter."""
METRICS: tuple[MetricName, ...] = (
    "accuracy",
    "balanced_accuracy",
    "sensitivity",
    "specificity",
    "auc",
)
"""Those reported unless others are asked for."""


def classification_metrics(cases: Cases, metrics: Sequence[str] = METRICS) -> list[Measurement]:
    """Rows of each metric, in the order asked for, then the majority baseline.

    Ids ending in ``/class`` give a row per class. ``sensitivity@<threshold>``,
    ``specificity@<threshold>`` and ``ece@<bins>`` take their parameter behind the ``@``; the
    definitions are in :mod:`cohortflow.evaluation.definitions`.

    Raises UnknownName for an id that is none, UnknownClass for a truth or prediction outside the
    classes, BadProbabilities for ones that are not finite, outside [0, 1], or do not sum to one.
    """
    check_cases(cases)
    rows = [row for metric in metrics for row in _rows(cases, metric)]
    return [*rows, majority_baseline(cases)]


def majority_baseline(cases: Cases) -> Measurement:
    """Accuracy of always naming the commonest class of these very cases: the strictest constant."""
    found = [sum(case.truth == name for case in cases.judged) for name in cases.classes]
    return proportion("majority_accuracy", max(found), len(cases.judged), "no case")


def accuracy(cases: Cases) -> Measurement:
    """Correct cases of all judged ones."""
    return proportion("accuracy", cases.correct, len(cases.judged), "no case")


def recall(cases: Cases, name: str, metric: str, label: str = "") -> Measurement:
    """Correct cases of those whose truth is the class ``name``."""
    own = [case for case in cases.judged if case.truth == name]
    hits = sum(case.correct for case in own)
    return proportion(metric, hits, len(own), f"no case of {name}", label)


def sensitivity(cases: Cases) -> Measurement:
    """Recall of the positive class."""
    return recall(cases, cases.positive, "sensitivity")


def specificity(cases: Cases) -> Measurement:
    """Recall of the class that is not the positive one."""
    return recall(cases, cases.negative, "specificity")


def sensitivity_at(cases: Cases, threshold: float, metric: str) -> Measurement:
    """Positive cases whose probability is at least the threshold; a missing one is below."""
    own = [case for case in cases.judged if case.truth == cases.positive]
    found = [cases.of_class(case, cases.positive) for case in own]
    hits = sum(p is not None and p >= threshold for p in found)
    return proportion(metric, hits, len(own), f"no case of {cases.positive}")


def specificity_at(cases: Cases, threshold: float, metric: str) -> Measurement:
    """Negative cases whose probability is below the threshold; a missing one is not."""
    own = [case for case in cases.judged if case.truth != cases.positive]
    found = [cases.of_class(case, cases.positive) for case in own]
    hits = sum(p is not None and p < threshold for p in found)
    return proportion(metric, hits, len(own), f"no case of {cases.negative}")


def proportion(metric: str, hits: int, n: int, reason: str, label: str = "") -> Measurement:
    """Hits of n with their exact interval; undefined for ``reason`` where n is 0."""
    if n == 0:
        return undefined(metric, 0, reason, label=label)
    low, high = clopper_pearson(hits, n)
    return Measurement(metric, hits / n, "1", n, low, high, CLOPPER_PEARSON, label=label)


def _recalls(cases: Cases, metric: str) -> list[Measurement]:
    return [recall(cases, name, metric, name) for name in cases.classes]


def _mean(by_class: Callable[[Cases, str], list[Measurement]]) -> _Function:
    """The mean over classes; undefined while one class has no case, so that none is skipped."""

    def mean(cases: Cases, metric: str) -> list[Measurement]:
        rows = by_class(cases, metric)
        n = len(cases.judged)
        reasons = dict.fromkeys(row.reason for row in rows if not row.defined)
        if reasons:
            empty = [name for name in cases.classes if not cases.count(name)]
            told = f"no case of {', '.join(empty)}" if empty else "; ".join(reasons)
            return [undefined(metric, n, told)]
        return [measured(metric, math.fsum(row.value for row in rows) / len(rows), n)]

    return mean


def _of_two(function: Callable[[Cases], Measurement]) -> _Function:
    """Defined for two classes only."""

    def of_two(cases: Cases, metric: str) -> list[Measurement]:
        if len(cases.classes) != 2:
            reason = f"needs two classes, there are {len(cases.classes)}"
            return [undefined(metric, len(cases.judged), reason)]
        return [function(cases)]

    return of_two


_Function = Callable[[Cases, str], list[Measurement]]
_PLAIN: dict[str, _Function] = {
    "accuracy": lambda cases, metric: [accuracy(cases)],
    "majority_accuracy": lambda cases, metric: [majority_baseline(cases)],
    "balanced_accuracy": _mean(_recalls),
    "sensitivity": _of_two(sensitivity),
    "specificity": _of_two(specificity),
    "recall/class": _recalls,
    "precision": _of_two(lambda cases: counts.precision(cases, cases.positive, "precision")),
    "precision/class": counts.precisions,
    "precision/macro": _mean(counts.precisions),
    "f1": _of_two(lambda cases: counts.f1(cases, cases.positive, "f1")),
    "f1/class": counts.f1s,
    "f1/macro": _mean(counts.f1s),
    "f1/micro": lambda cases, metric: [counts.f1_micro(cases)],
    "auc": _of_two(lambda cases: probabilities.auc(cases, cases.positive, "auc")),
    "auc/class": probabilities.aucs,
    "auc/macro": _mean(probabilities.aucs),
    "auprc": _of_two(lambda cases: probabilities.auprc(cases, cases.positive, "auprc")),
    "auprc/class": probabilities.auprcs,
    "auprc/macro": _mean(probabilities.auprcs),
    "brier": _of_two(probabilities.brier),
    "brier/sum": lambda cases, metric: [probabilities.brier_sum(cases)],
}
_WITH_PARAMETER: dict[str, Callable[[Cases, float, str], Measurement]] = {
    "sensitivity": sensitivity_at,
    "specificity": specificity_at,
    "ece": probabilities.expected_calibration_error,
}
CLASSIFICATION_METRICS = (*_PLAIN, *(f"{name}@" for name in _WITH_PARAMETER))


def _rows(cases: Cases, metric: str) -> list[Measurement]:
    if metric in _PLAIN:
        return _PLAIN[metric](cases, metric)
    name, at, text = metric.partition("@")
    function = _WITH_PARAMETER.get(name)
    if not at or function is None:
        raise UnknownName(
            f"no metric {metric!r} of classification", hint=nearest(metric, CLASSIFICATION_METRICS)
        )
    parameter = _parameter(metric, text)
    of_two = _of_two(lambda them: function(them, parameter, metric))
    return [function(cases, parameter, metric)] if name == "ece" else of_two(cases, metric)


def _parameter(metric: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    whole = metric.startswith("ece")
    if not (1 <= value <= 1000 and value == int(value) if whole else 0.0 <= value <= 1.0):
        expected = "a whole number of bins" if whole else "a threshold in [0, 1]"
        raise UsageError(
            f"{metric!r} does not say its parameter",
            expected=f"{definition(metric).id}: {expected}",
            found=text,
        )
    return value
