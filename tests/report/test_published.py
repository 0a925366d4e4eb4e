"""The section of published numbers, for every method and beside a made cohort of segmentations."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cohortflow.cohort.entry import Output
from cohortflow.evaluation import evaluate_segmentation
from cohortflow.evaluation.published import PUBLISHED, published_paper
from cohortflow.evaluation.segmentation.summary import summarise_segmentations
from cohortflow.evaluation.statistics.case_intervals import CaseIntervals
from cohortflow.report import SECTIONS
from tests.report.fake import FakeSource, make_source

VENTRICLES = {1: "right ventricle", 2: "myocardium", 3: "ventricle_left"}


def source_of(system: str, stages: tuple[str, ...] = ()) -> FakeSource:
    steps = [
        {"id": stage, "stage": stage, "version": 1, "about": "", "source": "", "parameters": {}}
        for stage in stages
    ]
    pipeline = {"slug": system, "title": "", "steps": steps, "axes": {}, "text": "", "report": []}
    people = pd.DataFrame({"group": ["A"] * 4}, index=[f"sub-0{i}" for i in range(1, 5)])
    return FakeSource(pipeline, people, [], {})


def summary(unit_mm: bool, lose: bool, empty: str = "transunet") -> pd.DataFrame:
    """Three cases of three nested boxes, the prediction one voxel off; ``lose``: one misses one."""
    tables = {}
    for case in range(3):
        truth = np.zeros((6, 24, 24), np.uint8)
        for label in (1, 2, 3):
            truth[1:5, 2 + 3 * label : 22 - 2 * label, 2 * label : 20 - label] = label
        prediction = np.roll(truth, case % 2, axis=2)
        if lose and case == 2:
            prediction[prediction == 3] = 0
        tables[f"sub-0{case + 1}"] = evaluate_segmentation(
            truth,
            prediction,
            spacing_mm=(10.0, 1.5, 1.5) if unit_mm else None,
            labels=VENTRICLES,
            metrics=["dice", "hd95/pooled"],
            empty=empty,
        )
    return summarise_segmentations(tables, intervals=CaseIntervals(seed=0, resamples=200))


def beside(system: str, rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    return tables(segmented(system, rows))


def segmented(system: str, rows: pd.DataFrame) -> FakeSource:
    source = source_of(system, ("summarise_scores",))
    data = io.BytesIO()
    rows.to_parquet(data)
    source.add("summarise_scores", "scores", Output(files={"summary.parquet": data.getvalue()}))
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
    assert by_column["DSC"]["interval"] is None
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
