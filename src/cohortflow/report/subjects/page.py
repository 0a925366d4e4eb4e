"""The page of one subject: planes, its numbers among the cohort's, its steps, and a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from cohortflow.errors import CohortflowError
from cohortflow.pipeline.unit import SETTLED_BADLY
from cohortflow.report.blocks import Block, Column, Figure, Note, Section, Table, Text, Verdict
from cohortflow.report.outliers import LEAST_SUBJECTS, OUTLYING
from cohortflow.report.page import Page, html_page
from cohortflow.report.plane_figure import planes_svg
from cohortflow.report.source import ReportSource, ReportUnit, place, states
from cohortflow.report.subjects.numbers import Number
from cohortflow.report.subjects.spread import Spread, Standing
from cohortflow.report.subjects.strips import strips_svg

STRIPS = 24
SCRIPT = "subject.js"
HOME = r"/subjects/[^/]+\.html$"


@dataclass(frozen=True)
class SubjectView:
    """What the page of a subject shows. ``version``: digest of it, which a verdict carries along.

    ``refused``: the error that turned it away at ingest. ``previous`` and ``next``: ids, in the
    order in which the farthest out come first; None at the ends. ``as_of``: number of the run.
    """

    subject: str
    units: Sequence[ReportUnit]
    numbers: Sequence[Number]
    spread: Spread
    version: str
    previous: str | None = None
    next: str | None = None
    refused: Mapping[str, Any] | None = None
    warnings: Sequence[Mapping[str, Any]] = ()


def address_of(subject: str) -> str:
    """The file of a subject's page, as a link writes it."""
    return f"{quote(subject, safe='')}.html"


def subject_page(source: ReportSource, view: SubjectView) -> str:
    """The page as HTML: one file that loads nothing.

    Equal input gives equal bytes. A result that cannot be read is told in its place.
    """
    slug, cohort = source.pipeline["slug"], source.environment.get("cohort", "")
    page = Page(
        kind="subject",
        title=view.subject,
        subtitle=f"{source.pipeline.get('title') or slug} · pipeline {slug} · cohort {cohort}",
        verdict=_state(view),
        tiles=_tiles(view),
        links=_links(view),
        home=HOME,
        foot=f"cohortflow · pipeline {slug} · cohort {cohort} · "
        f"page {view.version[:16]}, made by run {source.environment.get('index', '—')}",
        saves=True,
    )
    sections = [_planes(source, view), _numbers(view), _steps(source, view), _verdict(source, view)]
    return html_page(page, sections, SCRIPT)


def ordered(numbers: Sequence[Number], spread: Spread) -> list[Number]:
    """The farthest out first; those that are equally far in the order in which they came."""
    return sorted(numbers, key=lambda number: -spread.outlying(number))


def _links(view: SubjectView) -> list[tuple[str, str]]:
    around = (("Previous", view.previous), ("Next", view.next))
    links = [(f"{name}: {who}", address_of(who)) for name, who in around if who is not None]
    return [
        *links,
        ("All subjects", "../subjects.html"),
        ("Runs of this pipeline", "../nights.html"),
        ("The cohort", "../../cohort.html"),
    ]


def _state(view: SubjectView) -> dict[str, Any]:
    if view.refused is not None:
        return {"tone": "bad", "text": "Refused when it was taken in: nothing was computed."}
    counts = states(view.units)
    done, total = counts.get("done", 0), len(view.units)
    others = ", ".join(f"{n} {state}" for state, n in counts.items() if state != "done")
    tone = "good" if done == total else "bad" if _broken(counts) else "open"
    text = f"{done} of {total} units stand done" + (f"; {others}." if others else ".")
    return {"tone": tone, "text": text}


def _broken(counts: Mapping[str, int]) -> bool:
    return any(counts.get(state) for state in SETTLED_BADLY)


def _tiles(view: SubjectView) -> list[tuple[str, str]]:
    out = [n for n in view.numbers if view.spread.outlying(n) > OUTLYING]
    warned = sum(len(unit.warnings) for unit in view.units) + len(view.warnings)
    tiles = [
        ("Numbers", f"{len(view.numbers):,}"),
        ("Far out, missed or invented", f"{len(out):,}"),
    ]
    return [*tiles, ("Warnings", f"{warned:,}")]


# --- pictures -------------------------------------------------------------------------------------


def _planes(source: ReportSource, view: SubjectView) -> Section:
    previews = [unit for unit in view.units if unit.kind == "preview"]
    blocks: list[Block] = [
        _picture(source, unit, several=len(previews) > 1)
        if unit.state == "done"
        else Note(f"No picture: step {unit.step} is {unit.state}.", "absent")
        for unit in previews
    ]
    if not previews:
        blocks.append(Note("No picture: no step of this pipeline draws this subject.", "absent"))
    return Section("planes", "Pictures", blocks)


def _picture(source: ReportSource, unit: ReportUnit, several: bool) -> Block:
    where = f"Step {unit.step} {place(unit.point)}".strip()
    try:
        dataset = source.entry(unit).dataset
        svg = planes_svg(dataset, f"Three planes of {unit.subject}", height=330)
    except CohortflowError as error:
        told = error.to_json()
        return Note(
            f"{where} cannot be shown: {told['message']}", "error", told["hint"], error.code
        )
    sided = dataset["axial"].attrs.get("sides") if "axial" in dataset else ""
    caption = (
        "Axial, coronal and sagittal; the patient's left is on the right."
        if sided
        else "Three planes along the axes of the array, which are in index space."
    )
    caption = f"{where}: {caption}" if several else caption
    return Figure(f"planes-{unit.key[:8]}", svg, f"Three planes: {where}", caption, wide=True)


# --- numbers --------------------------------------------------------------------------------------


def _numbers(view: SubjectView) -> Section:
    if not view.numbers:
        return Section("numbers", "Among the cohort", [Note("No number is known.", "absent")])
    sorted_out = ordered(view.numbers, view.spread)
    known = max(map(len, view.spread.values.values()), default=0)
    blocks: list[Block] = [_said(known, sorted_out, view.spread)]
    shown = [number for number in sorted_out if number.value is not None][:STRIPS]
    if shown and known > 1:
        caption = (
            f"Ticks: the others, {known:,} at most. Box: their quartiles, with the median. "
            "Diamond: this subject. Each strip runs from the least to the greatest value; those "
            f"farthest out come first{f', {STRIPS} of them' if len(sorted_out) > STRIPS else ''}."
        )
        svg, alt = strips_svg(shown, view.spread), "Numbers of this subject among the cohort's"
        blocks.append(Figure("strips", svg, alt, caption, wide=True))
    blocks.append(_table(sorted_out, view.spread))
    return Section("numbers", "Among the cohort", blocks)


def _said(known: int, numbers: Sequence[Number], spread: Spread) -> Block:
    if known < LEAST_SUBJECTS:
        return Note(
            f"Outliers are not sought among {known} subject{'s' if known != 1 else ''}: it takes "
            f"at least {LEAST_SUBJECTS}."
        )
    missing = [number for number in numbers if number.flagged]
    out = sum(spread.outlying(number) > OUTLYING for number in numbers) - len(missing)
    far = f"more than {OUTLYING} robust standard deviations out"
    text = f"{out} of {len(numbers)} numbers stand {far}."
    if missing:
        why = "of a structure that was missed or invented, or of a case that failed"
        text += f" {len(missing)} are {why}."
    return Text(text)


def _table(numbers: Sequence[Number], spread: Spread) -> Table:
    rows = [_row(number, spread.standing(number)) for number in numbers]
    columns = [
        Column("name", "Number"),
        Column("value", "This subject", "number"),
        Column("unit", "Unit"),
        Column("median", "Median", "number"),
        Column("quartiles", "Quartiles"),
        Column("rank", "Rank from below", "fraction"),
        Column("distance", "Distance", "number", "robust SD"),
        Column("reason", "Reason", "prose"),
    ]
    if not any(row["reason"] for row in rows):
        columns = columns[:-1]
    caption = "This subject's numbers and the cohort's"
    return Table("numbers", caption, columns, rows, shown=len(rows), folded=len(rows) > STRIPS)


def _row(number: Number, standing: Standing | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": number.name,
        "value": number.value,
        "unit": "" if number.unit == "1" else number.unit,
        "reason": number.reason,
    }
    if standing is None:
        return row
    return row | {
        "median": standing.median,
        "quartiles": f"{standing.low:.4g} to {standing.high:.4g}",
        "rank": [standing.rank, standing.n],
        "distance": standing.distance,
    }


# --- steps ----------------------------------------------------------------------------------------


def _steps(source: ReportSource, view: SubjectView) -> Section:
    blocks: list[Block] = []
    if view.refused is not None:
        blocks.append(_failure("ingest", view.refused))
    blocks += [
        _failure(_name(unit), unit.error or {"message": unit.reason})
        for unit in view.units
        if unit.state in SETTLED_BADLY
    ]
    rows = [_step(source, unit) for unit in view.units]
    columns = [
        Column("step", "Step", "code"),
        Column("where", "Where"),
        Column("state", "State"),
        Column("began", "Computed at"),
        Column("took", "Took", "integer", "s"),
        Column("warnings", "Warnings", "prose"),
    ]
    told = "; ".join(_warned(warning) for warning in view.warnings)
    if told:
        ingest = {"step": "ingest", "state": "done", "warnings": told}
        rows.insert(0, ingest)
    blocks.append(Table("steps", "Steps of this subject", columns, rows, shown=len(rows)))
    return Section("steps", "Steps", blocks)


def _name(unit: ReportUnit) -> str:
    return f"{unit.step} {place(unit.point)}".strip()


def _step(source: ReportSource, unit: ReportUnit) -> dict[str, Any]:
    time = source.unit_time(unit)
    return {
        "step": unit.step,
        "where": place(unit.point),
        "state": unit.state,
        "began": time.began.replace("T", " ") if time else None,
        "took": time.seconds if time else None,
        "warnings": "; ".join(_warned(warning) for warning in unit.warnings),
    }


def _warned(warning: Mapping[str, Any]) -> str:
    return f"{warning.get('code', 'warning')}: {warning.get('message', '')}"


def _failure(name: str, error: Mapping[str, Any]) -> Note:
    message = str(error.get("message") or "it did not come out")
    hints = [str(error[key]) for key in ("hint", "replay") if error.get(key)]
    return Note(f"{name}: {message}", "error", " — ".join(hints), str(error.get("code") or ""))


def _verdict(source: ReportSource, view: SubjectView) -> Section:
    data = {
        "cohort": source.environment.get("cohort", ""),
        "pipeline": source.pipeline["slug"],
        "subject": view.subject,
        "page": view.version[:16],
        "previous": None if view.previous is None else address_of(view.previous),
        "next": None if view.next is None else address_of(view.next),
    }
    return Section("verdict", "Verdict", [Verdict("verdict-form", data)])
