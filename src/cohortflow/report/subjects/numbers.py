"""Numbers of one subject: metrics of its results; intensities, extent, volumes of its images."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from cohortflow.errors import UnknownName
from cohortflow.evaluation.segmentation.metrics import COUNTS
from cohortflow.report.source import ReportSource, ReportUnit, place

Better = Literal["higher", "lower", "none"]
_FAULTS = frozenset({"missed", "invented", "failed"})


@dataclass(frozen=True, slots=True)
class Number:
    """``value`` None: there is none, for this ``reason``. ``flagged``: it is of a structure that
    was missed or invented, or of a case that failed, with or without a value that counts for that.

    ``better``: which direction is; of a number without one both ends stand out. ``countable``:
    where it is not told, there is nothing of it, as of a label that is nowhere in an image.
    """

    name: str
    value: float | None
    unit: str = ""
    reason: str = ""
    flagged: bool = False
    better: Better = "none"
    countable: bool = False

    @property
    def about(self) -> tuple[str, str, Better, bool]:
        """What it has in common with the same number of others: name, unit, better, countable."""
        return self.name, self.unit, self.better, self.countable

    @property
    def own(self) -> tuple[float | None, str, bool]:
        """What it has for itself: value, reason, flagged."""
        return self.value, self.reason, self.flagged


def units_by_subject(source: ReportSource) -> dict[str, list[ReportUnit]]:
    """Units of every subject, in the order of their ids; one that was refused has none."""
    found: dict[str, list[ReportUnit]] = {str(row["subject"]): [] for row in source.refused}
    for unit in source.units():
        if unit.subject is not None:
            found.setdefault(unit.subject, []).append(unit)
    return dict(sorted(found.items()))


def numbers_of(source: ReportSource, units: Sequence[ReportUnit]) -> list[Number]:
    """Numbers of one subject's finished units; a name is given once."""
    telling = [unit for unit in units if _tells(unit) and unit.state == "done"]
    several = (
        len({(unit.step, place(unit.point)) for unit in telling if unit.kind == "preview"}) > 1
    )
    found: dict[str, Number] = {}
    for unit in telling:
        if unit.kind == "preview":
            made = _of_preview(unit.facts, _where(unit) if several else "")
        else:
            made = _of_scores(source, unit, place(unit.point, without=("subject",)))
        for number in made:
            found.setdefault(number.name, number)
    return list(found.values())


def _tells(unit: ReportUnit) -> bool:
    return unit.subject is not None and unit.kind in ("preview", "scores")


def _where(unit: ReportUnit) -> str:
    return " ".join(part for part in (unit.step, place(unit.point, without=("subject",))) if part)


def _of_preview(facts: Mapping[str, Any], where: str) -> list[Number]:
    return [
        Number(
            f"{name}, {where}" if where else name,
            rounded(value),
            unit,
            countable=name.startswith("label "),
        )
        for name, value, unit in preview_numbers(facts)
    ]


def preview_numbers(facts: Mapping[str, Any]) -> list[tuple[str, float, str]]:
    """What a preview says in numbers: name, value, unit."""
    found = [
        (name, float(facts[key]), "")
        for name, key in (
            ("mean", "mean"),
            ("standard deviation", "sd"),
            ("1st percentile", "p01"),
            ("median", "median"),
            ("99th percentile", "p99"),
        )
        if key in facts
    ]
    for axis, extent in zip("zyx", facts.get("extent_mm", ()), strict=False):
        found.append((f"extent along {axis}", float(extent), "mm"))
    volume = "ml" if facts.get("space") == "world" else "voxel"
    for value, size in facts.get("labels", {}).items():
        found.append((f"label {value}", float(size), volume))
    return found


def _of_scores(source: ReportSource, unit: ReportUnit, where: str) -> list[Number]:
    """Rows of ``metrics.parquet`` as segmentation scores write it; none of another table."""
    import pyarrow.parquet as pq

    entry = source.entry(unit)
    if "metrics.parquet" not in entry.file_names:
        return []
    table = pq.read_table(io.BytesIO(entry.read_file("metrics.parquet")))
    if not {"label", "metric", "value", "unit", "state"} <= set(table.column_names):
        return []
    rows = [row for row in table.to_pylist() if row["metric"] not in COUNTS]
    if "slice" in table.column_names:
        return _over_slices(rows, where)
    return [_of_row(row, where) for row in rows]


def _over_slices(rows: Sequence[Mapping[str, Any]], where: str) -> list[Number]:
    """The mean of each metric over the slices in which it has a value, those missed among them;
    none where a slice counts as infinite. What is lost in each slice that has it is lost."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((str(row["metric"]), str(row["label"])), []).append(row)
    found = []
    for of_one in groups.values():
        values = [v for row in of_one if (v := row["value"]) is not None and not math.isnan(v)]
        infinite = sum(map(math.isinf, values))
        mean = sum(values) / len(values) if values and not infinite else None
        state, reason = _of_states(of_one)
        if infinite:
            reason = f"infinite in {infinite} of {len(values)} slices"
        told = {"state": state, "value": mean, "reason": reason}
        found.append(_of_row({**of_one[0], **told}, f"mean over slices{where and ', '}{where}"))
    return found


def _of_states(slices: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """State of a case and why, from those of its slices: measured where one is."""
    lost = next((row for row in slices if row["state"] in _FAULTS), None)
    if lost is None or any(row["state"] == "measured" for row in slices):
        return "measured", "it is in no slice"
    return str(lost["state"]), str(lost.get("reason") or lost["state"])


def _of_row(row: Mapping[str, Any], where: str) -> Number:
    of = str(row.get("name") or row["label"])
    of = f"label {of}" if of.isdigit() else of
    name = f"{row['metric']} of {of}" + (f", {where}" if where else "")
    value = row["value"]
    there = value is not None and math.isfinite(value)
    return Number(
        name=name,
        value=rounded(value) if there else None,
        unit=str(row["unit"] or ""),
        reason=""
        if row["state"] == "measured" and there
        else str(row.get("reason") or row["state"]),
        flagged=row["state"] in _FAULTS,
        better=_better(str(row["metric"])),
    )


def rounded(value: float) -> float:
    """Six digits: what is kept for a page of a cohort of thousands."""
    return float(f"{value:.6g}")


def with_nothing_said(everyone: Mapping[str, Sequence[Number]]) -> dict[str, list[Number]]:
    """Numbers by subject, a label that most have and one subject has not as 0 of it."""
    counted: dict[str, list[Number]] = {}
    for numbers in everyone.values():
        for number in numbers:
            if number.countable:
                counted.setdefault(number.name, []).append(number)
    labelled = [s for s, numbers in everyone.items() if any(n.countable for n in numbers)]
    usual = [found[0] for found in counted.values() if 2 * len(found) > len(labelled)]
    filled = {subject: list(numbers) for subject, numbers in everyone.items()}
    for subject in labelled:
        has = {number.name for number in filled[subject]}
        filled[subject] += [replace(one, value=0.0) for one in usual if one.name not in has]
    return filled


def _better(metric: str) -> Better:
    from cohortflow.evaluation.segmentation.metrics import parse_metric

    try:
        return parse_metric(metric).better
    except UnknownName:
        return "none"  # a volume, say: neither much nor little is better
