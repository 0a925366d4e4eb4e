"""Commands about published systems and their numbers: a benchmark, and a report computed again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.console import dump, end_run, say, table
from flows.options import (
    AtOption,
    ClusterOption,
    CohortArgument,
    JsonOption,
    MemoryOption,
    PrefectOption,
    SetOption,
    WaitOption,
    points,
)

if TYPE_CHECKING:
    from cohortflow.reproduction.outcome import Outcome
    from cohortflow.reproduction.verdicts import Line

app = typer.Typer()

SHOWN = 40
"""Values that are not equal, as the terminal tells them; the page has all."""


@app.command()
def benchmark(
    system: Annotated[str, typer.Argument(help="A published system: cohortflow list systems.")],
    cohort: CohortArgument,
    seeds: Annotated[int | None, typer.Option(help="How many, counted from 0.")] = None,
    pipeline: Annotated[
        str | None, typer.Option(help="Which of the system's; default: the one of its name.")
    ] = None,
    set_: SetOption = [],  # noqa: B006 - typer reads the default, nothing changes it
    at: AtOption = [],  # noqa: B006
    retry_failed: bool = False,
    wait: WaitOption = False,
    cluster: ClusterOption = "local",
    workers: int | None = None,
    threads: int | None = None,
    memory: MemoryOption = None,
    prefect: PrefectOption = True,
    as_json: JsonOption = False,
) -> None:
    """Train, test and report a published system on a cohort, beside its printed numbers."""
    from flows.benchmarking import BenchmarkRequest, after_benchmark, benchmark_run
    from flows.running import run_request

    request = benchmark_run(
        BenchmarkRequest(system, cohort, pipeline, seeds, tuple(set_)),
        at=points(at),
        retry_failed=retry_failed,
        wait=wait,
        cluster=cluster,
        workers=workers,
        threads=threads,
        memory=memory,
    )
    result = run_request(request, prefect=prefect, after=after_benchmark)
    end_run(result, as_json=as_json)


@app.command()
def reproduce(
    report: Annotated[Path, typer.Argument(help="report.html, as a run left it.")],
    cohort: Annotated[str, typer.Option(help="The cohort it is of; only read.")],
    keep: Annotated[
        Path | None, typer.Option(help="Compute in this new folder, and leave it there.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for reproduction.html and reproduction.json.")
    ] = Path(),
    allow_other_code: Annotated[
        bool, typer.Option("--allow-other-code", help="Try with this version of the code.")
    ] = False,
    every_number: Annotated[
        bool, typer.Option("--every-number", help="Also those that are equal, one line each.")
    ] = False,
    cluster: ClusterOption = "local",
    workers: int | None = None,
    memory: MemoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute a report again from nothing, and compare it number by number."""
    from flows.reproduce import ReproduceRequest, reproduce
    from flows.running import stopped_by_signals
    from tasks.progress import Progress

    request = ReproduceRequest(
        report, cohort, keep, out, allow_other_code, cluster, workers, memory
    )
    with stopped_by_signals() as stop, Progress() as progress:
        outcome = reproduce(request, stop=stop, progress=progress)
    if as_json:
        dump(outcome.to_json())
    else:
        tell_outcome(outcome, every_number=every_number)
        say(f"page: {out / 'reproduction.html'}")
    if outcome.exit_code:
        raise typer.Exit(outcome.exit_code)


def tell_outcome(outcome: Outcome, *, every_number: bool = False) -> None:
    """What was compared, what is not equal, what was left out, and the outcome last."""
    from cohortflow.reproduction.outcome import groups
    from cohortflow.reproduction.page import sentence
    from cohortflow.reproduction.verdicts import EQUAL

    rows = [
        [
            part,
            g.name,
            g.verdict,
            g.equal,
            g.within,
            g.differs,
            *map(_number, (g.largest, g.tolerance)),
        ]
        for part, lines in outcome.parts.items()
        for g in groups(lines)
    ]
    table(["what", "where", "outcome", "equal", "within", "differ", "largest", "tolerance"], rows)
    lines = outcome.lines if every_number else [n for n in outcome.lines if n.verdict != EQUAL]
    shown = lines if every_number else lines[:SHOWN]
    for line in shown:
        say(_line(line))
    if len(lines) > len(shown):
        say(f"… and {len(lines) - len(shown):,} more, all of them on the page")
    for one in outcome.left_out:
        say(f"not compared: {one.values:,} values of {one.what}: {one.why}")
    for way, code in outcome.other_code():
        say(f"note: the report was {way} other code: {code}")
    for what, then, now in outcome.other_environment():
        say(f"note: {what} was {then}, is {now}")
    for note in outcome.notes:
        say(f"note: {note}")
    say(f"{outcome.verdict}: {sentence(outcome)}")


def _line(line: Line) -> str:
    told = f"{line.verdict}: {line.group}, {line.where}: {line.original} → {line.recomputed}"
    return told if not line.difference else f"{told} (by {line.difference:.3g})"


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:.3g}"
