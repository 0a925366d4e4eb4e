"""What cases must be before anything is counted."""

from __future__ import annotations

import math
from collections import Counter

from cohortflow.errors import BadProbabilities, InvalidEntry, UnknownClass
from cohortflow.evaluation.cases import Case, Cases

SUM_TOLERANCE = 1e-4
"""Sums of float32 probabilities stray by about 1e-6."""


def check_cases(cases: Cases) -> None:
    """Refuse classes that clash, names outside them, and probabilities that are none."""
    known = set(cases.classes)
    if len(known) != len(cases.classes) or len(known) < 2 or cases.positive not in known:
        raise InvalidEntry(
            "the classes are no classes",
            expected="two names or more, each once, the positive one among them",
            found=f"{', '.join(cases.classes)}; positive {cases.positive}",
        )
    doubled = [name for name, n in Counter(c.subject for c in cases.cases).items() if n > 1]
    if doubled:
        raise InvalidEntry(
            "a case stands twice",
            where=doubled[0],
            expected="each case once, however many seeds and folds scored it",
            found=f"{len(doubled)} more than once",
            hint="Join folds by pool_folds, and average seeds by pool_seeds.",
        )
    for case in cases.cases:
        if case.prediction is None and (case.probability, case.probabilities) != (None, None):
            raise InvalidEntry("a probability without a prediction", where=case.subject)
        for word, name in (("truth", case.truth), ("prediction", case.prediction)):
            if name is not None and name not in known:
                raise UnknownClass(
                    f"a {word} is none of the classes",
                    where=case.subject,
                    expected=", ".join(cases.classes),
                    found=name,
                )
        _check_probabilities(case, cases)


def _check_probabilities(case: Case, cases: Cases) -> None:
    given = (() if case.probability is None else (case.probability,)) + (case.probabilities or ())
    for p in given:
        if not (math.isfinite(p) and 0.0 <= p <= 1.0):
            raise BadProbabilities(
                "a probability is none", where=case.subject, expected="0 … 1", found=f"{p:g}"
            )
    if case.probabilities is None:
        return
    if len(case.probabilities) != len(cases.classes):
        raise BadProbabilities(
            "there is not one probability for each class",
            where=case.subject,
            expected=str(len(cases.classes)),
            found=str(len(case.probabilities)),
        )
    own = case.probabilities[cases.classes.index(cases.positive)]
    if case.probability is not None and abs(case.probability - own) > SUM_TOLERANCE:
        raise BadProbabilities(
            "two probabilities of the positive class",
            where=case.subject,
            expected=f"{own:g}, as among those of all classes",
            found=f"{case.probability:g}",
        )
    total = math.fsum(case.probabilities)
    if abs(total - 1.0) > SUM_TOLERANCE:
        raise BadProbabilities(
            "the probabilities of the classes do not sum to one",
            where=case.subject,
            expected=f"1 ± {SUM_TOLERANCE:g}",
            found=f"{total:g}",
            hint="Logits and independent scores are no probabilities; labels that may stand "
            "together are evaluated by multilabel_metrics.",
        )
