"""Play cells, and keep their results: one JSON line each."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.faults.matrix import cell as cells
from tests.faults.matrix.kinds import KINDS
from tests.faults.matrix.study import STEPS

SEEDS = range(5)

Name = tuple[str, str, int]
Result = Mapping[str, Any]


def all_cells() -> Iterator[Name]:
    """Every kind at every kind of step with every seed; a first seed of all comes first."""
    for seed in SEEDS:
        for kind in KINDS:
            for step in STEPS:
                yield kind, step, seed


def play(
    kind: str,
    step: str,
    seed: int,
    *,
    mutant: str | None = None,
    quick: bool = False,
    keep: bool = False,
) -> Result:
    """Play one cell; what cannot be played is red too.

    ``quick``: the run that heals is one of this process, not of the command line.
    """
    started = time.monotonic()
    with cells.opened(kind, step, seed, mutant, quick=quick, keep=keep) as cell:
        try:
            KINDS[kind].play(cell)
        except Exception:  # noqa: BLE001 - whatever goes wrong in a cell is its result
            cell.problems.append(traceback.format_exc())
        if keep:
            cell.seen["folder"] = str(cell.folder)
        return cells.result(cell, time.monotonic() - started)


def append(results: Path, result: Result) -> None:
    with results.open("a", encoding="utf-8") as file:
        file.write(json.dumps(result) + "\n")


def kept(results: Path) -> dict[Name, Result]:
    """The newest result of each cell; those of mutants are none."""
    found: dict[Name, Result] = {}
    if results.exists():
        for line in results.read_text("utf-8").splitlines():
            row = json.loads(line)
            if not row.get("mutant"):
                found[(row["kind"], row["step"], row["seed"])] = row
    return found
