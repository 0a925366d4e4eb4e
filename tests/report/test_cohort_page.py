"""The page of a cohort: a letter a subject and step, the same counts in words,
small at any size."""

from __future__ import annotations

import json
import re
from typing import Any

from cohortflow.report.cohort_page import render_cohort_page
from cohortflow.report.roster import columns_of, strips
from tests.report.pages import text_of

CREATED = "2026-03-02T03:02:10+0100"
SHORT = {"code": "series-too-short", "message": "12 samples", "hint": "Record more."}


def unit(step: str, subject: str | None, state: str = "done", **more: Any) -> dict[str, Any]:
    told = {"pipeline": "small", "subject": subject, "step": step, "point": {}, "state": state}
    return {**told, "key": "ab" * 32, "reason": "", "error": None, **more}


def status(units: list[dict[str, Any]], subjects: int = 3, **more: Any) -> dict[str, Any]:
    ingest = [
        unit("ingest", f"sub-{n:02d}", "done" if n != 3 else "failed", pipeline=None)
        for n in range(1, subjects + 1)
    ]
    every = [*ingest, *units]
    counts: dict[str, int] = {}
    steps: dict[tuple[Any, str], dict[str, int]] = {}
    for one in every:
        counts[one["state"]] = counts.get(one["state"], 0) + 1
        row = steps.setdefault((one["pipeline"], one["step"]), {})
        row[one["state"]] = row.get(one["state"], 0) + 1
    told = {
        "cohort": "0123", "title": "", "units": every, "counts": counts, "failures": [],
        "steps": [{"pipeline": p, "step": s, "counts": c} for (p, s), c in steps.items()],
        "runs": [{"pipeline": "small", "index": 7, "finished": True, "settings": ["a.b=1"]}],
        "selections": [],
    }  # fmt: skip
    return {**told, **more}


def roster(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_of_several_units_of_a_subject_the_worst_is_shown_and_how_many_are_done() -> None:
    units = [
        unit("segment", "sub-01", point={"fold": 0}),
        unit("segment", "sub-01", "failed", point={"fold": 1}, error=SHORT),
        unit("segment", "sub-01", "blocked", point={"fold": 2}),
        unit("segment", "sub-03"),
        unit("summarise", None),
    ]
    (column,) = columns_of(units, ["sub-01", "sub-02", "sub-03"])
    assert (column.name, column.states) == ("segment", "f-d"), "of no subject: no column"
    assert column.codes == {0: "series-too-short"}
    assert column.parts == {0: "(1 of 3 done)"}


def test_steps_of_several_pipelines_are_told_apart() -> None:
    units = [unit("train", "sub-01"), unit("train", "sub-01", "pending", pipeline="other")]
    columns = columns_of(units, ["sub-01"])
    assert [(c.name, c.states) for c in columns] == [("small train", "d"), ("other train", "p")]


def test_a_strip_shows_one_bad_subject_among_ten_thousand() -> None:
    subjects = [f"sub-{n:05d}" for n in range(10_000)]
    units = [unit("one", subject) for subject in subjects]
    units[6_543] = unit("one", subjects[6_543], "failed", error=SHORT)
    svg = strips(columns_of(units, subjects))
    assert svg.count("<rect ") == 3, "done, the place of the failed one, done"
    assert svg.count("<title>failed</title>") == 1


def test_the_page_counts_and_names_what_is_not_done() -> None:
    units = [unit("one", "sub-01"), unit("one", "sub-02", "failed", error=SHORT)]
    cause = {
        "step": "one",
        "state": "failed",
        "code": "series-too-short",
        "units": 1,
        "hint": "",
        "message": "12 samples",
        "subjects": ["sub-02"],
        "replay": "cohortflow replay C ab",
    }
    model = {"pipeline": "small", "step": "train", "weights": 2, "index": 4, "newer": 3, "new": 3,
             "changed": 0, "corrected": 0, "withdrawn": 1,
             "trained": ["2026-02-20T01:00:00+0100", "2026-02-27T01:00:00+0100"]}  # fmt: skip
    disk = [{"stage": "one", "of": "small one", "entries": 2, "files": 9, "bytes": 3 * 2**20}]
    page = render_cohort_page(
        status(units, failures=[cause], selections=[model], disk=disk), CREATED
    )
    told = text_of(page)
    assert "3 of 5 units stand done; 2 failed, blocked or quarantined." in told
    assert "Complete 1 " in told
    assert "Subjects newer than it 3 " in told
    assert "trained 2026-02-27 by run 4, the first 2026-02-20 (3 days ago)" in told
    assert "3 new, 1 withdrawn" in told
    assert "sub-02 one failed series-too-short" in told, "readable without its script"
    assert "cohortflow replay C ab" in told
    assert "small one 2 9 3" in told
    assert roster(page)["subjects"] == ["sub-01", "sub-02", "sub-03"]


def test_a_cohort_where_nothing_ran_or_nobody_is() -> None:
    told = text_of(render_cohort_page(status([], subjects=2, runs=[]), CREATED))
    assert "No pipeline has run here yet." in told
    assert "All 2 subjects are complete." in told
    assert "Subjects 0 " in text_of(render_cohort_page(status([], subjects=0, runs=[]), CREATED))


def test_ten_thousand_subjects_are_a_small_page_that_loads_nothing() -> None:
    names = [f"sub-{n:02d}" for n in range(1, 10_001)]
    broken = unit("three", "sub-7", "failed", error=SHORT)
    units = [unit(step, name) for step in ("one", "two", "three", "four") for name in names]
    units += [{**broken, "subject": name} for name in names[::2]]
    page = render_cohort_page(status(units, subjects=10_000), CREATED)
    assert len(page.encode()) < 2**20
    assert page.count("<tr>") < 200, "rows are made where somebody looks"
    assert not re.search(r"(src|href)=\"(https?:)?//", page)
    assert "default-src &#39;none&#39;" in page


def test_ids_stand_as_they_are_and_cannot_end_the_script() -> None:
    """Forgetting somebody looks for the id in the page: it must not be spelled in another way."""
    units = [unit("one", "Zoë-0001"), unit("one", "</script>")]
    ingest = [unit("ingest", one["subject"], pipeline=None) for one in units]
    page = render_cohort_page({**status([]), "units": [*ingest, *units]}, CREATED)
    assert '"Zoë-0001"' in page
    assert roster(page)["subjects"] == ["Zoë-0001", "</script>"]
