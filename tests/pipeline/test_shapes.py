"""Both shapes of pipeline that the design shows, planned as written."""

from __future__ import annotations

from collections import Counter

import pytest

from cohortflow.pipeline.plan import Plan
from cohortflow.pipeline.unit import Unit
from cohortflow.stages import CATALOGUE as STAGES
from tests.pipeline.world import World, missing, points, recording, scan, unit_of, units, who

SEGMENTATION = """
title: Dilated segmentation of the heart
inputs: {image: volume, label: {kind: label_map, optional: true}}
splits: {cv: {folds: 5, by: patient}}
axes:
  fold: {split: cv}
  seed: [0, 1, 2]
  variant: {base: {}, wide: {set: {train.width: 16}}, flips: {set: {segment.flips: true}}}
steps:
  - resample: {spacing_mm: [10.0, 1.5, 1.5]}
  - regrid_labels: {id: truth, spacing_mm: [10.0, 1.5, 1.5]}
  - train: {reads: {image: resample, label: truth}, over: [fold, seed, variant],
      where: {split: cv/train}}
  - segment: {reads: {image: resample}, over: [fold, seed, variant], where: {unseen_by: train}}
  - score: {reads: {prediction: segment, reference: truth}, over: [fold, seed, variant],
      metrics: [dice, hd95/pooled]}
  - summarise: {over: [seed, variant]}
report: [published, ablation, subjects, methods]
"""

TOPOLOGY = """
title: Persistent homology of resting-state series
inputs: {series: roi_series}
splits: {cv: {folds: 6, stratify: group}, paper: {test: 0.2, stratify: group}}
axes:
  comparison: {hc_mci: {where: {column: {group: [HC, MCI]}}},
    hc_lmci: {where: {column: {group: [HC, LMCI]}}}}
  network: [DMN, CO, FP, OP, SM, CB]
  degree: [0, 1, 2]
  roi: {from: series}
  fold: {split: cv}
  seed: [0, 1, 2, 3, 4]
steps:
  - standardise: {length: shortest, mixed_tr: refuse}
  - diagrams: {dimension: 3, lag: 1}
  - pairwise_rois                                            # PR: one subject, all its regions
  - by_roi: {reads: {diagrams: diagrams}, over: [comparison]}  # subject-major → region-major, once
  - pairwise_subjects: {over: [comparison, roi]}             # PS: one region, all subjects
  - rank_sum_map: {reads: {matrices: pairwise_rois}, over: [comparison, network, degree]}
  - classify: {reads: {matrices: pairwise_rois}, over: [comparison, network, degree, fold, seed],
      where: {split: cv/train}}
  - score: {reads: {matrices: pairwise_rois}, over: [comparison, network, degree, fold, seed],
      where: {unseen_by: classify}}
report: [example_subject, pair_maps, p_plots, accuracy, published, methods]
"""


def per_step(plan: Plan) -> dict[str, tuple[int, int]]:
    """Step → points with their subjects, and units (equal keys once)."""
    return {t.name: (sum(1 for _ in t.units()), len(t.unique())) for t in plan.steps()}


# --- the first: one image per subject, folds, seeds, variants -------------------------------------


@pytest.fixture(scope="module")
def segmentation() -> Plan:
    """Eleven recordings of ten patients; one of them has no label."""
    subjects = [scan(f"p{i}", label=1 if i else None) for i in range(9)]
    subjects += [scan("p9_ses-1", patient="p9"), scan("p9_ses-2", patient="p9")]
    return World(SEGMENTATION, subjects).plan()


def test_units_of_the_segmentation(segmentation: Plan) -> None:
    counts = per_step(segmentation)
    assert counts["resample"] == (11, 11)
    assert counts["truth"] == (10, 10)
    # 5 folds × 3 seeds × 3 variants, of which ``flips`` changes nothing in a training.
    assert counts["train"] == (45, 30)
    assert counts["summarise"] == (9, 9)


def test_segment_runs_for_subjects_that_the_training_of_its_fold_has_not_seen(
    segmentation: Plan,
) -> None:
    scored: Counter[str | None] = Counter()
    for fold in range(5):
        trained = unit_of(segmentation, "train", fold=fold, seed=0, variant="base")
        here = who(segmentation, "segment", fold=fold, seed=0, variant="base")
        assert here == set(segmentation.ingested.subjects) - set(trained.members)
        assert not {"p9_ses-1", "p9_ses-2"} & here or {"p9_ses-1", "p9_ses-2"} <= here
        scored.update(who(segmentation, "score", fold=fold, seed=0, variant="base"))
    # Without a label there is no training and no score: absent, not failed.
    assert scored == {s: 1 for s in segmentation.ingested.subjects if s != "p0"}
    assert "p0" not in who(segmentation, "truth")
    assert {unit.state for unit in segmentation.units()} == {"pending"}


def test_a_variant_acts_where_it_sets_something(segmentation: Plan) -> None:
    def key(step: str, variant: str) -> str:
        subject = None if step == "train" else "p9_ses-1"
        found = [
            u for u in units(segmentation, step, seed=1, variant=variant) if u.subject == subject
        ]
        return found[0].key

    assert key("train", "base") == key("train", "flips") != key("train", "wide")
    assert len({key("segment", v) for v in ("base", "wide", "flips")}) == 3


def test_what_the_reductions_read(segmentation: Plan) -> None:
    train = unit_of(segmentation, "train", fold=0, seed=0, variant="base")
    assert {p["subject"] for p in points(train, "image")} == set(train.members)
    assert points(train, "image") == points(train, "label"), "paired inputs are joined"
    summary = unit_of(segmentation, "summarise", seed=1, variant="wide")
    assert {tuple(sorted(p)) for p in points(summary, "scores")} == {("fold", "subject")}
    assert len(points(summary, "scores")) == 10
    assert not missing(summary, "scores")
    assert len(summary.weights) == 5


def test_scores_carry_what_the_weights_behind_them_saw(segmentation: Plan) -> None:
    train = unit_of(segmentation, "train", fold=2, seed=0, variant="base")
    for unit in units(segmentation, "score", fold=2, seed=0, variant="base"):
        assert unit.weights == (train.key,)
        assert unit.saw == train.saw
        assert unit.subject not in unit.saw


# --- the second: series, real stages --------------------------------------------------------------


@pytest.fixture(scope="module")
def topology() -> Plan:
    groups = ["HC"] * 6 + ["MCI"] * 6 + ["LMCI"] * 6 + ["EMCI"] * 2
    subjects = [recording(f"sub-{i:02d}", group=group) for i, group in enumerate(groups)]
    return World(TOPOLOGY, subjects, catalogue=STAGES).plan()


def test_units_of_the_topology(topology: Plan) -> None:
    counts = per_step(topology)
    for step in ("standardise", "diagrams", "pairwise_rois"):
        assert counts[step] == (20, 20)
    assert counts["by_roi"] == (2, 2)
    assert counts["pairwise_subjects"] == (2 * 6, 2 * 6)
    assert counts["rank_sum_map"] == (2 * 6 * 3, 2 * 6 * 3)
    assert counts["classify"] == counts["score"] == (2 * 6 * 3 * 6 * 5,) * 2


def test_a_comparison_admits_its_two_groups(topology: Plan) -> None:
    def groups(unit: Unit) -> Counter[str]:
        return Counter(topology.ingested.subjects[s].columns["group"] for s in unit.members)

    assert groups(unit_of(topology, "by_roi", comparison="hc_mci")) == {"HC": 6, "MCI": 6}
    chart = unit_of(topology, "rank_sum_map", comparison="hc_lmci", network="CO", degree=1)
    assert groups(chart) == {"HC": 6, "LMCI": 6}
    matrix = unit_of(topology, "pairwise_subjects", comparison="hc_lmci", roi=3)
    assert groups(matrix) == {"HC": 6, "LMCI": 6}
    assert matrix.inputs["diagrams"] is unit_of(topology, "by_roi", comparison="hc_lmci")


def test_folds_balance_the_groups_and_score_each_subject_once(topology: Plan) -> None:
    at = {"comparison": "hc_mci", "network": "DMN", "degree": 0, "seed": 0}
    tested: Counter[str] = Counter()
    for fold in range(6):
        classify = unit_of(topology, "classify", **at, fold=fold)
        score = unit_of(topology, "score", **at, fold=fold)
        assert not set(classify.members) & set(score.members)
        assert len(classify.members) + len(score.members) == 12
        assert score.weights == (classify.key,)
        tested.update(score.members)
    assert set(tested.values()) == {1}
    assert len(tested) == 12


def test_seeds_networks_and_degrees_of_a_fold_read_one_selection(topology: Plan) -> None:
    questions = {(u.labels[0], u.labels[3]): set() for u in units(topology, "classify")}
    for unit in units(topology, "classify"):
        questions[(unit.labels[0], unit.labels[3])].add(unit.selection)
    assert all(len(found) == 1 for found in questions.values())
    assert len({frozenset(found) for found in questions.values()}) == 2 * 6


def test_axes_act_through_the_parameters_of_their_names(topology: Plan) -> None:
    unit = unit_of(
        topology, "classify", comparison="hc_mci", network="FP", degree=2, fold=1, seed=4
    )
    assert unit.recipe is not None
    assert unit.recipe.parameters.model_dump(include={"network", "degree", "seed"}) == {
        "network": "FP",
        "degree": 2,
        "seed": 4,
    }


@pytest.mark.parametrize(
    "slug", ["mci-persistent-homology", "autism-persistent-homology", "demo-persistent-homology"]
)
def test_packaged_pipelines_plan_on_an_empty_cohort(slug: str) -> None:
    from cohortflow.cohort.ingests import Ingested
    from cohortflow.pipeline.load import load_pipeline
    from cohortflow.pipeline.plan import make_plan

    world = World(SEGMENTATION)
    plan = make_plan(
        load_pipeline(slug), Ingested(0, {}, {}), world.ledger(), world.cohort.selections
    )
    assert {u.subject for u in plan.units()} <= {None}
