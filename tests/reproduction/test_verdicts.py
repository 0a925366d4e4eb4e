"""Equal, within tolerance, different: of numbers, texts, arrays and printed pages."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortflow.reproduction.numbers import compare_report, without_places
from cohortflow.reproduction.shown import compare_pages
from cohortflow.reproduction.verdicts import (
    DIFFERS,
    EQUAL,
    WITHIN,
    compare,
    compare_arrays,
    compare_members,
    worst,
)

finite = st.floats(-1e6, 1e6, allow_nan=False)


@pytest.mark.parametrize(
    ("original", "recomputed", "verdict"),
    [
        (1.0, 1.0, EQUAL), (1.0, 1.0009, WITHIN), (1.0, 1.0011, DIFFERS), (-1.0, 1.0, DIFFERS),
        (0.0, 1e-12, DIFFERS), (1000, 1001, DIFFERS), (1000, 1000.5, WITHIN), (3, 3.0, EQUAL),
        (1000.5, 1000, DIFFERS), (1e-300, 0, DIFFERS),
        (1.0, None, DIFFERS), (None, None, EQUAL), ("1.0", 1.0, DIFFERS), (True, 1, DIFFERS),
        ("HC", "HC", EQUAL), ("HC", "MCI", DIFFERS), ([], [], EQUAL), ({}, [], DIFFERS),
        (math.inf, math.inf, EQUAL), (math.inf, 1.0, DIFFERS),
    ],
)  # fmt: skip
def test_two_values(original: Any, recomputed: Any, verdict: str) -> None:
    assert compare(original, recomputed, 1e-3, "", "").verdict == verdict


@given(finite, st.floats(0, 0.5))
def test_a_number_is_equal_to_itself_whatever_the_tolerance(value: float, tolerance: float) -> None:
    assert compare(value, value, tolerance, "", "").verdict == EQUAL


@given(finite, finite)
def test_without_a_tolerance_only_the_same_number_is_equal(a: float, b: float) -> None:
    verdict = compare(a, b, 0.0, "", "").verdict
    assert verdict == (EQUAL if a == b else DIFFERS)


@given(st.lists(finite, min_size=1, max_size=20), finite, st.integers(0, 19))
def test_an_array_tells_its_largest_difference(values: list[float], by: float, at: int) -> None:
    a = np.array(values)
    b = a.copy()
    b[at % len(a)] += by
    line = compare_arrays(a, b, 1e-3, "", "")
    assert line.difference == pytest.approx(float(np.abs(a - b).max()))
    largest = float(np.abs(a - b).max())
    if largest == 0:
        assert line.verdict == EQUAL
    else:
        assert line.verdict == (WITHIN if largest <= 1e-3 * np.abs(a).max() else DIFFERS)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.zeros(3), np.zeros(4)),
        (np.zeros(3), np.zeros(3, int)),
        (np.array([np.nan, 1.0]), np.array([1.0, 1.0])),
        (np.array([np.inf]), np.array([-np.inf])),
        (np.array([1, 2]), np.array([1, 3])),
        (np.array(["a"]), np.array(["b"])),
        (np.array(["a", None], object), np.array(["a", "b"], object)),
    ],
)
def test_arrays_that_no_tolerance_makes_the_same(a: Any, b: Any) -> None:
    assert compare_arrays(a, b, 0.5, "", "").verdict == DIFFERS
    assert compare_arrays(a, a.copy(), 0.0, "", "").verdict == EQUAL


def test_what_only_one_of_two_has_differs() -> None:
    lines = list(compare_members({"a": 1, "b": [1, 2]}, {"a": 1, "b": [1], "c": 0}, 0.0, "g"))
    assert [(line.where, line.verdict) for line in lines] == [
        ("a", EQUAL),
        ("b, 1", EQUAL),
        ("b, 2", DIFFERS),
        ("c", DIFFERS),
    ]
    assert worst([line.verdict for line in lines]) == DIFFERS
    assert worst([EQUAL, WITHIN]) == WITHIN


def test_a_section_that_is_gone_differs_and_one_that_is_left_out_is_counted() -> None:
    table = {"type": "table", "name": "t", "rows": [{"n": 3}]}
    both = {"verdict": {}, "sections": {"a": {"blocks": [table]}, "timings": {"s": 1.5}}}
    lines, left = compare_report(both, {"verdict": {}, "sections": {}}, 0.0, [])
    assert [line.verdict for line in lines if line.group == "a"] == [DIFFERS]
    assert [(one.what, one.values) for one in left] == [("section timings", 1)]


def page(number: str, text: str = "accuracy") -> str:
    return f'<html><section id="a"><p>{text} {number} %</p></section><p>around</p></html>'


@pytest.mark.parametrize(
    ("original", "recomputed", "tolerance", "verdict"),
    [
        (page("81.2"), page("81.2"), 0.0, EQUAL),
        (page("81.2"), page("81.3"), 1e-9, WITHIN),
        (page("81.2"), page("81.3"), 0.0, DIFFERS),
        (page("81.2"), page("81.4"), 1e-9, DIFFERS),
        (page("81"), page("82"), 1e-3, DIFFERS),
        (page("81.2"), page("81.2", "precision"), 1e-3, DIFFERS),
    ],
)
def test_a_printed_number_has_one_unit_of_its_last_digit(
    original: str, recomputed: str, tolerance: float, verdict: str
) -> None:
    lines, _ = compare_pages(original, recomputed, tolerance, [])
    assert {line.where: line.verdict for line in lines if line.group == "page, a"} == {
        lines[0].where: verdict
    }


SUB = '<p class="sub">pipeline a-b · cohort 0c-1f · index 2 · created 2026-11-22T06:40:39+0000</p>'
FOOT = "<footer><p>cohortflow · pipeline a-b · index — · cohort 0c · 2026-11-22</p></footer>"
LINK = '<p class="elsewhere"><a href="http://h:1" rel="noreferrer">This run in MLflow</a></p>\n'
TIMINGS = '<section id="timings"><p>1 s</p></section>'


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (lambda page: page.replace("06:40", "07:12").replace("index 2", "index 31"), EQUAL),
        (lambda page: page.replace(LINK, ""), EQUAL),
        (lambda page: page.replace("1 s", "2 s"), EQUAL),
        (lambda page: page.replace("a-b · cohort", "a-b · Dice 0.999 · cohort"), DIFFERS),
        (lambda page: page.replace("MLflow", "MLflow: Dice 0.999"), DIFFERS),
        (lambda page: page.replace("index —", "Dice 0.999"), DIFFERS),
        (lambda page: page + "<footer><p>Dice 0.999</p></footer>", DIFFERS),
        (lambda page: page + '<p class="links">Dice 0.999</p>', DIFFERS),
        (lambda page: page + TIMINGS, DIFFERS),
        (lambda page: TIMINGS + page.replace(TIMINGS, ""), DIFFERS),
    ],
)
def test_what_is_left_out_of_a_page_hides_nothing_else(change: Any, verdict: str) -> None:
    whole = f"{SUB}{LINK}{page('81.2')}{TIMINGS}{FOOT}"
    lines, left_out = compare_pages(change(whole), whole, 0.0, [])
    assert worst([line.verdict for line in lines]) == verdict
    assert {one.what for one in left_out} == {
        "page, timings",
        "page, what its subtitle, links and foot say of the run",
    }


def test_where_a_cohort_lies_is_no_difference() -> None:
    said = "cohortflow replay /home/a/my cohort 0123456789abcdef"
    assert without_places(said, []) == "cohortflow replay COHORT 0123456789abcdef"
    assert without_places(["in /tmp/x"], ["/tmp/x"]) == ["in COHORT"]


def test_one_number_of_a_section_that_was_changed_differs() -> None:
    def report(value: float) -> dict[str, Any]:
        rows = [{"metric": "dice", "value": value, "n": 12}]
        blocks = [{"type": "table", "name": "means", "rows": rows}]
        section = {"title": "Segmentation", "blocks": blocks}
        return {"verdict": {"tone": "good"}, "sections": {"segmentation": section}}

    lines, left_out = compare_report(report(0.5), report(0.75), 1e-9, [])
    assert [line.verdict for line in lines if line.verdict != EQUAL] == [DIFFERS]
    same, _ = compare_report(report(0.5), report(0.5), 1e-9, [])
    assert {line.verdict for line in same} == {EQUAL}
    assert left_out == []


def report_of(*blocks: Any) -> dict[str, Any]:
    sections = {"a": {"title": "A", "blocks": list(blocks)}, "b": {"title": "B", "blocks": []}}
    return {
        "verdict": {"text": "All 3 units stand done", "units": {"done": 3}},
        "sections": sections,
    }


def _rows(report: Any) -> Any:
    return report["sections"]["a"]["blocks"][0]["rows"]


ALONE: dict[str, Any] = {
    "a word of the verdict": lambda r: r["verdict"].update(text="All 4 units stand done"),
    "a count of the verdict": lambda r: r["verdict"]["units"].update(done=4),
    "the title of a section": lambda r: r["sections"]["a"].update(title="C"),
    "a section too few": lambda r: r["sections"].pop("b"),
    "a block too few": lambda r: r["sections"]["a"]["blocks"].pop(),
    "a row too few": lambda r: _rows(r).pop(),
    "a member too few": lambda r: _rows(r)[0].pop("n"),
    "no rows at all": lambda r: _rows(r).clear(),
    "a count": lambda r: _rows(r)[0].update(n=13),
    "a value beyond the tolerance": lambda r: _rows(r)[1].update(value=0.6),
    "a text": lambda r: r["sections"]["a"]["blocks"][1].update(text="other"),
    "the first of two figures of one name": lambda r: r["sections"]["a"]["blocks"][2].update(
        svg="x"
    ),
    "the second of two figures of one name": lambda r: r["sections"]["a"]["blocks"][3].update(
        svg="x"
    ),
}


@pytest.mark.parametrize("what", ALONE)
def test_each_part_of_a_report_is_compared_by_itself(what: str) -> None:
    """Whichever of both sides has it: what is gone and what was added differ alike."""
    rows = [{"metric": "dice", "value": 0.5, "n": 12}, {"metric": "iou", "value": 0.4, "n": 12}]
    whole = report_of(
        {"type": "table", "name": "t", "rows": rows}, {"type": "text", "text": "said"},
        {"type": "figure", "name": "f", "svg": "1"}, {"type": "figure", "name": "f", "svg": "2"},
    )  # fmt: skip
    changed = copy.deepcopy(whole)
    ALONE[what](changed)
    for pair in ((whole, changed), (changed, whole)):
        lines, _ = compare_report(*pair, 1e-3, [])
        assert worst([line.verdict for line in lines]) == DIFFERS
    assert worst([line.verdict for line in compare_report(whole, whole, 1e-3, [])[0]]) == EQUAL


def test_the_command_of_a_replay_hides_nothing_behind_it() -> None:
    key, other = "0123456789abcdef", "fedcba9876543210"
    said = [f"cohortflow replay /a/c {key} gave 0.5; cohortflow run /a/c {other}"]
    told = without_places(said, [])
    assert told == [f"cohortflow replay COHORT {key} gave 0.5; cohortflow run COHORT {other}"]
