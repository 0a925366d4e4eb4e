"""The report's section of subjects: links, verdicts by rater, their agreement, the unrated."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sklearn.metrics import cohen_kappa_score

from cohortflow.cohort.ratings import Rating
from cohortflow.report.blocks import Note, Section, Table
from cohortflow.report.catalogue import SECTIONS
from cohortflow.report.render import render_report
from cohortflow.report.sections.subjects import subjects, subjects_section
from cohortflow.report.subjects.book import SubjectBook, SubjectRow
from tests.report.pages import text_of
from tests.report.subjects import study

VERSION = "ab" * 32


def book(count: int, ratings: Sequence[Rating] = ()) -> SubjectBook:
    rows = [
        SubjectRow(
            f"s{n:02d}", f"s{n:02d}.html", VERSION, 9.0 - n, "dice 0.2", 0, {"done": 2}, 0, 0
        )
        for n in range(count)
    ]
    return SubjectBook(rows, count, count, ratings)


def rating(subject: str, verdict: str, rater: str = "r1", at: str = "10:00", **more: Any) -> Rating:
    told = {"comment": "", "page": VERSION[:16], "key": at, **more}
    return Rating(subject, "organs", rater, verdict, rated=f"2026-03-02T{at}:00.000Z", **told)


def tables(section: Section) -> dict[str, Table]:
    return {block.name: block for block in section.blocks if isinstance(block, Table)}


def test_subjects_lead_to_their_pages() -> None:
    found = tables(subjects_section(book(3), "../subjects/"))["subjects"]
    assert [row["page"] for row in found.rows] == [f"../subjects/s0{n}.html" for n in range(3)]


def test_the_latest_word_of_each_rater_stands_beside_the_others() -> None:
    ratings = [
        rating("s00", "fail", at="09:00"),
        rating("s00", "pass", at="10:00"),
        rating("s00", "doubtful", "r2", comment="dark"),
        rating("s01", "pass", "r2", page="0" * 16),
    ]
    found = tables(subjects_section(book(3, ratings), ""))
    first, second, third = found["subjects"].rows
    assert (first["rater_0"], first["rater_1"]) == ("pass", "doubtful")
    assert second["rater_1"] == "pass (page changed since)"
    assert "rater_0" not in second
    assert "rater_1" not in third
    r1, r2 = found["verdicts"].rows
    assert (r1["rated"], r1["pass"], r1["fail"], r1["superseded"]) == ([1, 3], 1, 0, 1)
    assert (r2["rated"], r2["superseded"]) == ([2, 3], 0)
    assert [row["comment"] for row in found["comments"].rows] == ["dark"]


def test_who_has_not_been_rated_is_named() -> None:
    section = subjects_section(book(4, [rating("s01", "pass"), rating("gone", "pass")]), "")
    notes = [block.text for block in section.blocks if isinstance(block, Note)]
    assert "3 subjects have not been rated: s00, s02, s03" in notes
    assert any(
        "Nobody has rated any of 4" in block.text
        for block in subjects_section(book(4), "").blocks
        if isinstance(block, Note)
    )


def test_agreement_is_kappa_over_those_that_both_rated() -> None:
    ours = ["pass", "fail", "pass", "doubtful", "pass", "fail"] * 3
    theirs = ["pass", "fail", "doubtful", "doubtful", "pass", "pass"] * 3
    ratings = [rating(f"s{n:02d}", verdict) for n, verdict in enumerate(ours)]
    ratings += [rating(f"s{n:02d}", verdict, "r2") for n, verdict in enumerate(theirs)]
    ratings += [rating("s19", "fail", "r2"), rating("s19", "fail", "r3")]
    rows = tables(subjects_section(book(20, ratings), ""))["agreement"].rows
    pair, none, one = rows
    assert pair["n"] == 18
    assert pair["kappa"] == pytest.approx(cohen_kappa_score(ours, theirs))
    assert pair["interval"][0] < pair["kappa"] < pair["interval"][1]
    assert none["reason"] == "no subject that both rated"
    assert one["n"] == 1
    assert one["interval"] is None
    assert "no agreement beyond chance" in one["reason"]


def test_without_pages_it_says_so() -> None:
    assert SECTIONS["subjects"] is subjects
    (note,) = subjects(study({})).blocks
    assert isinstance(note, Note)
    assert "kept beside a run's report only" in note.text


def test_the_report_links_and_a_copy_of_it_shows_ids_alone(tmp_path: Path) -> None:
    source = replace(study({}), subjects=book(2, [rating("s00", "pass")]))
    source.environment |= {"versions": {}, "python": "3", "platform": "x", "seed": 0, "command": ""}
    source.environment["created"] = "2026-01-02T03:04:05Z"
    html = render_report(source, tmp_path).read_text()
    assert re.search(r'<a class="beside" href="\.\./subjects/s00\.html">s00</a>', html)
    assert "1 subject has not been rated: s01" in text_of(html)
    script = html[html.index("<script>") :]
    assert 'querySelectorAll("a.beside")' in script
