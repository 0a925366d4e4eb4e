"""The generated AR(1) cohort: dynamics separate the groups, correlation does not."""

from __future__ import annotations

import numpy as np
import pytest

from cohortflow.cohort.entry import Entry
from cohortflow.stages import classify, score
from tests.stages.examples import Cohort, as_entry, many, run


def accuracy(cohort: Cohort, entries: dict[str, Entry], degree: int | None, split: int) -> float:
    rng = np.random.default_rng(split)
    test: set[str] = set()
    for group in ("HC", "MCI"):
        members = [s for s in entries if cohort.columns[s]["group"] == group]
        test |= {str(s) for s in rng.permutation(members)[:6]}
    train_on = many({s: e for s, e in entries.items() if s not in test})
    score_on = many({s: e for s, e in entries.items() if s in test})
    point = {"network": "A", "degree": degree}
    weights = run(classify.STAGE, point | {"epochs": 40}, cohort.context, matrices=train_on)
    scored = run(
        score.STAGE,
        point,
        cohort.context,
        matrices=score_on,
        weights=as_entry(classify.STAGE, weights),
    )
    assert scored.facts["n"] == 12
    return float(scored.facts["accuracy"])


@pytest.mark.slow
def test_distances_of_diagrams_beat_correlation():
    cohort = Cohort(subjects=60, regions=12, samples=100, affected=(2, 5, 9))
    topology = [accuracy(cohort, cohort.distances, 0, split) for split in range(3)]
    linear = [accuracy(cohort, cohort.correlations, None, split) for split in range(3)]
    assert np.mean(topology) >= np.mean(linear) + 0.25


@pytest.mark.slow
def test_equal_dynamics_cannot_be_told_apart():
    cohort = Cohort(subjects=60, regions=12, samples=100, affected=(2, 5, 9), phi_affected=0.85)
    found = [accuracy(cohort, cohort.distances, 0, split) for split in range(3)]
    assert 0.25 <= np.mean(found) <= 0.75
