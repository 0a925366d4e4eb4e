"""A training that monitors has seen whom it monitors; one that does not is what it was before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pydantic
import pytest

from cohortflow.errors import AmbiguousInput, BadParameter, SeenSubject
from cohortflow.pipeline.load import load_pipeline
from cohortflow.pipeline.plan import Plan
from cohortflow.pipeline.spec import unit_spec
from cohortflow.pipeline.stage import Cost, Parameters, Stage
from cohortflow.pipeline.unit import Unit
from cohortflow.stages import CATALOGUE as STAGES
from tests.pipeline.world import World, keys, recording, unit_of, units

HEAD = """
inputs: {series: roi_series}
splits: {cv: {folds: 3, stratify: group}}
axes: {fold: {split: cv}, seed: [0, 1]}
steps:
  - standardise
  - diagrams
  - pairwise_rois
  - classify: {network: DMN, degree: 0, reads: {matrices: pairwise_rois},
      over: [fold, seed], where: {split: cv/train}}
  - score: {network: DMN, degree: 0, reads: {matrices: pairwise_rois, weights: classify},
      over: [fold, seed], where: {unseen_by: classify}}
"""
PEAK = """\
  - classify:
      id: peak
      network: DMN
      degree: 0
      monitor: true
      reads:
        matrices: {from: pairwise_rois, where: {split: cv/train}}
        monitor: {from: pairwise_rois, where: {split: cv/test}}
      over: [fold, seed]
"""
SCORED = """\
  - score: {id: cheat, network: DMN, degree: 0, reads: {matrices: pairwise_rois, weights: peak},
      over: [fold, seed]%s}
"""


def world(text: str = HEAD + PEAK, **options: Any) -> World:
    groups = ["HC"] * 6 + ["MCI"] * 6
    subjects = [recording(f"sub-{i:02d}", group=group) for i, group in enumerate(groups)]
    return World(text, subjects, catalogue=options.pop("catalogue", STAGES), **options)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return world().plan()


def read(plan: Plan, unit: Unit) -> dict[str, set[str]]:
    """Input → subjects of the selection that a training reads."""
    found: dict[str, set[str]] = {}
    for row in plan.proposed[str(unit.selection)].subjects:
        for name in row["inputs"]:
            found.setdefault(name, set()).add(row["subject"])
    return found


def test_a_monitored_training_learns_from_the_same_and_watches_the_test_part(plan: Plan) -> None:
    for fold in range(3):
        own, plain = (unit_of(plan, step, fold=fold, seed=1) for step in ("peak", "classify"))
        parts = read(plan, own)
        assert parts["matrices"] == read(plan, plain)["matrices"] == set(plain.members)
        assert parts["monitor"] == set(unit_of(plan, "score", fold=fold, seed=1).members)
        assert len(parts["monitor"]) == 4
        assert own.key != plain.key


def test_it_has_seen_whom_it_monitored(plan: Plan) -> None:
    everybody = {f"sub-{i:02d}" for i in range(12)}
    for unit in units(plan, "peak"):
        assert set(unit.members) == everybody
        assert everybody < unit.saw


def test_nobody_is_left_to_be_scored_by_its_weights() -> None:
    found = world(HEAD + PEAK + SCORED % ", where: {unseen_by: peak}").plan()
    assert {(u.state, u.reason) for u in units(found, "cheat")} == {
        ("blocked", "no subject is admitted")
    }


@pytest.mark.parametrize("where", ["", ", where: {unseen_by: classify}"])
def test_a_score_of_the_monitored_is_refused(where: str) -> None:
    with pytest.raises(SeenSubject, match="'cheat' scores"):
        world(HEAD + PEAK + SCORED % where).plan()


def test_it_draws_the_same_numbers(plan: Plan) -> None:
    done = world().run()

    def seeds(step: str) -> dict[Any, int]:
        table = done.tables[step]
        return {
            unit.labels: unit_spec(done, table, unit, cohort_url="", run_id="", cost=Cost())["seed"]
            for unit in table.units()
        }

    assert seeds("peak") == seeds("classify")
    assert len(set(seeds("peak").values())) == 2


def before() -> dict[str, Stage]:
    """The catalogue in which ``classify`` could not monitor."""
    stage = STAGES["classify"]
    fields = {
        name: (field.annotation, field)
        for name, field in stage.parameters.model_fields.items()
        if name != "monitor"
    }
    older: type[Parameters] = pydantic.create_model("Older", __base__=Parameters, **fields)  # type: ignore[call-overload]
    reads = {name: need for name, need in stage.reads.items() if name != "monitor"}
    return {**STAGES, "classify": replace(stage, parameters=older, reads=reads)}


def test_keys_and_questions_of_a_training_that_does_not_monitor_stay() -> None:
    older, newer = world(HEAD, catalogue=before()).plan(), world(HEAD).plan()
    for step in ("classify", "score"):
        assert keys(newer, step) == keys(older, step)
    assert {u.selection for u in newer.units()} == {u.selection for u in older.units()}
    assert keys(world().plan(), "classify") == keys(older, "classify")


def test_switched_off_it_is_the_training_that_is_scored() -> None:
    found = world(settings=["peak.monitor=false"]).plan()
    assert keys(found, "peak") == keys(found, "classify")


def test_newcomers_are_neither_learned_nor_monitored() -> None:
    one = world()
    first = keys(one.run(), "peak")
    one.ingest(recording("new", group="HC"))
    assert keys(one.plan(), "peak") == first


def test_a_forest_is_refused_by_name_and_line() -> None:
    said = r"world.yaml:17: parameter 'monitor' of stage 'classify'.*random_forest has no epochs"
    with pytest.raises(BadParameter, match=said):
        world(settings=["peak.model=random_forest"]).plan()


def test_what_is_monitored_must_be_said() -> None:
    with pytest.raises(AmbiguousInput, match="'matrices' and 'monitor'"):
        world((HEAD + PEAK).replace("        monitor: {from", "        # monitor: {from")).plan()


@pytest.mark.parametrize(
    ("slug", "subjects"),
    [
        ("mci-persistent-homology", {"balanced": ["HC", "MCI"], "group": ["HC", "MCI"]}),
        ("autism-persistent-homology", {"group": ["autism", "control"]}),
        ("demo-persistent-homology", {"group": ["HC", "MCI"]}),
    ],
)
def test_packaged_pipelines_monitor_the_test_part_once_for_each_cell(
    slug: str, subjects: dict[str, list[str]]
) -> None:
    """The baselines of other variants are not monitored, nor is the correlation control."""
    one = World(HEAD, catalogue=STAGES)
    for i in range(20):
        columns: dict[str, Any] = {name: values[i % 2] for name, values in subjects.items()}
        one.subjects[f"sub-{i:02d}"] = recording(f"sub-{i:02d}", **columns)
    one.ingest()
    one.pipeline = load_pipeline(slug)
    found = one.plan()
    (step,) = [s for s in one.pipeline.steps if s.parameters.get("monitor")]
    assert set(step.over) == set(one.pipeline.step("classify").over) - {"variant"}
    for unit in units(found, step.id, degree=0, seed=0, network="DMN"):
        if not unit.members:
            continue  # a comparison whose groups this cohort lacks
        at: dict[str, Any] = {**found.tables[step.id].point(unit)}
        if "variant" in one.pipeline.axes:
            at["variant"] = "cnn"
        plain, scored = unit_of(found, "classify", **at), unit_of(found, "score", **at)
        parts = read(found, unit)
        assert parts["matrices"] == set(plain.members)
        assert parts["monitor"] == set(scored.members)
        assert unit.recipe is not None
        assert plain.recipe is not None
        own = unit.recipe.parameters.model_dump(exclude={"monitor"})
        assert own == plain.recipe.parameters.model_dump(exclude={"monitor"})
    sources = {r.source for s in one.pipeline.steps for reads in s.reads.values() for r in reads}
    assert step.id not in sources
