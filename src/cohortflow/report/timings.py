"""How fast each step was: what was counted per second, on how many cores, in how much memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cohortflow.report.blocks import Column, Note, Section, Table
from cohortflow.report.source import ReportSource, StepTimes

MIB = 2**20

DEFINITIONS = (
    "Run: the number of the index that it wrote (cohortflow runs lists them). Where several runs "
    "computed parts of a step, the one that computed most. Of all: its results, of those that "
    "stand.",
    "Units: results computed and failures met in that run; what stood before took no time there. "
    "Wall: from handing the units to the workers until all had settled, failed units, repeated "
    "attempts, reading, writing and the compilation of loops in each new worker included; starting "
    "the workers and making the plan are not.",
    "Counted: point clouds whose diagrams were computed (invalid regions have none); Wasserstein "
    "distances of pairs of diagrams, each pair once, all degrees together; elsewhere the units "
    "done. Per s, wall: by the wall time of all workers together. Per s, core: by what the units "
    "took one by one, times the threads each could use. Cores: units at a time × threads of each.",
    "Peak: the most resident memory that one process which ran units of this step has held "
    "since it started, its libraries and earlier steps included; no single unit's need.",
)


def timings(source: ReportSource) -> Section:
    """One row per step and what it counts, of the run that computed most of what stands."""
    rows = [row for times in source.timings for row in _rows(times)]
    if not rows:
        return Section("timings", "Timings", [Note("No step has computed anything.", "absent")])
    columns = [
        Column("step", "Step", "code"),
        Column("run", "Run"),
        Column("stands", "Of all", "fraction"),
        Column("units", "Units", "integer"),
        Column("failed", "Failed", "integer"),
        Column("wall_s", "Wall", "number", "s"),
        Column("counted", "Counted"),
        Column("count", "Count", "integer"),
        Column("per_s", "Per s", "number", "wall"),
        Column("per_core_s", "Per s", "number", "core"),
        Column("cores", "Cores"),
        Column("peak_memory_mib", "Peak", "integer", "MiB"),
    ]
    caption = "Time of each step, what it did per second, and the largest process"
    table = Table("timings", caption, columns, rows, notes=DEFINITIONS)
    return Section("timings", "Timings", [table])


def _rows(times: StepTimes) -> Iterable[dict[str, Any]]:
    row = {
        "step": times.step,
        "run": "not known" if times.index is None else f"{times.index}{_this(times)}",
        "stands": [times.made, times.standing] if times.index is not None else None,
        "units": times.units,
        "failed": times.failed,
        "wall_s": times.wall_s,
        "cores": f"{times.workers} × {times.threads}" if times.workers else None,
        "peak_memory_mib": times.peak_memory_bytes / MIB if times.peak_memory_bytes else None,
    }
    for name, count in counted(times):
        yield row | {"counted": name, "count": count, **rates(times, count)}


def _this(times: StepTimes) -> str:
    return " (this)" if times.here else ""


def counted(times: StepTimes) -> list[tuple[str, int | None]]:
    """What is counted in a step: its work, else its units."""
    done = None if times.units is None else times.units - (times.failed or 0)
    return list(times.work.items()) or [("units", done)]


def rates(times: StepTimes, count: int | None) -> dict[str, float]:
    """``per_s`` and ``per_core_s``, where the times are known."""
    core_s = (times.unit_s or 0.0) * times.threads
    found = {"per_s": times.wall_s, "per_core_s": core_s}
    return {name: count / seconds for name, seconds in found.items() if count and seconds}
