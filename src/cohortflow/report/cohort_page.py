"""The page of a cohort: subjects by step at a glance, failures by cause,
what was trained, disk use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cohortflow.report.ages import models_section
from cohortflow.report.blocks import Block, Column, Figure, Roster, Section, Table, Text
from cohortflow.report.causes import FEW, NOTHING_FAILED, causes_section
from cohortflow.report.clusters import clusters_block
from cohortflow.report.cohort_known import CohortKnown
from cohortflow.report.cohort_outliers import outliers_section
from cohortflow.report.page import Page, html_page
from cohortflow.report.roster import LETTERS, StepColumn, columns_of, strips

STATES = ("done", "pending", "running", "failed", "blocked", "quarantined")
BROKEN = ("failed", "blocked", "quarantined")
Status = Mapping[str, Any]


def render_cohort_page(found: Status, created: str, known: CohortKnown | None = None) -> str:
    """The page as HTML. ``found``: the status document; ``created``: ISO 8601 time of it.

    ``known``: traits and numbers of subjects; without them nobody stands out and no failures have
    anything in common.
    """
    known = known or CohortKnown()
    ingest = [unit for unit in found["units"] if unit["pipeline"] is None]
    subjects = [str(unit["subject"]) for unit in ingest]
    columns = columns_of(found["units"], subjects)
    page = Page(
        kind="cohort",
        title=found.get("title") or "Cohort",
        subtitle=f"cohort {found['cohort']} · {created[:16].replace('T', ' ')}",
        verdict=_verdict(found, ingest),
        tiles=_tiles(found, columns, len(subjects)),
        links=_links(found, known),
        home=r"/reports/cohort\.html$|^/cohort\.html$",
        foot=f"cohortflow · cohort {found['cohort']} · {created}",
    )
    sections = [
        outliers_section(known, subjects),
        _failures(found, known, subjects),
        _glance(found, columns, len(subjects)),
        _roster(columns, subjects, known),
        models_section(found["selections"], created),
        _runs(found),
        _disk(found),
    ]
    return html_page(page, [section for section in sections if section], "roster.js")


def _links(found: Status, known: CohortKnown) -> list[tuple[str, str]]:
    slugs = [str(run["pipeline"]) for run in found["runs"]]
    return [
        *((f"Runs of {slug}", f"{slug}/nights.html") for slug in slugs),
        *(
            (f"Subjects of {slug}", f"{slug}/subjects.html")
            for slug in slugs
            if slug in known.lines
        ),
    ]


def _verdict(found: Status, ingest: list[Mapping[str, Any]]) -> dict[str, Any]:
    if not found["runs"]:
        refused = sum(unit["state"] != "done" for unit in ingest)
        return {"tone": "bad" if refused else "open", "text": "No pipeline has run here yet."}
    counts = found["counts"]
    broken = sum(counts.get(state, 0) for state in BROKEN)
    total = sum(counts.values())
    done = counts.get("done", 0)
    others = f"; {broken:,} failed, blocked or quarantined" if broken else ""
    waiting = total - done - broken
    others += f"; {waiting:,} to be computed" if waiting else ""
    tone = "bad" if broken else "open" if waiting else "good"
    return {"tone": tone, "text": f"{done:,} of {total:,} units stand done{others}."}


def _tiles(found: Status, columns: list[StepColumn], subjects: int) -> list[tuple[str, str]]:
    complete = sum(
        all(letter in "d-" for letter in letters)
        for letters in zip(*(column.states for column in columns), strict=True)
    )
    counts = found["counts"]
    ages = sorted({row["trained"][1][:10] for row in found["selections"] if row["trained"]})
    since = max((row["newer"] for row in found["selections"]), default=0)
    tiles = [
        ("Subjects", f"{subjects:,}"),
        ("Complete", f"{complete:,}"),
        ("Failed", f"{counts.get('failed', 0) + counts.get('quarantined', 0):,}"),
        ("Blocked", f"{counts.get('blocked', 0):,}"),
        ("To be computed", f"{counts.get('pending', 0):,}"),
    ]
    if found["selections"]:
        tiles += [
            ("Last trained", ages[-1] if ages else "not known"),
            ("Subjects newer than it", f"{since:,}"),
        ]
    return tiles


def _glance(found: Status, columns: list[StepColumn], subjects: int) -> Section:
    rows = [
        {
            "pipeline": row["pipeline"],
            "step": row["step"],
            "units": sum(row["counts"].values()),
            **{state: row["counts"].get(state, 0) for state in STATES},
        }
        for row in found["steps"]
    ]
    shown = [state for state in STATES if found["counts"].get(state) or state in ("done", "failed")]
    table_columns = [
        Column("pipeline", "Pipeline", "code"),
        Column("step", "Step", "code"),
        Column("units", "Units", "integer"),
        *(Column(state, state.capitalize(), "integer") for state in shown),
    ]
    blocks: list[Block] = []
    if subjects:
        caption = (
            f"Every subject from left to right ({subjects:,}), in the order of their ids; where "
            "several share a place, the worst is shown. Low and green: done; middle and blue: to "
            "be computed; higher and amber: blocked; tallest and red: failed or quarantined."
        )
        alt = (
            f"State of {subjects} subjects in {len(columns)} steps; the table below has the counts"
        )
        blocks.append(Figure("strips", strips(columns), alt, caption, wide=True))
    blocks.append(Table("steps", "Units by state and step", table_columns, rows))
    return Section("glance", "At a glance", blocks)


def _failures(found: Status, known: CohortKnown, subjects: list[str]) -> Section:
    """By cause, and before that what those who failed have in common."""
    section = causes_section(
        found["failures"], "By cause, as it stands now", NOTHING_FAILED, named=FEW
    )
    if not found["failures"]:
        return section
    return replace(
        section, blocks=[clusters_block(found["units"], known, subjects), *section.blocks]
    )


def _roster(columns: list[StepColumn], subjects: list[str], known: CohortKnown) -> Section:
    pages, within = known.pages_of(subjects)
    data = {
        "pages": pages,
        "within": within,
        "letters": LETTERS,
        "subjects": subjects,
        "steps": [column.to_json() for column in columns],
    }
    rows = []
    for at, subject in enumerate(subjects):
        open_in = [c for c in columns if c.states[at] not in "d-"]
        if open_in:
            told = [f"{c.name} {LETTERS[c.states[at]]}" for c in open_in]
            codes = sorted({c.codes[at] for c in open_in if at in c.codes})
            rows.append({"subject": subject, "where": told, "codes": codes})
    table_columns = [
        Column("subject", "Subject", "code"),
        Column("where", "Steps that are not done", "names"),
        Column("codes", "Causes", "names"),
    ]
    shown = 60
    caption = f"{len(rows):,} of {len(subjects):,} subjects are not complete"
    notes = (
        [f"The first {shown} of them; the table above finds the others."]
        if len(rows) > shown
        else []
    )
    blocks: list[Block] = [Roster("roster", "Subjects by step", data)]
    if rows:
        table = Table(
            "open", caption, table_columns, rows[:shown], shown=shown, folded=True, notes=notes
        )
        blocks.append(table)
    else:
        blocks.append(Text(f"All {len(subjects):,} subjects are complete."))
    return Section("subjects", "Subjects", blocks)


def _runs(found: Status) -> Section | None:
    rows = [
        {
            **run,
            "ended": "yes" if run["finished"] else "no",
            "settings": run["settings"],
            "problem": (run.get("problem") or {}).get("message", ""),
        }
        for run in found["runs"]
    ]
    if not rows:
        return None
    columns = [
        Column("pipeline", "Pipeline", "code"),
        Column("index", "Newest run", "integer"),
        Column("ended", "Finished"),
        Column("settings", "Settings", "names"),
        Column("problem", "Why it cannot be planned today", "prose"),
    ]
    return Section("runs", "Pipelines", [Table("runs", "Newest run of each", columns, rows)])


def _disk(found: Status) -> Section | None:
    if "disk" not in found:
        return None
    rows = [{**row, "mib": row["bytes"] / 2**20} for row in found["disk"]]
    columns = [
        Column("stage", "Stage", "code"),
        Column("of", "Step"),
        Column("entries", "Entries", "integer"),
        Column("files", "Files", "integer"),
        Column("mib", "Size", "number", "MiB"),
    ]
    note = (
        "(earlier): entries that no step of today names; cohortflow gc removes what nothing keeps."
    )
    table = Table("disk", "Disk use, the largest first", columns, rows, notes=[note])
    return Section("disk", "Disk use", [table])
