"""Classification: what was confused, curves with bands, calibration, metrics with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cohortflow.evaluation.calibration import reliability
from cohortflow.evaluation.cases import Cases
from cohortflow.evaluation.classification import classification_metrics
from cohortflow.evaluation.classification_intervals import BCA, PERCENTILE, with_intervals
from cohortflow.evaluation.columns import Columns, columns_of_cases
from cohortflow.evaluation.counts import confusion_matrix
from cohortflow.evaluation.curves import Curve, precision_recall_curve, roc_curve
from cohortflow.evaluation.definitions import definition
from cohortflow.evaluation.intervals import CLOPPER_PEARSON
from cohortflow.evaluation.measurement import Measurement
from cohortflow.evaluation.pooling import pool_seeds
from cohortflow.report.blocks import (
    Block,
    Column,
    Highlight,
    Note,
    Section,
    Table,
    Text,
    not_run,
)
from cohortflow.report.cells import cell_units, is_control, seed_pools, some_failed
from cohortflow.report.formats import cell, mean_sd, share
from cohortflow.report.highlights import Result, highlights, lost
from cohortflow.report.identifiers import slug
from cohortflow.report.plots.calibration import calibration_plot
from cohortflow.report.plots.confusion import confusion_plot
from cohortflow.report.plots.operating_curves import Operating, precision_recall_plot, roc_plot
from cohortflow.report.plots.parts import Plot
from cohortflow.report.source import ReportSource, steps_of_stage

TITLE = "Classification"
MOST_CELLS = 24
MOST_DRAWN = 4
MOST_REASONS = 12
BINS = 10
SEED = 0
_HOW = {CLOPPER_PEARSON: "exact", BCA: "BCa", PERCENTILE: "percentiles"}
OF_TWO = ("accuracy", "balanced_accuracy", "f1", "auc", "auprc", "brier", f"ece@{BINS}")
OF_MORE = (
    "accuracy",
    "balanced_accuracy",
    "f1/macro",
    "auc/macro",
    "auprc/macro",
    "brier/sum",
    f"ece@{BINS}",
)


@dataclass(frozen=True)
class Scored:
    """One cell: joined cases by seed, of ``seeds_asked`` seeds."""

    name: str
    control: bool
    seeds: Sequence[Cases]
    seeds_asked: int

    @property
    def first(self) -> Cases:
        return self.seeds[0]

    @property
    def metrics(self) -> tuple[str, ...]:
        return OF_TWO if len(self.first.classes) == 2 else OF_MORE


def classification(source: ReportSource) -> Section:
    """Plots of the first cells, a table of metrics with intervals of more of them."""
    found, failed, rest = _scored(source)
    if not found:
        return not_run("classification", TITLE, "no score step has a finished unit.")
    own = [one for one in found if not one.control] or found
    blocks: list[Block] = [Text(ABOUT)]
    if rest:
        text = (
            f"The first {len(found)} of {len(found) + rest} points are shown here, in the order of "
            "the pipeline; accuracies of all stand in the section accuracy, where it is asked for."
        )
        blocks.append(Note(text))
    table = _table(found)
    blocks.append(table)
    for number, one in enumerate(own[:MOST_DRAWN]):
        blocks += _plots(one, number)
    if len(own) > MOST_DRAWN:
        text = f"{len(own) - MOST_DRAWN} more points of the table are not drawn."
        blocks.append(Note(text))
    return Section("classification", TITLE, blocks, _highlights(source, table, own, failed))


def _highlights(
    source: ReportSource, table: Table, own: Sequence[Scored], failed: Sequence[str]
) -> list[Highlight]:
    """Accuracy of each point, where no section of its own opens with it."""
    if "accuracy" in (source.pipeline.get("report") or ()):
        return []
    points = {one.name for one in own}
    rows = [row for row in table.rows if row["metric"] == "accuracy" and row["point"] in points]
    results = [
        Result(
            row["point"] if len(points) > 1 else "",
            row["seeds"]["mean"],
            mean_sd(row["seeds"]),
            f"95 % interval of the first seed {cell(row['interval'], 'interval')}",
            row["n"],
            row["missing"],
        )
        for row in rows
        if not math.isnan(row["value"])
    ]
    return highlights(
        "Accuracy", [*results, *(lost(name, 0.0) for name in failed)], share, "points"
    )


ABOUT = (
    "Cases of all folds are joined within a seed. Counts, curves and intervals are of the first "
    "seed's cases; other seeds have the same subjects, so they are no new cases: they show as thin "
    "lines and in the mean and standard deviation. A case without a prediction is wrong in every "
    "metric and ranks as badly as can be. No plot chooses among points: the first ones are drawn."
)


def _scored(source: ReportSource) -> tuple[list[Scored], list[str], int]:
    """The first cells in the order of the pipeline, points that failed, how many more there are."""
    found: list[Scored] = []
    failed: list[str] = []
    rest = 0
    steps = steps_of_stage(source, "score")
    for step in steps:
        control = is_control(source, step)
        for key, units in cell_units(source, step["id"]).items():
            if len(found) == MOST_CELLS:
                rest += 1
                continue
            pools, asked = seed_pools(source, units)
            name = _name(step["id"], dict(key), len(steps) > 1)
            if pools:
                found.append(Scored(name, control, [pool.cases for _, pool in pools], asked))
            elif some_failed(units) and not control:
                failed.append(name)
    return found, failed, rest


def _name(step: str, point: Mapping[str, Any], several: bool) -> str:
    where = " ".join(f"H{v}" if axis == "degree" else str(v) for axis, v in point.items())
    return f"{where} ({step})" if several and where else where or step


def _table(found: Sequence[Scored]) -> Table:
    rows = [row for one in found for row in _rows(one)]
    columns = (
        Column("point", "Point"),
        Column("metric", "Metric", "code"),
        Column("value", "Value", "number", "first seed"),
        Column("interval", "95 % interval", "ends3", "first seed"),
        Column("seeds", "Seeds", "spread", "mean ± sd"),
        Column("n", "n", "integer", "cases"),
        Column("missing", "Missing", "integer", "of n, wrong"),
        Column("left_out", "Left out", "integer", "not in n"),
        Column("how", "Interval by"),
    )
    metrics = dict.fromkeys(metric for one in found for metric in one.metrics)
    notes = [
        "Exact: Clopper–Pearson. BCa: bootstrap of cases drawn anew within each true class; above "
        "a thousand cases its percentiles.",
        *(f"{metric}: {definition(metric).about}." for metric in metrics),
    ]
    reasons = dict.fromkeys(
        f"{row['metric']}, {row['point']}: {row['why']}." for row in rows if row["why"]
    )
    notes += list(reasons)[:MOST_REASONS]
    positives = dict.fromkeys(one.first.positive for one in found if len(one.first.classes) == 2)
    if positives:
        notes.append(f"Positive class: {', '.join(positives)}.")
    return Table("classification", "Metrics of the joined cases", columns, rows, notes=notes)


def _rows(one: Scored) -> list[dict[str, Any]]:
    cases = one.first
    rows = with_intervals(cases, one.metrics, seed=SEED)
    others = [classification_metrics(more, one.metrics) for more in one.seeds[1:]]
    return [
        {
            "point": one.name,
            "metric": row.metric,
            "value": row.value,
            "interval": None if math.isnan(row.low) else [row.low, row.high],
            "seeds": _spread([row, *(rows[place] for rows in others)], one.seeds_asked),
            "n": len(cases.judged),
            "missing": len(cases.named("missing")),
            "left_out": len(cases.named("left_out")),
            "how": _HOW.get(row.interval, ""),
            "why": row.reason or (row.interval if row.interval not in _HOW else ""),
        }
        for place, row in enumerate(rows)
        if row.metric in one.metrics
    ]


def _spread(rows: Sequence[Measurement], asked: int) -> dict[str, Any] | None:
    pool = pool_seeds([row.value for row in rows], asked)
    if not pool.n:
        return None
    sd = None if math.isnan(pool.sd) else pool.sd
    return {"mean": pool.mean, "sd": sd, "n": pool.n, "of": pool.n_expected}


def _plots(one: Scored, number: int) -> list[Plot]:
    cases = one.first
    seeds = [columns_of_cases(more) for more in one.seeds]
    stem = f"classification_{number}_{slug(one.name)}"
    return [
        confusion_plot(f"{stem}_confusion", confusion_matrix(cases), f"Confusion, {one.name}"),
        calibration_plot(
            f"{stem}_calibration", reliability(cases, BINS), f"Calibration, {one.name}"
        ),
        roc_plot(f"{stem}_roc", _operating(one, seeds, "roc"), f"ROC, {one.name}"),
        precision_recall_plot(
            f"{stem}_pr", _operating(one, seeds, "pr"), f"Precision–recall, {one.name}"
        ),
    ]


def _operating(one: Scored, seeds: Sequence[Columns], kind: str) -> list[Operating]:
    """The positive class of two, every class of more."""
    first = seeds[0]
    several = len(first.classes) > 2
    base = "auc" if kind == "roc" else "auprc"
    rows = with_intervals(one.first, [f"{base}/class" if several else base], seed=SEED)
    areas = {row.label or first.classes[first.positive]: row for row in rows if base in row.metric}
    found = []
    for name, area in areas.items():
        at = first.classes.index(name)
        curve = _curve(kind, first, at, resamples=500)
        others = [_curve(kind, more, at, resamples=1) for more in seeds[1:]]
        others = [one for one in others if not one.reason]
        found.append(Operating(name, curve, area.value, area.low, area.high, others))
    return found


def _curve(kind: str, columns: Columns, at: int, *, resamples: int) -> Curve:
    if columns.untold:
        empty = np.empty(0)
        return Curve("roc", empty, empty, empty, empty, empty, 0, 0, columns.untold)
    make = roc_curve if kind == "roc" else precision_recall_curve
    return make(columns.truth == at, columns.ranks[:, at], seed=SEED, resamples=resamples)
