"""Scores of folds joined case by case, and values of seeds averaged."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cohortflow.errors import InvalidEntry
from cohortflow.evaluation.cases import Cases
from cohortflow.evaluation.classification import classification_metrics
from cohortflow.evaluation.measurement import Measurement


@dataclass(frozen=True)
class FoldPool:
    """The cases of ``folds`` of ``folds_expected`` folds.

    ``cases`` holds every subject that one fold scored. ``newcomers`` are scored by several folds,
    because none of them had seen them: each counts once, by its share of correct folds, and apart.
    """

    cases: Cases
    folds: int
    folds_expected: int
    newcomers: Mapping[str, float]

    def metrics(self) -> list[Measurement]:
        """Metrics of all joined cases at once, with the interval of the whole count."""
        return classification_metrics(self.cases)


@dataclass(frozen=True)
class SeedPool:
    """Mean and sample sd (NaN below two) of ``n`` values of ``n_expected`` seeds."""

    mean: float
    sd: float
    n: int
    n_expected: int


def pool_folds(folds: Sequence[Cases], folds_expected: int | None = None) -> FoldPool:
    """Join the cases of folds; :class:`InvalidEntry` when their classes differ or there are
    none."""
    if not folds:
        raise InvalidEntry("no fold to pool", expected="one fold at least", found="none")
    first = folds[0]
    for other in folds[1:]:
        if (other.classes, other.positive) != (first.classes, first.positive):
            raise InvalidEntry(
                "the folds do not score the same classes",
                expected=f"{', '.join(first.classes)}; positive {first.positive}",
                found=f"{', '.join(other.classes)}; positive {other.positive}",
            )
    cases = [case for fold in folds for case in fold.cases]
    times = Counter(case.subject for case in cases)
    shares: dict[str, list[bool]] = {}
    for case in cases:
        if times[case.subject] > 1 and case.counted != "left_out":
            shares.setdefault(case.subject, []).append(case.correct)
    return FoldPool(
        cases=Cases(
            tuple(case for case in cases if times[case.subject] == 1), first.classes, first.positive
        ),
        folds=len(folds),
        folds_expected=len(folds) if folds_expected is None else folds_expected,
        newcomers={
            subject: sum(correct) / len(correct) for subject, correct in sorted(shares.items())
        },
    )


def pool_seeds(values: Sequence[float], n_expected: int | None = None) -> SeedPool:
    """Mean ± sd over seeds; values that are NaN are not counted, and show in ``n``."""
    known = [value for value in values if not math.isnan(value)]
    n = len(known)
    mean = math.fsum(known) / n if n else math.nan
    sd = math.sqrt(math.fsum((v - mean) ** 2 for v in known) / (n - 1)) if n > 1 else math.nan
    return SeedPool(mean, sd, n, len(values) if n_expected is None else n_expected)
