"""What enters a key and what does not; facts; runs that are narrowed."""

from __future__ import annotations

from typing import Any

import pytest

from cohortflow.errors import AxisError, SelectionEmpty, UnknownName
from tests.pipeline.fakes import CATALOGUE, Resample, stage
from tests.pipeline.world import (
    World,
    failing,
    keys,
    pending,
    recording,
    scan,
    scans,
    states,
    unit_of,
    units,
    who,
)

IMAGE = "inputs: {image: volume}\n"
TEXT = IMAGE + "steps: [resample, smooth, test]\n"


def all_keys(text: str, subjects: Any = None, **options: Any) -> set[str]:
    world = World(text, subjects or scans(3, group=["HC", "MCI"]), **options)
    return {unit.key for unit in world.plan().units()}


# --- keys -----------------------------------------------------------------------------------------


def test_a_parameter_at_its_default_stays_out_of_the_key() -> None:
    for same in (
        "resample: {order: 1}",
        "resample: {spacing_mm: [1.0, 1.0, 1.0]}",
        "resample: {spacing_mm: [1, 1, 1]}",
        "resample: {mixed: allow}",
    ):
        assert all_keys(IMAGE + f"steps: [{same}]\n") == all_keys(IMAGE + "steps: [resample]\n")


def test_one_and_one_point_nought_are_one_where_the_parameter_is_a_float() -> None:
    whole = all_keys(IMAGE + "steps: [resample: {spacing_mm: [2, 2, 2]}]\n")
    assert whole == all_keys(IMAGE + "steps: [resample: {spacing_mm: [2.0, 2.00, 2e0]}]\n")
    zero = all_keys(IMAGE + "steps: [resample: {spacing_mm: [0.0, 1, 1]}]\n")
    assert zero == all_keys(IMAGE + "steps: [resample: {spacing_mm: [-0.0, 1, 1]}]\n")


def test_a_new_parameter_at_its_default_recomputes_nothing() -> None:
    class Grown(Resample):
        antialias: bool = False

    resample = CATALOGUE["resample"]
    grown = stage(
        "resample", Grown, "volume", "subject", reads=resample.reads, resolve=resample.resolve
    )
    text = IMAGE + "steps: [resample]\n"
    assert all_keys(text, catalogue={"resample": grown}) == all_keys(text)


@pytest.mark.parametrize("step", ["resample: {order: 3}", "resample: {spacing_mm: [2, 1, 1]}"])
def test_a_parameter_enters_the_key_and_those_below(step: str) -> None:
    before = all_keys(TEXT)
    assert not before & all_keys(TEXT.replace("resample", step))


def test_the_version_of_a_stage_enters_the_key() -> None:
    newer = stage("smooth", CATALOGUE["smooth"].parameters, "volume", "subject",
                  reads=CATALOGUE["smooth"].reads, version=2)  # fmt: skip
    before, after = (
        World(TEXT, scans(2, group="HC")),
        World(TEXT, scans(2, group="HC"), catalogue={**CATALOGUE, "smooth": newer}),
    )
    old, new = before.plan(), after.plan()
    assert keys(old, "resample") == keys(new, "resample")
    assert not set(keys(old, "smooth").values()) & set(keys(new, "smooth").values())
    assert keys(old, "test") != keys(new, "test")


def test_threads_enter_the_key_of_stages_whose_floats_depend_on_them() -> None:
    from dataclasses import replace

    text = IMAGE + "steps: [smooth]\n"
    by_threads = [
        all_keys(text, catalogue={"smooth": replace(CATALOGUE["smooth"], threads=threads)})
        for threads in (None, 1, 4)
    ]
    assert by_threads[0] == by_threads[1] != by_threads[2]


def test_the_subject_enters_the_key_though_it_brought_the_same() -> None:
    subjects = [scan("a"), scan("b")]
    subjects[1].entries = subjects[0].entries
    plan = World(IMAGE + "steps: [resample]\n", subjects).plan()
    assert len({u.key for u in plan.units()}) == 2


def test_columns_enter_the_key_of_the_steps_that_read_them() -> None:
    world = World(TEXT, scans(3, group=["HC", "MCI"], site="A"))
    before = world.plan()
    world.ingest(scan("sub-01", group="MCI", site="A"))
    after = world.plan()
    assert keys(before, "smooth") == keys(after, "smooth")
    assert keys(before, "test") != keys(after, "test")
    world.ingest(scan("sub-01", group="MCI", site="B"))
    assert keys(world.plan(), "test") == keys(after, "test"), "site is read by nobody"


def test_a_source_enters_the_key() -> None:
    world = World(TEXT, scans(2, group="HC"))
    before = world.plan()
    world.ingest(scan("sub-02", image=2, group="H"))
    after = world.plan()
    assert keys(before, "smooth")[("sub-01", ())] == keys(after, "smooth")[("sub-01", ())]
    assert keys(before, "smooth")[("sub-02", ())] != keys(after, "smooth")[("sub-02", ())]


def test_an_input_that_a_parameter_switches_off_leaves_the_key() -> None:
    text = "inputs: {image: volume, label: label_map}\nsteps: [mask: {masked: %s}]\n"
    for masked, changes in (("true", True), ("false", False)):
        world = World(text % masked, scans(1))
        before = world.plan()
        world.ingest(scan("sub-01", label=2))
        assert (keys(before, "mask") != keys(world.plan(), "mask")) is changes


def test_points_that_differ_in_nothing_share_a_unit() -> None:
    text = (
        IMAGE
        + """
axes: {variant: {a: {}, b: {set: {resample.order: 1}}, c: {set: {resample.order: 2}}}}
steps: [resample: {over: [variant]}, smooth: {over: [variant]}]
"""
    )
    plan = World(text, scans(2)).plan()
    for step in ("resample", "smooth"):
        assert len(list(plan.tables[step].units())) == 6
        assert len(plan.tables[step].unique()) == 4


def test_two_pipelines_that_ask_for_the_same_key_share_it() -> None:
    other = IMAGE + "title: another\nsteps: [resample, smooth: {id: softened}]\n"
    assert all_keys(other) < all_keys(TEXT)


def test_the_seed_of_the_pipeline_enters_the_keys_of_stages_with_a_seed() -> None:
    text = IMAGE + "steps: [resample, learn]\n"
    one, two = (World(f"seed: {seed}\n{text}", scans(2)).plan() for seed in (0, 1))
    assert keys(one, "resample") == keys(two, "resample")
    assert keys(one, "learn") != keys(two, "learn")


def test_planning_is_deterministic() -> None:
    world = World(TEXT, scans(4, group=["HC", "MCI"]))
    first, second = world.plan(), world.plan()
    assert [(u.key, u.state, u.reason) for u in first.units()] == [
        (u.key, u.state, u.reason) for u in second.units()
    ]


# --- facts ----------------------------------------------------------------------------------------


def sizes(*numbers: int, **columns: Any) -> list[Any]:
    return [
        scan(f"s{i}", size=n, **{k: v[i] for k, v in columns.items()})
        for i, n in enumerate(numbers)
    ]


def crop_of(world: World, **labels: Any) -> int:
    recipe = next(iter(units(world.plan(), "resample", **labels))).recipe
    assert recipe is not None
    return recipe.parameters.crop  # type: ignore[attr-defined, no-any-return]


def test_a_word_is_resolved_over_the_cohort_and_only_its_value_enters_the_key() -> None:
    text = IMAGE + "steps: [resample: {crop: smallest}]\n"
    world = World(text, sizes(180, 176, 200))
    assert crop_of(world) == 176
    assert all_keys(text, sizes(180, 176)) == all_keys(
        text.replace("smallest", "176"), sizes(180, 176)
    )


def test_a_smaller_newcomer_says_what_changed() -> None:
    world = World(IMAGE + "steps: [resample]\n", sizes(180, 190))
    world.run()
    world.ingest(scan("s2", size=176))
    plan = world.plan()
    assert {u.subject: u.reason for u in plan.units()} == {
        "s0": "parameter crop changed 180→176",
        "s1": "parameter crop changed 180→176",
        "s2": "new",
    }


def test_facts_are_those_of_the_subjects_that_the_step_admits_at_that_point() -> None:
    text = (
        IMAGE
        + """
axes: {site: {a: {where: {column: {site: A}}}, all: {}}}
steps: [resample: {over: [site]}]
"""
    )
    world = World(text, sizes(180, 100, site="AB"))
    assert (crop_of(world, site="a"), crop_of(world, site="all")) == (180, 100)
    above = IMAGE + "steps: [smooth: {where: {column: {site: A}}}, resample]\n"
    assert crop_of(World(above, sizes(180, 100, site="AB"))) == 180


def test_a_refused_subject_has_no_facts() -> None:
    refused = scan("s9", error={"code": "empty-input", "message": "empty", "hint": ""})
    assert crop_of(World(IMAGE + "steps: [resample]\n", [*sizes(180, 190), refused])) == 180


def test_the_real_standardise_resolves_its_length_and_keeps_mixed_tr_out() -> None:
    from cohortflow.errors import MixedRepetitionTimes
    from cohortflow.stages import CATALOGUE as STAGES

    text = "inputs: {series: roi_series}\nsteps: [standardise: {length: shortest%s}]\n"
    alike = [recording("a", samples=180), recording("b", samples=176)]
    allowed = all_keys(text % ", mixed_tr: allow", alike, catalogue=STAGES)
    assert allowed == all_keys(text % "", alike, catalogue=STAGES)
    mixed = [recording("a"), recording("b", tr_s=1.5)]
    with pytest.raises(MixedRepetitionTimes, match=r"1\.5 s × 1, 2 s × 1"):
        World(text % "", mixed, catalogue=STAGES).plan()
    World(text % ", mixed_tr: allow", mixed, catalogue=STAGES).plan()


def test_a_shorter_newcomer_in_the_words_of_the_plan() -> None:
    from cohortflow.stages import CATALOGUE as STAGES

    text = "inputs: {series: roi_series}\nsteps: [standardise: {length: shortest}]\n"
    world = World(text, [recording("a", samples=180)], catalogue=STAGES)
    world.run()
    world.ingest(recording("b", samples=176))
    assert unit_of(world.plan(), "standardise", "a").reason == "parameter length changed 180→176"


# --- axes that are told while planning ------------------------------------------------------------

ROI = """
inputs: {series: roi_series}
axes: {roi: {from: series}}
steps: [look: {over: [roi]}]
"""


def look() -> dict[str, Any]:
    from cohortflow.pipeline.stage import Parameters, Reads

    class Look(Parameters):
        roi: int

    reads = {"series": Reads(("roi_series",), many=True)}
    return {"look": stage("look", Look, "table", "cohort", reads=reads)}


def test_the_length_of_an_input() -> None:
    plan = World(ROI, [recording("a"), recording("b")], catalogue=look()).plan()
    assert [u.labels for u in plan.units()] == [(i,) for i in range(6)]
    assert not list(World(ROI, [], catalogue=look()).plan().units())


def test_inputs_of_different_lengths_make_no_axis() -> None:
    odd = recording("b")
    odd.entries["series"].facts["rois"] = 7
    with pytest.raises(AxisError, match=r"world.yaml:3: 'series' has different lengths.*\[6, 7\]"):
        World(ROI, [recording("a"), odd], catalogue=look()).plan()


def test_a_kind_without_a_length() -> None:
    text = IMAGE + "axes: {part: {from: image}}\nsteps: [resample: {over: [part]}, learn]\n"
    with pytest.raises(AxisError):
        World(text, scans(1)).plan()


def test_folds_of_a_split_that_has_none() -> None:
    text = (
        IMAGE
        + """
splits: {paper: {test: 0.2}}
axes: {fold: {split: paper}}
steps: [learn: {over: [fold], where: {split: paper/train}}]
"""
    )
    with pytest.raises(AxisError, match=r"world.yaml:4: split 'paper' has no folds"):
        World(text, scans(5)).plan()


def test_folds_each_are_labelled_by_the_column() -> None:
    text = (
        IMAGE
        + """
splits: {loso: {folds: each, column: site}}
axes: {fold: {split: loso}}
steps: [learn: {over: [fold], where: {split: loso/train}}]
"""
    )
    plan = World(text, scans(6, site="ABC")).plan()
    assert {u.labels: u.members for u in units(plan, "learn")} == {
        ("A",): ("sub-02", "sub-03", "sub-05", "sub-06"),
        ("B",): ("sub-01", "sub-03", "sub-04", "sub-06"),
        ("C",): ("sub-01", "sub-02", "sub-04", "sub-05"),
    }
    assert not list(World(text, []).plan().units())


# --- runs that are narrowed -----------------------------------------------------------------------

NARROW = (
    IMAGE
    + """
axes: {order: [1, 2, 3]}
steps: [resample: {over: [order]}, smooth: {over: [order]}, test, test: {id: each, over: [order]}]
"""
)


def to_run(plan: Any) -> set[tuple[str, Any, Any]]:
    return {(u.step, u.subject, u.labels) for u in plan.units() if u.state == "pending" and u.asked}


def test_at_restricts_what_runs_and_changes_no_key() -> None:
    world = World(NARROW, scans(2, group="HC"))
    whole, narrowed = world.plan(), world.plan(at={"order": ["2"]})
    assert [u.key for u in whole.units()] == [u.key for u in narrowed.units()]
    assert {labels for _, _, labels in to_run(narrowed)} == {(2,)}
    left = unit_of(narrowed, "test")
    assert (left.state, left.asked, left.reason) == ("pending", False, "left out of this run")
    done = world.run(at={"order": ["2"]})
    assert unit_of(done, "each", order=2).state == "done"
    assert unit_of(done, "each", order=1).state == "pending"
    assert not to_run(world.plan(at={"order": ["2"]}))
    world.run(at={"order": ["1", "3"]})
    assert not pending(world.plan()), "the reduction had all it reads"


def test_a_unit_that_several_points_share_runs_where_one_of_them_is_asked_for() -> None:
    text = (
        IMAGE
        + """
axes: {variant: {a: {}, b: {set: {resample.order: 1}}, c: {set: {resample.order: 2}}}}
steps: [resample: {over: [variant]}]
"""
    )
    for variant, units_to_run in (("a", 1), ("b", 1), ("c", 1)):
        plan = World(text, scans(1)).plan(at={"variant": [variant]})
        found = [u for u in plan.tables["resample"].unique() if u.asked]
        assert len(found) == units_to_run


@pytest.mark.parametrize(
    ("at", "word"), [({"ordr": ["1"]}, "Did you mean 'order'"), ({"order": ["4"]}, "no value '4'")]
)
def test_at_names_an_axis_and_its_values(at: dict[str, list[str]], word: str) -> None:
    with pytest.raises(UnknownName, match=f"--at.*{word}"):
        World(NARROW, scans(2, group="HC")).plan(at=at)


def test_subjects_restrict_what_runs_and_change_no_key() -> None:
    """A length that is the cohort's shortest stays so, and folds stay where they are."""
    world = World(TEXT, sizes(180, 170, 160, group=["HC"] * 3))
    whole, narrowed = world.plan(), world.plan(subjects=frozenset({"s0"}))
    assert [u.key for u in whole.units()] == [u.key for u in narrowed.units()]
    assert to_run(narrowed) == {("resample", "s0", ()), ("smooth", "s0", ())}
    world.run(subjects=frozenset({"s0"}))
    assert states(world.plan(), "smooth") == {"s0": "done", "s1": "pending", "s2": "pending"}
    world.run()
    world.ingest(scan("s1", size=170, image=2, group="HC"))
    assert to_run(world.plan(subjects=frozenset({"s1"}))) == {
        ("resample", "s1", ()),
        ("smooth", "s1", ()),
        ("test", None, ()),
    }, "the reduction has all it reads"
    assert not to_run(world.plan(subjects=frozenset({"s0"})))


def test_no_subject_of_the_cohort() -> None:
    with pytest.raises(SelectionEmpty):
        World(TEXT, scans(2, group="HC")).plan(subjects=frozenset({"nobody"}))


def test_set_on_parameters_and_axes_changes_the_plan() -> None:
    world = World(NARROW, scans(1, group="HC"), settings=["axes.order=[7]", "each.alpha=0.01"])
    plan = world.plan()
    assert {u.labels for u in units(plan, "resample")} == {(7,)}
    recipe = unit_of(plan, "each").recipe
    assert recipe is not None
    assert recipe.parameters.alpha == 0.01  # type: ignore[attr-defined]


def test_refused_subjects_stay_failed_whoever_is_asked_for() -> None:
    world = World(TEXT, scans(2, group="HC"))
    world.run(failing("smooth", "sub-01"))
    plan = world.plan(subjects=frozenset({"sub-02"}))
    failed = unit_of(plan, "smooth", "sub-01")
    assert (failed.state, failed.asked) == ("failed", False)
    assert who(plan, "smooth") == {"sub-01", "sub-02"}
