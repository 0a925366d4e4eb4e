"""What a run obtained for printed columns: classified cases and segmented ones alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from cohortflow.evaluation.published import Paper, PublishedTable, correspondence
from cohortflow.evaluation.published.obtained import Obtained, obtained
from cohortflow.report.blocks import Column, Table
from cohortflow.report.cells import Cell
from cohortflow.report.segmentation_seeds import Seeds, seeds_of
from cohortflow.report.source import ReportSource, place

_HOW = ("policy", "statistic", "per")


@dataclass(frozen=True)
class Run:
    """One point of a pipeline: what it obtained for a column of a printed table.

    ``seeds``: how many the point has; ``missing``: masks counted as the worst; ``how``: policies
    and statistics of its summary; ``said``: of seeds that failed or are not there.
    """

    point: str
    obtained: Callable[[PublishedTable, str], list[Obtained]]
    seeds: int = 1
    missing: int = 0
    how: dict[str, list[str]] = field(default_factory=dict)
    said: Sequence[str] = ()


def classified(found: Sequence[Cell]) -> list[Run]:
    """A run for every cell of a score: mean over seeds, interval of the first one's accuracy."""
    return [Run(place(cell.point), partial(_of_cell, cell), len(cell.seeds)) for cell in found]


def _of_cell(cell: Cell, table: PublishedTable, column: str) -> list[Obtained]:
    ours = correspondence(table, column)
    if ours.task != "classification" or not ours.ids or table.structures:
        return []
    found = cell.mean_sd(ours.ids[0])
    if found is None or found["mean"] is None:
        return []
    first = cell.seeds[0]
    low, high = first.interval if ours.ids[0] == "accuracy" else (math.nan, math.nan)
    return [
        Obtained(
            ours.ids[0],
            found["mean"],
            ours.unit,
            first.n,
            first.n,
            low,
            high,
            structures=0,
            sd=math.nan if found["sd"] is None else found["sd"],
            seeds=int(found["n"] or 0),
            seeds_asked=int(found["of"] or 0),
        )
    ]


def segmented(source: ReportSource) -> list[Run]:
    """A run for every point of a summary of segmentations: mean over seeds, folds joined."""
    return [_of_seeds(found) for found in seeds_of(source) if found.found]


def _of_seeds(seeds: Seeds) -> Run:
    summaries = [one.summary[one.summary["per"] != "voxel"] for one in seeds.found]
    how = {name: sorted({str(v) for one in summaries for v in one[name]}) for name in _HOW}
    return Run(
        seeds.point,
        partial(obtained, seeds=seeds.found, asked=seeds.asked),
        seeds.asked,
        max(int(one["missing"].max()) for one in summaries),
        how,
        seeds.said(),
    )


def segmentation_differences(source: ReportSource, paper: Paper, runs: Sequence[Run]) -> Table:
    """Data, protocol and missing structures: the paper on one side, the run on the other."""
    seeds = max(run.seeds for run in runs)
    datasets = dict.fromkeys(table.dataset for table in paper.tables if table.dataset)
    subjects = len(source.participants)
    policies, statistics, per = (
        ", ".join(sorted({one for run in runs for one in run.how[name]})) for name in _HOW
    )
    rows = [
        {"what": "Data", "paper": "; ".join(datasets), "run": f"this cohort: {subjects} subjects"},
        {
            "what": "Protocol",
            "paper": paper.protocol or "not stated",
            "run": f"{statistics} by {per}"
            + (f"; mean over {seeds} seeds, interval of the first finished" if seeds > 1 else ""),
        },
        {
            "what": "Missing structures",
            "paper": "as its protocol counts them",
            "run": f"counted as the worst, {max(run.missing for run in runs)} at most of one "
            f"structure; policy {policies}",
        },
    ]
    columns = [Column("what", "What"), Column("paper", "Published"), Column("run", "Here")]
    return Table("differences", "What differs in data and protocol", columns, rows)
