"""What a form shows of a pipeline, and that what it returns is what ``--set`` would have said."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortflow.errors import BadParameter, UnknownName
from cohortflow.pipeline.document import apply_settings, load_document
from cohortflow.pipeline.effective import effective
from cohortflow.pipeline.load import load_pipeline, packaged_pipelines
from cohortflow.pipeline.model import Pipeline
from cohortflow.pipeline.parse import parse_pipeline
from cohortflow.stages import CATALOGUE
from flows.form import at_of, points_model, settings_of, steps_model

TEXT = """
title: Small
inputs: {series: roi_series}
splits: {cv: {folds: 3, stratify: group}}
axes:
  degree: [0, 1]
  fold: {split: cv}
  roi: {from: series}
  comparison: {hc_mci: {where: {column: {group: [HC, MCI]}}}}
steps:
  - standardise: {minimum_length: 20}
  - diagrams: {max_degree: 1}
  - pairwise_rois: {order: 2.0}
  - rank_sum_map: {over: [comparison, degree], network: DMN, alpha: 1e-5}
"""


def pipeline(*settings: str) -> Pipeline:
    document = apply_settings(load_document(TEXT, "small.yaml"), settings)
    return parse_pipeline(document, "small", CATALOGUE)


def filled_in(**changes: Any) -> dict[str, Any]:
    """The form as Prefect hands it over, with ``step__parameter=value`` changed."""
    values: dict[str, Any] = steps_model(pipeline())().model_dump(mode="json")
    for name, value in changes.items():
        step, _, parameter = name.partition("__")
        values[step][parameter] = value
    return values


def test_a_field_says_what_the_pipeline_says() -> None:
    schema = steps_model(pipeline()).model_json_schema()["$defs"]
    length = schema["standardise"]["properties"]["minimum_length"]
    assert length["default"] == 20
    assert length["description"].startswith("samples")
    assert schema["rank_sum_map"]["properties"]["alpha"]["default"] == 1e-5
    assert schema["standardise"]["properties"]["mixed_tr"]["enum"] == ["refuse", "allow"]


def test_a_parameter_that_an_axis_says_is_no_field_of_its_step() -> None:
    fields = steps_model(pipeline()).model_json_schema()["$defs"]["rank_sum_map"]["properties"]
    assert set(fields) == set(CATALOGUE["rank_sum_map"].parameters.model_fields) - {"degree"}


def test_points_are_those_of_the_axes_that_a_step_has() -> None:
    fields = points_model(pipeline()).model_json_schema()["properties"]
    assert set(fields) == {"degree", "comparison"}
    assert fields["degree"]["items"]["enum"] == [0, 1]
    assert at_of({"degree": [0, 1], "comparison": []}) == {"degree": ("0", "1")}


def test_folds_are_known_and_regions_are_not() -> None:
    text = TEXT.replace("over: [comparison, degree]", "over: [comparison, degree, fold, roi]")
    document = load_document(text, "small.yaml")
    fields = points_model(parse_pipeline(document, "small", CATALOGUE)).model_json_schema()
    assert fields["properties"]["fold"]["items"]["enum"] == [0, 1, 2]
    assert fields["properties"]["roi"]["items"] == {"type": "integer"}


@pytest.mark.parametrize("slug", packaged_pipelines())
def test_a_form_left_as_it_is_sets_nothing(slug: str) -> None:
    found = load_pipeline(slug)
    assert settings_of(found, steps_model(found)().model_dump(mode="json")) == ()


def test_a_browser_has_one_kind_of_number() -> None:
    assert settings_of(pipeline(), filled_in(pairwise_rois__order=2)) == ()
    assert settings_of(pipeline(), filled_in(pairwise_rois__order=1)) == ("pairwise_rois.order=1",)


WORDS = st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), min_size=1)


@given(alpha=st.floats(1e-9, 0.999), network=WORDS, length=st.integers(1, 10**6))
def test_what_is_filled_in_is_what_the_step_is_given(
    alpha: float, network: str, length: int
) -> None:
    values = filled_in(
        rank_sum_map__alpha=alpha, rank_sum_map__network=network, standardise__minimum_length=length
    )
    changed = pipeline(*settings_of(pipeline(), values))
    assert changed.step("rank_sum_map").parameters["alpha"] == alpha
    assert changed.step("rank_sum_map").parameters["network"] == network
    assert changed.step("standardise").parameters["minimum_length"] == length


def test_wrong_values_are_refused_by_the_form_and_by_name() -> None:
    wrong = filled_in(rank_sum_map__alpha=2.0)
    with pytest.raises(pydantic.ValidationError):
        steps_model(pipeline()).model_validate(wrong)
    changed = pipeline(*settings_of(pipeline(), wrong))
    values = {
        "comparison": changed.axes["comparison"].values,
        "degree": changed.axes["degree"].values,
    }
    with pytest.raises(BadParameter, match="alpha"):
        effective(
            changed, changed.step("rank_sum_map"), {axis: v[0] for axis, v in values.items() if v}
        )


@pytest.mark.parametrize("given", [{"standardize": {"length": 3}}, {"standardise": {"lenght": 3}}])
def test_unknown_names_are_refused_by_name(given: dict[str, Any]) -> None:
    with pytest.raises(UnknownName, match="Did you mean"):
        pipeline(*settings_of(pipeline(), given))
