"""Metrics of a classification in which a case without a prediction is a wrong one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Literal, cast, get_args

from cohortflow.evaluation.cases import Case, Cases, write_parquet
from cohortflow.evaluation.intervals import CLOPPER_PEARSON, clopper_pearson

MetricName = Literal["accuracy", "balanced_accuracy", "sensitivity", "specificity", "auc"]
METRICS = cast(tuple[MetricName, ...], get_args(MetricName))


@dataclass(frozen=True)
class Measurement:
    """One metric: value (NaN with a ``reason`` where undefined), the number of cases it counts,
    its interval (NaN where none is given) and how that was made."""

    metric: str
    value: float
    unit: str
    n: int
    low: float = math.nan
    high: float = math.nan
    interval: str = ""
    reason: str = ""


def classification_metrics(
    cases: Cases, metrics: Sequence[MetricName] = METRICS
) -> list[Measurement]:
    """One row per metric, in the order asked for, then the majority baseline."""
    rows = [_METRICS[name](cases) for name in metrics]
    return [*rows, majority_baseline(cases)]


def majority_baseline(cases: Cases) -> Measurement:
    """Accuracy of always naming the commonest class of these very cases: the strictest constant."""
    counts = [sum(case.truth == name for case in cases.judged) for name in cases.classes]
    return _proportion("majority_accuracy", max(counts), len(cases.judged), "no case")


def accuracy(cases: Cases) -> Measurement:
    """Correct cases of all judged ones."""
    return _proportion("accuracy", cases.correct, len(cases.judged), "no case")


def recall(cases: Cases, name: str, metric: str) -> Measurement:
    """Correct cases of those whose truth is the class ``name``."""
    own = [case for case in cases.judged if case.truth == name]
    return _proportion(metric, sum(case.correct for case in own), len(own), f"no case of {name}")


def balanced_accuracy(cases: Cases) -> Measurement:
    """Mean over classes of the recall of each; undefined while a class has no case."""
    recalls = [recall(cases, name, name) for name in cases.classes]
    empty = [row.metric for row in recalls if row.n == 0]
    if empty:
        return _undefined("balanced_accuracy", len(cases.judged), f"no case of {', '.join(empty)}")
    mean = math.fsum(row.value for row in recalls) / len(recalls)
    return Measurement("balanced_accuracy", mean, "1", len(cases.judged))


def sensitivity(cases: Cases) -> Measurement:
    """Recall of the positive class."""
    if len(cases.classes) != 2:
        return _undefined("sensitivity", len(cases.judged), _two_classes(cases))
    return recall(cases, cases.positive, "sensitivity")


def specificity(cases: Cases) -> Measurement:
    """Recall of the class that is not the positive one."""
    if len(cases.classes) != 2:
        return _undefined("specificity", len(cases.judged), _two_classes(cases))
    (negative,) = (name for name in cases.classes if name != cases.positive)
    return recall(cases, negative, "specificity")


def auc(cases: Cases) -> Measurement:
    """Area under the ROC curve, ties counted half.

    A missing case is ranked as badly as can be: a positive one below all, a negative one above all.
    """
    from sklearn.metrics import roc_auc_score

    judged = cases.judged
    if len(cases.classes) != 2:
        return _undefined("auc", len(judged), _two_classes(cases))
    truth = [case.truth == cases.positive for case in judged]
    if all(truth) or not any(truth):
        return _undefined("auc", len(judged), "cases of one class only")
    ranks = [_rank(case, cases.positive) for case in judged]
    return Measurement("auc", float(roc_auc_score(truth, ranks)), "1", len(judged))


_METRICS: dict[MetricName, Callable[[Cases], Measurement]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "sensitivity": sensitivity,
    "specificity": specificity,
    "auc": auc,
}


def write_measurements(rows: Sequence[Measurement]) -> bytes:
    """Parquet, one row per metric; equal rows give equal bytes."""
    import pyarrow as pa

    types = {"str": pa.string(), "float": pa.float64(), "int": pa.int64()}
    schema = pa.schema([(field.name, types[str(field.type)]) for field in fields(Measurement)])
    return write_parquet(pa.Table.from_pylist([asdict(row) for row in rows], schema=schema))


def _rank(case: Case, positive: str) -> float:
    if case.counted == "scored" and case.probability is not None:
        return case.probability
    return -1.0 if case.truth == positive else 2.0


def _proportion(metric: str, hits: int, n: int, reason: str) -> Measurement:
    if n == 0:
        return _undefined(metric, 0, reason)
    low, high = clopper_pearson(hits, n)
    return Measurement(metric, hits / n, "1", n, low, high, CLOPPER_PEARSON)


def _undefined(metric: str, n: int, reason: str) -> Measurement:
    return Measurement(metric, math.nan, "1", n, reason=reason)


def _two_classes(cases: Cases) -> str:
    return f"needs two classes, there are {len(cases.classes)}"
