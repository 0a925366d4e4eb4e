"""The kinds of fault: what happens, and what is promised all the same."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.matrix import clocks, ended_runs, services, stores, two_runs, units
from tests.faults.matrix.cell import IN_A_STAGE, Cell

AGAIN = "tried again once, after a pause, then left to the next run"
GOES_ON = "nothing is torn; the same command goes on from there"


@dataclass(frozen=True)
class Kind:
    """``about``: what happens. ``promise``: what the run does. ``play``: does it, and checks."""

    name: str
    about: str
    promise: str
    play: Callable[[Cell], None]


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "hang",
            "a unit sleeps for ever",
            f"its worker is replaced; `unit-timeout`, {AGAIN}",
            units.misbehaves("hang", "unit-timeout"),
        ),
        Kind(
            "hang-holding-the-gil",
            "a unit hangs in native code and holds the interpreter's lock",
            f"its worker is replaced; `unit-timeout`, {AGAIN}",
            units.misbehaves("hang-holding-the-gil", "unit-timeout"),
        ),
        Kind(
            "worker-stopped",
            "a worker process is stopped (SIGSTOP) and never goes on",
            f"it is replaced; `unit-timeout`, {AGAIN}",
            units.misbehaves("stop", "unit-timeout"),
        ),
        Kind(
            "worker-exits",
            "a worker process ends by `_exit`",
            f"`worker-lost`, {AGAIN}",
            units.misbehaves("exit", "worker-lost"),
        ),
        Kind(
            "worker-killed",
            "SIGKILL to a worker process",
            f"`worker-lost`, {AGAIN}",
            units.misbehaves("die", "worker-lost"),
        ),
        Kind(
            "out-of-memory",
            "a unit takes memory beyond the limit of its worker",
            f"its worker is ended before the machine suffers; `out-of-memory`, {AGAIN}",
            units.misbehaves(
                "hog", "out-of-memory", phases=IN_A_STAGE, options=("--memory", "600MiB")
            ),
        ),
        Kind(
            "stage-raises",
            "a stage raises what nobody expected",
            "`stage-failed`, with traceback and replay command; again with `--retry-failed`",
            units.raises,
        ),
        Kind(
            "damaged-input",
            "a byte flips in a file that the unit reads",
            "never computed with; `entry-corrupt` names the file",
            units.is_damaged,
        ),
        Kind(
            "poison",
            "a unit kills its worker in every run",
            "quarantined after three runs, not touched by the fourth; `--retry-failed` frees it",
            units.poisons,
        ),
        Kind(
            "flow-killed",
            "SIGKILL to the flow's process alone",
            f"its workers vanish with it; {GOES_ON}",
            ended_runs.killed(group=False),
        ),
        Kind(
            "group-killed",
            "SIGKILL to every process of the run",
            GOES_ON,
            ended_runs.killed(group=True),
        ),
        Kind(
            "terminated",
            "SIGTERM to the flow's process",
            f"ends in seconds with code 130; {GOES_ON}",
            ended_runs.asked_to_end(signal.SIGTERM, group=False),
        ),
        Kind(
            "group-terminated",
            "SIGTERM to every process of the run",
            f"ends in seconds with code 130; {GOES_ON}",
            ended_runs.asked_to_end(signal.SIGTERM, group=True),
        ),
        Kind(
            "interrupted",
            "Ctrl-C in a terminal: SIGINT to every process of the run",
            f"ends in seconds with code 130; {GOES_ON}",
            ended_runs.asked_to_end(signal.SIGINT, group=True),
        ),
        Kind(
            "disk-full",
            "no byte is left on the cohort's disk (even seeds: for 3 s)",
            "waits and goes on when there is room; else ends by `disk-full`, resumable",
            stores.fills_up,
        ),
        Kind(
            "store-vanished",
            "the cohort's folder is gone (even seeds: for 3 s)",
            "waits and goes on when it is back; else ends by `store-unavailable`, resumable",
            stores.vanishes,
        ),
        Kind(
            "run-wakes",
            "a run is stopped beyond its silence, another takes over, the first one wakes",
            "of two attempts at a unit one commits; the first run notices and ends",
            two_runs.wakes,
        ),
        Kind(
            "two-pipelines",
            "two pipelines at once on one cohort, with the same units",
            "both end well; of two attempts at a unit one commits, nothing is left behind",
            two_runs.share,
        ),
        Kind(
            "second-run",
            "the same pipeline is started twice",
            "`lease-held` says who runs it; with `--wait` it waits",
            two_runs.comes_second,
        ),
        Kind(
            "clock-jumps",
            "the wall clock jumps by a day, forwards or back",
            "nothing happens",
            clocks.jumps,
        ),
        Kind(
            "prefect-flow-killed",
            "SIGKILL to a flow that started a Prefect server of its own",
            f"workers and server vanish with it; {GOES_ON}",
            ended_runs.killed(group=False, options=("--prefect",)),
        ),
        Kind(
            "prefect-terminated",
            "SIGTERM to every process of a run with a Prefect server of its own",
            f"Prefect hears of it; ends in seconds with code 130; {GOES_ON}",
            ended_runs.asked_to_end(signal.SIGTERM, group=True, options=("--prefect",)),
        ),
        Kind(
            "prefect-dies",
            "the Prefect server is killed under the run",
            "said once; the run goes on without it",
            services.prefect_dies,
        ),
        Kind(
            "mlflow-dies",
            "the MLflow server is killed under the run",
            "`tracking-unavailable`; the outbox keeps the run and delivers it once, later",
            services.mlflow_dies,
        ),
    )
}
