"""Absent, failed, blocked, missing: what each unit reads and who has one."""

from __future__ import annotations

from typing import Any

import pytest

from cohortflow.errors import PipelineError
from tests.pipeline.world import (
    STANDING,
    TRANSIENT,
    World,
    failing,
    missing,
    points,
    scan,
    scans,
    states,
    unit_of,
    units,
    who,
)

REFUSED = {"code": "unreadable-file", "message": "cannot be read", "hint": ""}
OPTIONAL = "inputs: {image: volume, label: {kind: label_map, optional: true}}\n"
BOTH = "inputs: {image: volume, label: label_map}\n"
IMAGE = "inputs: {image: volume}\n"

# --- what ingest brought --------------------------------------------------------------------------


def test_a_refused_subject_is_a_failed_unit_of_the_first_step_that_needs_it() -> None:
    text = BOTH + "steps: [resample, regrid_labels, smooth, learn]\n"
    plan = World(text, [scan("a", error=REFUSED), scan("b"), scan("c")]).plan()
    failed = unit_of(plan, "resample", "a")
    assert (failed.state, failed.error, failed.reason) == ("failed", REFUSED, "refused at ingest")
    assert states(plan, "regrid_labels")["a"] == "blocked"
    assert states(plan, "smooth") == {"a": "blocked", "b": "pending", "c": "pending"}
    assert unit_of(plan, "smooth", "a").reason == "resample failed"
    assert [u.subject for u in plan.units() if u.state == "failed"] == ["a"]


def test_a_refused_subject_is_failed_at_every_point_of_its_first_step_and_at_no_other() -> None:
    text = (
        IMAGE
        + """
axes: {variant: {a: {}, b: {set: {resample.order: 3}}, c: {set: {smooth.reads.image: image}}}}
steps: [resample: {over: [variant]}, smooth: {over: [variant]}]
"""
    )
    plan = World(text, [scan("a", error=REFUSED), scan("b")]).plan()
    assert [u.state for u in units(plan, "resample") if u.subject == "a"] == ["failed"] * 3
    assert [u.state for u in units(plan, "smooth") if u.subject == "a"] == ["blocked"] * 3
    # Points that differ in nothing share a unit, and its state.
    for step in ("resample", "smooth"):
        by_key = {(u.key, u.state) for u in units(plan, step)}
        assert len(by_key) == len(plan.tables[step].unique())


def test_a_subject_that_lacks_a_declared_input_fails_where_it_is_needed_first() -> None:
    text = BOTH + "steps: [resample, regrid_labels, train: {reads: {image: resample}}]\n"
    plan = World(text, [scan("a", label=None), *scans(2)]).plan()
    assert states(plan, "resample")["a"] == "pending"
    failed = unit_of(plan, "regrid_labels", "a")
    assert failed.state == "failed"
    assert failed.error is not None
    assert failed.error["code"] == "missing-input"
    assert "label" in failed.error["message"]


def test_a_subject_that_lacks_both_inputs_fails_for_each() -> None:
    text = BOTH + "steps: [resample, regrid_labels]\n"
    plan = World(text, [scan("a", image=None, label=None), scan("b")]).plan()
    assert states(plan, "resample")["a"] == states(plan, "regrid_labels")["a"] == "failed"


def test_optional_makes_it_absent_not_failed() -> None:
    text = (
        OPTIONAL + "steps: [resample, regrid_labels, "
        "hint: {reads: {image: resample, label: regrid_labels}}]\n"
    )
    plan = World(text, [scan("a", label=None), scan("b")]).plan()
    assert who(plan, "regrid_labels") == {"b"}
    assert {u.subject: sorted(u.inputs) for u in units(plan, "hint")} == {
        "a": ["image"],
        "b": ["image", "label"],
    }
    assert {u.state for u in plan.units()} == {"pending"}


def test_a_refused_subject_is_failed_also_where_the_input_is_optional() -> None:
    text = OPTIONAL + "steps: [regrid_labels]\n"
    plan = World(text, [scan("a", error=REFUSED), scan("b")]).plan()
    assert states(plan, "regrid_labels") == {"a": "failed", "b": "pending"}


def test_an_optional_input_that_failed_blocks_and_is_not_run_without() -> None:
    text = OPTIONAL + "steps: [regrid_labels, hint: {reads: {label: regrid_labels}}]\n"
    world = World(text, scans(2))
    world.run(failing("regrid_labels", "sub-01"))
    assert states(world.plan(), "hint") == {"sub-01": "blocked", "sub-02": "done"}


def test_two_entries_for_one_input_refuse_the_subject_and_match_tells_them_apart() -> None:
    from tests.pipeline.world import entry

    twice = scan("a")
    twice.entries["image_quarter"] = entry("image_quarter", "volume", "low", size=10)
    plan = World(IMAGE + "steps: [resample]\n", [twice]).plan()
    unit = unit_of(plan, "resample", "a")
    assert unit.state == "failed"
    assert unit.error is not None
    assert "volume image, volume image_quarter" in unit.error["message"]
    text = """
inputs: {low: {kind: volume, match: "*quarter*"}, full: {kind: volume, match: image}}
steps: [subtract: {reads: {image: full, other: low}}]
"""
    unit = unit_of(World(text, [twice]).plan(), "subtract", "a")
    assert {name: source.key for name, source in unit.inputs.items()} == {  # type: ignore[union-attr]
        "image": twice.entries["image"].key,
        "other": twice.entries["image_quarter"].key,
    }


def test_two_entries_for_an_optional_input_refuse_the_subject_as_well() -> None:
    from tests.pipeline.world import entry

    twice = scan("a")
    twice.entries["second"] = entry("second", "label_map", "other")
    plan = World(OPTIONAL + "steps: [regrid_labels]\n", [twice, scan("b")]).plan()
    assert states(plan, "regrid_labels") == {"a": "failed", "b": "pending"}


def test_whom_the_single_inputs_do_not_admit_is_absent_below() -> None:
    text = (
        IMAGE
        + """
steps:
  - resample: {where: {column: {group: HC}}}
  - smooth
  - test: {reads: {image: smooth}}
"""
    )
    plan = World(text, scans(6, group=["HC", "MCI"])).plan()
    assert who(plan, "smooth") == who(plan, "resample") == {"sub-01", "sub-03", "sub-05"}
    assert unit_of(plan, "test").members == ("sub-01", "sub-03", "sub-05")
    assert not missing(unit_of(plan, "test"), "image")


# --- what failed on the way -----------------------------------------------------------------------

GATHER = IMAGE + "steps: [resample, smooth, gather]\n"
CHAIN = IMAGE + "steps: [resample, smooth, test]\n"


def test_what_failed_is_missing_from_the_reductions_and_they_are_told() -> None:
    world = World(CHAIN, scans(4, group=["HC", "MCI"]))
    before = unit_of(world.plan(), "test").key
    plan = world.run(failing("smooth", "sub-02"))
    unit = unit_of(plan, "test")
    assert unit.state == "done"
    assert unit.members == ("sub-01", "sub-03", "sub-04")
    assert missing(unit, "image") == [{"subject": "sub-02"}]
    assert unit.absentees == ("sub-02",)
    assert unit.key != before, "who is missing is part of the key"


def test_who_failed_is_part_of_the_key_and_who_never_came_is_not() -> None:
    failed = World(GATHER, scans(3))
    never_came = World(GATHER, [one for one in scans(3) if one.id != "sub-02"])
    keys = [
        unit_of(failed.run(failing("smooth", "sub-02")), "gather").key,
        unit_of(never_came.run(), "gather").key,
    ]
    assert keys[0] != keys[1]


def test_columns_of_the_missing_are_read_as_well() -> None:
    """A metric that counts the missing as wrong must know what would have been right."""
    world = World(CHAIN, scans(4, group=["HC", "MCI"]))
    world.run(failing("smooth", "sub-02"))
    before = unit_of(world.plan(), "test").key
    world.ingest(scan("sub-02", group="HC"))
    plan = world.plan()
    assert unit_of(plan, "test").key != before
    assert unit_of(plan, "test").concerned == ("sub-01", "sub-03", "sub-04", "sub-02")


def test_a_subject_blocked_on_the_way_is_missing_as_well() -> None:
    world = World(CHAIN, scans(3, group=["HC"]))
    plan = world.run(failing("resample", "sub-01"))
    assert states(plan, "smooth")["sub-01"] == "blocked"
    assert missing(unit_of(plan, "test"), "image") == [{"subject": "sub-01"}]


def test_all_inputs_missing_block_the_reduction() -> None:
    world = World(CHAIN, scans(3, group=["HC"]))
    plan = world.run(failing("smooth"))
    unit = unit_of(plan, "test")
    assert (unit.state, unit.reason) == ("blocked", "all 3 inputs failed")


def test_nobody_admitted_blocks_the_reduction() -> None:
    text = IMAGE + "steps: [resample, test: {where: {column: {group: XX}}}]\n"
    unit = unit_of(World(text, scans(3, group=["HC"])).plan(), "test")
    assert (unit.state, unit.reason) == ("blocked", "no subject is admitted")


def test_no_unit_is_pending_whose_single_input_failed() -> None:
    world = World(CHAIN, scans(3, group=["HC"]))
    plan = world.run(failing("resample", error=STANDING))
    assert {u.state for u in plan.units()} == {"failed", "blocked"}


def test_what_stands_done_stays_done_where_its_input_was_lost_and_fails_now() -> None:
    world = World(CHAIN, scans(2, group=["HC"]))
    plan = world.run()
    lost = unit_of(plan, "resample", "sub-01")
    world.cohort.storage.delete(lost.ref.path)
    world.parts = []
    plan = world.run(failing("resample", "sub-01"))
    assert states(plan, "resample")["sub-01"] == "failed"
    assert states(plan, "smooth")["sub-01"] == "done"
    assert not missing(unit_of(plan, "test"), "image")


# --- many -----------------------------------------------------------------------------------------


def test_many_are_handed_over_with_their_points_sorted_by_point_and_key() -> None:
    text = (
        IMAGE
        + """
axes: {order: [3, 1]}
steps: [resample: {over: [order]}, test: {id: all, column: group}, test: {over: [order]}]
"""
    )
    plan = World(text, scans(2, group=["HC"])).plan()
    assert points(unit_of(plan, "all"), "image") == [
        {"order": 1, "subject": "sub-01"},
        {"order": 1, "subject": "sub-02"},
        {"order": 3, "subject": "sub-01"},
        {"order": 3, "subject": "sub-02"},
    ]
    assert points(unit_of(plan, "test", order=1), "image") == [
        {"subject": "sub-01"},
        {"subject": "sub-02"},
    ]


def test_order_of_ingestion_changes_no_key() -> None:
    text = IMAGE + "steps: [resample, test]\n"
    forwards = World(text, scans(5, group=["HC"])).plan()
    backwards = World(text, reversed(scans(5, group=["HC"]))).plan()
    assert {u.key for u in forwards.units()} == {u.key for u in backwards.units()}


def test_a_list_of_sources_says_of_each_item_where_it_is_from() -> None:
    text = (
        IMAGE
        + """
axes: {order: [1, 3]}
steps:
  - resample: {over: [order]}
  - smooth: {over: [order]}
  - test:
      reads:
        image:
          - {from: resample, at: {order: 1}}
          - {from: resample, at: {order: 3}}
          - {from: smooth, at: {order: 3}}
"""
    )
    plan = World(text, scans(1, group=["HC"])).plan()
    assert points(unit_of(plan, "test"), "image") == [
        {"from": "resample", "order": 1, "subject": "sub-01"},
        {"from": "resample", "order": 3, "subject": "sub-01"},
        {"from": "smooth", "order": 3, "subject": "sub-01"},
    ]


VOTE = (
    OPTIONAL
    + """
splits: {cv: {folds: 2}}
axes: {fold: {split: cv}, seed: [0, 1]}
steps:
  - learn: {over: [fold, seed], where: {split: cv/train}}
  - segment: {reads: {image: image}, over: [fold, seed], where: {unseen_by: learn}}
  - vote: {over: [fold]}
"""
)


def test_many_of_one_subject_and_absence_where_there_is_none() -> None:
    plan = World(VOTE, scans(4)).plan()
    for fold in (0, 1):
        assert who(plan, "vote", fold=fold) == who(plan, "segment", fold=fold)
        for unit in units(plan, "vote", fold=fold):
            assert points(unit, "votes") == [{"seed": 0}, {"seed": 1}]


def test_an_optional_input_that_reads_many_and_finds_none_does_not_block() -> None:
    from cohortflow.pipeline.stage import Reads
    from tests.pipeline.fakes import CATALOGUE, Nothing, stage

    chart = stage(
        "chart",
        Nothing,
        "table",
        "cohort",
        reads={
            "image": Reads(("volume",), many=True),
            "label": Reads(("label_map",), many=True, optional=True),
        },
    )
    plan = World(
        OPTIONAL + "steps: [chart]\n",
        [scan("a", label=None)],
        catalogue={**CATALOGUE, "chart": chart},
    ).plan()
    unit = unit_of(plan, "chart")
    assert unit.state == "pending"
    assert (points(unit, "image"), points(unit, "label")) == ([{"subject": "a"}], [])


# --- paired ---------------------------------------------------------------------------------------

PAIRED = (
    OPTIONAL
    + """
axes: {seed: [0, 1]}
steps:
  - learn: {over: [seed], where: {column: {site: A}}}
  - segment: {reads: {image: image}, over: [seed], where: {unseen_by: learn}}
  - regrid_labels: {id: truth, reads: {label: label}}
  - score_all: {reads: {prediction: segment, reference: truth}}
"""
)


def paired_world(*without_label: str) -> World:
    subjects = [
        *(scan(f"a{i}", site="A", group="HC") for i in range(2)),
        *(
            scan(f"b{i}", site="B", group="HC", label=None if f"b{i}" in without_label else 1)
            for i in range(3)
        ),
    ]
    return World(PAIRED, subjects)


def test_paired_inputs_are_joined_on_subject() -> None:
    unit = unit_of(paired_world("b1").plan(), "score_all")
    assert {p["subject"] for p in points(unit, "prediction")} == {"b0", "b2"}
    assert {p["subject"] for p in points(unit, "reference")} == {"b0", "b2"}
    assert len(points(unit, "prediction")) == 4
    assert not missing(unit, "prediction")
    assert unit.members == ("b0", "b2")


@pytest.mark.parametrize("error", [STANDING, TRANSIENT])
def test_what_failed_in_one_of_the_pair_is_missing_and_never_dropped(error: dict[str, Any]) -> None:
    """A prediction that failed at one seed must not vanish because the other seed has one."""

    def fails(unit: Any) -> dict[str, Any] | None:
        hit = unit.step == "segment" and unit.subject == "b0" and unit.labels == (0,)
        return dict(error) if hit else None

    plan = paired_world().run(fails)
    unit = unit_of(plan, "score_all")
    assert missing(unit, "prediction") == [{"seed": 0, "subject": "b0"}]
    assert {"seed": 1, "subject": "b0"} in points(unit, "prediction")
    assert {"subject": "b0"} in points(unit, "reference")
    assert "b0" in unit.concerned


def test_a_reference_that_failed_makes_its_predictions_missing() -> None:
    plan = paired_world().run(failing("truth", "b0"))
    unit = unit_of(plan, "score_all")
    assert missing(unit, "reference") == [{"subject": "b0"}]
    assert missing(unit, "prediction") == [
        {"seed": 0, "subject": "b0"},
        {"seed": 1, "subject": "b0"},
    ]
    assert unit.members == ("b1", "b2")
    assert unit.absentees == ("b0",)


def test_shared_axes_are_joined_on_as_well() -> None:
    text = (
        OPTIONAL
        + """
axes: {order: [1, 3]}
steps:
  - resample: {over: [order]}
  - hint: {reads: {image: resample, label: label}, over: [order], id: hinted}
  - mask: {reads: {image: resample, label: label}, over: [order]}
  - pair: {reads: {first: hinted, second: mask}}
"""
    )
    from cohortflow.pipeline.stage import Reads
    from tests.pipeline.fakes import CATALOGUE, Nothing, stage

    pair = stage(
        "pair", Nothing, "table", "cohort", paired=("first", "second"),
        reads={"first": Reads(("volume",), many=True), "second": Reads(("volume",), many=True)},
    )  # fmt: skip
    world = World(text, scans(2), catalogue={**CATALOGUE, "pair": pair})

    def fails(unit: Any) -> dict[str, Any] | None:
        return dict(STANDING) if unit.step == "mask" and unit.labels == (3,) else None

    unit = unit_of(world.run(fails), "pair")
    assert {p["order"] for p in points(unit, "first")} == {1}
    assert missing(unit, "first") == missing(unit, "second")
    assert {p["order"] for p in missing(unit, "first")} == {3}


def test_pairs_of_several_sources_each_are_joined_whatever_their_names() -> None:
    from cohortflow.pipeline.stage import Reads
    from tests.pipeline.fakes import CATALOGUE, Nothing, stage

    pair = stage(
        "pair", Nothing, "table", "cohort", paired=("first", "second"),
        reads={"first": Reads(("volume",), many=True), "second": Reads(("volume",), many=True)},
    )  # fmt: skip
    text = (
        IMAGE
        + """
steps:
  - resample
  - smooth
  - smooth: {id: third}
  - pair: {reads: {first: [image, resample], second: [smooth, third]}}
"""
    )
    plan = World(text, scans(2), catalogue={**CATALOGUE, "pair": pair}).plan()
    assert len(points(unit_of(plan, "pair"), "first")) == 4


# --- lineage --------------------------------------------------------------------------------------


def test_reductions_state_their_n_and_lineage_ends_at_weights() -> None:
    text = (
        OPTIONAL
        + """
steps:
  - gather
  - align: {reads: {image: image}}
  - learn: {reads: {image: align}}
  - segment: {reads: {image: align}}
"""
    )
    plan = World(text, scans(3)).plan()
    assert unit_of(plan, "gather").members == ("sub-01", "sub-02", "sub-03")
    learned = unit_of(plan, "learn")
    assert unit_of(plan, "segment", "sub-02").members == ("sub-02",)
    assert unit_of(plan, "segment", "sub-02").weights == (learned.key,)


def test_training_on_what_belongs_to_no_subject_is_refused() -> None:
    from cohortflow.pipeline.stage import Reads
    from tests.pipeline.fakes import CATALOGUE, Train, stage

    distil = stage(
        "distil", Train, "weights", "cohort", trains=True,
        reads={"teachers": Reads(("weights",), many=True)},
    )  # fmt: skip
    text = IMAGE + "steps:\n  - learn\n  - distil\n"
    with pytest.raises(PipelineError, match="'distil' trains on 'learn', which is of no subject"):
        World(text, scans(2), catalogue={**CATALOGUE, "distil": distil}).plan()
