"""Plan, status and a run without news over a large cohort of which only records exist."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks._cohorts import records_only
from benchmarks._results import Row, measure, save, say, show
from cohortflow.cohort.cohort import open_cohort
from cohortflow.pipeline.unit import Unit
from flows.process import process_cohort
from tasks.planning import plan_only
from tasks.request import RunRequest
from tasks.session import Session
from tasks.status import cohort_status

PIPELINE = str(Path(__file__).with_name("four_steps.yaml"))
STEPS = 4


def without_computing(session: Session, step: str, units: Sequence[Unit], number: int) -> dict:
    """Settle a batch as if every unit had come out: the index says so, no entry is written."""
    for unit in units:
        outcome = {"key": unit.key, "step": step, "subject": unit.subject, "state": "done"}
        outcome |= {"error": None, "seconds": 0.0, "warnings": []}
        session.outcomes.take(outcome, {})
    return {"done": len(units)}


def command(*arguments: str) -> float:
    """Seconds of a whole command as a scheduler sees it: start of Python, imports, work."""
    program = shutil.which("cohortflow", path=str(Path(sys.executable).parent))
    if program is None:
        raise FileNotFoundError("cohortflow is not installed beside this Python: make setup")
    started = time.perf_counter()
    subprocess.run([program, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cohortflow-bench-") as home:
        os.environ |= {"PREFECT_HOME": f"{home}/prefect", "COHORTFLOW_HOME": f"{home}/private"}
        rows = run(Path(home) / "cohort", options.subjects, options.repeat)
    show(rows, peer=rows[1])
    save("plan", rows, vars(options))


def run(folder: Path, subjects: int, repeat: int) -> list[Row]:
    """All cases; the ratio is to the plan of a cohort where all is done."""
    units = STEPS * subjects
    records_only(folder, subjects)
    request = RunRequest(PIPELINE, str(folder), cluster="none")
    say(f"{subjects} subjects, {units} units")
    rows = [measure("plan, nothing done yet", units, lambda: plan_only(request), repeat)]
    process_cohort(request, run_batch=without_computing)
    rows += [
        measure("plan, all done", units, lambda: plan_only(request), repeat),
        measure("status", units, lambda: cohort_status(open_cohort(str(folder))), repeat),
        measure("run without news", units, lambda: process_cohort(request), repeat),
    ]
    for name, arguments in (
        ("command: plan", ("plan", PIPELINE, str(folder))),
        ("command: status --json", ("status", str(folder), "--json")),
        ("command: run without news", ("run", PIPELINE, str(folder))),
    ):
        seconds = [command(*arguments) for _ in range(repeat)]
        rows.append(Row(name, units, seconds, "Python's start and imports, Prefect's for run"))
    return rows


if __name__ == "__main__":
    main()
