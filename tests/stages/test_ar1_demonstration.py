"""What the whole chain must find in the generated cohort,
and must not find without a difference."""

from __future__ import annotations

import numpy as np
import pytest

from cohortflow.stages.rank_sum_map import STAGE
from tests.stages.examples import Cohort, many, run

AFFECTED = np.isin(np.arange(12), [2, 5, 9])
MIXED = AFFECTED[:, None] != AFFECTED
UNAFFECTED = ~AFFECTED[:, None] & ~AFFECTED & ~np.eye(12, dtype=bool)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return Cohort(["DMN"] * 12)


@pytest.fixture(scope="module")
def control() -> Cohort:
    return Cohort(["DMN"] * 12, phi_affected=0.85, seed=1)


def p_plot(cohort: Cohort, degree: int):
    parameters = {"network": "DMN", "degree": degree}
    return run(STAGE, parameters, cohort.context, matrices=many(cohort.distances)).dataset


@pytest.mark.parametrize("degree", [0, 1])
def test_pairs_of_an_affected_and_an_unaffected_region_differ(cohort: Cohort, degree: int):
    found = p_plot(cohort, degree)
    significant = found["significant"].values
    assert significant[MIXED].mean() >= 0.9
    assert significant[UNAFFECTED].mean() <= 0.05
    corrected = found["q_value"].values < 0.01
    assert corrected[MIXED].mean() >= 0.9
    assert corrected[UNAFFECTED].mean() == 0.0


@pytest.mark.parametrize("degree", [0, 1])
def test_equal_groups_show_nothing(control: Cohort, degree: int):
    found = p_plot(control, degree)
    p = found["p_value"].values[np.triu_indices(12, 1)]
    assert (p < 0.01).mean() <= 0.05
    assert (found["q_value"].values < 0.01).sum() == 0
    # Near uniform: no decile of the 66 dependent p-values holds more than a third of them.
    assert np.histogram(p, bins=10, range=(0, 1))[0].max() <= 22


def test_correlation_carries_no_group_signal(cohort: Cohort):
    from cohortflow.topology.group_maps.rank_sum import rank_sum_pairs

    stacks = [
        np.stack(
            [
                entry.dataset["connectivity"].values
                for s, entry in cohort.correlations.items()
                if cohort.columns[s]["group"] == group
            ]
        )
        for group in ("HC", "MCI")
    ]
    p = rank_sum_pairs(*stacks).p_value[np.triu_indices(12, 1)]
    assert (p < 0.01).mean() <= 0.05


def test_degree_two_on_six_subjects():
    cohort = Cohort(["DMN"] * 12, max_degree=2, subjects=6)
    for entry in cohort.distances.values():
        voids = entry.dataset["distance"].sel(degree=2).values
        assert np.isfinite(voids).all()
        np.testing.assert_array_equal(voids, voids.T)
        assert voids.max() > 0
