"""What the values of axes make of a step: parameters, reads and conditions."""

from __future__ import annotations

from typing import Any

import pytest

from cohortflow.errors import BadParameter
from cohortflow.pipeline.effective import Effective, effective
from cohortflow.pipeline.model import AxisValue
from cohortflow.pipeline.stage import Parameters
from tests.pipeline.fakes import CATALOGUE, stage
from tests.pipeline.world import parse

TEXT = """
inputs: {image: volume, label: label_map}
axes:
  seed: [3, 4]
  rate: [0.5]
  variant:
    base: {}
    wide: {set: {train.width: 16}}
    truth: {set: {train.reads.image: image}}
    site: {set: {train.where.column: {site: B}}}
    everybody: {set: {train.where: null}}
    mci: {where: {column: {group: MCI}}}
    bad: {set: {train.width: many}}
steps:
  - resample
  - train: {width: 4, over: [seed, rate, variant], where: {split: paper/train, column: {age: 70}}}
splits: {paper: {test: 0.5}}
"""


def at(**labels: Any) -> Effective:
    pipeline = parse(TEXT)
    values: dict[str, AxisValue] = {}
    for axis, label in labels.items():
        known = pipeline.axes[axis].values or ()
        values[axis] = next(value for value in known if value.label == label)
    return effective(pipeline, pipeline.step("train"), values)


def parameters(**labels: Any) -> dict[str, Any]:
    return at(**labels).parameters.model_dump()


def test_an_axis_acts_through_the_parameter_of_its_name() -> None:
    assert parameters(seed=4)["seed"] == 4
    assert parameters(rate="0.5")["rate"] == 0.5


def test_an_axis_overrides_parameters_reads_and_where() -> None:
    assert parameters(variant="base")["width"] == 4
    assert parameters(variant="wide")["width"] == 16
    assert at(variant="truth").reads["image"][0].source == "image"
    assert at(variant="site").wheres == ({"column": {"site": ["B"]}, "split": ["paper/train"]},)
    assert at(variant="everybody").wheres == ()


def test_conditions_of_an_axis_value_stand_beside_those_of_the_step() -> None:
    first, second = at(variant="mci").wheres
    assert first == {"column": {"age": ["70"]}, "split": ["paper/train"]}
    assert second == {"column": {"group": ["MCI"]}}


def test_a_wrong_value_names_the_line_of_the_axis() -> None:
    with pytest.raises(BadParameter, match=r"world\.yaml:13.*'width'.*found 'many'"):
        at(variant="bad")


def test_a_parameter_that_is_required_and_left_out() -> None:
    class Needed(Parameters):
        roi: int

    text = "inputs: {image: volume}\nsteps:\n  - need\n"
    need = stage("need", Needed, "volume", "subject", reads=CATALOGUE["smooth"].reads)
    pipeline = parse(text, {"need": need})
    with pytest.raises(BadParameter, match=r"world\.yaml:3.*'roi'.*required"):
        effective(pipeline, pipeline.step("need"), {})


def test_nested_settings_are_reached_into() -> None:
    class Nested(Parameters):
        augment: dict[str, Any] = {"flip": False, "turn": {"degrees": 10}}  # noqa: RUF012

    text = """
inputs: {image: volume}
axes: {v: {a: {set: {nest.augment.turn.degrees: 5, nest.augment.flip: true}}}}
steps: [nest: {over: [v], augment: {turn: {degrees: 20, axis: z}}}]
"""
    nest = stage("nest", Nested, "volume", "subject", reads=CATALOGUE["smooth"].reads)
    pipeline = parse(text, {"nest": nest})
    (value,) = pipeline.axes["v"].values or ()
    found = effective(pipeline, pipeline.step("nest"), {"v": value}).parameters
    assert found.model_dump()["augment"] == {"turn": {"degrees": 5, "axis": "z"}, "flip": True}
    assert pipeline.step("nest").parameters["augment"] == {"turn": {"degrees": 20, "axis": "z"}}
