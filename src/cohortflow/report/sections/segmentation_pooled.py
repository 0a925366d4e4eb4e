"""Voxels of all cases in one count: our number, and the usual one beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from cohortflow.evaluation.definitions import definition
from cohortflow.report.blocks import Block, Column, Table
from cohortflow.report.segmentations import Variant

_LONG = 60
_AS_COUNTED = "-as-counted"
ABOUT = (
    "The voxels of all cases are one count: large structures and large images weigh more than in a "
    "mean over cases. A missed or failed case has every voxel of its image wrong. As counted: the "
    "same of voxels as they are, which may gain by a miss and is no number to rank by. A case "
    "without scores leaves no value, because nobody knows its voxels."
)


def pooled(one: Variant, stem: str) -> list[Block]:
    """A table of every label and metric; nothing where no voxels were counted."""
    rows = [
        {str(key): value for key, value in row.items()} for row in one.pooled.to_dict("records")
    ]
    if not rows:
        return []
    ours = [row for row in rows if not row["published"]]
    usual = {(row["name"], row["metric"]): row for row in rows if row["published"]}
    made = [_row(row, usual.get((row["name"], f"{row['metric']}{_AS_COUNTED}"))) for row in ours]
    columns = (
        Column("name", "Label"),
        Column("metric", "Metric", "code"),
        Column("value", "Value", "number"),
        *([Column("why", "Remark", "prose")] if any(row["why"] for row in made) else []),
        Column("interval", "Interval", "ends3"),
        Column("n", "n", "integer", "cases counted"),
        Column("missing", "Missing", "integer", "or without scores"),
        Column("cases", "Cases", "integer", "in all"),
        *([Column("usual", "As counted", "number")] if usual else []),
    )
    told = [
        definition(metric, "segmentation") for metric in dict.fromkeys(r["metric"] for r in made)
    ]
    how = dict.fromkeys(str(row["interval"]) for row in ours if math.isfinite(row["low"]))
    notes = [ABOUT, *(f"{meant.id}: {meant.about}." for meant in told)]
    notes += [f"Intervals: {'; '.join(how)}, of the ratio of sums, drawing cases."] if how else []
    caption = f"Voxels of {len(one.subjects)} cases in one count, by label and metric"
    long = len(made) > _LONG
    return [Table(f"{stem}_pooled", caption, columns, made, shown=500, folded=long, notes=notes)]


def _row(row: Mapping[str, Any], usual: Mapping[str, Any] | None) -> dict[str, Any]:
    ends = [float(row["low"]), float(row["high"])]
    value = float(row["value"])
    return {
        "name": str(row["name"]),
        "metric": str(row["metric"]),
        "value": None if math.isnan(value) else value,
        "interval": ends if all(map(math.isfinite, ends)) else None,
        **{name: int(row[name]) for name in ("n", "missing", "cases")},
        "usual": None if usual is None else float(usual["value"]),
        "why": str(row["reason"] or ""),
    }
