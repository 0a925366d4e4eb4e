"""What went wrong, by cause; who was left out, by name; what readers must know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cohortflow.report.blocks import Block, Column, Note, Section, Table
from cohortflow.report.causes import Causes, causes_section
from cohortflow.report.source import ReportSource, ReportUnit, place


def failures(source: ReportSource) -> Section:
    """Failures grouped by step and cause, each with its hint and a command that replays one."""
    return causes_section(
        _causes(source),
        "Failed, blocked and refused, by cause; every other unit finished",
        "Nothing failed, nothing was blocked and no subject was refused.",
    )


def _causes(source: ReportSource) -> list[dict[str, Any]]:
    found = Causes()
    for item in source.refused:
        found.add("ingest", "refused", item.get("error") or {}, str(item["subject"]))
    for unit in source.units():
        if unit.state in ("failed", "quarantined", "blocked"):
            found.add(unit.step, unit.state, unit.error or {}, _who(unit))
    return found.rows()


def _who(unit: ReportUnit) -> str:
    where = place(unit.point, without=("subject",))
    if unit.subject is None:
        return where or "cohort"
    return f"{unit.subject} ({where})" if where else unit.subject


def left_out(source: ReportSource) -> Section:
    """Subjects left out of statistics, constant regions, and every warning, by name."""
    blocks: list[Block] = []
    regions = _constant_regions(source)
    if regions:
        columns = [
            Column("subject", "Subject", "code"),
            Column("count", "Regions", "integer"),
            Column("regions", "Names", "names"),
        ]
        caption = "Constant or missing regions (invalid: no diagram, no distance)"
        blocks.append(Table("constant_regions", caption, columns, regions))
    absent = _left_out_rows(source)
    if absent:
        columns = [
            Column("step", "Step", "code"),
            Column("where", "Where"),
            Column("points", "Units", "integer"),
            Column("count", "Left out", "integer", "subjects"),
            Column("subjects", "Subjects", "names"),
        ]
        caption = "Subjects left out of a statistic or a model because a region it needs is invalid"
        blocks.append(Table("left_out", caption, columns, absent))
    warnings = _warnings(source)
    if warnings:
        columns = [
            Column("step", "Step", "code"),
            Column("code", "Warning", "code"),
            Column("units", "Units", "integer"),
            Column("message", "First message", "prose"),
            Column("subjects", "Where", "names"),
        ]
        blocks.append(Table("warnings", "Warnings by step and code", columns, warnings))
    if not blocks:
        blocks.append(Note("No subject was left out, no region is constant, no warning was given."))
    return Section("left_out", "Left out, and warnings", blocks)


def _constant_regions(source: ReportSource) -> list[dict[str, Any]]:
    """Named by ingest; a region that is constant only where the series is cropped is a warning."""
    return [
        {"subject": str(item["subject"]), "count": len(names), "regions": names}
        for item in source.ingested
        if (names := [str(name) for name in item["facts"].get("constant_regions") or ()])
    ]


def _left_out_rows(source: ReportSource) -> list[dict[str, Any]]:
    """One row per step and network where one is known: the seeds and folds say the same."""
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    for unit in source.units():
        warned = any(warning.get("code") == "left-out" for warning in unit.warnings)
        names = [str(name) for name in unit.facts.get("left_out") or ()] if warned else []
        if not names:
            continue
        axes = [axis for axis in ("comparison", "network") if axis in unit.point]
        where = place({axis: unit.point[axis] for axis in axes}) or "all"
        row = groups.setdefault(
            (unit.step, where), {"step": unit.step, "where": where, "points": 0, "subjects": set()}
        )
        row["points"] += 1
        row["subjects"].update(names)
    return [
        {**row, "subjects": sorted(row["subjects"]), "count": len(row["subjects"])}
        for row in groups.values()
    ]


def _warnings(source: ReportSource) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    for step, who, warning in _all_warnings(source):
        code = str(warning.get("code", "warning"))
        row = groups.setdefault(
            (step, code),
            {
                "step": step,
                "code": code,
                "units": 0,
                "message": str(warning.get("message", "")),
                "who": [],
            },
        )
        row["units"] += 1
        row["who"].append(who)
    return [{**row, "subjects": _some(row.pop("who"), most=4)} for row in groups.values()]


def _all_warnings(source: ReportSource) -> Iterable[tuple[str, str, Mapping[str, str]]]:
    for item in source.ingested:
        for warning in item["warnings"]:
            yield "ingest", str(item["subject"]), warning
    for unit in source.units():
        for warning in unit.warnings:
            yield unit.step, _who(unit), warning


def _some(names: Iterable[str], most: int = 12) -> Sequence[str]:
    unique = list(dict.fromkeys(names))
    rest = len(unique) - most
    return unique if rest <= 0 else [*unique[:most], f"and {rest} more"]
