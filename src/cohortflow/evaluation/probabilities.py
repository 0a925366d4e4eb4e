"""Ranking and calibration of probabilities; a case without one counts as badly as can be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cohortflow.evaluation.cases import Case, Cases
from cohortflow.evaluation.measurement import Measurement, measured, undefined

ONE_CLASS = "cases of one class only"


def auc(cases: Cases, name: str, metric: str, label: str = "") -> Measurement:
    """Area under the ROC curve of one class against all others, ties counted half.

    A case without probability is ranked as badly as can be: one of the class below all, another
    above all.
    """
    judged = cases.judged
    truth = np.array([case.truth == name for case in judged], bool)
    ranks = np.array([rank(cases, case, name) for case in judged])
    if truth.all() or not truth.any():
        return undefined(metric, len(judged), _one_sided(cases, name, label), label=label)
    return measured(metric, area_under_roc(truth, ranks), len(judged), label=label)


def auprc(cases: Cases, name: str, metric: str, label: str = "") -> Measurement:
    """Average precision of one class against all others.

    A case without probability counts as never found where it is of the class, and above all
    others where it is not.
    """
    judged = cases.judged
    truth = np.array([case.truth == name for case in judged], bool)
    ranks = np.array([rank(cases, case, name) for case in judged])
    if not truth.any():
        reason = f"no case of {name}" if judged else "no case"
        return undefined(metric, len(judged), reason, label=label)
    return measured(metric, average_precision(truth, ranks), len(judged), label=label)


def aucs(cases: Cases, metric: str) -> list[Measurement]:
    """Area of each class against all others."""
    if untold(cases):
        n = len(cases.judged)
        return [undefined(metric, n, untold(cases), label=name) for name in cases.classes]
    return [auc(cases, name, metric, name) for name in cases.classes]


def auprcs(cases: Cases, metric: str) -> list[Measurement]:
    """Average precision of each class against all others."""
    if untold(cases):
        n = len(cases.judged)
        return [undefined(metric, n, untold(cases), label=name) for name in cases.classes]
    return [auprc(cases, name, metric, name) for name in cases.classes]


def brier(cases: Cases) -> Measurement:
    """Mean of (probability of the positive class - truth)²; a case without one counts 1."""
    judged = cases.judged
    if not judged:
        return undefined("brier", 0, "no case")
    mean = sum(_squares(cases, case) / 2.0 for case in judged) / len(judged)
    return measured("brier", mean, len(judged))


def brier_sum(cases: Cases) -> Measurement:
    """Mean over cases of the sum over classes of (probability - truth)²; without one: 2."""
    judged = cases.judged
    reason = untold(cases) if judged else "no case"
    if reason:
        return undefined("brier/sum", len(judged), reason)
    mean = sum(_squares(cases, case) for case in judged) / len(judged)
    return measured("brier/sum", mean, len(judged))


def expected_calibration_error(cases: Cases, bins: float, metric: str) -> Measurement:
    """Σ over bins of (cases of the bin / n) |accuracy - mean confidence|.

    The confidence is the largest probability of a case, ties to the first class; bins are of equal
    width over (0, 1] and closed above. A case without probability adds 1 / n, as a sure and wrong
    one alone in its bin would.
    """
    judged = cases.judged
    reason = untold(cases) if judged else "no case"
    if reason:
        return undefined(metric, len(judged), reason)
    found = [(case, row) for case in judged if (row := distribution(cases, case)) is not None]
    confidence = np.array([row.max() for _, row in found])
    correct = np.array([cases.classes[row.argmax()] == case.truth for case, row in found], float)
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, int(bins) - 1)
    gaps = np.bincount(place, weights=correct - confidence, minlength=int(bins))
    lost = len(judged) - len(found)
    return measured(metric, (np.abs(gaps).sum() + lost) / len(judged), len(judged))


def untold(cases: Cases) -> str:
    """A reason where predicted cases of several classes tell the positive one's probability only;
    they are not missing, and must not count as if they were."""
    told = [case.probabilities is not None for case in cases.judged if case.counted == "scored"]
    if len(cases.classes) == 2 or all(told):
        return ""
    return f"{told.count(False)} cases do not tell the probabilities of all classes"


def distribution(cases: Cases, case: Case) -> NDArray[np.float64] | None:
    """Probabilities (class) of a case; None where they are not known."""
    row = [cases.of_class(case, name) for name in cases.classes]
    return None if None in row else np.array(row, float)


def area_under_roc(truth: NDArray[np.bool_], ranks: NDArray[np.float64]) -> float:
    """Area of ranks (case) for truth (case) of both kinds; ±inf stands for a missing case."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(truth, _finite(ranks)))


def average_precision(truth: NDArray[np.bool_], ranks: NDArray[np.float64]) -> float:
    """Average precision; true cases at -inf are never found and add nothing.

    Were they ranked last, they would still add the share of true cases, which with ties above can
    be more than they added before they went missing.
    """
    from sklearn.metrics import average_precision_score

    retrieved = ~(truth & np.isneginf(ranks))
    found = int((truth & retrieved).sum())
    if found == 0:
        return 0.0
    share = found / int(truth.sum())
    return share * float(average_precision_score(truth[retrieved], _finite(ranks[retrieved])))


def _finite(ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same order in finite numbers, which scikit-learn asks for."""
    return np.clip(ranks, -1.0, 2.0)


def rank(cases: Cases, case: Case, name: str) -> float:
    """Probability of a class; without one ±inf, as badly as can be for that class."""
    p = cases.of_class(case, name)
    if p is not None:
        return p
    return -np.inf if case.truth == name else np.inf


def _squares(cases: Cases, case: Case) -> float:
    row = distribution(cases, case)
    if row is None:
        return 2.0
    truth = np.array([name == case.truth for name in cases.classes], float)
    return float(((row - truth) ** 2).sum())


def _one_sided(cases: Cases, name: str, label: str) -> str:
    if not cases.judged or not label:
        return ONE_CLASS if cases.judged else "no case"
    return f"no case of {name}" if not cases.count(name) else f"no case but of {name}"
