"""What Prefect is told of a large run in which a worker is killed and a unit hangs.

Two thousand subjects, about five thousand units, two workers. A third of the way a worker gets
SIGKILL; a further unit sleeps for ever, until its time-out of 30 s. Then Prefect's API is asked for
every task run and its state. Beside it, on the same server: Prefect's own ``.map`` with one task a
unit, undisturbed.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from benchmarks._results import Row, save, say, show
from flows.environment import shared_settings
from tests.faults.matrix import misbehave, study
from tests.faults.matrix.running import Run, until
from tests.servers.processes import free_port, prefect_command, serving

WORK_S = 0.04
"""What a unit of the study takes."""
TIMEOUT_S = 30
"""Enough for a reduction over all subjects."""
RUN_S = 3600.0
STATES = ("COMPLETED", "RUNNING", "PENDING", "FAILED", "CRASHED", "CANCELLED", "SCHEDULED")

PEER = """
import sys, time
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner

@task(cache_policy=NO_CACHE, persist_result=False)
def unit(number: int) -> None:
    time.sleep({work_s})

@flow(task_runner=ThreadPoolTaskRunner(max_workers={workers}))
def bare(units: int) -> None:
    unit.map(range(units)).result()

bare({units})
"""


def prefect_map(units: int, settings: dict[str, str], api: str) -> Row:
    """One Prefect task per unit, as the documentation of ``.map`` has it."""
    code = PEER.format(work_s=WORK_S, workers=study.WORKERS, units=units)
    started = time.perf_counter()
    environment = {**os.environ, **settings}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    row = Row("prefect .map, nothing stored", units, [time.perf_counter() - started])
    row.note = told_of(api, "bare")
    return row


def disturbed(folder: Path, subjects: int, settings: dict[str, str], api: str) -> Row:
    """A run of the command line with both faults, which must come to its end all the same."""
    names = [f"sub-{number:05d}" for number in range(1, subjects + 1)]
    study.make_study(folder, names)
    hangs = {
        "does": "hang",
        "step": "clean",
        "who": names[subjects // 2],
        "phase": "middle",
        "times": 1,
        "folder": str(folder),
    }
    started = time.perf_counter()
    run = Run(
        folder,
        folder / "cohort",
        name="large",
        plan=hangs,
        options=("--prefect",),
        environment={**settings, misbehave.TIMEOUT: str(TIMEOUT_S)},
    )
    try:
        killed = until(lambda: _started(folder) > subjects // 3 or _ended(run), RUN_S)
        if not killed or _ended(run):
            raise RuntimeError(f"the run ended too early: {run.said()[-3000:]}")
        os.kill(_last_worker(folder), signal.SIGKILL)
        code = run.wait(RUN_S)
        seconds = time.perf_counter() - started
        if code != 0 or not (folder / misbehave.REACHED).exists():
            raise RuntimeError(f"ended with {code}: {run.said()[-3000:]}")
        if not run.gone_within(30):
            raise RuntimeError(f"processes left: {run.alive()}")
    finally:
        run.end()
    rows = study.rows(folder / "cohort", "four-steps")
    states = Counter(row.state for row in rows)
    if set(states) != {"done"}:
        raise RuntimeError(f"not every unit came out: {states}")
    again = len(study.repeated(folder / "trace"))
    name = "cohortflow, a worker killed, a unit hung"
    return Row(
        name, len(rows), [seconds], f"{told_of(api, 'cohort')}; {again} units computed again"
    )


def _started(folder: Path) -> int:
    return len(study.traced(folder / "trace"))


def _ended(run: Run) -> bool:
    return run.process.poll() is not None


def _last_worker(folder: Path) -> int:
    """The process that began a unit last."""
    lines = (folder / "trace").read_text().splitlines()
    starts = [line.split("\t") for line in lines if line.startswith("start")]
    return int(starts[-1][3])


def told_of(api: str, flow: str) -> str:
    """Task runs of a flow by state, as Prefect's API counts them."""
    flows = {"name": {"any_": [flow]}}
    found = {state: _count(api, "task_runs", flows, "task_runs", state) for state in STATES}
    runs = {state: _count(api, "flow_runs", flows, "flow_runs", state) for state in STATES}
    return f"{sum(found.values())} task runs: {_text(found)}; flow run: {_text(runs)}"


def _count(api: str, what: str, flows: Any, filtered: str, state: str) -> int:
    asked = {"flows": flows, filtered: {"state": {"type": {"any_": [state]}}}}
    answer = httpx.post(f"{api}/{what}/count", json=asked, timeout=60).raise_for_status()
    return int(answer.json())


def _text(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {state.lower()}" for state, count in counts.items() if count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=2000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cohortflow-bench-") as home:
        folder = Path(home)
        api = f"http://127.0.0.1:{(port := free_port())}/api"
        settings = {
            **shared_settings(),
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_URL": api,
            "PREFECT_LOGGING_LEVEL": "WARNING",
            "DO_NOT_TRACK": "true",
        }
        log = folder / "prefect.log"
        with serving(prefect_command(port), f"{api}/health", log=log, settings=settings):
            ours = disturbed(folder, options.subjects, settings, api)
            peer = prefect_map(ours.items, settings, api)
    show([peer, ours], peer)
    say("ratio: whole command, store and report included, to the bare map of units of 40 ms")
    save("prefect_runs", [peer, ours], vars(options))


if __name__ == "__main__":
    main()
