"""Segmentations in a report: denominators, worst cases first, variants on the same cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import wilcoxon

from cohortflow.evaluation import evaluate_segmentation
from cohortflow.evaluation.segmentation.metrics import COUNTS, SUMMED, VOLUMES
from cohortflow.evaluation.statistics import bland_altman
from cohortflow.report import SECTIONS
from cohortflow.report.blocks import Section
from cohortflow.report.sections.segmentation_compared import case_values
from cohortflow.report.segmentation_seeds import seeds_of, without_seeds
from cohortflow.report.segmentations import variants
from cohortflow.report.subjects.book import SubjectBook, SubjectRow
from tests.report.fake import FakeSource
from tests.report.segmentation_runs import LABELS, run_of, summarised, tables, usual
from tests.report.segmentation_seeds import BY_FOLD, Dice, dice_of, seeded


@pytest.fixture(scope="module")
def source() -> FakeSource:
    return usual()


@pytest.fixture(scope="module")
def section(source: FakeSource) -> Section:
    return SECTIONS["segmentation"](source)


@pytest.fixture
def tables_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of the time goes into figures, of which some tests say nothing."""
    for name in ("distributions", "volumes"):
        monkeypatch.setattr(f"cohortflow.report.sections.segmentation.{name}", lambda *_: [])


def blocks(section: Section, type: str) -> list[dict[str, Any]]:
    return [block for block in section.to_json()["blocks"] if block["type"] == type]


def rows(section: Section, ending: str) -> list[dict[str, Any]]:
    return next(t["rows"] for t in blocks(section, "table") if t["name"].endswith(ending))


def words(section: Section) -> str:
    return " ".join(block["text"] for kind in ("note", "text") for block in blocks(section, kind))


def of_liver(source: FakeSource) -> Any:
    cases = variants(source)[0].cases
    return cases.loc[(cases["name"] == "liver") & (cases["metric"] == "dice"), "counted"]


@pytest.mark.parametrize("metric", ["dice", "hd95/pooled"])
def test_the_label_that_is_lost_is_drawn_first_whichever_way_is_better(metric: str) -> None:
    (one,) = variants(run_of(("a", summarised(tables(6, sub_2={2: "missed"})))))
    assert one.ranked(metric)[0] == LABELS[2]


def test_quartiles_hold_infinite_cases_at_the_upper_end(tables_only: None) -> None:
    """The upper quartile lies between the last measured one and an infinite one: infinite."""
    gone = ("sub-8", "sub-9")
    section = SECTIONS["segmentation"](run_of(("a", summarised(tables(4), gone))))
    far = next(row for row in rows(section, "_metrics") if row["metric"] == "hd95/pooled")
    assert far["quartiles"][1] == np.inf
    assert np.isfinite(far["median"])
    assert far["why"] == "infinite: 2 of 6 cases have no surface; 4 are measured"
    assert [far["measured"], far["n"]] == [4, 6]


def test_denominators_stand_beside_every_value(source: FakeSource, section: Section) -> None:
    found = {(row["name"], row["metric"]): row for row in rows(section, "fast_metrics")}
    liver, spleen = found["liver", "dice"], found["spleen", "dice"]
    counts = ("n", "missing", "left_out", "cases")
    assert [liver[name] for name in counts] == [15, 2, 0, 15]
    assert [spleen[name] for name in counts] == [14, 2, 1, 15]
    assert liver["interval"][0] < liver["value"] < liver["interval"][1]
    far = found["liver", "hd95/pooled"]
    assert far["value"] == np.inf, "a case that nobody saw has an infinite distance"
    assert far["interval"] is None
    assert far["why"] == "infinite: 1 of 15 cases have no surface; 13 are measured"
    own = variants(source)[0].cases
    counted = own.loc[(own["name"] == "liver") & (own["metric"] == "hd95/pooled"), "counted"]
    # The fourth of fifteen, the eighth and the twelfth; the infinite one is the fifteenth.
    assert far["median"] == sorted(counted)[7]
    assert far["quartiles"] == pytest.approx([np.mean(sorted(counted)[k : k + 2]) for k in (3, 10)])
    assert [far["measured"], far["n"], far["missing"]] == [13, 15, 2]
    assert liver["median"] == pytest.approx(np.median(own_dice := of_liver(source)))
    assert liver["quartiles"] == pytest.approx(np.quantile(own_dice, (0.25, 0.75)))
    assert liver["why"] == ""
    table = next(t for t in blocks(section, "table") if t["name"].endswith("fast_metrics"))
    assert "dice: 2TP / (2TP + FP + FN); higher is better." in table["notes"]
    assert any("No interval in 3 rows" in note for note in table["notes"])
    assert table["notes"][0].startswith("Infinite: of a case without scores nobody knows the image")
    assert "1 of 15 cases failed and count as the worst in every label: sub-99." in words(section)


def test_plots_count_as_the_table_does(source: FakeSource, section: Section) -> None:
    figures = {block["name"]: block for block in blocks(section, "figure")}
    rain = next(f for name, f in figures.items() if name.endswith("fast_rain0"))
    for row in rows(section, "fast_metrics"):
        if row["metric"] != "dice":
            continue
        cloud = rain["data"][row["name"]]
        assert (cloud["n"], cloud["lost"]) == (row["n"], row["missing"])
        assert cloud["mean"] == pytest.approx(row["value"])
    forest = next(f for name, f in figures.items() if name.endswith("fast_forest0"))
    values = [row["value"] for row in forest["data"].values()]
    assert values == sorted(values), "the worst label first"
    overlap = next(f for name, f in figures.items() if name.endswith("fast_overlap"))
    assert (overlap["data"]["n"], overlap["data"]["lost"]) == (44, 5)


def test_volumes_agree_as_the_statistic_says(source: FakeSource, section: Section) -> None:
    cases = variants(source)[0].cases
    own = cases[cases["name"] == "liver"].pivot(index="subject", columns="metric", values="value")
    both = own[["volume/prediction", "volume/reference"]].dropna()
    known = bland_altman(both["volume/prediction"], both["volume/reference"], unit="ml")
    row = next(r for r in rows(section, "fast_volumes") if r["name"] == "liver")
    assert (row["n"], row["lost"], row["absent"]) == (14, 1, 0)
    assert row["limits"] == pytest.approx([known.lower, known.upper])
    spleen = next(r for r in rows(section, "fast_volumes") if r["name"] == "spleen")
    assert (spleen["n"], spleen["lost"], spleen["absent"]) == (13, 1, 1)


def test_the_worst_case_is_first_and_leads_to_its_page(
    source: FakeSource, section: Section
) -> None:
    worst = rows(section, "fast_worst")
    assert [row["subject"] for row in worst[:3]] == ["sub-99", "sub-3", "sub-2"]
    assert (worst[0]["mean"], worst[0]["lost"], worst[0]["state"]) == (0.0, 3, "failed")
    assert (worst[1]["label"], worst[1]["state"], worst[1]["value"]) == ("spleen", "invented", 0.0)
    assert len(worst) == 15
    row = SubjectRow("sub-3", "sub-3.html", "v", 0.0, "", False, {}, 0, 0)
    with_pages = usual()
    with_pages.subjects = SubjectBook([row], 1, 1)
    with_pages.pipeline["report"] = ["segmentation", "subjects"]
    table = next(
        block
        for block in SECTIONS["segmentation"](with_pages).blocks
        if block.type == "table" and block.name.endswith("fast_worst")
    )
    pages = {row["subject"]: row["page"] for row in table.rows}
    assert pages["sub-3"] == "../subjects/sub-3.html"
    assert pages["sub-2"] == ""


def test_variants_are_tested_on_the_same_cases(source: FakeSource, section: Section) -> None:
    fast, full = variants(source)
    table, cases, elsewhere = case_values([fast, full], "dice")
    assert (len(cases), elsewhere) == (15, 0)
    own = fast.of("dice").groupby("subject")["counted"].mean()
    assert table[cases.index("sub-2"), 0] == pytest.approx(own["sub-2"])
    # The spleen of sub-3 is in neither map of the full model's case: as good as can be.
    others = full.of("dice").set_index(["subject", "name"])["counted"]
    right = np.mean([others["sub-3", "liver"], others["sub-3", "aorta"], 1.0])
    assert table[cases.index("sub-3"), 1] == pytest.approx(right)
    (row,) = rows(section, "segmentation_compared")
    assert (row["first"], row["second"], row["n"]) == ("model fast", "model full", 15)
    differences = table[:, 0] - table[:, 1]
    assert row["p"] == pytest.approx(wilcoxon(differences[differences != 0]).pvalue)
    assert row["adjusted"] == row["p"], "one test in the family"
    assert row["difference"] == pytest.approx(differences.mean())
    assert "hd95/pooled has no test of means: 1 of 15 cases count as infinite" in words(section)
    ranking = next(f for f in blocks(section, "figure") if f["name"] == "segmentation_ranking0")
    assert ranking["data"]["ranks"] == {"model fast": 2.0, "model full": 1.0}


def test_a_case_that_failed_gains_by_no_label_of_another_variant(tables_only: None) -> None:
    """Another variant invents a label, or knows the slices that nobody saw here."""
    more = {**LABELS, 9: "gallbladder"}
    other = tables(4, labels=more, **{f"sub_{k}": {9: "absent"} for k in (1, 2, 3)})
    lost = summarised(tables(3), ("sub-4",))
    values, cases, _ = case_values(variants(run_of(("a", lost), ("b", summarised(other)))), "dice")
    assert values[cases.index("sub-4"), 0] == 0.0
    slices = {
        case: pd.concat([one.assign(slice=z) for z in range(5)]) for case, one in tables(4).items()
    }
    seen = {case: slices[case] for case in list(slices)[:3]}
    runs = run_of(("a", summarised(seen, ("sub-4",))), ("b", summarised(slices)))
    values, cases, _ = case_values(variants(runs), "dice")
    assert values[cases.index("sub-4"), 0] == 0.0
    own = slices["sub-4"]
    assert values[cases.index("sub-4"), 1] == pytest.approx(
        own.loc[own["metric"] == "dice", "value"].mean()
    )
    far, _, _ = case_values(variants(runs), "hd95/pooled")
    assert np.isinf(far[cases.index("sub-4"), 0])


def test_slices_are_not_called_cases() -> None:
    slices = {
        case: pd.concat([one.assign(slice=z) for z in range(3)]) for case, one in tables(4).items()
    }
    section = SECTIONS["segmentation"](run_of(("a", summarised(slices))))
    table = next(t for t in blocks(section, "table") if t["name"].endswith("_metrics"))
    assert "over slices" in table["caption"]
    assert table["rows"][0]["cases"] == 12


def test_recordings_of_one_patient_are_no_cases_of_a_test(tables_only: None) -> None:
    groups = {f"sub-{i}": f"patient {i % 5}" for i in range(1, 13)}
    outputs = [
        (name, summarised(tables(12, skill, seed), groups=groups))
        for name, skill, seed in (("a", 0.9, 1), ("b", 0.92, 2))
    ]
    source = run_of(*outputs)
    section = SECTIONS["segmentation"](source)
    row = rows(section, "segmentation_compared")[0]
    assert row["n"] == 5
    table, cases, _ = case_values(variants(source), "dice")
    of = pd.DataFrame(table).groupby([groups[case] for case in cases]).mean()
    assert row["p"] == pytest.approx(wilcoxon(of[0] - of[1]).pvalue)
    assert "no independent ones" in words(section)


def test_holm_is_over_every_row_and_cases_elsewhere_are_said(tables_only: None) -> None:
    outputs = [
        (name, summarised(tables(n, skill, seed)))
        for name, n, skill, seed in (("a", 12, 0.9, 1), ("b", 12, 0.92, 2), ("c", 10, 0.95, 3))
    ]
    section = SECTIONS["segmentation"](run_of(*outputs))
    found = rows(section, "segmentation_compared")
    assert len(found) == 6, "three pairs, two metrics"
    assert {row["n"] for row in found} == {10}
    assert "dice: 2 cases are not in every variant" in words(section)
    least = min(found, key=lambda row: float(row["p"]))
    assert least["adjusted"] == pytest.approx(min(1.0, 6 * least["p"]))


def test_one_case_has_values_and_no_distribution() -> None:
    section = SECTIONS["segmentation"](run_of(("lone", summarised(tables(1)))))
    assert "Distributions not shown: 3 cases are the least, here: 1." in words(section)
    assert not [f for f in blocks(section, "figure") if "_rain" in f["name"]]
    assert [row["n"] for row in rows(section, "_metrics")] == [1] * 6


def counted(away: tuple[str, ...] = ()) -> Section:
    """Three cases of 100 voxels, ten of them in the reference; the third is missed."""
    made = {}
    for case, (tp, fp) in enumerate([(9, 1), (5, 0), (0, 0)], start=1):
        reference, prediction = np.zeros((2, 1, 10, 10), np.uint8)
        reference[0, 0] = 1
        prediction[0, 0, :tp] = prediction[0, 1, :fp] = 1
        made[f"sub-{case}"] = evaluate_segmentation(
            reference, prediction, labels={1: "liver"}, metrics=["dice", *VOLUMES, *COUNTS]
        )
    return SECTIONS["segmentation"](run_of(("a", summarised(made, away))))


def test_voxels_of_all_cases_stand_in_a_table_of_their_own(tables_only: None) -> None:
    section = counted()
    found = {row["metric"]: row for row in rows(section, "_pooled")}
    dice = found["dice/voxels"]
    # The third has every voxel wrong: 2 · 14 of 2 · 14 + 1 + 6 and 100 more.
    assert dice["value"] == pytest.approx(28 / (28 + 1 + 6 + 100))
    assert dice["usual"] == pytest.approx(28 / (28 + 1 + 6 + 10))
    assert [dice[name] for name in ("n", "missing", "cases")] == [3, 1, 3]
    assert list(found) == [f"{name}/voxels" for name in SUMMED]
    assert {row["metric"] for row in rows(section, "_metrics")} == {"dice"}
    table = next(t for t in blocks(section, "table") if t["name"].endswith("_pooled"))
    assert any(
        note.startswith("dice/voxels: dice of the voxels of all cases") for note in table["notes"]
    )
    assert any("of the ratio of sums, drawing cases" in note for note in table["notes"])


def test_a_case_without_scores_leaves_no_pooled_number(tables_only: None) -> None:
    section = counted(("sub-9",))
    dice = next(r for r in rows(section, "_pooled") if r["metric"] == "dice/voxels")
    table = next(t for t in blocks(section, "table") if t["name"].endswith("_pooled"))
    assert not any(note.startswith("Intervals") for note in table["notes"]), "none is shown"
    assert (dice["value"], dice["interval"]) == (None, None)
    assert dice["usual"] == pytest.approx(28 / (28 + 1 + 6 + 10))
    assert dice["why"] == "undefined: nobody knows the voxels of 1 cases without scores"
    assert [dice[name] for name in ("n", "missing", "cases")] == [3, 2, 4]


def test_nothing_summarised_says_so() -> None:
    nothing = run_of(("a", summarised(tables(1)))).without("summarise_scores")
    assert "no step of stage summarise_scores" in words(SECTIONS["segmentation"](nothing))


def test_a_label_in_no_case_keeps_its_row() -> None:
    states = {f"sub_{i}": {3: "absent"} for i in range(1, 5)}
    section = SECTIONS["segmentation"](run_of(("a", summarised(tables(4, **states)))))
    row = next(r for r in rows(section, "_metrics") if r["name"] == "aorta")
    assert (row["n"], row["left_out"], row["value"]) == (0, 4, pytest.approx(np.nan, nan_ok=True))
    rain = next(f for f in blocks(section, "figure") if f["name"].endswith("rain0"))
    assert set(rain["data"]) == {"liver", "spleen"}
    assert "1 labels are in no scored case. They stand last" in words(section)


def test_a_label_that_only_failed_cases_count_for_is_not_drawn() -> None:
    states = {f"sub_{i}": {3: "absent"} for i in range(1, 5)}
    found = summarised(tables(4, **states), ("sub-99",))
    section = SECTIONS["segmentation"](run_of(("a", found)))
    last = rows(section, "_metrics")[-1]
    assert (last["name"], last["n"], last["missing"]) == ("aorta", 1, 1)
    assert "of them only the 1 failed cases count" in words(section)
    opening = [one.label for one in section.highlights]
    assert opening == ["dice, liver", "dice, spleen", "dice, aorta"], "nothing gains by a failure"
    for figure in blocks(section, "figure"):
        assert "aorta" not in str(figure["data"])


def test_seeds_and_folds_are_no_variants(tables_only: None) -> None:
    source = seeded(BY_FOLD)
    section = SECTIONS["segmentation"](source)
    assert "segmentation_compared" not in {one["name"] for one in blocks(section, "table")}
    assert "so they are no variants" in words(section)
    (told,) = section.highlights
    means = [np.mean(dice_of(BY_FOLD, seed)) for seed in BY_FOLD]
    assert told.value == f"{np.mean(means):.4g} ± {np.std(means, ddof=1):.4g}"
    assert told.detail.endswith(", n = 4"), "cases of both folds, each once"


def test_a_lost_fold_is_in_what_a_report_opens_with(tables_only: None) -> None:
    (told,) = SECTIONS["segmentation"](seeded(BY_FOLD, failed=[(0, 1)])).highlights
    lost = [np.mean([*BY_FOLD[0][0], 0.0]), np.mean(dice_of(BY_FOLD, 1))]
    assert told.value == f"{np.mean(lost):.4g} ± {np.std(lost, ddof=1):.4g}"
    assert told.detail.endswith(", n = 4, 1 missing")


def test_a_variant_is_that_of_the_first_seed_that_finished() -> None:
    dice: Dice = {seed: {None: [0.8 - seed / 10, 0.9 - seed / 10]} for seed in (0, 1, 2)}
    source = seeded(dice, failed=[(0, None)])
    (one,) = without_seeds(source, seeds_of(source))
    row = one.summary.set_index("metric").loc["dice"]
    assert (row["value"], row["missing"]) == (pytest.approx(0.75), 0)


def test_joined_folds_have_the_statistic_of_their_step() -> None:
    source = seeded(BY_FOLD)
    source.pipeline["steps"][0]["parameters"]["statistic"] = "median"
    for one in seeds_of(source)[0].found:
        row = one.summary.set_index("metric").loc["dice"]
        assert row["value"] == np.median(dice_of(BY_FOLD, one.seed))


def test_a_fold_that_finished_at_no_seed_leaves_no_seed_without_its_cases() -> None:
    (one,) = seeds_of(seeded(BY_FOLD, failed=[(0, 1), (1, 1)]))
    assert (one.found, one.without, one.asked) == ([], [0, 1], 2)


def two_models(first: Dice, second: Dice) -> FakeSource:
    source, other = seeded(first), seeded(second)
    for number, unit in enumerate(source.units()):
        source.change(unit.step, number, point={"model": "a", **unit.point})
    for unit in other.units():
        point = {"model": "b", **unit.point}
        added = source.add(unit.step, "scores", None, point=point, state="done")
        source.entries[added.key] = other.entry(unit)
    return source


def test_variants_are_compared_on_joined_folds_of_their_first_seed(tables_only: None) -> None:
    worse = {seed: {0: [0.5, 0.6, 0.7], 1: [0.2]} for seed in BY_FOLD}
    section = SECTIONS["segmentation"](two_models(BY_FOLD, worse))
    row = next(r for r in rows(section, "segmentation_compared") if r["metric"] == "dice")
    assert (row["first"], row["second"], row["n"]) == ("model a", "model b", 4)
    first, second = dice_of(BY_FOLD, 0), dice_of(worse, 0)
    assert row["difference"] == pytest.approx(np.mean(np.subtract(first, second)))
    assert [one.label for one in section.highlights] == [
        "dice model a, liver",
        "dice model b, liver",
    ]
