"""The page of the runs: what it tells of a night, from rows and lists of subjects alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from cohortflow.cohort.ingests import Ingested, IngestedEntry, IngestedSubject
from cohortflow.cohort.run_view import UnitRow
from cohortflow.report.night import (
    Night,
    causes_of,
    line_of,
    news_since,
    reasons_of,
    refused_of,
)
from cohortflow.report.night_page import duration, render_night
from tests.report.pages import text_of

ERROR = {"code": "series-too-short", "message": "12 samples", "hint": "Record more."}


def subject(number: int, content: str = "a", group: str = "HC", **more: Any) -> IngestedSubject:
    entry = IngestedEntry("series", "roi_series", "series", content * 64)
    return IngestedSubject(
        f"sub-{number:02d}", number, columns={"group": group}, entries={"series": entry}, **more
    )


def listed(number: int, *subjects: IngestedSubject, next_number: int | None = None) -> Ingested:
    last = max((s.number for s in subjects), default=0)
    assigned = {s.id: s.number for s in subjects}
    return Ingested(number, {s.id: s for s in subjects}, {}, assigned, next_number or last + 1, {})


def row(step: str, key: str, state: str = "done", **more: Any) -> UnitRow:
    told: dict[str, Any] = {
        "step": step, "stage": step, "kind": "table", "subject": None, "point": {}, "key": key * 64,
        "state": state, "reason": "", "error": None, "warnings": [], "n": 0, "missing": 0,
        "parameters": {},
    }  # fmt: skip
    return UnitRow(**{**told, **more})


ROWS = [
    row("standardise", "a", subject="sub-01", made_in=2, reason="new"),
    row("standardise", "b", "failed", subject="sub-02", error=ERROR),
    row("diagrams", "c", "blocked", subject="sub-02", reason="standardise failed"),
    row("summarise", "d", n=3, missing=1, made_in=2, reason="input tables changed (2→3 subjects)"),
    row("summarise", "e", n=4, point={"seed": 1}, made_in=1),
    row("classify", "f", kind="weights", n=2, made_in=1),
]
STEPS = [
    {"step": "standardise", "done": 1, "failed": 1},
    {"step": "summarise", "done": 1, "failed": 0},
]
ABOUT: dict[str, Any] = {
    "index": 2,
    "run": "abc",
    "started": "2026-03-02T03:00:00+0100",
    "finished": "2026-03-02T03:02:10+0100",
    "seconds": 130.0,
}


def a_night(**changes: Any) -> Night:
    now = listed(2, subject(1), subject(2), subject(3, error=ERROR))
    line = line_of(ROWS, now, STEPS, ABOUT)
    night = Night(
        pipeline="small",
        title="A small pipeline",
        cohort="0123",
        line=line,
        refused=refused_of(now),
        causes=causes_of(ROWS, "/data/cohort"),
        reasons=reasons_of(ROWS, 2),
    )
    return replace(night, **changes)


def test_a_line_counts_units_once_and_what_lacks_most() -> None:
    line = a_night().line
    assert (line["ran"], line["failed"], line["subjects"], line["refused"]) == (3, 1, 3, 1)
    assert line["states"] == {"done": 4, "failed": 1, "blocked": 1}
    assert line["n"] == {"summarise": [3, 4]}, "weights are no reduction"
    shared = line_of([*ROWS, replace(ROWS[3], point={"seed": 2})], listed(1), STEPS, ABOUT)
    assert shared["states"]["done"] == 4, "points that share a unit count once"


def test_news_are_told_from_two_lists_of_subjects() -> None:
    before = listed(1, subject(1), subject(2), subject(3))
    line = line_of([], before, [], ABOUT)
    now = listed(2, subject(1, "b"), subject(3, group="MCI"), subject(4), subject(5), next_number=6)
    news = news_since(line, before, now)
    assert (news.new, news.changed, news.corrected) == (
        ["sub-04", "sub-05"],
        ["sub-01"],
        ["sub-03"],
    )
    assert news.withdrawn == 1
    assert not news_since(line, before, before)
    assert not news_since(None, None, now), "before the first run nothing is new"


def test_without_the_list_before_newcomers_and_withdrawals_are_still_counted() -> None:
    line = line_of([], listed(1, subject(1), subject(2), subject(3)), [], ABOUT)
    news = news_since(line, None, listed(2, subject(1, "b"), subject(3), subject(4)))
    assert (news.new, news.withdrawn) == (["sub-04"], 1)
    assert (news.changed, news.corrected) == (None, None)
    told = text_of(render_night(a_night(news=news, earlier=[line])))
    assert "Whose recordings or columns changed is not known" in told
    assert "Nothing is new" not in told


def test_the_page_says_what_ran_what_failed_and_how_to_run_it_again() -> None:
    told = text_of(render_night(a_night()))
    assert "3 units ran in 2 min 10 s; 1 of them failed; 4 of 6 units stand done" in told
    assert "input tables changed (2→3 subjects)" in told
    assert "series-too-short" in told
    assert "standardise failed" in told, "what blocks is named"
    assert f"cohortflow replay /data/cohort {'b' * 16}" in told
    assert "ingest refused series-too-short 1" in told


def test_a_refused_recording_has_no_command_that_would_mend_it() -> None:
    refused = row(
        "average", "a", "failed", subject="sub-03", error=ERROR, reason="refused at ingest"
    )
    (cause,) = causes_of([refused], "/data/cohort")
    assert (cause["code"], cause["replay"]) == ("series-too-short", "")


def test_the_history_is_a_figure_and_a_table_with_the_same_runs() -> None:
    first = {**a_night().line, "index": 1, "run": "x", "ran": 7, "n": {"summarise": [2, 2]}}
    page = render_night(a_night(earlier=[first]))
    assert page.count("<rect ") == 10, "five quantities, two runs"
    assert "run 1, 2026-03-02 03:00: 7" in page
    rows = re.findall(r"<tr>(.*?)</tr>", page.split('id="table-nights"')[1], re.DOTALL)
    told = [text_of(row).split() for row in rows if "<td" in row]
    assert [row[0] for row in told] == ["2", "1"]
    assert "summarise 3/4" in text_of(rows[1])


def test_a_night_without_news_says_so() -> None:
    line: Mapping[str, Any] = {**a_night().line, "ran": 0, "failed": 0, "states": {"done": 6},
                               "refused": 0}  # fmt: skip
    page = render_night(
        a_night(line=line, earlier=[a_night().line], refused=(), causes=(), reasons=())
    )
    told = text_of(page)
    assert "Nothing was to be computed; 6 of 6 units stand done." in told
    assert "Nothing is new: no subject came, left or changed." in told
    assert "Nothing failed" in told
    assert 'class="verdict good"' in page


def test_the_page_loads_nothing_and_stays_small_however_much_failed() -> None:
    broken = [
        row("standardise", f"{n:x}".rjust(4, "0"), "failed", subject=f"sub-{n:05d}", error=ERROR)
        for n in range(10_000)
    ]
    broken = [replace(one, key=one.key[:64]) for one in broken]
    news = replace(a_night().news, new=[one.subject for one in broken])
    line = {**a_night().line, "index": 3}
    night = a_night(causes=causes_of(broken, "/c"), news=news, line=line, earlier=[line] * 399)
    page = render_night(night)
    assert len(page.encode()) < 2**20
    assert "and 9,940 more" in page
    assert "The newest 60 of 400 runs" in page
    assert not re.search(r"(src|href)=\"(https?:)?//", page)
    assert "default-src &#39;none&#39;" in page
    assert render_night(night) == page


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.2, "under a second"), (12.4, "12 s"), (130, "2 min 10 s"), (3900, "1 h 05 min")],
)
def test_durations_are_read_at_a_glance(seconds: float, told: str) -> None:
    assert duration(seconds) == told
