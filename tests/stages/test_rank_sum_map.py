from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from cohortflow.errors import GroupTooSmall, PipelineError, UndefinedResult
from cohortflow.pipeline.stage import Context
from cohortflow.stages.rank_sum_map import STAGE
from tests.golden.check import assert_golden
from tests.stages.examples import Cohort, many, run, without_region

NETWORK = ["A", "A", "B", "B", "B", "A"]
B = [2, 3, 4]
PARAMETERS = {"network": "B", "degree": 1}


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return Cohort(NETWORK, subjects=12, regions=6, samples=60, affected=(2, 5))


def test_golden(cohort: Cohort):
    parameters = PARAMETERS | {"alpha": 0.05}
    assert_golden(STAGE, run(STAGE, parameters, cohort.context, matrices=many(cohort.distances)))


ASKED = PARAMETERS | {"alpha": 0.05, "permutations": 200, "permutation_seed": 3, "confidence": 0.9}


def test_golden_of_all_that_can_be_asked_for(cohort: Cohort):
    output = run(STAGE, ASKED, cohort.context, matrices=many(cohort.distances))
    assert_golden(STAGE, output, case="asked")


def test_what_was_not_asked_for_leaves_key_and_entry_alone(cohort: Cohort):
    assert STAGE.parameters(**PARAMETERS).model_dump(exclude_defaults=True) == PARAMETERS
    plain = run(
        STAGE, PARAMETERS | {"alpha": 0.05}, cohort.context, matrices=many(cohort.distances)
    )
    asked = run(STAGE, ASKED, cohort.context, matrices=many(cohort.distances))
    added = {"p_permutation", "p_family", "effect_low", "effect_high"}
    assert set(asked.dataset.variables) - set(plain.dataset.variables) == added
    for name in plain.dataset.variables:
        np.testing.assert_array_equal(plain.dataset[name], asked.dataset[name])
    assert plain.dataset.attrs.items() < asked.dataset.attrs.items()
    assert plain.facts.items() < asked.facts.items()


def test_permutations_and_intervals(cohort: Cohort):
    asked = run(STAGE, ASKED, cohort.context, matrices=many(cohort.distances))
    dataset = asked.dataset
    assert dataset.attrs["permutations"] == 200
    assert (dataset["p_family"].values >= dataset["p_permutation"].values).all()
    assert (dataset["effect_low"] <= dataset["effect"]).all()
    assert (dataset["effect"] <= dataset["effect_high"]).all()
    upper = np.triu_indices(3, 1)
    expected = (dataset["p_family"].values[upper] < 0.05).sum()
    assert asked.facts["significant_family"] == expected
    again = run(STAGE, ASKED, cohort.context, matrices=many(cohort.distances)).dataset
    assert again.identical(dataset)
    every = run(
        STAGE, ASKED | {"permutations": 924}, cohort.context, matrices=many(cohort.distances)
    ).dataset
    assert every.attrs["permutation_test"].startswith("every way")
    other = run(
        STAGE, ASKED | {"permutation_seed": 4}, cohort.context, matrices=many(cohort.distances)
    ).dataset
    assert (other["p_permutation"] != dataset["p_permutation"]).any()


def test_tests_the_pairs_of_one_network_and_degree(cohort: Cohort):
    output = run(STAGE, PARAMETERS, cohort.context, matrices=many(cohort.distances))
    dataset = output.dataset
    stack = {
        s: entry.dataset["distance"].sel(degree=1).values[np.ix_(B, B)]
        for s, entry in cohort.distances.items()
    }
    x, y = (
        [stack[s][0, 2] for s in stack if cohort.columns[s]["group"] == group]
        for group in ("HC", "MCI")
    )
    one = mannwhitneyu(x, y, method="asymptotic")
    assert dataset["p_value"].values[0, 2] == pytest.approx(one.pvalue)
    assert dataset["region"].values.tolist() == ["r2", "r3", "r4"]
    assert (dataset["p_value"].values.diagonal() == 1).all()
    np.testing.assert_array_equal(dataset["p_value"], dataset["p_value"].values.T)
    np.testing.assert_array_equal(dataset["significant"], dataset["p_value"] < 0.01)
    assert (dataset.attrs["first"], dataset.attrs["second"]) == ("HC", "MCI")
    assert output.facts["n"] == {"HC": 6, "MCI": 6}
    assert output.facts["tests"] == 3


def test_the_effect_is_positive_where_the_first_group_lies_further_apart(cohort: Cohort):
    swapped = Context(
        columns={
            s: {"group": "a" if c["group"] == "MCI" else "b"} for s, c in cohort.columns.items()
        }
    )
    there = run(STAGE, PARAMETERS, cohort.context, matrices=many(cohort.distances)).dataset
    back = run(STAGE, PARAMETERS, swapped, matrices=many(cohort.distances)).dataset
    np.testing.assert_allclose(there["effect"], -back["effect"])
    # r2 is faster in patients: further from r3 there than in controls.
    assert there["effect"].values[0, 1] < -0.5


def test_a_subject_lacking_a_region_is_left_out_of_that_network_only(cohort: Cohort):
    entries = cohort.distances | {"sub-04": without_region(cohort.distances["sub-04"], 3)}
    output = run(STAGE, PARAMETERS, cohort.context, matrices=many(entries))
    assert output.facts["left_out"] == ["sub-04"]
    assert output.facts["n"] == {"HC": 6, "MCI": 5}
    assert "sub-04" in output.warnings[0]["message"]
    other = run(STAGE, {"network": "A", "degree": 0}, cohort.context, matrices=many(entries))
    assert other.facts["left_out"] == []


def test_a_group_of_one_is_named(cohort: Cohort):
    entries = {s: cohort.distances[s] for s in ("sub-01", "sub-02", "sub-03")}
    with pytest.raises(GroupTooSmall, match="'MCI'"):
        run(STAGE, PARAMETERS, cohort.context, matrices=many(entries))
    left = {s: cohort.distances[s] for s in ("sub-01", "sub-02", "sub-03", "sub-04")}
    left["sub-04"] = without_region(left["sub-04"], 3)
    with pytest.raises(GroupTooSmall, match="without sub-04"):
        run(STAGE, PARAMETERS, cohort.context, matrices=many(left))


@pytest.mark.parametrize("groups", [["HC"], ["HC", "MCI", "LMCI"], ["HC", None, "MCI"]])
def test_other_than_two_groups_is_undefined(cohort: Cohort, groups: list[str | None]):
    subjects = list(cohort.distances)
    columns = {s: {"group": groups[i % len(groups)]} for i, s in enumerate(subjects)}
    with pytest.raises(UndefinedResult, match="exactly two"):
        run(STAGE, PARAMETERS, Context(columns=columns), matrices=many(cohort.distances))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"network": "C", "degree": 0}, "'C' has 0 regions"),
        ({"network": "A", "degree": 2}, "no such homology degree"),
    ],
)
def test_what_was_not_computed(cohort: Cohort, parameters: dict[str, object], message: str):
    with pytest.raises(PipelineError, match=message):
        run(STAGE, parameters, cohort.context, matrices=many(cohort.distances))


def test_another_column_can_part_the_groups(cohort: Cohort):
    columns = {s: {"sex": "FM"[i % 3 == 0]} for i, s in enumerate(cohort.distances)}
    output = run(
        STAGE,
        PARAMETERS | {"column": "sex"},
        Context(columns=columns),
        matrices=many(cohort.distances),
    )
    assert output.facts["n"] == {"F": 8, "M": 4}
    assert STAGE.columns(STAGE.parameters(**PARAMETERS, column="sex")) == ["sex"]
