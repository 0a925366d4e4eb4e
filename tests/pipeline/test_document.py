"""YAML 1.2 scalars, duplicate keys, line numbers, --set."""

from __future__ import annotations

from typing import Any

import pytest

from cohortflow.errors import BadParameter, PipelineError, UnknownName
from cohortflow.pipeline.document import apply_settings, load_document, parse_scalar
from tests.pipeline.world import parse

STEPS = """
inputs: {image: volume}
axes:
  seed: [0, 1]
steps:
  - resample: {order: 2}
  - learn:
      id: model
      over: [seed]
"""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("010", 10),
        ("-7", -7),
        ("1e-3", 0.001),
        ("1.", 1.0),
        (".5", 0.5),
        ("1_000", "1_000"),
        ("0o10", "0o10"),
        ("12:30:00", "12:30:00"),
        ("2024-01-01", "2024-01-01"),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("null", None),
        ("Null", None),
        ("~", None),
        ("", None),
        ("sub-01", "sub-01"),
    ],
)
def test_plain_scalars_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    found = parse_scalar(text)
    assert found == value
    assert type(found) is type(value)


def test_quoted_scalars_are_text() -> None:
    document = load_document("a: '010'\nb: \"true\"\nc: ''\nd: |\n  1e-3\n", "x.yaml")
    assert document.data == {"a": "010", "b": "true", "c": "", "d": "1e-3\n"}


@pytest.mark.parametrize("number", [".inf", "-.INF", ".nan", "1e999"])
def test_numbers_that_no_key_can_hold_are_refused(number: str) -> None:
    with pytest.raises(PipelineError, match=r"x\.yaml:2"):
        load_document(f"a: 1\nb: {number}\n", "x.yaml")


def test_a_key_that_stands_twice_is_refused_with_its_line() -> None:
    with pytest.raises(PipelineError, match=r"x\.yaml:3.*'seed' stands twice"):
        load_document("axes:\n  seed: 3\n  seed: 4\n", "x.yaml")


def test_a_key_twice_inside_a_flow_mapping_is_refused() -> None:
    with pytest.raises(PipelineError, match="'order' stands twice"):
        load_document("steps:\n  - resample: {order: 1, order: 2}\n", "x.yaml")


@pytest.mark.parametrize("text", ["a: [1, 2", "a: b: c", "\t- x", "a: *nowhere"])
def test_broken_yaml_names_the_line(text: str) -> None:
    with pytest.raises(PipelineError, match=r"x\.yaml:\d+"):
        load_document(text, "x.yaml")


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words"])
def test_a_pipeline_file_is_a_mapping(text: str) -> None:
    with pytest.raises(PipelineError, match="mapping"):
        load_document(text, "x.yaml")


def test_a_value_that_holds_itself_is_refused() -> None:
    with pytest.raises(PipelineError, match="holds itself"):
        load_document("a: &a [1, *a]\n", "x.yaml")


@pytest.mark.parametrize("value", ["!path x", "!include {a: 1}"])
def test_tags_mean_nothing(value: str) -> None:
    with pytest.raises(PipelineError, match=r"x\.yaml:2: the tag !"):
        load_document(f"a: 1\nb: {value}\n", "x.yaml")


def test_an_anchor_may_be_used_twice() -> None:
    document = load_document("a: &a [1, 2]\nb: *a\n", "x.yaml")
    assert document.data["b"] == [1, 2]


def test_lines_of_nested_settings() -> None:
    document = load_document(STEPS, "x.yaml")
    assert document.where(("steps", 1, "learn", "over")) == "x.yaml:9"
    assert document.where(("steps", 1, "learn", "over", 0, "deeper")) == "x.yaml:9"
    assert document.where(("nothing",)) == "x.yaml:2"


# --- --set ----------------------------------------------------------------------------------------


def test_set_changes_a_parameter_of_a_step_by_its_id() -> None:
    pipeline = parse(STEPS, settings=["model.epochs=30", "resample.spacing_mm=[2.0, 1.5, 1.5]"])
    assert pipeline.step("model").parameters["epochs"] == 30
    assert pipeline.step("resample").parameters["spacing_mm"] == [2.0, 1.5, 1.5]
    assert pipeline.step("resample").parameters["order"] == 2


def test_set_replaces_an_axis() -> None:
    pipeline = parse(STEPS, settings=["axes.seed=[7]"])
    assert [value.label for value in pipeline.axes["seed"].values or ()] == [7]


def test_set_reaches_into_reads_of_a_step_that_stated_nothing() -> None:
    text = "inputs: {image: volume}\nsteps: [resample, smooth]\n"
    pipeline = parse(text, settings=["smooth.reads.image=resample"])
    assert pipeline.step("smooth").reads["image"][0].source == "resample"


def test_set_takes_yaml_scalars() -> None:
    document = apply_settings(load_document(STEPS, "x.yaml"), ["model.rate=1e-4", "title=no"])
    assert document.data["steps"][1]["learn"]["rate"] == 1e-4
    assert document.data["title"] == "no"


@pytest.mark.parametrize("setting", ["model.epochs", "model", "model=3"])
def test_set_without_a_parameter_or_a_value_is_refused(setting: str) -> None:
    with pytest.raises(PipelineError, match="--set"):
        apply_settings(load_document(STEPS, "x.yaml"), [setting])


def test_set_of_an_unknown_step_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'model'"):
        apply_settings(load_document(STEPS, "x.yaml"), ["modl.epochs=3"])


@pytest.mark.parametrize(
    ("setting", "error"),
    [("model.epcohs=3", UnknownName), ("model.epochs=many", BadParameter), ("axes.sed=3", None)],
)
def test_a_fault_that_set_made_names_the_setting(setting: str, error: Any) -> None:
    from tests.pipeline.world import World

    if error is None:
        assert "sed" in parse(STEPS, settings=[setting]).axes
        return
    with pytest.raises(error) as caught:
        World(STEPS, settings=[setting]).plan()
    assert f"--set {setting}" in str(caught.value)
