"""Plots of one variant: means and distributions by label, overlap against volume, agreement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cohortflow.evaluation.segmentation.metrics import OVERLAP
from cohortflow.evaluation.statistics.agreement import bland_altman
from cohortflow.report.blocks import Block, Column, Note, Table
from cohortflow.report.plots.bland_altman import bland_altman_plot
from cohortflow.report.plots.forest import ForestRow, forest_plot
from cohortflow.report.plots.overlap_volume import OfLabel, overlap_volume_plot
from cohortflow.report.plots.raincloud import Cloud, raincloud_plot
from cohortflow.report.segmentations import PREDICTION, REFERENCE, Variant, pivot, units_of

if TYPE_CHECKING:
    import pandas as pd

MOST_METRICS = 4
MOST_AGREEMENTS = 4
FEWEST_CASES = 3


def distributions(one: Variant, stem: str) -> list[Block]:
    """Forest and raincloud of the first metrics, labels with the worst value first."""
    blocks: list[Block] = []
    # The IoU is a function of the Dice coefficient, case by case.
    own = [metric for metric in one.metrics if metric != "iou" or "dice" not in one.metrics]
    for number, metric in enumerate(own[:MOST_METRICS]):
        names, rows = one.ranked(metric), one.of(metric)
        unit = units_of(rows)
        blocks.append(_forest(one, metric, names, f"{stem}_forest{number}", unit))
        if len(one.subjects) >= FEWEST_CASES:
            clouds = _clouds(rows, names)
            name = f"{stem}_rain{number}"
            blocks.append(raincloud_plot(name, clouds, value=metric, unit=unit))
    if len(one.subjects) < FEWEST_CASES:
        here = len(one.subjects)
        text = f"Distributions not shown: {FEWEST_CASES} cases are the least, here: {here}."
        blocks.append(Note(text, "absent"))
    rest = [metric for metric in one.metrics if metric not in own[:MOST_METRICS]]
    if rest:
        blocks.append(Note(f"In the table and not drawn: {', '.join(rest)}."))
    return blocks


def _forest(one: Variant, metric: str, names: list[str], name: str, unit: str) -> Block:
    rows = one.summary[(one.summary["metric"] == metric) & ~one.summary["published"]]
    by_name = {str(row["name"]): row for row in rows.to_dict("records")}
    found = [
        ForestRow(
            label,
            float(by_name[label]["value"]),
            float(by_name[label]["low"]),
            float(by_name[label]["high"]),
            int(by_name[label]["n"]),
            int(by_name[label]["missing"]),
            str(by_name[label]["reason"] or ""),
        )
        for label in names
    ]
    statistic = str(rows["statistic"].iloc[0])
    bounded = rows.loc[np.isfinite(rows["low"]), "interval"]
    how = str(bounded.iloc[0]).split(" of ")[0] if len(bounded) else "none"
    return forest_plot(name, found, value=f"{statistic} {metric}", unit=unit, interval=how)


def _clouds(rows: pd.DataFrame, names: list[str]) -> list[Cloud]:
    groups = {str(name): group for name, group in rows.groupby("name", sort=False)}
    clouds = []
    for name in names:
        group = groups[name]
        lost, counted = group["lost"].to_numpy(bool), group["counted"].to_numpy(float)
        kept = ~np.isnan(counted)
        clouds.append(Cloud(name, counted[kept & ~lost], counted[kept & lost]))
    return clouds


def volumes(one: Variant, stem: str) -> list[Block]:
    """Overlap against the reference's volume, and the agreement of the two volumes by label."""
    metric = next((m for m in one.metrics if m in OVERLAP), None)
    kept = one.cases[one.cases["metric"].isin([REFERENCE, PREDICTION, metric])]
    if not {REFERENCE, PREDICTION} <= set(kept["metric"]):
        return [Note("Volumes not shown: the scores hold none.", "absent")]
    kept = kept[kept["name"].isin(one.seen)]
    unit = units_of(kept[kept["metric"] == REFERENCE])
    values, counted, lost = (pivot(kept, column) for column in ("value", "counted", "lost"))
    blocks: list[Block] = []
    if metric is not None:
        labels = [
            OfLabel(
                str(name),
                group[REFERENCE].fillna(0.0).to_numpy(float),
                counted.loc[group.index, metric].to_numpy(float),
                lost.loc[group.index, metric].to_numpy(bool),
            )
            for name, group in values.groupby("name", sort=False)
        ]
        blocks.append(overlap_volume_plot(f"{stem}_overlap", labels, value=metric, unit=unit))
    return blocks + _agreements(values, stem, unit)


def _agreements(values: Any, stem: str, unit: str) -> list[Block]:
    """A table of all labels, and plots of those whose limits are widest for their size."""
    rows: list[dict[str, Any]] = []
    pairs: dict[str, tuple[Any, Any, int]] = {}
    for name, group in values.groupby("name", sort=False):
        second, first = group[REFERENCE].to_numpy(float), group[PREDICTION].to_numpy(float)
        both = np.isfinite(first) & np.isfinite(second) & ((first > 0) | (second > 0))
        absent = int(((first == 0) & (second == 0)).sum())
        lost = len(group) - int(both.sum()) - absent
        pairs[str(name)] = (first[both], second[both], lost)
        rows.append(_agreement(str(name), first[both], second[both], lost, absent, unit))
    widest = sorted(
        (row for row in rows if row["n"] >= FEWEST_CASES), key=lambda row: -row["relative"]
    )
    columns = (
        Column("name", "Label"),
        Column("n", "n", "integer", "cases with both"),
        Column("lost", "Failed", "integer", "no predicted volume"),
        Column("absent", "Left out", "integer", "in neither map"),
        Column("bias", "Bias", "number", unit),
        Column("bias_interval", "95 % interval", "ends3", unit),
        Column("limits", "Limits of agreement", "ends3", unit),
        Column("why", "Remark"),
    )
    caption = f"Volumes, prediction minus reference ({unit}): bias and 95 % limits of agreement"
    note = "A missed structure has a predicted volume of 0; a case that failed has none."
    table = Table(f"{stem}_volumes", caption, columns, rows, folded=len(rows) > 12, notes=[note])
    blocks: list[Block] = [table]
    for number, row in enumerate(widest[:MOST_AGREEMENTS]):
        first, second, lost = pairs[row["name"]]
        name, what = f"{stem}_agreement{number}", f"{row['name']}, volume"
        blocks.append(bland_altman_plot(name, first, second, unit=unit, what=what, lost=lost))
    if len(widest) > MOST_AGREEMENTS:
        text = f"Drawn are the {MOST_AGREEMENTS} labels whose limits are widest for their volume."
        blocks.append(Note(text))
    return blocks


def _agreement(
    name: str, first: Any, second: Any, lost: int, absent: int, unit: str
) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "n": len(first), "lost": lost, "absent": absent}
    if not len(first):
        return row | {"why": "no case has both volumes", "relative": 0.0}
    found = bland_altman(first, second, unit=unit)
    width = 0.0 if found.reason else found.upper - found.lower
    return row | {
        "bias": found.bias,
        "bias_interval": None if found.reason else list(found.bias_interval),
        "limits": None if found.reason else [found.lower, found.upper],
        "why": found.reason,
        "relative": width / float(((first + second) / 2.0).mean()),
    }
