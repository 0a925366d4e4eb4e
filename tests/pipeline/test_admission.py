"""``where``: columns, splits, weights; on steps, inputs and axis values."""

from __future__ import annotations

import pytest

from cohortflow.errors import PipelineError, SeenSubject, UnknownName
from tests.pipeline.world import World, points, scan, scans, unit_of, units, who

HEAD = "inputs: {image: volume, label: label_map}\nsplits: {cv: {folds: 2}, paper: {test: 0.25}}\n"
FOLD = HEAD + "axes: {fold: {split: cv}}\n"


def refused(text: str, error: type[Exception], *words: str) -> None:
    with pytest.raises(error) as caught:
        World(text, scans(8, group=["HC", "MCI"], site=["A", "A", "B", "B"])).plan()
    assert isinstance(caught.value, PipelineError)
    for word in words:
        assert word in str(caught.value)


def admitted(where: str, step: str = "resample") -> set[str | None]:
    text = HEAD + f"steps: [{step}: {{where: {where}}}]\n"
    world = World(text, scans(8, group=["HC", "MCI"], site=["A", "A", "B", "B"], age=[70, None]))
    return who(world.plan(), step)


def test_columns_all_that_stand_together_must_hold() -> None:
    assert admitted("{column: {group: HC}}") == {"sub-01", "sub-03", "sub-05", "sub-07"}
    assert admitted("{column: {group: [HC], site: B}}") == {"sub-03", "sub-07"}
    assert len(admitted("{column: {group: [HC, MCI]}}")) == 8
    assert admitted("{column: {group: []}}") == set()


def test_numbers_are_compared_as_they_are_written() -> None:
    assert len(admitted("{column: {age: 70}}")) == 4
    assert admitted("{column: {age: [None]}}") == set(), "an empty cell is no value"


def test_a_number_that_a_table_made_a_float_is_still_that_number() -> None:
    world = World(
        HEAD + "steps: [resample: {where: {column: {age: [70, 1.5]}}}]\n",
        scans(4, age=[70.0, 71.0, None, 1.5]),
    )
    assert who(world.plan(), "resample") == {"sub-01", "sub-04"}


def test_a_split_without_folds_and_several_of_its_parts() -> None:
    test = admitted("{split: paper/test}")
    train = admitted("{split: paper/train}")
    assert len(test) == 2
    assert not test & train
    assert len(admitted("{split: [paper/train, paper/test]}")) == 8


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("{column: {grup: HC}}", ("world.yaml:4", "Did you mean 'group'?")),
        ("{split: cvv/train}", ("world.yaml:4", "Did you mean 'cv'?")),
        ("{split: paper/trian}", ("world.yaml:4", "Did you mean 'train'?")),
        ("{split: paper}", ("world.yaml:4", "names no part")),
        ("{split: cv/train}", ("world.yaml:4", "needs to know the fold")),
        ("{unseen_by: trian}", ("world.yaml:4", "no step above")),
        ("{seen_by: learn}", ("world.yaml:4", "no step above")),
        ("{unseen_by: image}", ("world.yaml:4", "saw nobody")),
    ],
)
def test_where_names_what_is_not_there(where: str, words: tuple[str, ...]) -> None:
    text = HEAD + f"steps:\n  - resample: {{where: {where}}}\n  - learn\n"
    refused(text, PipelineError, *words)


def test_unseen_by_a_step_that_saw_nobody() -> None:
    text = HEAD + "steps:\n  - resample\n  - learn\n  - smooth: {where: {unseen_by: resample}}\n"
    refused(text, PipelineError, "world.yaml:6", "'resample', which saw nobody", "Known: learn")


def test_where_of_one_input_narrows_further() -> None:
    text = (
        HEAD
        + """
steps:
  - resample
  - test:
      where: {column: {group: HC}}
      reads: {image: {from: resample, where: {column: {site: A}}}}
  - smooth: {reads: {image: {from: resample, where: {column: {site: B}}}}}
"""
    )
    plan = World(text, scans(8, group=["HC", "MCI"], site=["A", "A", "B", "B"])).plan()
    assert unit_of(plan, "test").members == ("sub-01", "sub-05")
    assert who(plan, "smooth") == {"sub-03", "sub-04", "sub-07", "sub-08"}


@pytest.mark.parametrize(("where", "n"), [("", 4), ("where: {column: {site: A}}, ", 2)])
def test_who_is_not_admitted_before_is_admitted_without_what_is_optional(
    where: str, n: int
) -> None:
    """So a step that scores predictions says the where of the step that makes them."""
    text = (
        HEAD
        + f"""
steps:
  - vote: {{where: {{column: {{site: A}}}}, reads: {{votes: label}}}}
  - hint: {{{where}reads: {{label: vote}}}}
"""
    )
    plan = World(text, scans(4, site=["A", "B"])).plan()
    found = {u.subject: sorted(u.inputs) for u in units(plan, "hint")}
    assert len(found) == n
    assert [s for s, inputs in found.items() if "label" in inputs] == ["sub-01", "sub-03"]


def test_where_of_an_optional_input_leaves_the_input_out_and_not_the_subject() -> None:
    text = (
        HEAD
        + """
steps:
  - hint: {reads: {label: {from: label, where: {column: {site: A}}}}}
"""
    )
    plan = World(text, scans(4, site=["A", "B"])).plan()
    assert {u.subject: sorted(u.inputs) for u in units(plan, "hint")} == {
        "sub-01": ["image", "label"],
        "sub-02": ["image"],
        "sub-03": ["image", "label"],
        "sub-04": ["image"],
    }


def test_training_and_monitoring_parts_of_one_input() -> None:
    text = (
        FOLD
        + """
steps:
  - monitor:
      over: [fold]
      reads:
        image: {from: image, where: {split: cv/train}}
        monitor: {from: image, where: {split: cv/test}}
  - segment: {over: [fold], where: {unseen_by: monitor}}
"""
    )
    plan = World(text, scans(6)).plan()
    for fold in (0, 1):
        unit = unit_of(plan, "monitor", fold=fold)
        image, monitored = ({p["subject"] for p in points(unit, n)} for n in ("image", "monitor"))
        assert image
        assert monitored
        assert not image & monitored
        assert set(unit.members) == image | monitored, "monitoring parts count as seen"
    first, second = units(plan, "monitor")
    assert first.selection != second.selection, "folds ask different questions"
    assert first.key != second.key
    assert not who(plan, "segment")


# --- weights --------------------------------------------------------------------------------------

SCORES = (
    FOLD
    + """
steps:
  - learn: {over: [fold], where: {split: cv/train}}
  - segment: {over: [fold]%s}
  - regrid_labels: {id: truth, reads: {label: label}}
  - score: {reads: {prediction: segment, reference: truth}, over: [fold]%s}
"""
)


def test_unseen_by_honours_patients() -> None:
    """Two recordings of one patient: the second counts as seen, wherever the first was."""
    twice = [scan("a1", patient="a"), scan("a2", patient="a", site="B"), *scans(4, site="A")]
    twice[0].columns["site"] = "A"
    text = (
        HEAD
        + """
steps:
  - learn: {where: {column: {site: A}}}
  - segment: {where: {unseen_by: learn}}
"""
    )
    plan = World(text, twice).plan()
    assert unit_of(plan, "learn").members == ("a1", "sub-01", "sub-02", "sub-03", "sub-04")
    assert who(plan, "segment") == set()


def test_a_score_of_a_seen_subject_is_refused() -> None:
    refused(SCORES % ("", ""), SeenSubject, "world.yaml:9", "'score' scores 'sub-0", "unseen_by")


def test_a_score_of_another_recording_of_a_seen_patient_is_refused() -> None:
    text = (
        HEAD
        + """
steps:
  - learn: {where: {column: {site: A}}}
  - segment: {where: {column: {site: B}}}
  - score: {reads: {prediction: segment, reference: label}}
"""
    )
    subjects = [scan("a1", patient="a", site="A"), scan("a2", patient="a", site="B")]
    with pytest.raises(SeenSubject, match="'a2'"):
        World(text, subjects).plan()
    subjects = [scan("a1", patient="a", site="A"), scan("b2", patient="b", site="B")]
    assert who(World(text, subjects).plan(), "score") == {"b2"}


def test_seen_by_admits_and_restricts_nothing() -> None:
    plan = World(SCORES % ("", ", where: {seen_by: learn}"), scans(6)).plan()
    for fold in (0, 1):
        assert len(who(plan, "score", fold=fold)) == 6


def test_seen_by_other_weights_does_not_help() -> None:
    text = SCORES % ("", ", where: {seen_by: other}")
    text = text.replace("steps:", "steps:\n  - learn: {id: other, where: {split: paper/test}}")
    text = text.replace("segment: {over: [fold]", "segment: {over: [fold], reads: {weights: learn}")
    refused(text, SeenSubject, "'score'")


def test_unseen_by_lets_the_rest_be_scored() -> None:
    plan = World(SCORES % (", where: {unseen_by: learn}", ""), scans(6)).plan()
    assert who(plan, "score", fold=0) | who(plan, "score", fold=1) == {
        f"sub-0{i}" for i in range(1, 7)
    }
    assert not who(plan, "score", fold=0) & who(plan, "score", fold=1)


def test_what_weights_saw_is_inherited() -> None:
    """Weights made from weights, and from features of weights, saw what those saw."""
    text = (
        HEAD
        + """
steps:
  - learn: {where: {column: {site: A}}}
  - tune: {where: {column: {site: B}}}
  - encode: {reads: {weights: learn}}
  - train_head: {where: {column: {site: B}}}
  - smooth: {id: left_by_tune, where: {unseen_by: tune}}
  - smooth: {id: left_by_head, where: {unseen_by: train_head}}
"""
    )
    plan = World(text, scans(6, site="ABC")).plan()
    assert unit_of(plan, "tune").members == ("sub-02", "sub-05")
    assert who(plan, "left_by_tune") == who(plan, "left_by_head") == {"sub-03", "sub-06"}


def test_weights_of_one_recording_saw_it() -> None:
    text = (
        HEAD
        + """
steps:
  - adapt
  - segment: {where: {unseen_by: adapt}}
  - score: {reads: {prediction: segment, reference: label}}
"""
    )
    assert who(World(text, scans(3)).plan(), "segment") == set()
    refused(
        text.replace(", where: {unseen_by: adapt}", "").replace(
            "{where: {unseen_by: adapt}}", "{}"
        ),
        SeenSubject,
    )


def test_an_unknown_column_that_a_stage_needs() -> None:
    refused(
        HEAD + "steps:\n  - test: {column: grup}\n",
        UnknownName,
        "world.yaml:4",
        "Did you mean 'group'?",
    )
