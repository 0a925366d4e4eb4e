"""How often predictions of a stated confidence are right, bin by bin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cohortflow.evaluation.cases import Cases
from cohortflow.evaluation.columns import Columns, columns_of_cases
from cohortflow.evaluation.intervals import clopper_pearson

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reliability:
    """Bins of the confidence, the largest probability of a case: equal widths, closed above.

    edges: (bin + 1). count, confidence, accuracy, low, high: (bin); the mean confidence, the share
    of right ones and its exact 95 % interval are NaN in an empty bin. ``missing`` cases have no
    confidence; in ``ece`` each counts 1 / n, as a sure and wrong one would. ``n`` counts them too.
    """

    edges: Floats
    count: NDArray[np.int64]
    confidence: Floats
    accuracy: Floats
    low: Floats
    high: Floats
    missing: int
    n: int
    ece: float
    reason: str = ""


def reliability(cases: Cases, bins: int = 10) -> Reliability:
    """Confidence and accuracy of the likeliest class by bin, and ``ece@<bins>`` of the same.

    Source: Guo et al. 2017, ICML, equations 2 and 3.
    """
    columns = columns_of_cases(cases)
    found = binned(columns, bins)
    count = np.bincount(found.place, minlength=bins)
    with np.errstate(invalid="ignore", divide="ignore"):
        confidence = np.bincount(found.place, found.confidence, bins) / count
        accuracy = np.bincount(found.place, found.correct, bins) / count
    hits = np.bincount(found.place, found.correct, bins)
    ends = [
        clopper_pearson(int(hit), int(n)) if n else (np.nan, np.nan)
        for hit, n in zip(hits, count, strict=True)
    ]
    reason = columns.untold or ("" if columns.n else "no case")
    gap = np.abs(np.bincount(found.place, found.correct - found.confidence, bins)).sum()
    ece = float("nan") if reason else float((gap + columns.n - len(found.place)) / columns.n)
    low, high = np.array(ends).T
    missing = columns.n - len(found.place)
    edges = np.linspace(0.0, 1.0, bins + 1)
    return Reliability(
        edges, count, confidence, accuracy, low, high, missing, columns.n, ece, reason
    )


@dataclass(frozen=True)
class Binned:
    """Cases with probabilities: place (case) of the bin, confidence, correct 0 or 1."""

    place: NDArray[np.int64]
    confidence: Floats
    correct: Floats


def binned(columns: Columns, bins: int) -> Binned:
    """Which bin the confidence of each case that has one lies in."""
    known = ~np.isnan(columns.probabilities).any(axis=1)
    table = columns.probabilities[known]
    confidence = table.max(axis=1, initial=0.0)
    likeliest = table.argmax(axis=1) if len(table) else np.empty(0, np.int64)
    correct = (likeliest == columns.truth[known]).astype(np.float64)
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    return Binned(place, confidence, correct)
