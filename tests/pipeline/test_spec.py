"""The message a worker gets: plain JSON that names everything and holds no data."""

from __future__ import annotations

import json
from typing import Any

from cohortflow.pipeline.parts import made_in_by_key, part_of, warnings_by_key
from cohortflow.pipeline.plan import Plan
from cohortflow.pipeline.spec import unit_spec
from cohortflow.pipeline.stage import Cost
from tests.pipeline.world import World, failing, scan, scans, unit_of, units

IMAGE = "inputs: {image: volume}\n"


def spec(plan: Plan, step: str, subject: str | None = None, **labels: Any) -> dict[str, Any]:
    unit = unit_of(plan, step, subject, **labels)
    table = plan.tables[step]
    made = unit_spec(plan, table, unit, cohort_url="memory://x", run_id="r", cost=Cost())
    assert json.loads(json.dumps(made)) == made
    return made


def test_a_unit_of_a_subject() -> None:
    plan = World(IMAGE + "steps: [resample: {order: 3}]\n", scans(2)).plan()
    made = spec(plan, "resample", "sub-01")
    image = plan.ingested.subjects["sub-01"].entries["image"]
    assert made["inputs"] == {"image": {"one": ["sub-01", "image", image.key]}}
    assert made["parameters"] == {"order": 3, "crop": 100}
    assert (made["members"], made["weights"], made["selection"]) == (["sub-01"], [], None)


def test_a_reduction_is_told_who_is_missing_and_their_columns() -> None:
    world = World(IMAGE + "steps: [resample, test]\n", scans(3, group=["HC", "MCI"]))
    made = spec(world.run(failing("resample", "sub-02")), "test")
    assert [row[1] for row in made["inputs"]["image"]["many"]] == ["sub-01", "sub-03"]
    assert made["inputs"]["image"]["missing"] == [{"subject": "sub-02"}]
    assert made["columns"] == {
        "sub-01": {"group": "HC"},
        "sub-03": {"group": "HC"},
        "sub-02": {"group": "MCI"},
    }
    assert set(made["members"]) == {"sub-01", "sub-02", "sub-03"}, "forgetting finds them by these"


def test_a_training_reads_its_frozen_selection_and_nothing_of_today() -> None:
    world = World(IMAGE + "steps: [resample, learn: {column: group}]\n", scans(2, group=["HC"]))
    before = spec(world.run(), "learn")
    world.ingest(scan("new", group="HC"), scan("sub-01", image=2, group="MCI"))
    after = spec(world.plan(), "learn")
    assert after == before
    assert after["columns"] == {"sub-01": {"group": "HC"}, "sub-02": {"group": "HC"}}
    assert set(after["saw"]) == {"sub-01", "sub-02", "patient:sub-01", "patient:sub-02"}


def test_seeds_differ_by_seed_and_subject_and_not_by_variant() -> None:
    text = (
        IMAGE
        + """
axes: {seed: 2, variant: {a: {}, b: {set: {learn.width: 4}}}}
steps: [resample, learn: {over: [seed, variant]}]
"""
    )
    plan = World(text, scans(2)).run()
    seeds = {
        u.labels: spec(plan, "learn", seed=u.labels[0], variant=u.labels[1])["seed"]
        for u in units(plan, "learn")
    }
    assert seeds[(0, "a")] == seeds[(0, "b")] != seeds[(1, "a")] == seeds[(1, "b")]
    one, two = (spec(plan, "resample", s)["seed"] for s in ("sub-01", "sub-02"))
    assert one != two


def test_the_seed_of_the_pipeline_moves_only_what_has_it_in_the_key() -> None:
    text = IMAGE + "steps: [resample, learn]\n"
    plans = [World(f"seed: {n}\n{text}", scans(1)).run() for n in (0, 1)]
    assert (
        spec(plans[0], "resample", "sub-01")["seed"] == spec(plans[1], "resample", "sub-01")["seed"]
    )
    assert spec(plans[0], "learn")["seed"] != spec(plans[1], "learn")["seed"]


def test_rows_of_an_index_part() -> None:
    world = World(IMAGE + "steps: [resample, test]\n", scans(3, group=["HC", "MCI"]))
    plan = world.run(failing("resample", "sub-02"))
    outcome = {"state": "done", "error": None, "warnings": [{"code": "w", "message": "said"}]}
    done = unit_of(plan, "resample", "sub-01")
    table = plan.tables["resample"]
    other = unit_of(plan, "resample", "sub-03")
    before = {done.key: 2, other.key: 3}
    part = part_of(table, list(table.units()), {done.key: outcome}, {}, made_in=before, index=5)
    assert part["subject"] == ["sub-01", "sub-02", "sub-03"]
    assert part["state"] == ["done", "failed", "done"]
    assert set(part["error"]) == {"1"}
    assert part["warnings"] == {"0": outcome["warnings"]}
    assert warnings_by_key([part]) == {done.key: outcome["warnings"]}
    assert part["made_in"] == [5, None, 3]
    assert made_in_by_key([part]) == {done.key: 5, other.key: 3}
    older = {name: value for name, value in part.items() if name != "made_in"}
    assert made_in_by_key([older]) == {}
    assert len(part["recipes"]) == 1
    table = plan.tables["test"]
    part = part_of(table, list(table.units()), {}, {})
    assert (part["n"], part["missing"]) == ([2], [1])
    assert json.loads(json.dumps(part)) == part
