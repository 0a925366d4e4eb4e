"""What ``cohortflow status`` says in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cohortflow.report.ages import age, newer

Table = Callable[[list[str], list[list[Any]]], None]
Say = Callable[[str], None]

STATES = ("done", "pending", "failed", "blocked", "quarantined")
FEW = 5


def tell_status(found: Mapping[str, Any], table: Table, say: Say) -> None:
    """Units by pipeline, step and state; how old what was trained is; failures by cause."""
    states = [state for state in STATES if found["counts"].get(state)]
    table(
        ["pipeline", "step", *states],
        [
            [row["pipeline"] or "", row["step"], *(row["counts"].get(state, 0) for state in states)]
            for row in found["steps"]
        ],
    )
    for run in found["runs"]:
        _tell_run(run, say)
    for row in found["selections"]:
        _tell_model(row, say)
    for cause in found["failures"]:
        tell_cause(cause, say)
    if "disk" in found:
        table(
            ["stage", "of", "entries", "files", "MiB"],
            [
                [r["stage"], r["of"], r["entries"], r["files"], f"{r['bytes'] / 2**20:.1f}"]
                for r in found["disk"]
            ],
        )


def _tell_run(run: Mapping[str, Any], say: Say) -> None:
    asked = _asked(run)
    if asked:
        say(f"{run['pipeline']}: the newest run ({run['index']}) {asked}")
    if "problem" in run:
        say(
            f"{run['pipeline']}: as its newest run left it, for it cannot be planned today: "
            f"{run['problem']['message']}"
        )


def _asked(run: Mapping[str, Any]) -> str:
    """What a run was asked for beside its file, which the units follow,
    and that it was cut short."""
    options = [f"--set {setting}" for setting in run["settings"]]
    options += [f"--at {axis}={','.join(map(str, found))}" for axis, found in run["at"].items()]
    if run["subjects"] is not None:
        options.append(f"{run['subjects']} subjects only")
    told = [f"asked for {', '.join(options)}"] if options else []
    return " and ".join(told if run["finished"] else [*told, "did not finish"])


def _tell_model(row: Mapping[str, Any], say: Say) -> None:
    say(f"{row['pipeline']}: {row['step']}, {row['weights']} weights, {age(row)}")
    since = newer(row)
    if since:
        say(
            f"{row['pipeline']}: {row['step']} was trained before {since} subjects; "
            f"--refresh {row['step']} trains on them"
        )


def tell_cause(cause: Mapping[str, Any], say: Say) -> None:
    """Step, code, message, whom it concerns; the hint; how one unit of it runs again."""
    named: Sequence[str] = cause["subjects"]
    told = ", ".join(named[:FEW]) + ("…" if len(named) > FEW else "")
    where = f"{cause['pipeline']} {cause['step']}".strip()
    code = "" if cause["code"] == cause["state"] else f"{cause['code']}: "
    say(f"{where} {cause['state']}: {code}{cause['message']} ({cause['units']}: {told})")
    if cause["hint"]:
        say(f"  {cause['hint']}")
    if cause["replay"]:
        say(f"  {cause['replay']}")
