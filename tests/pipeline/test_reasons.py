"""Why a unit is to run, in words, from two indexes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from cohortflow.pipeline.reasons import summary
from tests.pipeline.fakes import CATALOGUE
from tests.pipeline.world import (
    STANDING,
    TRANSIENT,
    World,
    failing,
    pending,
    scan,
    scans,
    unit_of,
)

IMAGE = "inputs: {image: volume}\n"
TEXT = IMAGE + "steps: [resample, smooth, test]\n"


def standing(text: str = TEXT, n: int = 3) -> World:
    world = World(text, scans(n, group=["HC", "MCI"], site="AB"))
    world.run()
    return world


def reasons(world: World, **options: object) -> dict[tuple[str, str | None], str]:
    return {(u.step, u.subject): u.reason for u in pending(world.plan(**options))}


def test_new() -> None:
    world = World(TEXT, scans(2, group="HC"))
    assert set(reasons(world).values()) == {"new"}


def test_nothing_changed() -> None:
    assert reasons(standing()) == {}


def test_a_parameter_changed() -> None:
    world = standing()
    world.rewrite(TEXT.replace("smooth,", "smooth, ").replace("resample", "resample: {order: 3}"))
    found = reasons(world)
    assert found[("resample", "sub-01")] == "parameter order changed 1→3"
    assert found[("smooth", "sub-01")] == "input image changed"
    assert found[("test", None)] == "input image changed"


def test_two_parameters_changed() -> None:
    world = standing()
    world.rewrite(TEXT.replace("resample", "resample: {order: 3, crop: 50}"))
    assert reasons(world)[("resample", "sub-01")] == (
        "parameter order changed 1→3; parameter crop changed 100→50"
    )


def test_each_point_tells_its_own_parameters() -> None:
    text = (
        IMAGE
        + """
axes: {variant: {base: {}, fine: {set: {resample.order: 3}}}}
steps: [resample: {over: [variant]}]
"""
    )
    world = standing(text, 1)
    world.rewrite(text.replace("order: 3", "order: 4"))
    (unit,) = pending(world.plan())
    assert (unit.labels, unit.reason) == (("fine",), "parameter order changed 3→4")


def test_a_parameter_said_for_one_point_is_not_told_of_another() -> None:
    text = (
        IMAGE
        + """
axes: {variant: {base: {}, fine: {set: {resample.order: 3}}}}
steps: [resample: {over: [variant]}]
"""
    )
    world = standing(text, 1)
    world.rewrite(text.replace("order: 3", "order: 4"))
    world.ingest(scan("sub-01", image=2, group="HC", site="A"))
    assert {u.labels: u.reason for u in pending(world.plan())} == {
        ("base",): "input image changed",
        ("fine",): "parameter order changed 3→4; input image changed",
    }


def test_an_input_changed() -> None:
    world = standing()
    world.ingest(scan("sub-02", image=2, group="MCI", site="B"))
    assert reasons(world) == {
        ("resample", "sub-02"): "input image changed",
        ("smooth", "sub-02"): "input image changed",
        ("test", None): "input image changed",
    }


def test_a_newcomer() -> None:
    world = standing()
    world.ingest(scan("sub-09", group="HC", site="A"))
    assert reasons(world) == {
        ("resample", "sub-09"): "new",
        ("smooth", "sub-09"): "new",
        ("test", None): "input image changed (3→4 subjects)",
    }


def test_a_participants_column_changed() -> None:
    world = standing()
    world.ingest(scan("sub-01", group="MCI", site="A"))
    assert reasons(world) == {("test", None): "participants column group changed"}
    world.ingest(scan("sub-01", group="HC", site="B"))
    assert reasons(world) == {}


def test_a_subject_that_leaves_and_one_that_fails() -> None:
    world = standing()
    world.withdraw("sub-03")
    assert reasons(world) == {("test", None): "input image changed (3→2 subjects)"}


def test_failed_before() -> None:
    world = World(TEXT, scans(2, group="HC"))
    world.run(failing("smooth", "sub-01", error=TRANSIENT))
    found = reasons(world)
    assert found[("smooth", "sub-01")] == "failed before: worker-lost"
    world.run(failing("smooth", "sub-01", error=STANDING))
    assert ("smooth", "sub-01") not in reasons(world)
    assert reasons(world, retry_failed=True)[("smooth", "sub-01")] == "failed before: stage-failed"


def test_an_entry_gone() -> None:
    world = standing()
    unit = unit_of(world.plan(), "smooth", "sub-01")
    world.cohort.storage.delete(unit.ref.path)
    ledger = world.ledger()
    ledger.forget(unit.key)
    from cohortflow.pipeline.ledger import rows_of
    from cohortflow.pipeline.plan import make_plan
    from cohortflow.pipeline.reasons import explain

    plan = make_plan(world.pipeline, world.cohort.ingested, ledger, world.cohort.selections)
    explain(plan, rows_of(world.parts))
    assert {u.subject: u.reason for u in pending(plan)} == {"sub-01": "entry gone"}


def test_not_finished_before() -> None:
    world = World(TEXT, scans(2, group="HC"))
    world.run(subjects=frozenset({"sub-01"}))
    found = reasons(world)
    assert found == {
        ("resample", "sub-02"): "not finished before",
        ("smooth", "sub-02"): "not finished before",
        ("test", None): "not finished before",
    }


def test_a_run_for_some_subjects_hides_no_changed_parameter() -> None:
    world = standing()
    changed = TEXT.replace("resample", "resample: {order: 3}")
    world.rewrite(changed)
    world.run(subjects=frozenset({"sub-01"}))
    expected = {
        ("resample", "sub-02"): "parameter order changed 1→3",
        ("resample", "sub-03"): "parameter order changed 1→3",
        ("smooth", "sub-02"): "input image changed",
        ("smooth", "sub-03"): "input image changed",
        ("test", None): "input image changed",
    }
    assert reasons(world) == expected
    world.run(subjects=frozenset({"sub-02"}))
    gone = {("resample", "sub-02"), ("smooth", "sub-02")}
    assert reasons(world) == {who: why for who, why in expected.items() if who not in gone}, (
        "also two runs later"
    )


def test_back_at_the_old_parameter_after_a_narrowed_run_nothing_is_to_run() -> None:
    world = standing()
    world.rewrite(TEXT.replace("resample", "resample: {order: 3}"))
    world.run(subjects=frozenset({"sub-01"}))
    world.rewrite(TEXT)
    assert reasons(world) == {}


def test_another_version_of_a_stage() -> None:
    world = standing()
    newer = {**CATALOGUE, "smooth": replace(CATALOGUE["smooth"], version=2)}
    world.rewrite(TEXT, catalogue=newer)
    found = reasons(world)
    assert found[("smooth", "sub-01")] == "stage smooth version 1→2"
    assert ("resample", "sub-01") not in found


def test_an_input_switched_off() -> None:
    text = "inputs: {image: volume, label: label_map}\nsteps: [mask: {masked: true}]\n"
    world = standing(text, 1)
    world.rewrite(text.replace("true", "false"))
    assert reasons(world) == {
        ("mask", "sub-01"): "parameter masked changed True→False; input label left out"
    }
    world.run()
    world.rewrite(text)
    assert reasons(world) == {}, "the first result still stands"


def test_the_summary_counts_units_by_step_action_and_reason() -> None:
    world = World(TEXT, scans(4, group="HC"))
    world.run(failing("resample", "sub-01"))
    world.ingest(scan("sub-09", group="HC"))
    rows = {(r["step"], r["action"], r["reason"]): r["units"] for r in summary(world.plan())}
    assert rows == {
        ("resample", "skip", ""): 3,
        ("resample", "failed", "failed before: stage-failed"): 1,
        ("resample", "run", "new"): 1,
        ("smooth", "skip", ""): 3,
        ("smooth", "blocked", "resample failed"): 1,
        ("smooth", "run", "new"): 1,
        ("test", "run", "input image changed (3→4 subjects)"): 1,
    }
    narrowed = summary(world.plan(subjects=frozenset({"sub-01"})))
    actions = Counter(row["action"] for row in narrowed)
    assert actions["run"] == 0
    assert actions["leave"] == 3
