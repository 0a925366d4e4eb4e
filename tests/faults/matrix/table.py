"""``docs/reliability.md``, written from results and from nothing else."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
from collections.abc import Iterable
from pathlib import Path

import psutil

from tests.faults.matrix.kinds import KINDS
from tests.faults.matrix.playing import SEEDS, Name, Result, kept
from tests.faults.matrix.study import STEPS

HEAD = """# Reliability

<!-- Written by `python -m tests.faults.matrix --table docs/reliability.md`; do not edit. -->

What happens to a run when something goes wrong, tried for real: a small cohort (eight subjects,
26 units), a real `cohortflow run` in processes of its own, one fault at a seeded moment of one
unit, and then the same command again without the fault.

In every cell of the table these hold, or it is red:

- every other unit is done; nothing is left running, or pending without a reason;
- the failure stands recorded under its own name;
- at most one unit per worker is computed again;
- after the fault, one more run completes the cohort, and the sha256 of every committed file is that
  of a run nothing happened to;
- no process of the run is alive 30 s after it ended or was killed.

Each row is one kind of fault; the columns are the kinds of step it strikes at: a step over
subjects, a reduction that reads many, a training with checkpoints, a scoring with trained weights.
A mark per seed: `+` green, `!` red, `.` not played. *Settled* is the time from the fault to the
record that settles its unit (or, where the run itself is ended, to the end of its last process):
median and longest. Time-outs are 6 s here; in earnest they are what a stage states.
"""

SETTINGS = """
## Settings

In seconds, in the environment of a run; the defaults suit most places.

| variable | default | for |
|---|---|---|
| `COHORTFLOW_PAUSE_S` | 1 | pause before a transient failure is tried again; it doubles each time |
| `COHORTFLOW_STORE_PATIENCE_S` | 30 | how long a store that is away, or full, is waited for |
| `COHORTFLOW_SILENCE_S` | 60 | after how long without a heartbeat a run counts as dead |
"""

HOW = """
## How to play it

```text
python -m tests.faults.matrix --kind hang --step reduction --seed 3 --results results.jsonl
python -m tests.faults.matrix --all --part 2/5 --results results.jsonl
python -m tests.faults.matrix --table docs/reliability.md --results results.jsonl
```

The first plays one cell, the second every cell of one part that has no result yet, so that the
matrix can be stopped and resumed. `--mutant` breaks the build on purpose: `commit-not-exclusive`
and `lease-never-expires` must turn cells red, and a slow test says which.
"""


def write_table(results: Path, page: Path) -> None:
    """Write the page from the newest result of each cell."""
    found = kept(results)
    lines = [HEAD, "| fault | " + " | ".join(STEPS) + " | settled, s |", "|---" * 6 + "|"]
    for kind in KINDS.values():
        mine = {name: row for name, row in found.items() if name[0] == kind.name}
        cells = " | ".join(_marks(mine, kind.name, step) for step in STEPS)
        lines.append(f"| {kind.name} | {cells} | {_settled(mine.values())} |")
    lines += ["", "## What each kind is, and what is promised", ""]
    lines += ["| fault | what happens | what the run does |", "|---|---|---|"]
    lines += [f"| {k.name} | {k.about} | {k.promise} |" for k in KINDS.values()]
    lines += ["", "## What was played", "", _played(found), _red(found), _machine(), SETTINGS, HOW]
    page.write_text("\n".join(lines), encoding="utf-8")


def _marks(found: dict[Name, Result], kind: str, step: str) -> str:
    marks = {None: ".", "green": "+", "red": "!"}
    rows = [found.get((kind, step, seed)) for seed in SEEDS]
    return "`" + "".join(marks[row["verdict"] if row else None] for row in rows) + "`"


def _settled(rows: Iterable[Result]) -> str:
    known = [row["settled_s"] for row in rows if row["settled_s"] is not None]
    return f"{statistics.median(known):.1f} ({max(known):.1f})" if known else ""


def _played(found: dict[Name, Result]) -> str:
    red = sum(row["verdict"] == "red" for row in found.values())
    total = len(KINDS) * len(STEPS) * len(SEEDS)
    versions = len({row["code"] for row in found.values()})
    told = f"{len(found)} of {total} cells were played: {len(found) - red} green, {red} red."
    told += f" Versions of the code they were played on: {versions}."
    loads = [row["load"] for row in found.values() if "load" in row]
    if loads:
        told += f" Load of the machine meanwhile: {statistics.median(loads):.0f} in the median, "
        told += f"{max(loads):.0f} at most; times are of that."
    return f"{told}\n"


def _red(found: dict[Name, Result]) -> str:
    lines = [
        f"- {kind}, {step}, seed {seed}: {row['problems'][0].strip().splitlines()[-1][:200]}"
        for (kind, step, seed), row in sorted(found.items())
        if row["verdict"] == "red"
    ]
    return "\n".join(["Red:", "", *lines, ""]) if lines else ""


def _machine() -> str:
    names = ("dask", "distributed", "prefect", "mlflow", "zarr", "xarray", "numpy")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"Machine: {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} "
        f"{platform.machine()}; Python {platform.python_version()}, {versions}."
    )
