"""The numbers of a benchmark: seeds by name, n, intervals over cases, spread over seeds, folds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cohortflow.evaluation.pooling import pool_seeds
from cohortflow.evaluation.segmentation.seeds import over_seeds
from cohortflow.report.blocks import Block, Column, Note, Section, Table, Text, not_run
from cohortflow.report.cells import Cell, cell_units, cells, read_cases_of, without_number
from cohortflow.report.segmentation_seeds import Seeds, seeds_of
from cohortflow.report.source import ReportSource, ReportUnit, done, place, steps_of_stage

if TYPE_CHECKING:
    import pandas as pd

TITLE = "The benchmark"
_LONG = 40
_INFINITE = "infinite: a case has no surface, or no other value that is bounded"
_STRUCTURE = ("label", "name", "metric", "unit", "statistic")
NOTES = (
    "Interval: 95 %, over the cases of one seed, all its folds together. A case that failed "
    "counts as wrong, or as the worst its metric has, and stays in n.",
    "Over seeds: sample standard deviation of the seeds' numbers. Over folds: of the folds' "
    "numbers within one seed. How far other recordings could move the number, neither says: the "
    "interval does.",
)
OF_LOST = (
    "What failed counts as the worst where another seed tells its cases; what was not tried is in "
    "no number."
)


def benchmark(source: ReportSource) -> Section:
    """Which seeds and folds there are, then what was obtained at each, then over all of them."""
    found = cells(source)
    summaries = seeds_of(source)
    if not found and not summaries:
        return not_run("benchmark", TITLE, "no score has finished.")
    blocks: list[Block] = [Text(_what_varies(source))]
    lost = [str(one) for one in without_number(source, found)]
    lost += [f"{u.step} ({place(u.point)})" for u in _score_units(source) if u.state != "done"]
    if lost:
        names = ", ".join(dict.fromkeys(lost))
        blocks.append(Note(f"Without a finished score: {names}. {OF_LOST}", "warning"))
    if found:
        blocks += [_overall(found), _seeds(source, found), _metrics(found)]
    if summaries:
        blocks.append(_structures(summaries))
    return Section("benchmark", TITLE, blocks)


def _what_varies(source: ReportSource) -> str:
    axes: Mapping[str, Sequence[Any]] = source.pipeline.get("axes", {})
    seeds = list(axes.get("seed", ())) or [source.environment.get("seed", 0)]
    folds = [name for name, labels in axes.items() if name == "fold" and labels]
    told = f"{len(seeds)} seeds: " if len(seeds) > 1 else "One seed: "
    told += f"{', '.join(map(str, seeds))}. "
    if folds:
        labels = axes["fold"]
        return f"{told}{len(labels)} folds: {', '.join(map(str, labels))}."
    return f"{told}No folds: each number is of one split of the cases."


def _score_units(source: ReportSource) -> Iterator[ReportUnit]:
    for stage in ("score", "summarise_scores"):
        for step in steps_of_stage(source, stage):
            yield from source.units(step=step["id"])


# --- classification -------------------------------------------------------------------------------


def _overall(found: Sequence[Cell]) -> Table:
    columns = [
        Column("step", "Step", "code"),
        Column("where", "Where"),
        Column("seeds", "Seeds", "names"),
        Column("n", "n", "integer", "cases"),
        Column("accuracy", "Accuracy", "mean_sd", "mean ± sd, seeds"),
        Column("interval", "95 % interval", "interval", "first seed"),
        Column("majority", "Majority", "share", "baseline"),
    ]
    rows = [
        {
            "step": cell.step,
            "where": place(cell.point) or "all",
            "seeds": [str(one.seed) for one in cell.seeds],
            "n": cell.seeds[0].n,
            "accuracy": cell.mean_sd("accuracy"),
            "interval": list(cell.seeds[0].interval),
            "majority": cell.majority,
        }
        for cell in found
    ]
    return Table("benchmark", "Accuracy over all seeds", columns, rows, notes=NOTES)


def _seeds(source: ReportSource, found: Sequence[Cell]) -> Table:
    columns = [
        Column("step", "Step", "code"),
        Column("where", "Where"),
        Column("seed", "Seed", "code"),
        Column("n", "n", "integer", "cases"),
        Column("missing", "Failed", "integer", "in n"),
        Column("accuracy", "Accuracy", "share"),
        Column("interval", "95 % interval", "interval", "cases"),
        Column("folds", "Folds", "integer"),
        Column("fold_sd", "Over folds", "share", "sd"),
        Column("fold_range", "Folds from, to", "interval"),
    ]
    rows = []
    for cell in found:
        by_fold = _by_fold(source, cell)
        for one in cell.seeds:
            shares = by_fold.get(one.seed, [])
            rows.append(
                {
                    "step": cell.step,
                    "where": place(cell.point) or "all",
                    "seed": str(one.seed),
                    "n": one.n,
                    "missing": one.missing,
                    "accuracy": one.metrics.get("accuracy"),
                    "interval": list(one.interval),
                    "folds": len(shares) or None,
                    "fold_sd": _sd(shares),
                    "fold_range": [min(shares), max(shares)] if len(shares) > 1 else None,
                }
            )
    return Table(
        "benchmark_seeds", "Accuracy of each seed", columns, rows, folded=len(rows) > _LONG
    )


def _by_fold(source: ReportSource, cell: Cell) -> dict[Any, list[float]]:
    """Seed → accuracy of each of its finished folds; none where there are no folds."""
    units = cell_units(source, cell.step).get(tuple(cell.point.items()), [])
    shares: dict[Any, list[float]] = {}
    for unit in done(units):
        if "fold" in unit.point:
            cases = read_cases_of(source, unit)
            if cases.judged:
                share = cases.correct / len(cases.judged)
                shares.setdefault(unit.point.get("seed"), []).append(share)
    return shares


def _metrics(found: Sequence[Cell]) -> Table:
    columns = [
        Column("step", "Step", "code"),
        Column("where", "Where"),
        Column("metric", "Metric", "code"),
        Column("seeds", "Seeds", "integer"),
        Column("mean", "Mean", "number", "over seeds"),
        Column("sd", "Over seeds", "number", "sd"),
    ]
    rows = []
    for cell in found:
        for metric in cell.seeds[0].metrics:
            pooled = cell.mean_sd(metric)
            rows.append(
                {
                    "step": cell.step,
                    "where": place(cell.point) or "all",
                    "metric": metric,
                    "seeds": pooled["n"] if pooled else 0,
                    "mean": pooled["mean"] if pooled else None,
                    "sd": pooled["sd"] if pooled else None,
                }
            )
    return Table("benchmark_metrics", "Every metric over seeds", columns, rows, folded=True)


# --- structures -----------------------------------------------------------------------------------


def _structures(found: Sequence[Seeds]) -> Table:
    """One row a structure, metric and statistic: the seeds beside each other, then over them."""
    rows = [row for one in found for row in _rows_of(one)]
    columns = [
        Column("step", "Step", "code"),
        Column("where", "Where"),
        Column("name", "Structure"),
        Column("metric", "Metric", "code"),
        Column("unit", "Unit"),
        Column("statistic", "Statistic"),
        Column("n", "n", "integer", "cases"),
        Column("seeds", "Seeds", "names"),
        Column("mean", "Mean", "number", "over seeds"),
        *([Column("why", "Remark", "prose")] if any(row["why"] for row in rows) else []),
        Column("sd", "Over seeds", "number", "sd"),
        Column("fold_sd", "Over folds", "number", "sd, first seed"),
        Column("interval", "Interval", "ends", "cases, first seed"),
    ]
    said = [text for one in found for text in one.said()]
    notes = [*NOTES, *said]
    title, long = "Structures over seeds", len(rows) > _LONG
    return Table("benchmark_structures", title, columns, rows, folded=long, notes=notes)


def _rows_of(seeds: Seeds) -> Iterator[dict[str, Any]]:
    """Folds of a seed are joined case by case, as those of a classification are."""
    if not seeds.found:
        return
    by_seed = [_by_structure(one.summary) for one in seeds.found]
    finished = next((i for i, one in enumerate(seeds.found) if not one.failed), 0)
    folds = [_by_structure(p.summary) for p in seeds.found[finished].parts if p.summary is not None]
    for key in dict.fromkeys(key for own in by_seed for key in own):
        label, name, metric, unit, statistic = key
        values = [float(own[key]["value"]) if key in own else math.nan for own in by_seed]
        pooled = over_seeds(values, seeds.asked)
        first = by_seed[finished].get(key) or next(own[key] for own in by_seed if key in own)
        of_folds = [float(own[key]["value"]) for own in folds if key in own]
        spread = pool_seeds(of_folds).sd
        ends = [float(first["low"]), float(first["high"])]
        yield {
            "step": seeds.step, "where": seeds.point or "all", "name": name or str(label),
            "metric": metric, "unit": unit, "statistic": statistic, "n": int(first["n"]),
            "seeds": ["—" if one.seed is None else str(one.seed) for one in seeds.found],
            "mean": _number(pooled.mean), "sd": _number(pooled.sd), "fold_sd": _number(spread),
            "interval": ends if all(map(math.isfinite, ends)) else None,
            "why": _INFINITE if math.isinf(pooled.mean) else str(first["reason"] or ""),
        }  # fmt: skip


def _by_structure(summary: pd.DataFrame) -> dict[tuple[Any, ...], Mapping[Any, Any]]:
    """Without voxels as they were counted, which never stand alone."""
    kept = summary[(summary["per"] != "voxel") | ~summary["published"].astype(bool)]
    return {tuple(row[name] for name in _STRUCTURE): row for row in kept.to_dict("records")}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _sd(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None
