"""What feeds each input, and the errors of what cannot."""

from __future__ import annotations

import pytest

from cohortflow.errors import (
    AmbiguousInput,
    AxisError,
    KindMismatch,
    PipelineError,
    ReadsBelow,
    UnknownName,
)
from cohortflow.pipeline.bind import bind
from cohortflow.pipeline.effective import effective
from tests.pipeline.world import World, parse, scans

HEAD = "inputs: {image: volume, label: label_map}\n"


def sources(text: str, step_id: str) -> dict[str, list[str]]:
    pipeline = parse(text)
    step = pipeline.step(step_id)
    settings = effective(pipeline, step, {})
    bound = bind(pipeline, step, settings.reads, settings.parameters)
    return {name: [b.producer.name for b in bindings] for name, bindings in bound.items()}


def refused(text: str, error: type[Exception], *words: str) -> None:
    with pytest.raises(error) as caught:
        World(text, scans(3)).plan()
    assert isinstance(caught.value, PipelineError)
    for word in words:
        assert word in str(caught.value)


def test_the_nearest_step_above_that_writes_the_kind_then_an_ingested_entry() -> None:
    text = HEAD + "steps: [resample, smooth, learn, segment, regrid_labels]\n"
    assert sources(text, "resample") == {"image": ["image"]}
    assert sources(text, "smooth") == {"image": ["resample"]}
    assert sources(text, "learn") == {"image": ["smooth"]}
    assert sources(text, "segment") == {"image": ["smooth"], "weights": ["learn"]}
    assert sources(text, "regrid_labels") == {"label": ["segment"]}


def test_reads_names_steps_and_inputs() -> None:
    text = HEAD + "steps: [resample, smooth, subtract: {reads: {image: smooth, other: image}}]\n"
    assert sources(text, "subtract") == {"image": ["smooth"], "other": ["image"]}


def test_a_list_where_many_are_read() -> None:
    text = HEAD + "steps: [resample, smooth, test: {reads: {image: [resample, smooth]}}]\n"
    assert sources(text, "test") == {"image": ["resample", "smooth"]}


def test_a_read_that_states_only_a_where_finds_its_source_as_usual() -> None:
    text = HEAD + "steps: [resample, test: {reads: {image: {where: {column: {site: A}}}}}]\n"
    assert sources(text, "test") == {"image": ["resample"]}


def test_an_input_that_a_parameter_switches_off_is_not_bound() -> None:
    assert sources(HEAD + "steps: [mask]\n", "mask") == {"image": ["image"], "label": ["label"]}
    assert sources(HEAD + "steps: [mask: {masked: false}]\n", "mask") == {"image": ["image"]}
    without = "inputs: {image: volume}\nsteps: [mask: {masked: false}]\n"
    assert sources(without, "mask") == {"image": ["image"]}


def test_an_optional_input_that_nothing_writes_is_not_bound() -> None:
    assert sources("inputs: {image: volume}\nsteps: [hint]\n", "hint") == {"image": ["image"]}


def test_a_step_that_reads_what_stands_below_it() -> None:
    text = HEAD + "steps:\n  - resample:\n      reads: {image: smooth}\n  - smooth\n"
    refused(text, ReadsBelow, "world.yaml:4", "'smooth', which stands below it")


def test_a_step_that_reads_itself() -> None:
    refused(HEAD + "steps: [smooth: {reads: {image: smooth}}]\n", ReadsBelow, "'smooth'")


def test_a_read_of_something_unknown_names_the_nearest() -> None:
    text = HEAD + "steps:\n  - resample\n  - smooth: {reads: {image: resampel}}\n"
    refused(text, UnknownName, "world.yaml:4", "Did you mean 'resample'?")


def test_kinds_that_do_not_fit() -> None:
    text = HEAD + "steps:\n  - resample\n  - smooth: {reads: {image: label}}\n"
    refused(
        text, KindMismatch, "world.yaml:4", "expected volume", "found label_map",
        "Fitting: image, resample",
    )  # fmt: skip


def test_a_kind_that_nothing_above_writes() -> None:
    text = HEAD + "steps:\n  - segment\n  - learn\n"
    refused(text, KindMismatch, "world.yaml:3", "'weights'", "expected weights")


def test_two_candidates_of_one_origin() -> None:
    text = "inputs: {low: volume, high: volume}\nsteps:\n  - resample\n"
    refused(text, AmbiguousInput, "world.yaml:3", "'low', 'high'", "reads: {image: low}")
    said = "inputs: {low: volume, high: volume}\nsteps: [resample: {reads: {image: high}}]\n"
    assert sources(said, "resample") == {"image": ["high"]}


def test_two_inputs_bound_to_the_same_entries() -> None:
    refused(
        HEAD + "steps:\n  - resample\n  - subtract\n",
        AmbiguousInput,
        "world.yaml:4",
        "'image' and 'other'",
        "'resample'",
    )
    half = HEAD + "steps: [resample, subtract: {reads: {image: resample}}]\n"
    refused(half, AmbiguousInput, "'image' and 'other'")
    said = HEAD + "steps: [resample, subtract: {reads: {image: resample, other: resample}}]\n"
    assert sources(said, "subtract") == {"image": ["resample"], "other": ["resample"]}


# --- axes -----------------------------------------------------------------------------------------

AXES = HEAD + "axes: {seed: 2, variant: {a: {}, b: {set: {learn.width: 3}}}}\n"


def test_a_single_input_with_an_axis_too_many() -> None:
    text = AXES + "steps:\n  - learn: {over: [seed, variant]}\n  - segment: {over: [variant]}\n"
    refused(
        text, AxisError, "world.yaml:5", "'weights' of step 'segment' reads one",
        "each seed", "Put the step over seed, or pin it",
    )  # fmt: skip


def test_a_single_input_of_a_step_over_the_cohort_with_one_entry_for_each_subject() -> None:
    text = HEAD + "steps:\n  - encode\n"
    refused(HEAD + "steps: [learn, tune: {reads: {start: image}}]\n", KindMismatch, "start")
    adapted = HEAD + "steps:\n  - adapt\n  - tune\n"
    refused(adapted, AxisError, "world.yaml:4", "each subject", "reads many")
    refused(text, KindMismatch, "weights")


def test_an_axis_is_pinned() -> None:
    text = (
        AXES
        + """
steps:
  - learn: {over: [seed, variant]}
  - segment: {reads: {weights: {from: learn, at: {seed: 1}}}, over: [variant]}
"""
    )
    plan = World(text, scans(3)).plan()
    for unit in plan.tables["segment"].units():
        source = unit.inputs["weights"]
        assert source.labels == (1, unit.labels[0])  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("over", "at", "error", "words"),
    [
        ("[]", "{sed: 1}", AxisError, ("'learn' is not over 'sed'", "Did you mean 'seed'?")),
        ("[variant]", "{seed: 7}", UnknownName, ("axis 'seed' has no value 7", "Known: 0, 1")),
        ("[]", "{seed: 0, variant: bb}", UnknownName, ("no value 'bb'", "'b'")),
    ],
)
def test_at_with_an_unknown_axis_or_label(
    over: str, at: str, error: type[Exception], words: tuple[str, ...]
) -> None:
    text = (
        AXES
        + f"""
steps:
  - learn: {{over: [seed, variant]}}
  - segment: {{over: {over}, reads: {{weights: {{from: learn, at: {at}}}}}}}
"""
    )
    refused(text, error, "world.yaml:6", *words)


def test_labels_of_at_are_those_of_the_axis_however_they_are_spelt() -> None:
    text = (
        HEAD
        + """
axes: {rate: [0.5, 0.25]}
steps:
  - learn: {over: [rate]}
  - segment: {reads: {weights: {from: learn, at: {rate: 0.25}}}}
"""
    )
    plan = World(text, scans(2)).plan()
    (cell,) = {u.inputs["weights"].labels for u in plan.tables["segment"].units()}  # type: ignore[union-attr]
    assert cell == ("0.25",)


@pytest.mark.parametrize(
    "step",
    [
        "resample: {over: [fold]}",
        "resample: {over: [seed]}",
        "resample: {over: [variant]}",
        "learn: {over: [fold]}",
    ],
)
def test_an_axis_that_can_change_nothing(step: str) -> None:
    text = (
        HEAD
        + f"""
splits: {{cv: {{folds: 2}}}}
axes: {{fold: {{split: cv}}, seed: 2, variant: {{a: {{}}, b: {{set: {{learn.width: 3}}}}}}}}
steps:
  - {step}
  - learn: {{id: other, over: [variant]}}
"""
    )
    text = text.replace("learn.width", "other.width")
    axis = step[step.index("[") + 1 : step.index("]")]
    refused(text, AxisError, "world.yaml:6", f"axis {axis!r} can change nothing")


def test_axes_that_act() -> None:
    """By a parameter, an override, a where of a value, a split, an input, weights seen."""
    text = (
        HEAD
        + """
splits: {cv: {folds: 2}}
axes:
  fold: {split: cv}
  seed: 2
  variant: {a: {}, b: {set: {learn.width: 3}}}
  site: {all: {}, b: {where: {column: {site: B}}}}
  late: {a: {}, b: {set: {learn.where: {split: cv/train}}}}
steps:
  - learn: {over: [fold, seed, variant, site, late]}
  - segment: {over: [fold, seed, variant, site, late]}
  - smooth: {over: [fold, seed, variant, site, late], where: {unseen_by: learn}}
"""
    )
    World(text, scans(6, site="AB")).plan()


def test_an_axis_that_acts_at_one_value_of_another_only() -> None:
    text = (
        HEAD
        + """
splits: {cv: {folds: 2}}
axes:
  fold: {split: cv}
  late: {a: {}, b: {set: {learn.where: {split: cv/train}}}}
steps:
  - learn: {over: [fold, late]}
"""
    )
    plan = World(text, scans(4)).plan()
    assert len(plan.tables["learn"].unique()) == 3, "at a both folds are one unit"
