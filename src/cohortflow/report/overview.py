"""What every report opens with: the verdict, what ran, and on what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from cohortflow.report.blocks import Block, Column, Note, Section, Table
from cohortflow.report.source import ReportSource, ReportUnit, states

BROKEN = frozenset({"failed", "quarantined", "blocked"})


def verdict(source: ReportSource) -> dict[str, Any]:
    """Units by state, subjects complete of all, refused, warnings; ``tone`` good, open or bad.

    A subject is complete when it was not refused and no unit of its own is broken or open.
    """
    units = source.units()
    counts = states(units)
    refused = {str(item["subject"]) for item in source.refused}
    everyone = set(map(str, source.participants.index)) | refused
    incomplete = {u.subject for u in units if u.subject is not None and u.state != "done"}
    warnings = sum(len(unit.warnings) for unit in units)
    warnings += sum(len(item["warnings"]) for item in source.ingested)
    broken = sum(counts.get(state, 0) for state in BROKEN)
    done = counts.get("done", 0)
    tone = "bad" if broken or refused else "good" if units and done == len(units) else "open"
    return {
        "tone": tone,
        "text": _sentence(tone, done, len(units), broken, len(refused)),
        "units": counts,
        "units_total": len(units),
        "subjects_complete": len(everyone - refused - incomplete),
        "subjects_total": len(everyone),
        "refused": len(refused),
        "warnings": warnings,
    }


def _sentence(tone: str, done: int, total: int, broken: int, refused: int) -> str:
    if not total:
        return "Nothing was asked for: the run holds no unit."
    if tone == "good":
        return f"All {total:,} units stand done."
    parts = [f"{done:,} of {total:,} units stand done"]
    if broken:
        parts.append(f"{broken:,} failed or were blocked")
    if refused:
        parts.append(f"{refused:,} {'subject was' if refused == 1 else 'subjects were'} refused")
    open_units = total - done - broken
    if open_units:
        parts.append(f"{open_units:,} are still open")
    return "; ".join(parts) + "."


def overview(source: ReportSource) -> Section:
    """Steps with their units by state, the cohort by group and site, the axes."""
    blocks: list[Block] = [_steps(source)]
    cohort = _cohort(source)
    if cohort is None:
        blocks.append(Note("The participants table has no group and no site column.", "absent"))
    else:
        blocks.append(cohort)
    recordings = _recordings(source)
    if recordings.rows:
        blocks.append(recordings)
    if source.pipeline.get("axes"):
        blocks.append(_axes(source))
    return Section("overview", "What ran and on what", blocks)


def _steps(source: ReportSource) -> Table:
    by_step: dict[str, list[ReportUnit]] = {}
    for unit in source.units():
        by_step.setdefault(unit.step, []).append(unit)
    declared = [step["id"] for step in source.pipeline["steps"]]
    known: Mapping[str, Mapping[str, Any]] = {s["id"]: s for s in source.pipeline["steps"]}
    rows = []
    for name in [*declared, *(name for name in by_step if name not in known)]:
        step = known.get(name, {})
        counts = states(by_step.get(name, []))
        others = sum(
            n for s, n in counts.items() if s not in ("done", "failed", "quarantined", "blocked")
        )
        rows.append(
            {
                "step": name,
                "about": step.get("about", ""),
                "over": list(step.get("over", ())),
                "units": sum(counts.values()),
                "done": counts.get("done", 0),
                "failed": counts.get("failed", 0) + counts.get("quarantined", 0),
                "blocked": counts.get("blocked", 0),
                "open": others,
            }
        )
    columns = [
        Column("step", "Step", "code"),
        Column("about", "What it does", "prose"),
        Column("over", "Over", "names"),
        Column("units", "Units", "integer"),
        Column("done", "Done", "integer"),
        Column("failed", "Failed", "integer"),
        Column("blocked", "Blocked", "integer"),
        Column("open", "Open", "integer"),
    ]
    caption = "Steps in the order they ran, units by state (a unit is one stored result)"
    return Table("steps", caption, columns, rows)


def _cohort(source: ReportSource) -> Table | None:
    """Subjects by group (columns) and site (rows), with the refused counted apart."""
    people = source.participants
    group = "group" if "group" in people.columns else None
    site = "site" if "site" in people.columns else None
    if group is None and site is None:
        return None
    groups = people[group].map(_label) if group else people.index.map(lambda _: "subjects")
    sites = people[site].map(_label) if site else people.index.map(lambda _: "all")
    counts = Counter(zip(sites, groups, strict=True))
    names = sorted({name for _, name in counts})
    columns = [Column("site", "Site")]
    columns += [Column(f"n_{name}", str(name), "integer", "subjects") for name in names]
    columns.append(Column("total", "Total", "integer", "subjects"))
    rows = [_count_row(place, names, counts) for place in sorted({place for place, _ in counts})]
    if len(rows) > 1:
        total = Counter({("all sites", name): 0 for name in names})
        for (_, name), n in counts.items():
            total[("all sites", name)] += n
        rows.append(_count_row("all sites", names, total))
    caption = f"Subjects by group{' and site' if site else ''} (n = {len(people)})"
    return Table("cohort", caption, columns, rows)


def _count_row(place: str, names: Sequence[str], counts: Counter[Any]) -> dict[str, Any]:
    cells = {f"n_{name}": counts.get((place, name), 0) for name in names}
    return {"site": place, **cells, "total": sum(cells.values())}


def _label(value: Any) -> str:
    return "not given" if value is None or value != value else str(value)


def _recordings(source: ReportSource) -> Table:
    """Ingested recordings by repetition time: mixed ones are seen at a glance."""
    groups: dict[tuple[str, Any], list[Mapping[str, Any]]] = {}
    for item in source.ingested:
        facts = item["facts"]
        if facts.get("samples") is not None:
            groups.setdefault((str(item["entry"]), facts.get("tr_s")), []).append(facts)
    rows = []
    for (entry, tr_s), found in sorted(groups.items(), key=lambda item: (item[0][0], str(item[0]))):
        samples = [int(facts["samples"]) for facts in found]
        rows.append(
            {
                "entry": entry,
                "tr_s": "not known" if tr_s is None else f"{tr_s:g}",
                "subjects": len(found),
                "shortest": min(samples),
                "longest": max(samples),
                "rois": sorted({int(facts["rois"]) for facts in found if "rois" in facts}),
            }
        )
    columns = [
        Column("entry", "Entry", "code"),
        Column("tr_s", "Repetition time", "text", "s"),
        Column("subjects", "Subjects", "integer"),
        Column("shortest", "Shortest", "integer", "samples"),
        Column("longest", "Longest", "integer", "samples"),
        Column("rois", "Regions", "names"),
    ]
    return Table("recordings", "Recordings as they were ingested", columns, rows)


def _axes(source: ReportSource) -> Table:
    rows = [
        {"axis": name, "points": len(labels), "labels": list(labels)[:40]}
        for name, labels in source.pipeline["axes"].items()
    ]
    columns = [
        Column("axis", "Axis", "code"),
        Column("points", "Points", "integer"),
        Column("labels", "Labels", "names"),
    ]
    return Table("axes", "Axes of the pipeline (at most 40 labels each)", columns, rows)
