"""What the command line says: lines and tables on standard output, errors on standard error."""

from __future__ import annotations

import json
import sys
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cohortflow.errors import CohortflowError
from flows.status_lines import tell_cause

MOST_CAUSES = 4

out = Console()
err = Console(stderr=True)


def complain(error: CohortflowError) -> None:
    told = error.to_json()
    warn(f"error [{told['code']}]: {told['message']}")
    if told["hint"]:
        err.print(f"  {told['hint']}", markup=False, soft_wrap=True)


def warn(text: str) -> None:
    """A line of what went wrong."""
    err.print(text, style="red", markup=False, soft_wrap=True)


def say(text: str) -> None:
    out.print(text, markup=False, highlight=False, soft_wrap=True)


def dump(document: Any) -> None:
    sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False, default=str) + "\n")


def table(columns: list[str], rows: list[list[Any]]) -> None:
    found = Table(box=None, pad_edge=False)
    for name in columns:
        found.add_column(name, overflow="fold")  # nothing is cut off
    for row in rows:
        found.add_row(*[Text(str(cell)) for cell in row])
    if not out.is_terminal:
        out.width = 1000  # a file or a pipe has no width to keep to
    out.print(found)


def tell_ingest(report: Any) -> None:
    for note in report.notes:
        say(f"note: {note}")
    for subject, warnings in report.warnings.items():
        for warning in warnings:
            say(f"warning: {subject}: {warning['message']}")
    for subject, error in report.refused.items():
        warn(f"refused {subject} [{error['code']}]: {error['message']}")
    for name, error in report.refused_files.items():
        warn(f"file {name} stays as it was taken in [{error['code']}]: {error['message']}")
    for name, change in report.files.items():
        say(f"file {name}: {change}")
    say(
        f"{len(report.new)} new, {len(report.changed)} changed, {len(report.unchanged)} unchanged, "
        f"{len(report.refused)} refused"
    )


def tell_export(report: Any, out: object) -> None:
    for note in report.notes:
        say(f"note: {note}")
    for error in report.errors:
        warn(
            f"not exported: {error['result']} [{error['code']}]: {error['message']}. "
            f"{error['hint']}"
        )
    told = {error["result"] for error in report.errors}
    for missing in report.missing:
        if missing.stem() not in told:
            code = f" [{missing.code}]" if missing.code else ""
            err.print(f"missing: {missing.stem()} is {missing.state}{code}", markup=False)
    say(
        f"{report.results} results in {out}: {report.written} written, "
        f"{report.unchanged} stood already, {len(report.missing)} missing"
    )


def run_document(result: Any) -> dict[str, Any]:
    """How a run ended, as ``--json`` tells it."""
    steps = [vars(timing) for timing in result.timings]
    return {
        "counts": result.counts,
        "failures": result.failures,
        "report": result.report,
        "run": result.run_id,
        "steps": steps,
    }


def tell_run(result: Any) -> None:
    ran = [t for t in result.timings if t.units]
    if ran:
        table(
            ["step", "units", "done", "failed", "wall s"],
            [[t.step, t.units, t.done, t.failed, f"{t.wall_s:.1f}"] for t in ran],
        )
    elif result.exit_code == 0:
        say("nothing to do: all that was asked for stands")
    elif result.exit_code == 3:
        say("nothing to try again: --retry-failed does")
    for cause in result.failures[:MOST_CAUSES]:
        tell_cause(cause, say)
    if len(result.failures) > MOST_CAUSES:
        say(f"{len(result.failures) - MOST_CAUSES} more causes: cohortflow status has them")
    say(", ".join(f"{n} {state}" for state, n in sorted(result.counts.items())))
    if result.report:
        say(f"report: {result.report}")
    if result.cancelled:
        say("stopped: the same command goes on from here")
    if result.exit_code == 4:
        warn("error [selection-empty]: no unit was selected")


def end_run(result: Any, *, as_json: bool) -> None:
    """Tell how a run ended, and end the command with its exit code."""
    if as_json:
        dump(run_document(result))
    else:
        tell_run(result)
    if result.exit_code:
        raise typer.Exit(result.exit_code)
