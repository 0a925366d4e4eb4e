"""Trained things stay put: questions, frozen selections, what renews them and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from cohortflow.errors import UnknownName
from tests.pipeline.fakes import CATALOGUE
from tests.pipeline.world import (
    STANDING,
    TRANSIENT,
    World,
    failing,
    keys,
    pending,
    scan,
    scans,
    unit_of,
    units,
    who,
)

IMAGE = "inputs: {image: volume}\n"
TEXT = (
    IMAGE
    + """
splits: {cv: {folds: 2, stratify: group}}
axes:
  fold: {split: cv}
  seed: [0, 1]
  variant: {base: {}, wide: {set: {learn.width: 16}}}
steps:
  - resample
  - learn: {over: [fold, seed, variant], where: {split: cv/train}, column: group}
  - segment: {reads: {image: resample}, over: [fold, seed, variant], where: {unseen_by: learn}}
"""
)


def world(text: str = TEXT, n: int = 6, **options: Any) -> World:
    return World(text, scans(n, group=["HC", "MCI"]), **options)


def questions(text: str, subjects: int = 6, **options: Any) -> set[str]:
    plan = world(text, subjects, **options).plan()
    return {str(unit.selection) for unit in units(plan, "learn")}


def to_run(one: World, **options: Any) -> set[str]:
    return {unit.step for unit in pending(one.plan(**options)) if unit.asked}


# --- the question ---------------------------------------------------------------------------------


def test_seeds_and_variants_of_a_fold_ask_one_question() -> None:
    plan = world().plan()
    by_fold = {fold: {u.selection for u in units(plan, "learn", fold=fold)} for fold in (0, 1)}
    assert [len(found) for found in by_fold.values()] == [1, 1]
    assert by_fold[0] != by_fold[1]
    assert len({u.key for u in units(plan, "learn")}) == 8


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("column: group", "column: group, epochs: 99"),
        ("seed: [0, 1]", "seed: [3, 4, 5]"),
        ("learn.width: 16", "learn.rate: 0.5"),
        (
            "over: [fold, seed, variant], where: {split",
            "id: learn, over: [variant, fold], where: {split",
        ),
    ],
)
def test_its_own_parameters_do_not_change_the_question(old: str, new: str) -> None:
    changed = TEXT.replace(old, new)
    if "id: learn" in new:
        changed = changed.partition("  - segment")[0]
    assert questions(changed) == questions(TEXT)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("- resample", "- resample: {order: 3}"),
        ("- resample", "- resample: {where: {column: {group: HC}}}"),
        ("- resample", "- resample\n  - smooth"),
        ("folds: 2", "folds: 3"),
        ("folds: 2", "folds: 2, seed: 1"),
        ("folds: 2", "folds: 2, where: {column: {group: HC}}"),
        (", stratify: group", ""),
        ("cv/train", "cv/test"),
        ("{split: cv/train}", "{split: cv/train, column: {group: HC}}"),
        (", column: group", ""),
    ],
)
def test_what_the_question_is_made_of(old: str, new: str) -> None:
    changed = TEXT.replace(old, new)
    assert changed != TEXT
    assert not questions(changed) & questions(TEXT)


def test_a_newer_version_above_is_another_question() -> None:
    from dataclasses import replace

    newer = {**CATALOGUE, "resample": replace(CATALOGUE["resample"], version=2)}
    assert not questions(TEXT, catalogue=newer) & questions(TEXT)


def test_newcomers_and_what_they_resolve_do_not_change_the_question() -> None:
    """A smaller newcomer changes the crop of all, and yet nothing is trained again."""
    one = world()
    one.run()
    before = keys(one.plan(), "learn")
    one.ingest(scan("tiny", size=7, group="HC"))
    plan = one.plan()
    assert unit_of(plan, "resample", "sub-01").reason == "parameter crop changed 100→7"
    assert keys(plan, "learn") == before
    assert {u.state for u in units(plan, "learn")} == {"done"}


STACKED = (
    IMAGE
    + """
splits: {cv: {folds: 2}}
axes: {fold: {split: cv}, seed: [0, 1]}
steps:
  - learn: {id: encoder, over: [fold, seed], where: {split: cv/train}}
  - encode: {over: [fold, seed]}
  - train_head: {id: learn, over: [fold, seed], where: {%s}}
"""
)


@pytest.mark.parametrize("where", ["seen_by: encoder", "unseen_by: encoder"])
def test_a_training_on_features_asks_at_every_fold_of_what_made_them(where: str) -> None:
    plan = World(STACKED % where, scans(6)).plan()
    for unit in units(plan, "learn"):
        chosen = plan.proposed[str(unit.selection)]
        read = {key for row in chosen.subjects for _, _, key in row["inputs"]["features"]}
        fold, seed = unit.labels
        assert read <= {u.key for u in units(plan, "encode", fold=fold, seed=seed)}
    assert len({u.selection for u in units(plan, "learn")}) == 4


def test_a_training_on_whom_others_have_not_seen_asks_what_those_saw() -> None:
    text = (
        IMAGE
        + """
splits: {cv: {folds: 2}}
axes: {fold: {split: cv}}
steps:
  - learn: {id: first, over: [fold], where: {split: cv/train}}
  - learn: {over: [fold], reads: {image: image}, where: {unseen_by: first}}
"""
    )
    plan = World(text, scans(6)).plan()
    assert len({u.selection for u in units(plan, "learn")}) == 2
    for unit in units(plan, "learn"):
        first = unit_of(plan, "first", fold=unit.labels[0])
        assert not set(unit.members) & set(first.members)
        assert len(unit.members) == 3


# --- frozen ---------------------------------------------------------------------------------------


def test_a_selection_is_frozen_once_and_names_entries_columns_and_patients() -> None:
    one = world()
    plan = one.run()
    unit = unit_of(plan, "learn", fold=0, seed=0, variant="base")
    (chosen,) = [s for s in one.cohort.selections.all() if s.question == unit.selection]
    assert chosen.number == 1
    assert {row["subject"] for row in chosen.subjects} == set(unit.members)
    for row in chosen.subjects:
        subject = one.subjects[row["subject"]]
        assert row["patient"] == subject.id
        assert row["columns"] == {"group": subject.columns["group"]}
        source = unit_of(plan, "resample", row["subject"])
        assert row["inputs"] == {"image": [[{"subject": subject.id}, "resample", source.key]]}
    assert unit.input_digests["selection"] == chosen.digest


def test_freezing_changes_no_key() -> None:
    one = world()
    before = keys(one.plan(), "learn")
    assert keys(one.run(), "learn") == before
    one.parts = []
    assert keys(one.plan(), "learn") == before


def test_newcomers_corrections_sources_and_withdrawals_do_not_retrain() -> None:
    one = world()
    before = keys(one.run(), "learn")
    one.ingest(
        scan("new", group="HC"), scan("sub-01", group="MCI"), scan("sub-02", image=2, group="MCI")
    )
    one.withdraw("sub-03")
    assert keys(one.plan(), "learn") == before
    assert to_run(one) == {"resample", "segment"}
    assert keys(one.run(), "learn") == before
    assert not to_run(one)


def test_a_forgotten_subject_leaves_its_line_and_not_the_key() -> None:
    from cohortflow.cohort.maintenance import forget

    one = world()
    before = one.run()
    first = unit_of(before, "learn", fold=0, seed=0, variant="base")
    gone = first.members[0]
    forget(one.cohort, gone)
    one.parts = []
    plan = one.plan()
    after = unit_of(plan, "learn", fold=0, seed=0, variant="base")
    assert (after.key, after.state) == (first.key, "done")
    assert after.members == first.members[1:]
    assert gone not in who(plan, "resample")


def test_a_newcomer_is_scored_at_each_fold_that_has_not_seen_it() -> None:
    one = world()
    one.run()
    one.ingest(scan("new", group="HC"))
    plan = one.plan()
    for fold in (0, 1):
        assert "new" in who(plan, "segment", fold=fold)
        old = who(plan, "segment", fold=fold) - {"new"}
        assert old == {f"sub-0{i}" for i in range(1, 7)} - set(
            unit_of(plan, "learn", fold=fold, seed=0, variant="base").members
        )


def test_another_recording_of_a_trained_patient_is_a_newcomer_to_no_fold_that_saw_him() -> None:
    one = world()
    plan = one.run()
    seen = unit_of(plan, "learn", fold=0, seed=0, variant="base").members[0]
    one.ingest(scan("again", patient=seen, group="HC"))
    plan = one.plan()
    folds = {fold for fold in (0, 1) if "again" in who(plan, "segment", fold=fold)}
    assert folds == {1}


def test_a_changed_parameter_retrains_on_the_same_selection() -> None:
    one = world()
    before = one.run()
    one.ingest(scan("new", group="HC"))
    one.rewrite(TEXT.replace("column: group", "column: group, epochs: 99"))
    plan = one.plan()
    for unit in units(plan, "learn"):
        assert unit.state == "pending"
        assert unit.reason == "parameter epochs changed 10→99"
        assert "new" not in unit.members
    assert {u.selection for u in units(plan, "learn")} == {
        u.selection for u in units(before, "learn")
    }
    one.run()
    assert len(one.cohort.selections.all()) == 2


def test_refresh_renews_a_selection() -> None:
    one = world()
    before = keys(one.run(), "learn")
    one.ingest(scan("new", group="HC"))
    plan = one.plan(refresh=frozenset({"learn"}))
    assert {u.state for u in units(plan, "learn")} == {"pending"}
    assert {u.reason for u in units(plan, "learn")} == {"selection renewed"}
    assert {"new"} <= {s for u in units(plan, "learn") for s in u.members}
    after = keys(one.run(refresh=frozenset({"learn"})), "learn")
    assert not set(after.values()) & set(before.values())
    assert keys(one.plan(), "learn") == after
    assert not to_run(one)
    assert [s.number for s in one.cohort.selections.all()] == [1, 2, 1, 2]


def test_refresh_of_an_unchanged_cohort_trains_nothing() -> None:
    one = world()
    one.run()
    assert not to_run(one, refresh=frozenset({"learn"}))


def test_refresh_renews_for_all_that_ask_the_same_question() -> None:
    text = IMAGE + "steps: [learn: {epochs: 5}, learn: {id: other}]\n"
    one = world(text)
    one.run()
    one.ingest(scan("new", group="HC"))
    plan = one.plan(refresh=frozenset({"other"}))
    assert {u.state for u in plan.units()} == {"pending"}
    assert not plan.frozen


def test_refresh_names_a_training_step() -> None:
    with pytest.raises(UnknownName, match=r"--refresh.*Did you mean 'learn'"):
        world().plan(refresh=frozenset({"lern"}))
    with pytest.raises(UnknownName, match="no training step 'resample'"):
        world().plan(refresh=frozenset({"resample"}))


def test_no_train_blocks_instead_of_training() -> None:
    one = world()
    plan = one.run(train=False)
    assert {u.state for u in units(plan, "resample")} == {"done"}
    assert {u.state for u in units(plan, "learn")} == {"blocked"}
    assert {u.state for u in units(plan, "segment")} == {"blocked"}
    assert "--no-train" in units(plan, "learn")[0].reason
    assert not one.cohort.selections.all()
    one.run()
    assert not pending(one.plan(train=False))
    assert {u.state for u in one.plan(train=False).units()} == {"done"}


def test_a_run_with_subjects_freezes_nothing() -> None:
    one = world()
    chosen = frozenset({"sub-01"})
    plan = one.run(subjects=chosen)
    assert not one.cohort.selections.all()
    for unit in units(plan, "learn"):
        assert (unit.state, "no selection is frozen" in unit.reason) == ("blocked", True)
    one.run()
    one.rewrite(TEXT.replace("column: group", "column: group, epochs: 99"))
    assert "learn" in to_run(one, subjects=chosen), "what is frozen may be trained on"


def test_what_is_frozen_may_be_trained_on_while_others_are_left_out_of_the_run() -> None:
    one = world()
    one.run()
    one.ingest(scan("new", group="HC"))
    one.rewrite(TEXT.replace("column: group", "column: group, epochs: 99"))
    trainings = units(one.plan(subjects=frozenset({"sub-01"})), "learn")
    assert {(unit.state, unit.asked) for unit in trainings} == {("pending", True)}


def test_a_question_that_is_held_blocks_its_trainings_only() -> None:
    one = world()
    held = str(unit_of(one.plan(), "learn", fold=1, seed=0, variant="base").selection)
    plan = one.plan(held={held: "2 inputs are pending"})
    assert {u.state for u in units(plan, "learn", fold=0)} == {"pending"}
    for unit in units(plan, "learn", fold=1):
        assert (unit.state, unit.reason) == ("blocked", "2 inputs are pending")


def test_nothing_is_frozen_while_an_input_is_pending_or_failed_by_a_transient_cause() -> None:
    one = world()
    plan = one.plan()
    assert all(p.unsettled for p in plan.proposed.values())
    one.run(failing("resample", "sub-01", error=TRANSIENT))
    held = [s for s in one.cohort.selections.all() if "sub-01" in str(s.subjects)]
    assert not held
    assert len(one.cohort.selections.all()) == 1, "the other fold does not ask for sub-01"
    one.run()
    assert len(one.cohort.selections.all()) == 2


def test_a_transient_cause_further_above_holds_a_selection_as_well() -> None:
    text = TEXT.replace("- resample", "- resample\n  - smooth\n  - smooth: {id: twice}")
    one = world(text)
    plan = one.run(failing("resample", "sub-01", error=TRANSIENT))
    assert unit_of(plan, "twice", "sub-01").state == "blocked"
    assert len(one.cohort.selections.all()) == 1


def test_a_standing_failure_is_left_out_of_the_selection() -> None:
    one = world()
    one.run(failing("resample", "sub-01", error=STANDING))
    selections = one.cohort.selections.all()
    assert len(selections) == 2
    assert "sub-01" not in str([s.subjects for s in selections])


def test_a_training_that_nobody_is_admitted_to_is_blocked() -> None:
    text = IMAGE + "steps: [learn: {where: {column: {group: XX}}}]\n"
    unit = unit_of(world(text).plan(), "learn")
    assert (unit.state, unit.reason) == ("blocked", "no subject is admitted")


def test_weights_trained_on_weights_follow_them() -> None:
    text = IMAGE + "steps: [learn, tune]\n"
    one = world(text)
    before = one.run()
    one.rewrite(IMAGE + "steps: [learn: {epochs: 3}, tune]\n")
    after = one.plan()
    assert unit_of(after, "tune").key != unit_of(before, "tune").key
    assert unit_of(after, "tune").weights == (unit_of(after, "learn").key,)
    assert unit_of(after, "tune").reason == "input start changed"
