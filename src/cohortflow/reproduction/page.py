"""``reproduction.html``: the outcome in the style of the report."""

from __future__ import annotations

from typing import Any

from cohortflow.report.blocks import Block, Column, Note, Section, Table, Text
from cohortflow.report.page import Page, html_page
from cohortflow.reproduction.outcome import Outcome, counts, groups, told
from cohortflow.reproduction.verdicts import DIFFERS, EQUAL, WITHIN, Line

MOST = 2000
"""Numbers of the report that the page shows; all of them stand in ``reproduction.json``."""
TOLERANCE = (
    "Tolerance: of a stored result that of its stage, of the report the largest of its stages; "
    "relative to the largest magnitude of an array, or to the number. Counts, texts and states "
    "have none. Files that are the same byte by byte count as one each; of others every number."
)
_TONES = {EQUAL: "good", WITHIN: "open", DIFFERS: "bad"}


def render_outcome(outcome: Outcome) -> str:
    """The page as HTML: equal input, equal bytes."""
    manifest = outcome.manifest
    of = f"report of {manifest.created} · index {manifest.index} · cohort {manifest.cohort}"
    page = Page(
        kind="reproduction",
        title=f"{manifest.pipeline.slug}, computed again",
        subtitle=of,
        verdict={"tone": _TONES[outcome.verdict], "text": sentence(outcome)},
        tiles=_tiles(outcome),
        foot=f"cohortflow {told(outcome.code)}",
        pipeline_text=manifest.pipeline.text,
    )
    sections = [
        _unlike(outcome),
        _by_group(outcome),
        _how(outcome),
        _not_compared(outcome),
        _numbers(outcome),
    ]
    return html_page(page, sections)


def sentence(outcome: Outcome) -> str:
    """The outcome in a line."""
    found = counts(outcome.lines)
    own = (
        f"{outcome.computed:,} results were computed in an empty cohort, none was taken from the "
        "original. "
    )
    if outcome.verdict == EQUAL:
        return f"{own}Everything is equal: {found['equal']:,} values and files."
    if outcome.verdict == WITHIN:
        return (
            f"{own}{found['within']:,} values differ within the tolerance of their stages, "
            f"{found['equal']:,} values and files are equal."
        )
    return (
        f"{own}{found['differs']:,} differ, {found['within']:,} are within tolerance, "
        f"{found['equal']:,} values and files are equal."
    )


def _tiles(outcome: Outcome) -> list[tuple[str, str]]:
    found = counts(outcome.lines)
    left = sum(one.values for one in outcome.left_out)
    return [
        ("Computed", f"{outcome.computed:,}"),
        ("Taken from the original", "0"),
        ("Equal", f"{found['equal']:,}"),
        ("Within tolerance", f"{found['within']:,}"),
        ("Differ", f"{found['differs']:,}"),
        ("Not compared", f"{left:,}"),
    ]


_LINE = (
    Column("group", "Where"),
    Column("where", "Place"),
    Column("verdict", "Outcome"),
    Column("original", "In the original", "code"),
    Column("recomputed", "Computed again", "code"),
    Column("difference", "Difference", "number", "absolute"),
    Column("tolerance", "Tolerance", "number", "relative"),
)


def _unlike(outcome: Outcome) -> Section:
    title = "What is not equal"
    rows = [_row(line) for line in outcome.lines if line.verdict != EQUAL]
    if not rows:
        return Section("unlike", title, [Note("Nothing.")])
    rows.sort(key=lambda row: row["verdict"] != DIFFERS)
    return Section("unlike", title, [Table("unlike", "Every value that is not equal", _LINE, rows)])


def _by_group(outcome: Outcome) -> Section:
    columns = [
        Column("name", "Where"),
        Column("verdict", "Outcome"),
        Column("equal", "Equal", "integer"),
        Column("within", "Within", "integer"),
        Column("differs", "Differ", "integer"),
        Column("largest", "Largest difference", "number", "absolute"),
        Column("tolerance", "Tolerance", "number", "relative"),
    ]
    blocks: list[Block] = [Text(TOLERANCE)]
    for part, lines in outcome.parts.items():
        rows = [group.to_json() for group in groups(lines)]
        name = f"compared_{part.replace(' ', '_')}"
        blocks.append(Table(name, part.capitalize(), columns, rows, shown=500))
    return Section("compared", "What was compared", blocks)


def _how(outcome: Outcome) -> Section:
    blocks: list[Block] = [Note(note, "warning") for note in outcome.notes]
    blocks += [
        Note(f"The report was {way} other code: {code}; this is {told(outcome.code)}.", "warning")
        for way, code in outcome.other_code()
    ]
    other = outcome.other_environment()
    if other:
        columns = [Column("what", "What"), Column("then", "Then"), Column("now", "Now")]
        rows = [{"what": what, "then": then, "now": now} for what, then, now in other]
        caption = "Packages and machine that are not those of the report"
        blocks.append(Table("other_environment", caption, columns, rows))
    else:
        blocks.append(Text("Packages, Python, system and processor are those of the report."))
    manifest, n = outcome.manifest, outcome.carried
    blocks.append(
        Text(
            f"{n:,} ingested entries of {len(manifest.subjects):,} subjects, their participants "
            f"columns and {len(manifest.selections):,} frozen selections were carried over and "
            f"verified. Seeds: {', '.join(map(str, manifest.seeds))}. It took "
            f"{outcome.seconds:,.0f} s."
        )
    )
    return Section("how", "How it was computed", blocks)


def _not_compared(outcome: Outcome) -> Section:
    columns = [Column("what", "What"), Column("values", "Values", "integer"), Column("why", "Why")]
    rows = [vars(one) for one in outcome.left_out]
    table = Table("not_compared", "Left out, by name", columns, rows)
    return Section("not_compared", "What was not compared", [table])


def _numbers(outcome: Outcome) -> Section:
    rows = [_row(line) for line in outcome.report if line.kind == "number"]
    caption = "Every number of the report"
    table = Table("numbers", caption, _LINE, rows, shown=MOST, folded=True)
    return Section("numbers", "Number by number", [table])


def _row(line: Line) -> dict[str, Any]:
    row = line.to_json()
    return {**row, "original": _text(line.original), "recomputed": _text(line.recomputed)}


def _text(value: Any) -> str:
    return "none" if value is None else repr(value) if isinstance(value, float) else str(value)
