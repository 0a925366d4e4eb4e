"""What a report opens with: numbers of its sections, in order, none chosen for being good."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cohortflow.evaluation.segmentation.score_tables import of_equal_labels
from cohortflow.report import SECTIONS, render_report
from cohortflow.report.formats import interval, mean_sd, number, share
from cohortflow.report.highlights import Result, highlights, middle
from tests.report.fake import make_source
from tests.report.plots.gallery import classified
from tests.report.segmentation_runs import run_of, summarised, tables
from tests.report.segmentation_seeds import BY_FOLD, case_table, seeded
from tests.report.test_classification_section import one_score
from tests.report.test_segmentation_section import rows


def results(*values: float) -> list[Result]:
    return [
        Result(f"r{i}", value, number(value), "0 to 1", 9 + i) for i, value in enumerate(values)
    ]


def test_few_results_stand_each_by_itself_in_their_order() -> None:
    told = highlights("dice", results(0.2, 0.9, 0.5), number, "labels")
    assert [(one.label, one.value, one.detail) for one in told] == [
        ("dice, r0", "0.2", "0 to 1, n = 9"),
        ("dice, r1", "0.9", "0 to 1, n = 10"),
        ("dice, r2", "0.5", "0 to 1, n = 11"),
    ]
    (alone,) = highlights("dice", [Result("", 1.0, "1", "1 to 1", 4, 2)], number, "labels")
    assert (alone.label, alone.detail) == ("dice", "1 to 1, n = 4, 2 missing")
    assert highlights("dice", [], number, "labels") == []


def test_of_many_results_the_middle_and_both_ends() -> None:
    (told,) = highlights("hd", results(3.0, math.inf, 1.0, 2.0), number, "labels")
    assert (told.label, told.value) == ("hd, median of 4 labels", "2")
    assert told.detail == "from 1 (r2) to ∞ (r1), n = 9 to 12"
    lost = [Result("a", 0.5, "", "", 8, missing) for missing in (0, 3, 1, 2)]
    (told,) = highlights("dice", lost, number, "labels")
    assert told.detail.endswith(", n = 8, up to 3 missing")


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=9))
def test_the_middle_is_a_value_with_no_more_than_half_on_either_side(values: list[float]) -> None:
    found = middle(results(*values))
    assert found in values
    assert sum(value < found for value in values) <= len(values) / 2
    assert sum(value > found for value in values) <= len(values) / 2


def test_accuracies_are_those_of_the_table() -> None:
    source = make_source()
    section = SECTIONS["accuracy"](source)
    table = rows(section, "accuracy")
    assert len(table) > 3
    (told,) = section.highlights
    means = sorted(row["accuracy"]["mean"] for row in table)
    assert told.value == share(means[(len(means) - 1) // 2])
    assert told.detail.startswith(f"from {share(means[0])} (")
    assert SECTIONS["classification"](source).highlights == [], "told once"


def test_one_accuracy_has_its_interval_and_n() -> None:
    source = one_score(classified(30), classified(30, seed=1))
    source.pipeline["report"] = ["classification"]
    section = SECTIONS["classification"](source)
    row = next(row for row in rows(section, "classification") if row["metric"] == "accuracy")
    (told,) = section.highlights
    assert told.value == mean_sd(row["seeds"])
    assert told.detail == f"95 % interval of the first seed {interval(row['interval'])}, n = 30"
    first = next(iter(rows(SECTIONS["accuracy"](source), "accuracy")))
    (told,) = SECTIONS["accuracy"](source).highlights
    assert told.value == mean_sd(first["accuracy"])
    assert told.detail.endswith(f"{interval(first['interval'])}, n = 30")


def test_a_lost_structure_shows_in_what_a_report_opens_with() -> None:
    source = run_of(("fast", summarised(tables(6, sub_2={1: "missed"}))))
    section = SECTIONS["segmentation"](source)
    liver = next(row for row in rows(section, "_metrics") if row["name"] == "liver")
    told = {one.label: one for one in section.highlights}
    assert list(told) == ["dice, liver", "dice, spleen", "dice, aorta"]
    assert told["dice, liver"].value == number(liver["value"])
    assert told["dice, liver"].detail.endswith("n = 6, 1 missing")


def test_a_failed_case_does_not_take_its_bad_label_out_of_the_median() -> None:
    """Case 1 alone has the label of 0.1: once nobody knows its scores, no scored case has it."""
    bad, good = {5: "small"}, {label: f"big {label}" for label in (1, 2, 3, 4)}
    bad_case = case_table(0.1, bad)
    others = {f"sub-{i}": case_table(0.8 + label / 100, {label: name}) for i in range(40)
              for label, name in [list(good.items())[i % 4]]}  # fmt: skip
    whole = of_equal_labels({"sub-bad": bad_case, **others})
    before = SECTIONS["segmentation"](run_of(("", summarised(whole))))
    lost = {case: table for case, table in whole.items() if case != "sub-bad"}
    after = SECTIONS["segmentation"](run_of(("", summarised(lost, ("sub-bad",)))))
    (first,), (second,) = before.highlights, after.highlights
    assert first.detail.startswith("from 0.1 (small)")
    assert second.detail.startswith("from 0 (small)")
    assert float(second.value) <= float(first.value)
    assert second.detail.endswith("is the median of the 4 that a scored case has")


def test_of_variants_one_that_failed_is_the_worst_and_not_away() -> None:
    source = run_of(*((f"v{i}", summarised(tables(5, 0.5 + i / 10))) for i in range(4)))
    source.add("summarise_scores", "scores", None, point={"model": "v4"}, state="failed")
    source.add("summarise_scores", "scores", None, point={"model": "v5"}, state="pending")
    (told,) = SECTIONS["segmentation"](source).highlights
    assert told.label == "dice, median label, median of 5 variants"
    assert told.detail.startswith("from 0 (model v4) to 0.")
    assert told.detail.endswith("n = 5, 1 of 5 failed and count as the worst")
    few = run_of(("fast", summarised(tables(5))), ("slow", summarised(tables(5))))
    few.add("summarise_scores", "scores", None, point={"model": "gone"}, state="blocked")
    last = SECTIONS["segmentation"](few).highlights[-1]
    assert (last.label, last.value) == ("dice, model gone", "none")
    assert last.detail == "nothing of it finished"


def test_of_seeds_the_one_that_misses_most_is_told() -> None:
    (told,) = SECTIONS["segmentation"](seeded(BY_FOLD, failed=[(1, 0)])).highlights
    assert told.detail.endswith("n = 4, 3 missing")


def test_a_point_without_an_accuracy_stays_in_the_median() -> None:
    source = make_source()
    (before,) = SECTIONS["accuracy"](source).highlights
    worst = min(rows(SECTIONS["accuracy"](source), "accuracy"), key=lambda r: r["accuracy"]["mean"])
    for place, unit in enumerate(source.all_units):
        at = (unit.point.get("network"), f"H{unit.point.get('degree')}")
        if unit.stage == "score" and at == (worst["network"], worst["degree"]):
            source.all_units[place] = replace(unit, state="failed")
    (told,) = SECTIONS["accuracy"](source).highlights
    assert told.label == before.label
    assert told.detail.startswith("from 0.0 % (")
    assert "1 of " in told.detail
    assert told.detail.endswith("failed and count as the worst")
    source.pipeline["report"] = ["classification"]
    (told,) = SECTIONS["classification"](source).highlights
    assert told.detail.startswith("from 0.0 % (")


def test_of_many_variants_how_they_lie() -> None:
    source = run_of(*((f"v{i}", summarised(tables(5, 0.5 + i / 10))) for i in range(4)))
    (told,) = SECTIONS["segmentation"](source).highlights
    assert told.label == "dice, median label, median of 4 variants"
    assert re.fullmatch(r"from 0\.\d+ \(model v0\) to 0\.\d+ \(model v3\), n = 5", told.detail)


def test_the_page_and_the_json_have_them(tmp_path: Path) -> None:
    page = render_report(make_source(), tmp_path)
    html = page.read_text("utf-8")
    document = json.loads((tmp_path / "report.json").read_text("utf-8"))
    (told,) = document["sections"]["accuracy"]["highlights"]
    assert html.index(f'<a href="#accuracy">{told["label"]}</a>') < html.index("<main")
    assert f"<dd>{told['value']}</dd>" in html
    assert "highlights" not in document["sections"]["methods"]
