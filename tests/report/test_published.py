"""The section of published numbers, for every method and beside a made cohort of segmentations."""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cohortflow.cohort.entry import Output
from cohortflow.evaluation import evaluate_segmentation
from cohortflow.evaluation.published import PUBLISHED, published_paper
from cohortflow.evaluation.segmentation.score_tables import long_table, write_table
from cohortflow.evaluation.segmentation.summary import summarise_segmentations
from cohortflow.evaluation.statistics import bca_interval
from cohortflow.evaluation.statistics.case_intervals import CaseIntervals
from cohortflow.report import SECTIONS
from cohortflow.report.segmentation_seeds import seeds_of
from tests.report.fake import FakeSource, make_source
from tests.report.segmentation_seeds import Dice, seeded

VENTRICLES = {1: "right ventricle", 2: "myocardium", 3: "ventricle_left"}


def source_of(system: str, stages: tuple[str, ...] = ()) -> FakeSource:
    steps = [
        {"id": stage, "stage": stage, "version": 1, "about": "", "source": "", "parameters": {}}
        for stage in stages
    ]
    pipeline = {"slug": system, "title": "", "steps": steps, "axes": {}, "text": "", "report": []}
    people = pd.DataFrame({"group": ["A"] * 4}, index=[f"sub-0{i}" for i in range(1, 5)])
    return FakeSource(pipeline, people, [], {})


def scored(
    unit_mm: bool, lose: bool, empty: str = "transunet", absent: bool = False
) -> dict[str, pd.DataFrame]:
    """Three cases of three nested boxes, the prediction one voxel off; ``lose``: one misses one,
    ``absent``: one has it in neither map."""
    tables = {}
    for case in range(3):
        truth = np.zeros((6, 24, 24), np.uint8)
        for label in (1, 2, 3):
            truth[1:5, 2 + 3 * label : 22 - 2 * label, 2 * label : 20 - label] = label
        prediction = np.roll(truth, case % 2, axis=2)
        if (lose or absent) and case == 2:
            prediction[prediction == 3] = 0
        if absent and case == 2:
            truth[truth == 3] = 0
        tables[f"sub-0{case + 1}"] = evaluate_segmentation(
            truth,
            prediction,
            spacing_mm=(10.0, 1.5, 1.5) if unit_mm else None,
            labels=VENTRICLES,
            metrics=["dice", "hd95/pooled"],
            empty=empty,
        )
    return tables


def summary(
    unit_mm: bool, lose: bool, empty: str = "transunet", absent: bool = False
) -> pd.DataFrame:
    tables = scored(unit_mm, lose, empty, absent)
    return summarise_segmentations(tables, intervals=CaseIntervals(seed=0, resamples=200))


def beside(system: str, rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    return tables(segmented(system, rows))


def segmented(system: str, rows: pd.DataFrame) -> FakeSource:
    source = source_of(system, ("summarise_scores",))
    cases = long_table(scored(unit_mm=True, lose=False), [])
    files = {"summary.parquet": write_table(rows), "cases.parquet": write_table(cases)}
    source.add("summarise_scores", "scores", Output(files=files))
    return source


def tables(source: FakeSource) -> dict[str, dict[str, Any]]:
    made = SECTIONS["published"](source).to_json()["blocks"]
    return {block["name"]: block for block in made if block["type"] == "table"}


@pytest.mark.parametrize("system", PUBLISHED)
def test_every_method_has_its_tables_and_says_that_nothing_was_obtained(system: str) -> None:
    made = SECTIONS["published"](source_of(system)).to_json()["blocks"]
    assert any(block["type"] == "note" and block["tone"] == "absent" for block in made)
    found = {block["name"]: block for block in made if block["type"] == "table"}
    for table in published_paper(system).tables:
        if not table.columns:
            continue
        printed = found[f"printed_{table.id}"]
        assert len(printed["rows"]) == len(table.rows)
        for row, shown in zip(table.rows, printed["rows"], strict=True):
            for column in table.columns:
                number, cell = row.numbers[column], shown[f"value_{column}"]
                assert (number is None) == (cell is None)
                if number is not None:
                    assert cell["text"].startswith(number.text)
                    assert cell["text"].endswith("†") == bool(row.flag or column in row.flags)
        reasons = " ".join(printed["notes"])
        assert all(reason in reasons for row in table.rows for reason in row.flags.values())
        assert all(reason in reasons for reason in (*table.flags, *table.column_flags.values()))


def test_places_and_gains_are_told_with_definitions_of_both_sides() -> None:
    rows = tables(source_of("dlkunet"))["places_table2"]["rows"]
    hd = next(row for row in rows if row["column"] == "HD95")
    assert (hd["unit"], hd["ours"], hd["ours_unit"]) == (
        "mm, not stated",
        "hd95/pooled",
        "as computed",
    )
    assert (hd["proposed"], hd["place"], hd["gain"]) == ("DLKUNet-L 13.89", [1, 8], 7.66)
    stomach = next(row for row in rows if row["column"] == "Stomach")
    assert stomach["place"] == [1, 8]
    assert stomach["gain"] == 0.32
    size = next(row for row in rows if row["column"] == "params_M")
    assert size["ours"] == "none"


def test_obtained_dice_stands_beside_in_the_printed_unit() -> None:
    rows = summary(unit_mm=True, lose=False)
    table = beside("dlkunet", rows)["beside_table3"]["rows"]
    strict = rows[(rows["metric"] == "dice")].set_index("name")["value"]
    by_column = {row["column"]: row for row in table}
    assert by_column["LV"]["obtained"] == pytest.approx(100 * strict["ventricle_left"])
    assert by_column["LV"]["difference"] == pytest.approx(100 * strict["ventricle_left"] - 96.09)
    assert by_column["LV"]["n"] == [3, 3]
    ends = rows[rows["metric"] == "dice"].set_index("name").loc["ventricle_left", ["low", "high"]]
    assert by_column["LV"]["interval"] == pytest.approx([100 * end for end in ends])
    assert by_column["DSC"]["obtained"] == pytest.approx(100 * strict.mean())
    low, high = by_column["DSC"]["interval"]
    assert low <= by_column["DSC"]["obtained"] <= high
    ahead = sum(value > 100 * strict.mean() for value in (87.55, 86.75, 87.57, 89.71, 90))
    ahead += sum(value > 100 * strict.mean() for value in (91.71, 91.74, 91.93))
    assert by_column["DSC"]["place"] == [1 + ahead, 9]


def test_a_rule_for_empty_masks_stands_beside_the_strict_number_and_takes_the_difference() -> None:
    rows = summary(unit_mm=False, lose=True)
    found = beside("synergynet", rows)
    left = [row for row in found["beside_table2"]["rows"] if row["column"] == "LV"]
    assert [row["id"] for row in left] == ["dice/transunet", "dice"]
    assert left[0]["difference"] is not None
    assert left[1]["difference"] is None
    assert any("counts empty masks otherwise" in note for note in found["beside_table2"]["notes"])
    assert "counted as the worst, 1 at most" in found["differences"]["rows"][2]["run"]


def test_without_an_empty_mask_the_strict_number_is_the_printed_definition() -> None:
    found = beside("synergynet", summary(unit_mm=False, lose=False, empty="strict"))
    row = next(row for row in found["beside_table2"]["rows"] if row["column"] == "RV")
    assert (row["id"], row["difference"] is None) == ("dice", False)


def test_a_structure_in_neither_map_is_an_empty_mask_too() -> None:
    """TransUNet counts it as 0; the strict number leaves it out, and stands beside."""
    rows = summary(unit_mm=False, lose=False, absent=True)
    found = beside("synergynet", rows)["beside_table2"]["rows"]
    left = {row["id"]: row for row in found if row["column"] == "LV"}
    assert list(left) == ["dice/transunet", "dice"]
    assert left["dice/transunet"]["n"] == [3, 3]
    assert left["dice"]["n"] == [2, 3]
    assert left["dice"]["obtained"] == pytest.approx(left["dice/transunet"]["obtained"] * 3 / 2)
    assert [row["difference"] is None for row in left.values()] == [False, True]


def test_a_structure_in_no_case_has_no_value_and_says_so() -> None:
    rows = summary(unit_mm=True, lose=False)
    nowhere = rows["name"] == "myocardium"
    table = beside("dlkunet", rows.assign(value=rows["value"].mask(nowhere)))["beside_table3"]
    told = {row["column"]: row["obtained"] is None for row in table["rows"]}
    assert told == {"DSC": True, "RV": False, "Myo": True, "LV": False}
    assert any("1 of 3 structures have no value" in note for note in table["notes"])


def test_a_table_without_structures_takes_no_label_of_several() -> None:
    rows = summary(unit_mm=True, lose=False).replace({"metric": {"hd95/pooled": "hd"}})
    assert "beside_table1" not in beside("pulmonary-artery-vein", rows)
    alone = rows[rows["name"] == "myocardium"]
    assert "beside_table1" in beside("pulmonary-artery-vein", alone)


@pytest.mark.parametrize(("column", "value"), [("statistic", "median"), ("per", "slice")])
def test_no_difference_of_a_median_or_of_slices(column: str, value: str) -> None:
    rows = summary(unit_mm=True, lose=False).assign(**{column: value})
    found = beside("dlkunet", rows)["beside_table3"]
    row = next(row for row in found["rows"] if row["column"] == "LV")
    assert row["obtained"] is not None
    assert (row["difference"], row["place"]) == (None, None)
    assert any(value in note and "mean over cases" in note for note in found["notes"])


def test_no_difference_where_the_printed_unit_is_not_stated() -> None:
    rows = summary(unit_mm=False, lose=False, empty="strict")
    found = beside("synergynet", rows)["beside_table2"]
    hd = next(row for row in found["rows"] if row["column"] == "HD95")
    expected = rows[rows["metric"] == "hd95/pooled"]["value"].mean()
    assert (hd["unit"], hd["obtained"]) == ("voxel", pytest.approx(expected))
    assert (hd["difference"], hd["place"]) == (None, None)
    assert any(note.startswith("HD95: no difference") for note in found["notes"])


def test_a_structure_that_is_not_there_leaves_a_mean_without_value() -> None:
    rows = summary(unit_mm=True, lose=False)
    found = beside("dlkunet", rows[rows["name"] != "myocardium"])["beside_table3"]
    mean = next(row for row in found["rows"] if row["column"] == "DSC")
    assert mean["obtained"] is None
    assert mean["place"] is None
    assert any("2 of its 3 structures are here" in note for note in found["notes"])


def test_a_mean_over_structures_stands_on_as_few_cases_as_the_least_of_them() -> None:
    rows = summary(unit_mm=True, lose=False)
    rows.loc[rows["name"] == "myocardium", "n"] = 2
    found = beside("dlkunet", rows)["beside_table3"]["rows"]
    told = {row["column"]: row["n"] for row in found}
    assert told == {"DSC": [2, 3], "RV": [3, 3], "Myo": [2, 3], "LV": [3, 3]}


def test_a_case_that_counts_as_infinitely_bad_leaves_no_number() -> None:
    rows = summary(unit_mm=True, lose=False)
    away = rows["metric"].eq("hd95/pooled") & rows["name"].eq("myocardium")
    found = beside("dlkunet", rows.assign(value=rows["value"].mask(away, math.inf)))
    assert "beside_table3" in found
    rows = rows.assign(name=rows["name"].map({"myocardium": "liver"}).fillna(rows["name"]))
    liver = rows[rows["name"] == "liver"].assign(value=math.inf)
    table = beside("dlkunet", liver)["beside_table2"]
    row = next(row for row in table["rows"] if row["column"] == "Liver")
    assert (row["obtained"], row["place"], row["difference"]) == (None, None, None)
    assert any("infinitely bad" in note for note in table["notes"])


def test_millimetres_and_voxels_make_no_difference() -> None:
    rows = summary(unit_mm=False, lose=False)
    rows = rows[(rows["name"] == "myocardium") & (rows["metric"] == "hd95/pooled")]
    found = beside("pulmonary-artery-vein", rows.assign(metric="hd"))["beside_table1"]["rows"]
    (row,) = [row for row in found if row["column"] == "HD"]
    assert row["difference"] is None
    assert row["place"] is None
    assert not math.isnan(row["obtained"])


def test_classified_cases_stand_beside_metrics_of_any_paper() -> None:
    source = make_source(subjects=8)
    source.pipeline["system"] = "asd-attention-transformer"
    found = tables(source)
    accuracy = SECTIONS["accuracy"](source).to_json()["blocks"]
    own = next(block for block in accuracy if block.get("name") == "accuracy")["rows"][0]
    rows = [row for row in found["beside_table1"]["rows"] if row["run"].endswith("DMN, degree 0")]
    by_column = {row["column"]: row for row in rows}
    assert set(by_column) == {"Accuracy", "AUROC", "Sensitivity", "Specificity"}
    first = by_column["Accuracy"]
    assert first["obtained"] == pytest.approx(100 * own["accuracy"]["mean"])
    assert first["difference"] == pytest.approx(100 * own["accuracy"]["mean"] - 73.4)
    assert first["interval"] == pytest.approx([100 * end for end in own["interval"]])
    assert by_column["AUROC"]["interval"] is None
    assert first["place"][1] == 6
    assert {row["what"] for row in found["differences"]["rows"]} >= {"Data", "Protocol"}


def test_a_vital_sign_is_no_class_of_a_subject() -> None:
    source = make_source(subjects=8)
    source.pipeline["system"] = "icu-vitals"
    assert "beside_table4" not in tables(source)


def test_columns_of_several_data_sets_say_which() -> None:
    rows = tables(source_of("synergynet"))["places_table5"]["rows"]
    assert [row["group"] for row in rows] == ["Synapse", "Synapse", "ACDC", "ACDC"]
    assert {row["place"] for row in rows} == {None}, "all rows are the paper's own"


# --- several seeds and folds ---

HEART: Dice = {
    0: {None: [[0.9, 0.8, 0.7], [0.8, 0.8, 0.8], [0.7, 0.6, 0.5], [0.9, 0.9, 0.9]]},
    1: {None: [[0.8, 0.7, 0.6], [0.7, 0.7, 0.7], [0.6, 0.5, 0.4], [0.8, 0.8, 0.8]]},
    2: {None: [[1.0, 0.9, 0.8], [0.9, 0.9, 0.9], [0.8, 0.7, 0.6], [1.0, 1.0, 1.0]]},
}


def of_seeds(dice: Dice, **more: Any) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    source = seeded(dice, VENTRICLES, system="dlkunet", **more)
    table = tables(source)["beside_table3"]
    return {row["column"]: row for row in table["rows"]}, table


def test_beside_a_printed_number_stands_the_mean_over_seeds() -> None:
    rows, table = of_seeds(HEART)
    lv, mean = rows["LV"], rows["DSC"]
    # LV of the seeds: 0.725, 0.625 and 0.825; over all three structures 0.775, 0.675 and 0.875.
    assert lv["obtained"] == pytest.approx(72.5)
    assert lv["sd"] == pytest.approx(statistics.stdev([72.5, 62.5, 82.5]))
    assert lv["seeds"] == [3, 3]
    assert lv["n"] == [4, 4]
    assert lv["difference"] == pytest.approx(72.5 - 96.09)
    assert mean["obtained"] == pytest.approx(77.5)
    assert mean["sd"] == pytest.approx(10.0)
    own = seeds_of(seeded(HEART, VENTRICLES))[0].found[0].summary.set_index(["name", "metric"])
    first = own.loc[("ventricle_left", "dice")]
    assert lv["interval"] == pytest.approx([100 * first["low"], 100 * first["high"]])
    titles = {column["name"]: (column["title"], column["unit"]) for column in table["columns"]}
    assert titles["interval"] == ("95 % interval", "cases, one seed")
    assert titles["sd"] == ("Over seeds", "sd")
    assert any("it says nothing of other seeds" in note for note in table["notes"])


def test_the_interval_of_a_mean_over_structures_is_that_of_case_means() -> None:
    """Where every case has every structure, the mean over structures is one number a case."""
    rows, _ = of_seeds(HEART)
    means = [statistics.fmean(case) for case in HEART[0][None]]
    known = bca_interval(means, np.mean, seed=0, resamples=200)
    assert rows["DSC"]["interval"] == pytest.approx([100 * known.low, 100 * known.high])


def test_a_structure_that_some_cases_lack_counts_by_its_own_cases() -> None:
    dice: Dice = {0: {None: [[0.9, 0.8, math.nan], [0.8, 0.8, 0.8], [0.7, 0.6, 0.5], [0.9] * 3]}}
    rows, _ = of_seeds(dice)
    assert rows["DSC"]["obtained"] == pytest.approx(100 * (0.825 + 0.775 + 2.2 / 3) / 3)
    assert rows["DSC"]["interval"] is not None
    assert "sd" not in rows["DSC"], "one seed"


def test_a_seed_of_which_nothing_finished_counts_as_the_worst() -> None:
    rows, table = of_seeds(HEART, failed=[(0, None)])
    assert rows["LV"]["obtained"] == pytest.approx(100 * (0.625 + 0.825 + 0.0) / 3)
    assert rows["LV"]["seeds"] == [3, 3]
    assert rows["LV"]["interval"] is not None, "of seed 1"
    assert "seed 0: nothing finished, so every case counts as the worst." in table["notes"]


def test_a_seed_that_nothing_was_tried_of_is_said() -> None:
    rows, table = of_seeds(HEART, pending=[(1, None)])
    assert rows["LV"]["obtained"] == pytest.approx(100 * (0.725 + 0.825) / 2)
    assert rows["LV"]["seeds"] == [2, 3]
    assert "seed 1: without a value, and not in the mean." in table["notes"]


def test_folds_of_a_seed_are_one_row() -> None:
    dice: Dice = {seed: {0: own[None][:3], 1: own[None][3:]} for seed, own in HEART.items()}
    joined, whole = of_seeds(dice)[0], of_seeds(HEART)[0]
    for name in ("obtained", "sd", "n", "seeds", "difference"):
        assert joined["LV"][name] == pytest.approx(whole["LV"][name])
    assert joined["DSC"]["interval"] == pytest.approx(whole["DSC"]["interval"], rel=0.2)


def test_an_infinite_seed_leaves_no_mean_to_gain_by() -> None:
    away = {"away": {1: ["sub-99"]}}
    rows, _ = of_seeds(HEART, **away)
    assert rows["LV"]["obtained"] == pytest.approx(100 * (0.725 + 4 * 0.625 / 5 + 0.825) / 3)
    assert rows["LV"]["n"] == [4, 5]
    far = tables(seeded(HEART, VENTRICLES, system="synergynet", **away))["beside_table2"]
    row = next(row for row in far["rows"] if row["column"] == "HD95")
    assert (row["obtained"], row["seeds"]) == (None, [2, 3])
    assert any("seed 1: a case counts as infinitely bad" in note for note in far["notes"])
