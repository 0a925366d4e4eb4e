from __future__ import annotations

import io
from typing import Any

import pandas as pd
import pytest

from cohortflow.cohort.entry import Entry, Many
from cohortflow.errors import BadParameter, InputError, ParticipantMissing, RegionCountMismatch
from cohortflow.evaluation.cases import read_cases
from cohortflow.stages import classify
from cohortflow.stages.score import STAGE
from tests.golden.check import assert_golden
from tests.stages.examples import as_entry, run
from tests.stages.matrix_examples import Matrices

POINT: dict[str, Any] = {"network": "A", "degree": 2}


@pytest.fixture(scope="module")
def weights() -> dict[str, Entry]:
    seen = Matrices(16)
    found = {}
    for model in ("fusion_cnn", "random_forest"):
        parameters = POINT | {"epochs": 20, "model": model, "trees": 60}
        output = run(classify.STAGE, parameters, seen.context(), matrices=seen.many)
        found[model] = as_entry(classify.STAGE, output)
    return found


@pytest.fixture
def unseen() -> Matrices:
    return Matrices(8, first=20)


@pytest.mark.parametrize("model", ["fusion_cnn", "random_forest"])
def test_golden(weights, unseen: Matrices, model: str):
    output = run(STAGE, POINT, unseen.context(), matrices=unseen.many, weights=weights[model])
    assert_golden(STAGE, output, case=model)


@pytest.mark.parametrize("model", ["fusion_cnn", "random_forest"])
def test_groups_that_differ_are_told_apart(weights, unseen: Matrices, model: str):
    output = run(STAGE, POINT, unseen.context(), matrices=unseen.many, weights=weights[model])
    assert output.facts["accuracy"] == 1.0
    assert (output.facts["correct"], output.facts["n"]) == (8, 8)
    assert output.facts["majority_accuracy"] == 0.5
    assert output.facts["positive"] == "MCI"
    frame = pd.read_parquet(io.BytesIO(output.files["metrics.parquet"])).set_index("metric")
    assert frame.loc["accuracy", "low"] == pytest.approx(0.6306, abs=1e-4)
    assert frame.loc["auc", "value"] == 1.0
    cases = read_cases(
        output.files["cases.parquet"], probabilities=output.files["probabilities.parquet"]
    )
    assert all(0 <= case.probability <= 1 for case in cases.cases)
    assert all(case.probabilities[1] == case.probability for case in cases.cases)
    assert all(sum(case.probabilities) == pytest.approx(1.0) for case in cases.cases)
    assert all((case.probability > 0.5) == (case.truth == "MCI") for case in cases.cases)


def test_a_missing_subject_counts_as_wrong_and_a_left_out_one_not_at_all(weights):
    unseen = Matrices(8, first=20, sub_25=[0])
    unseen.columns["sub-99"] = {"group": "HC"}
    items = Many(unseen.many.items, missing=[{"subject": "sub-99"}])
    output = run(STAGE, POINT, unseen.context(), matrices=items, weights=weights["fusion_cnn"])
    assert (output.facts["correct"], output.facts["n"]) == (7, 8)
    assert output.facts["accuracy"] == 7 / 8
    assert output.facts["left_out"] == ["sub-25"]
    assert output.facts["missing"] == ["sub-99"]
    assert {warning["code"] for warning in output.warnings} == {"left-out", "missing-input"}
    frame = pd.read_parquet(io.BytesIO(output.files["cases.parquet"])).set_index("subject")
    assert frame.loc["sub-99", "counted"] == "missing"
    assert frame.loc["sub-25", "counted"] == "left_out"
    assert frame.loc[["sub-25", "sub-99"], "prediction"].isna().all()
    assert (frame["counted"] == "scored").sum() == 7


def test_everyone_missing_is_zero_and_nobody_is_undefined(weights, unseen: Matrices):
    points = [{"subject": subject} for subject in unseen.columns]
    nothing = run(
        STAGE, POINT, unseen.context(), matrices=Many([], points), weights=weights["fusion_cnn"]
    )
    assert (nothing.facts["accuracy"], nothing.facts["n"]) == (0.0, 8)
    nobody = run(STAGE, POINT, unseen.context(), matrices=Many([]), weights=weights["fusion_cnn"])
    assert (nobody.facts["accuracy"], nobody.facts["n"]) == (None, 0)


def test_a_subject_is_scored_alike_in_any_company(weights, unseen: Matrices):
    def probabilities(items: Many) -> dict[str, float]:
        output = run(STAGE, POINT, unseen.context(), matrices=items, weights=weights["fusion_cnn"])
        cases = read_cases(output.files["cases.parquet"]).cases
        return {case.subject: case.probability for case in cases}

    together = probabilities(unseen.many)
    for item in unseen.many:
        assert probabilities(Many([item])) == {item.subject: together[item.subject]}


def test_equal_input_gives_equal_bytes_in_any_order(weights, unseen: Matrices):
    turned = Many(list(unseen.many.items)[::-1])
    one, other = (
        run(STAGE, POINT, unseen.context(), matrices=items, weights=weights["fusion_cnn"])
        for items in (unseen.many, turned)
    )
    assert one.files == other.files


@pytest.mark.parametrize(
    "change", [{"network": "B"}, {"degree": 0}, {"degree": None}, {"column": "sex"}]
)
def test_weights_of_another_point_are_refused(weights, unseen: Matrices, change: dict):
    with pytest.raises(BadParameter, match="trained for something else"):
        run(
            STAGE,
            POINT | change,
            unseen.context(),
            matrices=unseen.many,
            weights=weights["fusion_cnn"],
        )


def test_other_regions_than_trained_on_are_refused(weights, unseen: Matrices):
    for entry in unseen.entries.values():
        entry.dataset["region"][2] = "zz"
    with pytest.raises(RegionCountMismatch, match="zz"):
        run(STAGE, POINT, unseen.context(), matrices=unseen.many, weights=weights["fusion_cnn"])


def test_weights_of_distances_do_not_score_connectivity(unseen: Matrices):
    seen = Matrices(6)
    output = run(
        classify.STAGE,
        {"network": "A", "epochs": 1},
        seen.context(),
        matrices=seen.connectivity,
    )
    linear = as_entry(classify.STAGE, output)
    with pytest.raises(BadParameter):
        run(STAGE, {"network": "A"}, unseen.context(), matrices=unseen.many, weights=linear)
    scored = run(
        STAGE, {"network": "A"}, unseen.context(), matrices=unseen.connectivity, weights=linear
    )
    assert scored.facts["n"] == 8


def test_a_class_never_trained_on_is_named(weights, unseen: Matrices):
    unseen.columns["sub-22"]["group"] = "LMCI"
    with pytest.raises(InputError, match=r"sub-22.*HC, MCI.*LMCI"):
        run(STAGE, POINT, unseen.context(), matrices=unseen.many, weights=weights["fusion_cnn"])


def test_a_missing_subject_without_a_class_is_named(weights, unseen: Matrices):
    items = Many(unseen.many.items, missing=[{"subject": "sub-99"}])
    with pytest.raises(ParticipantMissing, match="sub-99"):
        run(STAGE, POINT, unseen.context(), matrices=items, weights=weights["fusion_cnn"])


def test_the_positive_class_can_be_chosen(weights, unseen: Matrices):
    parameters = POINT | {"positive": "HC", "metrics": ["sensitivity", "accuracy"]}
    output = run(
        STAGE, parameters, unseen.context(), matrices=unseen.many, weights=weights["fusion_cnn"]
    )
    frame = pd.read_parquet(io.BytesIO(output.files["metrics.parquet"]))
    assert frame["metric"].tolist() == ["sensitivity", "accuracy", "majority_accuracy"]
    with pytest.raises(BadParameter, match="HC, MCI"):
        run(
            STAGE,
            POINT | {"positive": "LMCI"},
            unseen.context(),
            matrices=unseen.many,
            weights=weights["fusion_cnn"],
        )


def test_refuses_what_the_catalogue_promises():
    assert STAGE.scores
    assert classify.STAGE.trains
    assert STAGE.threads == classify.STAGE.threads == 1
    assert STAGE.columns(STAGE.parameters(**POINT, column="site")) == ["site"]
