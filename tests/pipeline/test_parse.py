"""Every fault of a pipeline file names its line and the nearest valid name."""

from __future__ import annotations

import pytest

from cohortflow.errors import AxisError, BadParameter, KindMismatch, PipelineError, UnknownName
from tests.pipeline.world import World, parse

HEAD = "inputs: {image: volume, label: {kind: label_map, optional: true}}\n"


def refused(text: str, error: type[Exception], *words: str) -> None:
    """The pipeline is refused when it is read or planned, with all the words in its message."""
    with pytest.raises(error) as caught:
        World(text).plan()
    assert isinstance(caught.value, PipelineError)
    for word in words:
        assert word in str(caught.value)


def test_an_unknown_stage_names_line_and_nearest() -> None:
    text = HEAD + "steps:\n  - resample\n  - smoth\n"
    refused(text, UnknownName, "world.yaml:4", "'smoth'", "Did you mean 'smooth'?")


def test_an_unknown_parameter_names_line_and_nearest() -> None:
    text = HEAD + "steps:\n  - resample:\n      ordr: 3\n"
    refused(text, UnknownName, "world.yaml:4", "'ordr'", "Did you mean 'order'?")


def test_a_misspelt_step_setting_names_the_nearest() -> None:
    text = HEAD + "axes: {seed: 2}\nsteps:\n  - train: {ovr: [seed]}\n"
    refused(text, UnknownName, "world.yaml:4", "Did you mean 'over'?")


@pytest.mark.parametrize("key", ["input", "stepss", "axis"])
def test_an_unknown_top_level_key(key: str) -> None:
    refused(HEAD + f"steps: [resample]\n{key}: {{}}\n", UnknownName, "world.yaml:3", f"{key!r}")


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("splits: {cv: {fold: 5}}", "'folds'"),
        ("axes: {v: {base: {sett: {}}}}", "'set'"),
        ("inputs: {image: {kind: volume, optinal: true}}", "'optional'"),
    ],
)
def test_unknown_keys_below(line: str, word: str) -> None:
    refused(f"title: x\n{line}\nsteps: [resample]\n", UnknownName, "world.yaml:2", word)


def test_an_unknown_key_of_where() -> None:
    text = HEAD + "steps:\n  - resample: {where: {colum: {group: HC}}}\n"
    refused(text, UnknownName, "world.yaml:3", "Did you mean 'column'?")


def test_an_unknown_key_of_a_read() -> None:
    text = HEAD + "steps:\n  - resample: {reads: {image: {form: image}}}\n"
    refused(text, UnknownName, "world.yaml:3", "Did you mean 'from'?")


def test_an_unknown_input_of_a_stage() -> None:
    text = HEAD + "steps:\n  - resample: {reads: {imge: image}}\n"
    refused(text, UnknownName, "world.yaml:3", "Did you mean 'image'?")


def test_an_unknown_kind() -> None:
    text = "inputs: {image: volum}\nsteps: [resample]\n"
    refused(text, KindMismatch, "world.yaml:1", "Did you mean 'volume'?")


@pytest.mark.parametrize(
    "parameters", ["{order: many}", "{order: 1.5}", "{spacing_mm: 3}", "{spacing_mm: [a, b, c]}"]
)
def test_a_wrong_type_names_line_and_field(parameters: str) -> None:
    text = HEAD + f"steps:\n  - resample:\n      {parameters[1:-1]}\n"
    field = parameters[1:].partition(":")[0]
    refused(text, BadParameter, "world.yaml:4", f"{field}")


def test_no_is_text_where_text_is_wanted() -> None:
    text = HEAD + "steps:\n  - resample\n  - train\n  - segment: {name: no, flips: no}\n"
    plan = World(text, []).plan()
    assert plan.pipeline.step("segment").parameters == {"name": "no", "flips": "no"}


@pytest.mark.parametrize("value", ["no", "'yes'", "1"])
def test_optional_is_true_or_false(value: str) -> None:
    text = f"inputs: {{image: {{kind: volume, optional: {value}}}}}\nsteps: [resample]\n"
    refused(text, BadParameter, "world.yaml:1", "optional")


@pytest.mark.parametrize("inputs", ["{image: 3}", "{image: {match: x}}", "{image: [volume]}"])
def test_an_input_without_a_kind(inputs: str) -> None:
    refused(f"inputs: {inputs}\nsteps: [resample]\n", PipelineError, "world.yaml:1", "kind")


def test_a_step_id_twice() -> None:
    text = HEAD + "steps:\n  - smooth\n  - smooth: {}\n"
    refused(text, PipelineError, "world.yaml:4", "'smooth' stands twice", "id")


def test_a_step_named_like_an_input() -> None:
    refused(HEAD + "steps: [smooth: {id: image}]\n", PipelineError, "'image' stands twice")


@pytest.mark.parametrize("name", ["a.b", "a/b", "../up", "3", "''", "Big"])
def test_a_step_id_is_a_lower_case_word(name: str) -> None:
    refused(HEAD + f"steps: [smooth: {{id: {name}}}]\n", PipelineError, "lower-case word")


@pytest.mark.parametrize("section", ["inputs: {%s: volume}", "splits: {%s: {folds: 2}}"])
@pytest.mark.parametrize("name", ["a/b", "1st", "a.b", "''"])
def test_inputs_and_splits_are_named_by_words(section: str, name: str) -> None:
    refused(f"{section % name}\nsteps: [resample]\n", PipelineError, "world.yaml:1", "a word")


def test_bids_suffixes_are_names() -> None:
    assert list(parse("inputs: {T1w: volume}\nsteps: [resample]\n").inputs) == ["T1w"]


@pytest.mark.parametrize("steps", ["", "[]", "{}", "resample"])
def test_a_pipeline_has_steps(steps: str) -> None:
    refused(HEAD + f"steps: {steps}\n", PipelineError, "a pipeline has steps")


@pytest.mark.parametrize("step", ["[resample]", "{resample: 3}", "{resample: {}, smooth: {}}", "3"])
def test_a_step_that_is_no_stage(step: str) -> None:
    refused(HEAD + f"steps:\n  - {step}\n", PipelineError, "world.yaml:3", "step 1 is no stage")


# --- axes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ("3", (0, 1, 2)),
        ("[5, 7]", (5, 7)),
        ("[DMN, CO]", ("DMN", "CO")),
        ("[0.5, 1.5]", ("0.5", "1.5")),
        ("{a: {}, b: {set: {segment.flips: true}}}", ("a", "b")),
    ],
)
def test_values_of_an_axis(values: str, labels: tuple[object, ...]) -> None:
    text = HEAD + f"axes: {{name: {values}}}\nsteps: [train, segment: {{over: [name]}}]\n"
    assert tuple(v.label for v in parse(text).axes["name"].values or ()) == labels


@pytest.mark.parametrize(
    "values",
    ["0", "-1", "[]", "{}", "true", "0.5", "words", "[1, 1]", "[[1], [2]]", "{a: 3}", "[null]"],
)
def test_values_that_make_no_axis(values: str) -> None:
    text = HEAD + f"axes:\n  name: {values}\nsteps: [train, segment: {{over: [name]}}]\n"
    refused(text, AxisError, "world.yaml:3")


@pytest.mark.parametrize("name", ["subject", "Fold", "a-b", "1st"])
def test_names_that_no_axis_can_have(name: str) -> None:
    refused(HEAD + f"axes: {{{name}: 3}}\nsteps: [resample]\n", AxisError, f"{name!r}")


@pytest.mark.parametrize(
    ("axis", "word"), [("{split: cvv}", "'cvv'"), ("{from: imag}", "Did you mean 'image'?")]
)
def test_an_axis_of_something_that_is_not_there(axis: str, word: str) -> None:
    text = HEAD + f"splits: {{cv: {{folds: 5}}}}\naxes: {{f: {axis}}}\nsteps: [resample]\n"
    refused(text, UnknownName, "world.yaml:3", word)


@pytest.mark.parametrize("over", ["[sed]", "[[seed]]", "seed", "[seed, seed]"])
def test_over_lists_known_axes_once(over: str) -> None:
    refused(
        HEAD + f"axes: {{seed: 2}}\nsteps:\n  - train: {{over: {over}}}\n",
        PipelineError,
        "world.yaml:4",
    )


LIKE = """
inputs: {image: volume}
axes:
  variant:
    base: {set: {learn.width: 4, learn.epochs: 5}, where: {column: {group: [HC, MCI]}}}
    wide: {like: base, set: {learn.width: 16}}
    slow: {like: wide, set: {learn.rate: 0.1}, where: {column: {site: B}}}
    other: {like: wide, where: {column: {group: HC}}}
steps:
  - learn: {over: [variant]}
"""


def test_like_takes_over_what_stands_above_and_is_overridden() -> None:
    base, wide, slow, other = parse(LIKE).axes["variant"].values or ()
    assert base.set == {"learn.width": 4, "learn.epochs": 5}
    assert wide.set == {"learn.width": 16, "learn.epochs": 5}
    assert slow.set == {"learn.width": 16, "learn.epochs": 5, "learn.rate": 0.1}
    assert wide.where == base.where
    assert slow.where == {"column": {"group": ["HC", "MCI"], "site": ["B"]}}
    assert other.where == {"column": {"group": ["HC"]}}


@pytest.mark.parametrize("name", ["slow", "bse", "wide"])
def test_like_names_a_value_above(name: str) -> None:
    text = LIKE.replace("wide: {like: base", f"wide: {{like: {name}")
    refused(text, UnknownName, "world.yaml:6", repr(name))


@pytest.mark.parametrize(
    ("target", "error", "word"),
    [
        ("trian.width", UnknownName, "Did you mean 'train'?"),
        ("train.widht", UnknownName, "Did you mean 'width'?"),
        ("train", UnknownName, "''"),
        ("train.reads.imag", UnknownName, "Did you mean 'image'?"),
        ("train.reads", PipelineError, "names no input"),
        ("train.where.colum", UnknownName, "Did you mean 'column'?"),
    ],
)
def test_set_names_something_a_step_has(target: str, error: type[Exception], word: str) -> None:
    text = (
        HEAD
        + f"""
axes:
  variant:
    base: {{set: {{{target}: 3}}}}
steps:
  - train: {{over: [variant]}}
"""
    )
    refused(text, error, "world.yaml:5", word)


def test_set_of_a_step_that_is_not_over_the_axis() -> None:
    text = (
        HEAD
        + """
axes:
  variant: {base: {}, fine: {set: {resample.order: 3, train.width: 2}}}
steps:
  - resample
  - train: {over: [variant]}
"""
    )
    refused(text, AxisError, "world.yaml:4", "'resample' is not over it", "Add variant to over")


@pytest.mark.parametrize("value", ["{set: 3}", "{set: [a]}", "{where: 3}", "{where: {column: HC}}"])
def test_values_of_an_axis_have_the_right_shape(value: str) -> None:
    text = HEAD + f"axes: {{v: {{a: {value}}}}}\nsteps: [train: {{over: [v]}}]\n"
    refused(text, PipelineError, "world.yaml:2")


# --- where and reads ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "where",
    [
        "3",
        "{column: group}",
        "{column: {group: {a: b}}}",
        "{split: 3}",
        "{split: {cv: train}}",
        "{unseen_by: 3}",
        "{unseen_by: {train: 0}}",
    ],
)
def test_where_has_the_right_shape(where: str) -> None:
    refused(HEAD + f"steps:\n  - resample: {{where: {where}}}\n", PipelineError, "world.yaml:3")


@pytest.mark.parametrize("read", ["3", "[image, image]", "[]", "{from: image, at: 3}", "{at: [a]}"])
def test_a_read_has_the_right_shape(read: str) -> None:
    refused(
        HEAD + f"steps:\n  - resample: {{reads: {{image: {read}}}}}\n",
        PipelineError,
        "world.yaml:3",
    )


# --- the rest -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "split",
    [
        "{}",
        "{folds: 5, test: 0.2}",
        "{column: site, test: 0.2}",
        "{folds: 1}",
        "{folds: 2.5}",
        "{folds: many}",
        "{folds: true}",
        "{test: half}",
        "{test: 1.5}",
        "{test: -0.1}",
        "{test: 0.6, validation: 0.5}",
        "{folds: 3, validation: 1}",
        "{folds: 3, seed: x}",
        "{folds: 3, stratify: 3}",
        "{folds: 3, by: [a]}",
        "{folds: 3, where: {split: cv/train}}",
        "{folds: 3, where: {unseen_by: train}}",
        "3",
    ],
)
def test_a_split_says_in_one_way_how_to_part(split: str) -> None:
    text = HEAD + f"splits:\n  cv: {split}\nsteps: [resample]\n"
    refused(text, PipelineError, "world.yaml:3")


@pytest.mark.parametrize("line", ["seed: x", "report: methods", "report: [3]", "title: [a]"])
def test_the_other_settings_are_typed(line: str) -> None:
    refused(HEAD + f"steps: [resample]\n{line}\n", PipelineError, "world.yaml:3")
