"""The page of a pipeline's runs: the newest one in words and tables,
and how the nights went so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cohortflow.report.ages import models_section
from cohortflow.report.blocks import Block, Column, Figure, Note, Section, Table, Text
from cohortflow.report.causes import FEW, NOTHING_FAILED, causes_section
from cohortflow.report.night import Line, Night
from cohortflow.report.page import Page, html_page
from cohortflow.report.trend import MOST, Bars, bar_rows

NAMED = 60
"""Subjects that a row names; more are counted."""
_CAUSES = "Failed, quarantined, blocked and refused, by cause, as it stands now"
BROKEN = ("failed", "quarantined", "blocked")


def render_night(night: Night) -> str:
    """The page as HTML: equal input, equal bytes."""
    line = night.line
    page = Page(
        kind="runs",
        title=night.title,
        subtitle=f"pipeline {night.pipeline} · run {line['index']} · {_when(line)}",
        verdict=_verdict(night),
        tiles=_tiles(night),
        links=_links(night),
        home=r"/nights\.html$",
        foot=f"cohortflow · pipeline {night.pipeline} · index {line['index']} · "
        f"cohort {night.cohort} · {line['finished']}",
    )
    sections = [
        _news(night),
        _computed(night),
        causes_section([*night.refused, *night.causes], _CAUSES, NOTHING_FAILED, named=FEW),
        models_section(night.models, line["finished"]),
        _trend(night),
    ]
    return html_page(page, [section for section in sections if section is not None])


def _links(night: Night) -> list[tuple[str, str]]:
    report = [("Report", night.report)] if night.report else []
    return [*report, ("The cohort", "../cohort.html")]


def _verdict(night: Night) -> dict[str, Any]:
    line = night.line
    broken = sum(line["states"].get(state, 0) for state in BROKEN)
    did = (
        f"{_count(line['ran'], 'unit')} ran in {duration(line['seconds'])}"
        if line["ran"]
        else "Nothing was to be computed"
    )
    stands = (
        f"{line['states'].get('done', 0):,} of {sum(line['states'].values()):,} units stand done"
    )
    failed = f"; {line['failed']:,} of them failed" if line["failed"] else ""
    others = f"; {broken:,} stand failed or blocked" if broken else ""
    tone = "bad" if broken or line["refused"] else "good"
    return {"tone": tone, "text": f"{did}{failed}; {stands}{others}."}


def _tiles(night: Night) -> list[tuple[str, str]]:
    line, news = night.line, night.news
    told = [f"{len(news.new)} new"] if news.new else []
    told += [f"{len(found)} {name}" for name, found in _known(night) if found]
    told += [f"{news.withdrawn} withdrawn"] if news.withdrawn else []
    return [
        ("Subjects", f"{line['subjects']:,}"),
        ("Since the run before", ", ".join(told) or "nothing new"),
        ("Units run", f"{line['ran']:,}"),
        ("Failed in this run", f"{line['failed']:,}"),
        ("Quarantined", f"{line['states'].get('quarantined', 0):,}"),
        ("Took", duration(line["seconds"])),
    ]


def _known(night: Night) -> list[tuple[str, Sequence[str] | None]]:
    return [("changed", night.news.changed), ("corrected", night.news.corrected)]


def _news(night: Night) -> Section:
    news, blocks = night.news, list[Block]()
    rows: list[dict[str, Any]] = []
    if news.new:
        rows.append({"what": "new", "count": len(news.new), "subjects": _some(news.new)})
    for name, found in _known(night):
        if found:
            rows.append({"what": name, "count": len(found), "subjects": _some(found)})
    if news.withdrawn:
        rows.append({"what": "withdrawn", "count": news.withdrawn, "subjects": []})
    if rows:
        columns = [
            Column("what", "What"),
            Column("count", "Subjects", "integer"),
            Column("subjects", "Who", "names"),
        ]
        caption = "Subjects since the run before; who was withdrawn is not kept"
        blocks.append(Table("news", caption, columns, rows))
    elif not night.earlier:
        blocks.append(Text(f"The first run on this cohort: {night.line['subjects']:,} subjects."))
    elif news.changed is not None:
        blocks.append(Text("Nothing is new: no subject came, left or changed."))
    if news.changed is None:
        text = (
            "Whose recordings or columns changed is not known: the list of subjects of the run "
            "before is gone, as after somebody was forgotten. What ran says what had changed."
        )
        blocks.append(Note(text, "absent"))
    return Section("news", "What is new", blocks)


def _computed(night: Night) -> Section:
    columns = [
        Column("step", "Step", "code"),
        Column("units", "Units", "integer"),
        Column("reason", "Why", "prose"),
    ]
    table = Table("computed", "What this run computed, and why", columns, night.reasons)
    blocks: list[Block] = [table] if night.reasons else [Text("Nothing was computed.")]
    blocks.append(_reductions(night))
    return Section("computed", "What was computed", blocks)


def _reductions(night: Night) -> Table:
    before = night.earlier[-1]["n"] if night.earlier else {}
    rows = [
        {"step": step, "n": [n, of], "before": before.get(step)}
        for step, (n, of) in night.line["n"].items()
    ]
    columns = [
        Column("step", "Step", "code"),
        Column("n", "Subjects it is computed from, of those it should be", "fraction"),
        Column("before", "The run before", "fraction"),
    ]
    return Table("reductions", "Results over several subjects as they stand now", columns, rows)


def _trend(night: Night) -> Section:
    lines = [*night.earlier, night.line]
    told = [f"run {line['index']}, {_when(line)}" for line in lines]

    def bars(title: str, name: str, ink: str = "var(--one)") -> Bars:
        values = [line[name] for line in lines]
        return Bars(title, values, [f"{t}: {v:,}" for t, v in zip(told, values, strict=True)], ink)

    seconds = [line["seconds"] for line in lines]
    took = [f"{t}: {duration(s)}" for t, s in zip(told, seconds, strict=True)]
    smallest = [_smallest(line) for line in lines]
    counted = [
        f"{t}: {pair[0]} of {pair[1]}" if pair else f"{t}: none"
        for t, pair in zip(told, smallest, strict=True)
    ]
    shares = [pair[0] / pair[1] if pair and pair[1] else None for pair in smallest]
    rows = [
        bars("Units run", "ran"),
        bars("Failed", "failed", "var(--two)"),
        bars("Subjects", "subjects", "var(--three)"),
        Bars("Duration", seconds, took, "var(--soft)"),
        Bars("n of N, smallest", shares, counted, "var(--one)"),
    ]
    alt = f"Units run, units failed, subjects, duration and n of N over {len(lines)} runs"
    caption = (
        "Each bar is a run, the newest on the right; each row starts at zero. n of N: of all "
        "results over several subjects, the one that lacks most. The numbers stand in the table."
    )
    figure = Figure("trend", bar_rows(rows), alt, caption)
    return Section("trend", "Over the nights", [figure, _history(lines)])


def _history(lines: Sequence[Line]) -> Table:
    steps = list(dict.fromkeys(step for line in reversed(lines) for step in line["n"]))
    rows = [
        {
            **line,
            "started": _when(line),
            "took": duration(line["seconds"]),
            "broken": sum(line["states"].get(state, 0) for state in BROKEN),
            "done": line["states"].get("done", 0),
            "counted": [
                f"{step} {line['n'][step][0]}/{line['n'][step][1]}"
                for step in steps
                if step in line["n"]
            ],
        }
        for line in reversed(lines[-MOST:])
    ]
    more = f"The newest {MOST} of {len(lines)} runs; nights.json beside this page has the others."
    columns = [
        Column("index", "Run", "integer"),
        Column("started", "Started"),
        Column("took", "Took"),
        Column("subjects", "Subjects", "integer"),
        Column("ran", "Units run", "integer"),
        Column("failed", "Failed", "integer"),
        Column("done", "Stand done", "integer"),
        Column("broken", "Stand failed or blocked", "integer"),
        Column("counted", "n of N", "names"),
    ]
    notes = [more] if len(lines) > MOST else []
    return Table("nights", "Runs of this pipeline, the newest first", columns, rows, notes=notes)


def _smallest(line: Line) -> tuple[int, int] | None:
    pairs = [(n, of) for n, of in line["n"].values() if of]
    return min(pairs, key=lambda pair: pair[0] / pair[1]) if pairs else None


def duration(seconds: float) -> str:
    """``1 h 05 min``, ``2 min 10 s``, ``12 s``."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    if whole >= 60:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole} s" if seconds >= 1 else "under a second"


def _when(line: Line) -> str:
    return str(line["started"])[:16].replace("T", " ")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _some(names: Sequence[str]) -> list[str]:
    rest = len(names) - NAMED
    return list(names) if rest <= 0 else [*names[:NAMED], f"and {rest:,} more"]
