"""Printed numbers beside the summary of a cohort's segmentations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cohortflow.evaluation.published import (
    Correspondence,
    Paper,
    PublishedRow,
    PublishedTable,
    convert,
    convertible,
    correspondence,
)
from cohortflow.evaluation.published.obtained import (
    Obtained,
    comparable,
    obtained,
    place_among,
    read_summary,
)
from cohortflow.evaluation.published.ranks import best_row
from cohortflow.report.blocks import Block, Column, Note, Table
from cohortflow.report.source import ReportSource, done, place

if TYPE_CHECKING:
    import pandas as pd

OTHER_CASES = (
    "The printed numbers are of the paper's cases: a difference between two cohorts says little "
    "about the method. It is formed only where definition and unit of both sides are the same."
)


@dataclass(frozen=True)
class _Run:
    """The summary of one point; the first seed of several."""

    point: str
    seeds: int
    summary: pd.DataFrame


def beside_segmentations(source: ReportSource, paper: Paper) -> list[Block]:
    """A table of obtained numbers for every printed one that has something of ours beside it."""
    runs = _runs(source)
    if not runs:
        return []
    blocks: list[Block] = [
        Table(
            f"beside_{table.id}",
            f"{table.printed_in} ({table.dataset}): printed beside obtained, in the printed unit",
            _columns(table, runs),
            rows,
            notes=[OTHER_CASES, *_reasons(rows)],
        )
        for table in paper.tables
        if (rows := _rows(table, runs))
    ]
    if not blocks:
        return [Note("No printed column has a number of ours that corresponds.", "absent")]
    return [*blocks, _differences(source, paper, runs)]


def _runs(source: ReportSource) -> list[_Run]:
    found: dict[str, list[Any]] = {}
    for unit in done(source.units(stage="summarise_scores")):
        found.setdefault(place(unit.point, without=("seed",)), []).append(unit)
    runs = []
    for point, units in found.items():
        data = source.entry(units[0]).read_file("summary.parquet")
        runs.append(_Run(point, len(units), read_summary(data, units[0].step)))
    return runs


def _columns(table: PublishedTable, runs: Sequence[_Run]) -> list[Column]:
    return [
        *([Column("run", "Here")] if len(runs) > 1 else []),
        Column("column", "Column"),
        *([Column("group", "Of")] if table.compare else []),
        Column("printed_unit", "Unit", about="of the printed number"),
        Column("id", "Metric of ours"),
        Column("unit", "Its unit"),
        Column("proposed", "Best proposed"),
        Column("published", "Published", "number"),
        Column("obtained", "Obtained", "number", "converted"),
        Column("n", "n", "fraction", "of cases"),
        Column("interval", "95 % interval", "ends"),
        Column("difference", "Difference", "signed"),
        Column("place", "Place", "fraction", "among printed methods and ours"),
    ]


def _rows(table: PublishedTable, runs: Sequence[_Run]) -> list[dict[str, Any]]:
    return [
        _row(table, column, position, group, run, found)
        for run in runs
        for position, group in enumerate(table.groups())
        for column in table.columns
        for found in obtained(table, column, run.summary)
    ]


def _row(
    table: PublishedTable,
    column: str,
    position: int,
    group: Sequence[PublishedRow],
    run: _Run,
    found: Obtained,
) -> dict[str, Any]:
    ours = correspondence(table, column)
    proposed = best_row([row for row in group if row.proposed], column, table.better[column])
    printed = proposed.values[column] if proposed else None
    same = comparable(ours, found)
    value, *interval = (_in_print(one, ours, found) for one in (found.value, found.low, found.high))
    ahead = place_among(table, column, value, position) if same else None
    doubt = proposed.flags.get(column, "") if proposed else ""
    return {
        "run": run.point,
        "column": column,
        "group": ", ".join(str(group[0].labels.get(key)) for key in table.compare),
        "printed_unit": ours.printed_unit if ours.stated else f"{ours.printed_unit}, not stated",
        "id": found.id,
        "unit": found.unit,
        "proposed": proposed.method if proposed else None,
        "published": printed,
        "obtained": None if math.isnan(value) else value,
        "n": [found.n, found.cases],
        "interval": interval if all(map(math.isfinite, interval)) else None,
        "difference": value - printed if same and printed is not None else None,
        "place": list(ahead) if ahead and table.better[column] != "none" else None,
        "reason": _why(ours, found, same),
        "doubt": doubt,
    }


def _in_print(value: float, ours: Correspondence, found: Obtained) -> float:
    """A number of ours in the printed unit, where both measure the same."""
    if not convertible(found.unit, ours.printed_unit):
        return value
    return convert(value, found.unit, ours.printed_unit)


def _why(ours: Correspondence, found: Obtained, same: bool) -> str:
    if math.isnan(found.value):
        return found.reason
    if same:
        return ""
    if found.id != ours.ids[0] and found.empty:
        return f"no difference: {found.id} counts empty masks otherwise than {ours.ids[0]} does"
    if not ours.stated:
        return f"no difference: {ours.why or 'the unit is not printed'}"
    return f"no difference: printed in {ours.printed_unit}, ours in {found.unit}"


def _reasons(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        if row["reason"]:
            by_reason.setdefault(str(row["reason"]), []).append(str(row["column"]))
    said = [f"{', '.join(dict.fromkeys(names))}: {why}." for why, names in by_reason.items()]
    doubts = {f"{row['proposed']}, {row['column']}: {row['doubt']}" for row in rows if row["doubt"]}
    return [*said, *(f"Doubt about a printed number: {doubt}." for doubt in sorted(doubts))]


def _differences(source: ReportSource, paper: Paper, runs: Sequence[_Run]) -> Table:
    people = len(source.participants)
    policies = sorted({str(name) for run in runs for name in run.summary["policy"]})
    statistics = sorted({str(name) for run in runs for name in run.summary["statistic"]})
    missing = max(int(run.summary["missing"].max()) for run in runs)
    seeds = max(run.seeds for run in runs)
    datasets = dict.fromkeys(table.dataset for table in paper.tables if table.dataset)
    rows = [
        {"what": "Data", "paper": "; ".join(datasets), "run": f"this cohort: {people} subjects"},
        {
            "what": "Protocol",
            "paper": paper.protocol or "not stated",
            "run": f"{' and '.join(statistics)} over cases"
            + (f"; the first of {seeds} seeds" if seeds > 1 else ""),
        },
        {
            "what": "Missing structures",
            "paper": "as its protocol counts them",
            "run": f"counted as the worst, {missing} at most of one structure; "
            f"policy {', '.join(policies)}",
        },
    ]
    columns = [Column("what", "What"), Column("paper", "Published"), Column("run", "Here")]
    return Table("differences", "What differs in data and protocol", columns, rows)
