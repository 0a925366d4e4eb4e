"""Cases as arrays, for statistics that are computed on many resamples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cohortflow.evaluation.cases import Cases
from cohortflow.evaluation.probabilities import distribution, rank, untold

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Columns:
    """Judged cases. truth, prediction: (case) places among the classes, -1 without a prediction.

    ``ranks`` (case, class): probabilities, and for a case without one ±inf, as badly as can be.
    ``probabilities`` (case, class): NaN where a case has none. ``untold``: why ranks of classes say
    nothing, where some cases tell the probability of one of several classes only.
    """

    classes: tuple[str, ...]
    positive: int
    truth: NDArray[np.int64]
    prediction: NDArray[np.int64]
    ranks: Floats
    probabilities: Floats
    untold: str

    @property
    def n(self) -> int:
        return len(self.truth)

    @property
    def missing(self) -> int:
        return int((self.prediction < 0).sum())


def columns_of_cases(cases: Cases) -> Columns:
    """Judged cases, in their order, as arrays."""
    judged, classes = cases.judged, cases.classes
    place = {name: i for i, name in enumerate(classes)}
    nothing = np.full(len(classes), np.nan)
    rows = [nothing if (row := distribution(cases, case)) is None else row for case in judged]
    return Columns(
        classes,
        place[cases.positive],
        np.array([place[case.truth] for case in judged], np.int64),
        np.array(
            [
                place[case.prediction]
                if case.counted == "scored" and case.prediction is not None
                else -1
                for case in judged
            ],
            np.int64,
        ),
        np.array([[rank(cases, case, name) for name in classes] for case in judged]).reshape(
            len(judged), len(classes)
        ),
        np.array(rows).reshape(len(judged), len(classes)),
        untold(cases),
    )
