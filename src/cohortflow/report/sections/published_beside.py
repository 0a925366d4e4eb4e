"""Printed numbers beside obtained ones, column by column."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from cohortflow.evaluation.published import (
    Correspondence,
    Paper,
    PublishedRow,
    PublishedTable,
    convert,
    convertible,
    correspondence,
)
from cohortflow.evaluation.published.obtained import USUAL, Obtained, comparable, place_among
from cohortflow.evaluation.published.ranks import best_row
from cohortflow.report.blocks import Block, Column, Note, Table
from cohortflow.report.sections.published_runs import Run
from cohortflow.report.sections.published_tables import group_name

OTHER_CASES = (
    "The printed numbers are of the paper's cases: a difference between two cohorts says little "
    "about the method. It is formed only where definition and unit of both sides are the same."
)
OVER_SEEDS = (
    "Obtained: mean over seeds, with the sample standard deviation between them. The interval is "
    "over the cases of one seed, the first that finished: it says nothing of other seeds."
)


def beside(paper: Paper, runs: Sequence[Run]) -> list[Block]:
    """A table of obtained numbers for every printed one that has something of ours beside it."""
    blocks: list[Block] = [
        Table(
            f"beside_{table.id}",
            f"{table.printed_in} ({table.dataset}): printed beside obtained, in the printed unit",
            _columns(table, runs),
            rows,
            notes=[OTHER_CASES, *_of_seeds(runs), *_reasons(rows)],
        )
        for table in paper.tables
        if (rows := _rows(table, runs))
    ]
    if runs and not blocks:
        return [Note("No printed column has a number of ours that corresponds.", "absent")]
    return blocks


def _columns(table: PublishedTable, runs: Sequence[Run]) -> list[Column]:
    several = _several(runs)
    return [
        *([Column("run", "Here")] if len(runs) > 1 else []),
        Column("column", "Column"),
        *([Column("group", "Of")] if table.compare or table.datasets else []),
        Column("printed_unit", "Unit", about="of the printed number"),
        Column("id", "Metric of ours"),
        Column("unit", "Its unit"),
        Column("proposed", "Best proposed"),
        Column("published", "Published", "number"),
        Column("obtained", "Obtained", "number", "mean over seeds" if several else "converted"),
        *(
            [Column("sd", "Over seeds", "number", "sd"), Column("seeds", "Seeds", "fraction")]
            if several
            else []
        ),
        Column("n", "n", "fraction", "of cases"),
        Column("interval", "95 % interval", "ends", "cases, one seed" if several else "cases"),
        Column("difference", "Difference", "signed"),
        Column("place", "Place", "fraction", "among printed methods and ours"),
    ]


def _several(runs: Sequence[Run]) -> bool:
    return any(run.seeds > 1 for run in runs)


def _of_seeds(runs: Sequence[Run]) -> list[str]:
    return [*([OVER_SEEDS] if _several(runs) else []), *(text for run in runs for text in run.said)]


def _rows(table: PublishedTable, runs: Sequence[Run]) -> list[dict[str, Any]]:
    return [
        _row(table, column, position, group, run, found)
        for run in runs
        for position, group in enumerate(table.groups())
        for column in table.columns
        for found in run.obtained(table, column)
    ]


def _row(
    table: PublishedTable,
    column: str,
    position: int,
    group: Sequence[PublishedRow],
    run: Run,
    found: Obtained,
) -> dict[str, Any]:
    ours = correspondence(table, column)
    proposed = best_row([row for row in group if row.proposed], column, table.better[column])
    printed = proposed.values[column] if proposed else None
    same = comparable(ours, found)
    value, *interval = (_in_print(one, ours, found) for one in (found.value, found.low, found.high))
    sd = _in_print(found.sd, ours, found)
    ahead = place_among(table, column, value, position) if same else None
    doubt = proposed.flags.get(column, "") if proposed else ""
    return {
        "run": run.point,
        "column": column,
        "group": group_name(table, column, group),
        "printed_unit": ours.printed_unit if ours.stated else f"{ours.printed_unit}, not stated",
        "id": found.id,
        "unit": found.unit,
        "proposed": proposed.method if proposed else None,
        "published": printed,
        "obtained": None if math.isnan(value) else value,
        "sd": None if math.isnan(sd) else sd,
        "seeds": [found.seeds, found.seeds_asked],
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
    if found.statistic != USUAL:
        return f"no difference: ours is the {found.statistic}, the printed one the {USUAL}"
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
