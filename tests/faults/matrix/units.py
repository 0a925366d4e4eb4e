"""A unit misbehaves: the run settles it by name, and everything else."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.faults.matrix import study
from tests.faults.matrix.cell import ANYWHERE, FOR_EVER, Cell
from tests.faults.matrix.running import until
from tests.faults.matrix.study import SUBJECTS

RUNS_TO_QUARANTINE = 3


def misbehaves(
    does: str,
    code: str,
    *,
    phases: Sequence[str] = ANYWHERE,
    options: Sequence[str] = (),
) -> Callable[[Cell], None]:
    """Transient: once (even seeds: the run recovers), or whenever it is tried (odd seeds)."""

    def play(cell: Cell) -> None:
        times = FOR_EVER if cell.lasting else 1
        run = cell.start("fault", plan=cell.plan(does, times=times, phases=phases), options=options)
        since = cell.reached(run)["time"]
        cell.ends_with(run, 3 if cell.lasting else 0)
        cell.others_are_done(code if cell.lasting else None)
        cell.settled_after(since)
        cell.costs_little(apart=True)
        cell.all_whole()
        cell.heals(exactly=not cell.lasting)

    return play


def raises(cell: Cell) -> None:
    """Not transient: settled at once, and tried again only when asked for."""
    phases = ("early", "middle", "late")
    run = cell.start("fault", plan=cell.plan("raise", times=FOR_EVER, phases=phases))
    since = cell.reached(run)["time"]
    cell.ends_with(run, 3)
    cell.others_are_done("stage-failed")
    cell.settled_after(since)
    cell.costs_little(apart=False)
    cell.all_whole()
    cell.heals("--retry-failed", *_retrained(cell), exactly=False)


def poisons(cell: Cell) -> None:
    """Always kills its worker: three runs find that out, the fourth leaves it alone."""
    plan = cell.plan("die", times=FOR_EVER)
    for number in range(RUNS_TO_QUARANTINE):
        run = cell.start(f"run-{number}", plan=plan)
        since = cell.reached(run)["time"]
        cell.ends_with(run, 3)
        if not number:
            cell.settled_after(since)
    tried = study.traced(cell.trace).count((cell.step, cell.who))
    last = cell.start("left-alone", plan=plan)
    cell.ends_with(last, 3)
    cell.others_are_done("worker-lost")
    state = cell.rows()[(cell.step, cell.who)].state
    cell.check(state == "quarantined", f"after three runs it is {state}")
    again = study.traced(cell.trace).count((cell.step, cell.who))
    cell.check(again == tried, "it was tried again in quarantine")
    innocent = set(study.repeated(cell.trace)) - {(cell.step, cell.who)}
    cell.check(
        all(unit[0] == "gather" or cell.step != "clean" for unit in innocent)
        and len(innocent) <= study.WORKERS + 3 * (cell.step == "clean"),
        f"innocents computed again: {sorted(innocent)}",
    )
    cell.all_whole()
    cell.heals("--retry-failed", *_retrained(cell), exactly=False)


def is_damaged(cell: Cell) -> None:
    """A byte flips in what the unit reads: it is never computed with, and the damage is named."""
    run = cell.start("fault", plan=cell.plan("wait", phases=("early",)))
    since = cell.reached(run)["time"]
    path = _input_file(cell)
    before = path.read_bytes()
    at = len(before) // 2
    path.write_bytes(before[:at] + bytes([before[at] ^ 0x10]) + before[at + 1 :])
    cell.let_go()
    cell.ends_with(run, 3)
    path.write_bytes(before)
    # Whoever else reads the same input may have met the damage too.
    for unit, row in cell.rows().items():
        code = (row.error or {}).get("code")
        failed = row.state == "failed"
        cell.check(not failed or code == "entry-corrupt", f"{unit} failed by {code}")
        cell.check(row.state in ("done", "failed", "blocked"), f"{unit} is {row.state}")
    state = cell.rows()[(cell.step, cell.who)].state
    cell.check(state == "failed", f"the unit with the damaged input is {state}")
    cell.settled_after(since)
    cell.all_whole()
    cell.heals("--retry-failed", *_retrained(cell), exactly=False)


def _retrained(cell: Cell) -> tuple[str, ...]:
    """A training that went on without the subject stays put, unless it is asked anew."""
    return ("--refresh", "learn") if cell.step in ("clean", "gather", "learn") else ()


def _input_file(cell: Cell) -> Path:
    """A file the unit reads that holds its data."""
    if cell.step == "clean":
        return next(cell.cohort.glob(f"subjects/{cell.who}/text@*/*/files/table.parquet"))
    if cell.step == "apply":
        for path in cell.cohort.glob("cohort/learn@*/entry.json"):
            record = json.loads(path.read_text())
            if cell.who.endswith(f"seed {record['recipe']['parameters'].get('seed', 0)}"):
                return path.parent / record["attempt"] / "files" / "weights.safetensors"
    found: list[Path] = []
    until(lambda: found.extend(_features(cell)) or found, 10)
    return cell.random.choice(sorted(set(found)))


def _features(cell: Cell) -> list[Path]:
    """Arrays of whom the unit reads: all subjects, or those that nobody scores."""
    scored = {who.split()[0] for who in cell.undisturbed.units["apply"]}
    read = set(SUBJECTS) - scored if cell.step == "learn" else set(SUBJECTS)
    records = [
        path
        for path in cell.cohort.glob("subjects/*/clean@*/entry.json")
        if path.relative_to(cell.cohort).parts[1] in read
    ]
    attempts = [path.parent / json.loads(path.read_text())["attempt"] for path in records]
    return [attempt / "arrays" / "features" / "c" / "0" / "0" for attempt in attempts]
