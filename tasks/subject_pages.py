"""The pages of subjects of a run, and the list of them, beside its reports."""

from __future__ import annotations

from dataclasses import replace

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.ratings import all_ratings
from cohortflow.report.blocks import Roster, Section
from cohortflow.report.from_run import RunSource
from cohortflow.report.page import Page, html_page
from cohortflow.report.roster import LETTERS, columns_of
from cohortflow.report.sections.subjects import subjects_section
from cohortflow.report.subjects.book import SubjectBook
from cohortflow.report.subjects.keeping import keep_pages


def write_subject_pages(cohort: Cohort, source: RunSource) -> SubjectBook:
    """Write what has changed; what there is, with everything that was said of the subjects."""
    slug = source.pipeline["slug"]
    book = replace(keep_pages(cohort.storage, source), ratings=all_ratings(cohort, slug))
    cohort.storage.write(f"reports/{slug}/subjects.html", _list(source, book).encode())
    return book


def _list(source: RunSource, book: SubjectBook) -> str:
    about, slug = source.environment, source.pipeline["slug"]
    broken = sum(row.broken > 0 for row in book.rows)
    page = Page(
        kind="subjects",
        title=f"Subjects: {source.pipeline.get('title') or slug}",
        subtitle=f"pipeline {slug} · cohort {about['cohort']} · run {about['index']}",
        verdict={
            "tone": "bad" if broken else "good",
            "text": f"{len(book.rows) - broken:,} of {len(book.rows):,} subjects have no unit that "
            "failed.",
        },
        tiles=[("Subjects", f"{len(book.rows):,}"), ("Rated", f"{_rated(book):,}")],
        links=[
            ("The report", f"{about['index']:06d}/report.html"),
            ("Runs of this pipeline", "nights.html"),
            ("The cohort", "../cohort.html"),
        ],
        home=r"/subjects\.html$",
        foot=f"cohortflow · pipeline {slug} · cohort {about['cohort']} · run {about['index']}",
    )
    return html_page(
        page, [_roster(source, book), subjects_section(book, "subjects/")], "roster.js"
    )


def _roster(source: RunSource, book: SubjectBook) -> Section:
    """All of them to search, in the same order, each with a link."""
    order = [row.subject for row in book.rows]
    units = [{**vars(unit), "pipeline": ""} for unit in source.units()]
    columns = [column.to_json() for column in columns_of(units, order)]
    data = {
        "letters": LETTERS,
        "subjects": order,
        "steps": columns,
        "pages": ["subjects/"],
        "within": "0" * len(order),
    }
    return Section("roster", "Find a subject", [Roster("find", "Subjects by step", data)])


def _rated(book: SubjectBook) -> int:
    return len({rating.subject for rating in book.ratings} & {row.subject for row in book.rows})
