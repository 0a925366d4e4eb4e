"""The command line: thin and typed; every command calls a flow or a query."""

from __future__ import annotations

import contextlib
import json
import logging
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cohortflow.errors import Cancelled, CohortflowError, UnknownName, UsageError, nearest
from flows.environment import set_defaults

set_defaults()

app = typer.Typer(
    name="cohortflow",
    help="Cohorts of medical recordings, from raw files to reproducible reports.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
out = Console()
err = Console(stderr=True)
log = logging.getLogger("cohortflow.cli")

CohortArgument = Annotated[str, typer.Argument(help="Folder or s3:// URL of the cohort.")]
PipelineArgument = Annotated[str, typer.Argument(help="Slug of a pipeline, or a YAML file.")]
SetOption = Annotated[
    list[str], typer.Option("--set", help="step.parameter=value or axes.network=[DMN]; repeatable.")
]
AtOption = Annotated[list[str], typer.Option("--at", help="Only these points: fold=0; repeatable.")]
SubjectsOption = Annotated[str | None, typer.Option(help="Only these subjects, comma separated.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


def main() -> None:
    """Entry point: named errors become one line on stderr and their exit code."""
    try:
        app(standalone_mode=True)
    except CohortflowError as error:
        _complain(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


def _complain(error: CohortflowError) -> None:
    told = error.to_json()
    err.print(
        f"error [{told['code']}]: {told['message']}", style="red", markup=False, soft_wrap=True
    )
    if told["hint"]:
        err.print(f"  {told['hint']}", markup=False, soft_wrap=True)


def _say(text: str) -> None:
    out.print(text, markup=False, highlight=False, soft_wrap=True)


def _dump(document: Any) -> None:
    sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False, default=str) + "\n")


def _table(columns: list[str], rows: list[list[Any]]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")  # nothing is cut off
    for row in rows:
        table.add_row(*[Text(str(cell)) for cell in row])
    if not out.is_terminal:
        out.width = 1000  # a file or a pipe has no width to keep to
    out.print(table)


@app.callback()
def _setup(verbose: Annotated[int, typer.Option("-v", "--verbose", count=True)] = 0) -> None:
    from tasks.logs import setup_logging

    setup_logging(verbose)


# --- what there is --------------------------------------------------------------------------------


@app.command("list")
def list_command(
    what: Annotated[str, typer.Argument(help="pipelines, stages or systems")] = "pipelines",
    as_json: JsonOption = False,
) -> None:
    """List pipelines, stages or systems."""
    listings: dict[str, Callable[[], list[list[str]]]] = {
        "pipelines": _pipelines, "stages": _stages, "systems": _systems,
    }  # fmt: skip
    if what not in listings:
        raise UnknownName(f"nothing called {what!r} to list", hint=nearest(what, listings))
    rows = listings[what]()
    if as_json:
        _dump([{"name": name, "about": about} for name, about in rows])
    else:
        _table(["name", "about"], [list(row) for row in rows])


def _pipelines() -> list[list[str]]:
    from cohortflow.pipeline.load import load_pipeline, packaged_pipelines

    return [[slug, load_pipeline(slug).title] for slug in packaged_pipelines()]


def _stages() -> list[list[str]]:
    from cohortflow.stages import CATALOGUE

    return [[stage.name, stage.about] for stage in CATALOGUE.values()]


def _systems() -> list[list[str]]:
    from cohortflow.systems import SYSTEMS

    return [[name, system.title] for name, system in SYSTEMS.items()]


@app.command()
def describe(
    name: Annotated[str, typer.Argument(help="A stage or a pipeline.")], as_json: JsonOption = False
) -> None:
    """Describe a stage (inputs, parameters, output) or a pipeline (steps, axes)."""
    from flows.describe import describe_name

    described = describe_name(name)
    if as_json:
        _dump(described)
    else:
        for line in described["lines"]:
            _say(line)


@app.command()
def info(as_json: JsonOption = False) -> None:
    """Versions and where things are kept."""
    from flows.describe import describe_installation

    described = describe_installation()
    if as_json:
        _dump(described)
    else:
        _table(["package", "version"], [list(row) for row in described["versions"].items()])
        _say("")
        _table(["kept", "where"], [list(row) for row in described["kept"].items()])


# --- ingest ---------------------------------------------------------------------------------------


@app.command()
def ingest(
    source: Annotated[
        str | None, typer.Argument(help="Folder or file to read; '-' for the remembered one.")
    ],
    cohort: CohortArgument,
    participants: Annotated[Path | None, typer.Option(help="Table of participants.")] = None,
    columns: Annotated[str | None, typer.Option(help="group=DX_GROUP,age=AGE")] = None,
    subject_from: Annotated[
        str | None, typer.Option(help="name, folder, bids or regex:PATTERN")
    ] = None,
    atlas: Annotated[str, typer.Option(help="none, dosenbach160, cc200=TABLE or a table")] = "none",
    networks: Annotated[Path | None, typer.Option(help="Table of networks for the atlas.")] = None,
    repetition_times: Annotated[
        str | None, typer.Option(help="Seconds, or a table by site.")
    ] = None,
    transpose: Annotated[bool, typer.Option(help="Files are (region, time).")] = False,
    patient_column: Annotated[
        str | None, typer.Option(help="Column that says whose recording.")
    ] = None,
    readmit: Annotated[
        list[str], typer.Option(help="A subject that was forgotten and may come back.")
    ] = [],  # noqa: B006
    as_json: JsonOption = False,
) -> None:
    """Read recordings into a cohort; made if it is not there."""
    from flows.ingest import IngestRequest, ingest_source

    report = ingest_source(
        IngestRequest(
            source=None if source == "-" else source,
            cohort=cohort,
            options={
                "participants": participants,
                "columns": _pairs(columns),
                "subject_from": subject_from,
                "atlas": atlas,
                "networks": networks,
                "repetition_times": _number(repetition_times),
                "transpose": transpose,
                "patient_column": patient_column,
            },
            readmit=tuple(readmit),
        )
    )
    if as_json:
        _dump(report.to_json())
    else:
        _tell_ingest(report)
    if report.refused:
        raise typer.Exit(3)


def _tell_ingest(report: Any) -> None:
    for note in report.notes:
        _say(f"note: {note}")
    for subject, warnings in report.warnings.items():
        for warning in warnings:
            _say(f"warning: {subject}: {warning['message']}")
    for subject, error in report.refused.items():
        err.print(
            f"refused {subject} [{error['code']}]: {error['message']}", style="red", markup=False
        )
    _say(
        f"{len(report.new)} new, {len(report.changed)} changed, {len(report.unchanged)} unchanged, "
        f"{len(report.refused)} refused"
    )


def _pairs(text: str | None) -> dict[str, str]:
    if not text:
        return {}
    pairs = [item.partition("=") for item in text.split(",")]
    wrong = [name for name, equals, column in pairs if not equals or not column]
    if wrong:
        raise UsageError(f"--columns {text}: {wrong[0]!r} has no column", expected="name=COLUMN,…")
    return {name.strip(): column.strip() for name, _, column in pairs}


def _number(text: str | None) -> float | str | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return text


# --- plan and run ---------------------------------------------------------------------------------


def _points(at: list[str]) -> dict[str, tuple[str, ...]]:
    points: dict[str, tuple[str, ...]] = {}
    for item in at:
        axis, equals, labels = item.partition("=")
        if not equals:
            raise UsageError(f"--at {item} has no '='", expected="axis=label")
        points[axis] = (*points.get(axis, ()), *labels.split(","))
    return points


@app.command()
def plan(
    pipeline: PipelineArgument,
    cohort: CohortArgument,
    set_: SetOption = [],  # noqa: B006 - typer reads the default, nothing changes it
    at: AtOption = [],  # noqa: B006
    subjects: SubjectsOption = None,
    retry_failed: bool = False,
    refresh: Annotated[list[str], typer.Option(help="Renew this step's training selection.")] = [],  # noqa: B006
    no_train: Annotated[bool, typer.Option("--no-train")] = False,
    units: Annotated[bool, typer.Option(help="One line per unit instead of per reason.")] = False,
    as_json: JsonOption = False,
) -> None:
    """What a run would do, and why; writes nothing."""
    from cohortflow.pipeline.reasons import summary
    from flows.looking import unit_lines
    from tasks.session import RunRequest, plan_only

    request = RunRequest(
        pipeline, cohort, tuple(set_), _points(at), _listed(subjects), retry_failed, tuple(refresh), not no_train
    )  # fmt: skip
    planned, projection = plan_only(request)
    rows = summary(planned)
    lines = unit_lines(planned) if units else []
    if as_json:
        found = {"units": lines} if units else {}
        _dump({"steps": rows, **found, "projection": vars(projection)})
        return
    if units:
        _table(
            ["step", "subject", "point", "state", "reason", "key"],
            [[*list(u.values())[:-1], u["key"][:16]] for u in lines],
        )
    else:
        _table(["step", "action", "units", "reason"], [list(row.values()) for row in rows])
    _say(
        f"{projection.units} units to run: about {projection.seconds:.0f} core seconds, "
        f"{projection.disk_bytes / 2**20:.1f} MiB on disk, at most "
        f"{projection.memory_bytes / 2**20:.0f} MiB of memory a unit"
        + (f" ({projection.memory_step})" if projection.memory_step else "")
    )


def _listed(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(item.strip() for item in text.split(",") if item.strip())


@app.command()
def run(
    pipeline: PipelineArgument,
    cohort: CohortArgument,
    set_: SetOption = [],  # noqa: B006
    at: AtOption = [],  # noqa: B006
    subjects: SubjectsOption = None,
    retry_failed: bool = False,
    refresh: Annotated[list[str], typer.Option(help="Renew this step's training selection.")] = [],  # noqa: B006
    no_train: Annotated[bool, typer.Option("--no-train")] = False,
    wait: Annotated[bool, typer.Option(help="Wait for another run of this pipeline.")] = False,
    cluster: Annotated[str, typer.Option(help="local, tcp://scheduler or none")] = "local",
    workers: int | None = None,
    threads: int | None = None,
    memory: Annotated[str | None, typer.Option(help="Per worker, such as 4GiB.")] = None,
    prefect: Annotated[bool, typer.Option(help="Record the run in Prefect.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Run a pipeline over a cohort; what stands is not computed again."""
    from tasks.session import RunRequest

    request = RunRequest(
        pipeline, cohort, tuple(set_), _points(at), _listed(subjects), retry_failed, tuple(refresh),
        not no_train, wait, cluster, workers, threads, memory,
    )  # fmt: skip
    result = run_request(request, prefect=prefect)
    if as_json:
        _dump({"counts": result.counts, "report": result.report, "run": result.run_id,
               "steps": [vars(timing) for timing in result.timings]})  # fmt: skip
    else:
        _tell_run(result)
    if result.exit_code:
        raise typer.Exit(result.exit_code)


def run_request(request: Any, *, prefect: bool) -> Any:
    """Run with progress, signals, report and tracking.

    The plan is made first: a faulty pipeline is told, and a run that has nothing to compute ends,
    without waiting for Prefect to start.
    """
    from flows.finish import after_run
    from tasks.progress import Progress
    from tasks.session import plan_only

    command = shlex.join(["cohortflow", *sys.argv[1:]])
    with stopped_by_signals() as stop, Progress() as progress:
        _, projection = plan_only(request)
        if stop.is_set():
            raise Cancelled("stopped before anything ran")
        common: dict[str, Any] = {
            "stop": stop, "progress": progress, "after_run": after_run(command),
        }  # fmt: skip
        if prefect and projection.units:
            from flows.cohort import run_with_prefect

            return run_with_prefect(request, **common)
        from flows.process import process_cohort

        return process_cohort(request, **common)


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """The first Ctrl-C or SIGTERM ends the run cleanly, the second at once."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        log.warning("stopping: finished units are kept; once more to stop at once")

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell_run(result: Any) -> None:
    ran = [t for t in result.timings if t.units]
    if ran:
        _table(
            ["step", "units", "done", "failed", "wall s"],
            [[t.step, t.units, t.done, t.failed, f"{t.wall_s:.1f}"] for t in ran],
        )
    elif result.exit_code == 0:
        _say("nothing to do: all that was asked for stands")
    elif result.exit_code == 3:
        _say("nothing to try again: --retry-failed does, cohortflow status says what stands")
    _say(", ".join(f"{n} {state}" for state, n in sorted(result.counts.items())))
    if result.report:
        _say(f"report: {result.report}")
    if result.cancelled:
        _say("stopped: the same command goes on from here")
    if result.exit_code == 4:
        err.print("error [selection-empty]: no unit was selected", style="red", markup=False)


# --- looking --------------------------------------------------------------------------------------


@app.command()
def status(
    cohort: CohortArgument,
    disk: Annotated[bool, typer.Option("--disk", help="Also the disk use of each stage.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Units by state and step, and failures by cause."""
    from cohortflow.cohort.cohort import open_cohort
    from cohortflow.cohort.maintenance import disk_usage
    from flows.looking import tell_status
    from tasks.status import cohort_status

    opened = open_cohort(cohort)
    found = cohort_status(opened)
    if disk:
        usage = disk_usage(opened).reset_index().to_dict("records")
        found["disk"] = usage
    if as_json:
        _dump(found)
        return
    tell_status(found, _table, _say)
    if disk:
        _table(
            ["stage", "entries", "files", "MiB"],
            [[r["stage"], r["entries"], r["files"], f"{r['bytes'] / 2**20:.1f}"] for r in usage],
        )


@app.command()
def runs(cohort: CohortArgument, as_json: JsonOption = False) -> None:
    """Runs on this cohort, the newest last."""
    from cohortflow.cohort.cohort import open_cohort
    from flows.looking import list_runs

    rows = list_runs(open_cohort(cohort))
    if as_json:
        _dump(rows)
    else:
        _table(
            ["pipeline", "index", "run", "started", "ended", "units"],
            [list(r.values()) for r in rows],
        )


@app.command()
def report(
    cohort: CohortArgument,
    pipeline: Annotated[
        str | None, typer.Option(help="Whose report; needed where several ran.")
    ] = None,
) -> None:
    """Render the report of the newest run again."""
    from cohortflow.cohort.cohort import open_cohort
    from flows.looking import render_again

    _say(render_again(open_cohort(cohort), pipeline))


@app.command()
def replay(
    cohort: CohortArgument, key: Annotated[str, typer.Argument(help="Key, or its start.")]
) -> None:
    """Run one unit again, in this process."""
    from cohortflow.cohort.cohort import open_cohort
    from flows.looking import replay_unit

    outcome = replay_unit(open_cohort(cohort), key)
    _say(f"{outcome['step']} {outcome['subject'] or 'cohort'}: {outcome['state']}")
    if outcome["state"] != "done":
        err.print(f"{outcome['error']['code']}: {outcome['error']['message']}", markup=False)
        raise typer.Exit(3)


# --- looking after the store ----------------------------------------------------------------------


@app.command()
def fsck(
    cohort: CohortArgument,
    deep: Annotated[bool, typer.Option(help="Check the digest of every file.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Look for what is broken or belongs to nothing."""
    from cohortflow.cohort.cohort import open_cohort
    from cohortflow.cohort.maintenance import fsck as check

    problems = check(open_cohort(cohort), deep=deep)
    if as_json:
        _dump([vars(problem) for problem in problems])
    else:
        for problem in problems:
            _say(str(problem))
        _say(f"{len(problems)} problems")
    if problems:
        raise typer.Exit(1)


@app.command()
def gc(
    cohort: CohortArgument,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove what no kept index or selection names, a day after it was first seen so."""
    from cohortflow.cohort.cohort import open_cohort
    from cohortflow.cohort.maintenance import gc as collect

    result = collect(open_cohort(cohort), dry_run=dry_run)
    if as_json:
        _dump(vars(result))
    else:
        _say(str(result))


@app.command()
def forget(
    cohort: CohortArgument, who: Annotated[str, typer.Argument(help="A patient or a subject.")]
) -> None:
    """Remove what names a patient or a subject."""
    from cohortflow.cohort.cohort import open_cohort
    from cohortflow.cohort.maintenance import forget as remove

    _say(str(remove(open_cohort(cohort), who)))


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where the demo goes.")] = Path("cohortflow-demo"),
    full: Annotated[
        bool,
        typer.Option("--full", help="The size of the published study; about an hour on two cores."),
    ] = False,
    prefect: bool = True,
) -> None:
    """A generated cohort through the whole main pipeline, in a few minutes."""
    from flows.demo import run_demo

    result = run_demo(folder, full=full, run=lambda request: run_request(request, prefect=prefect))
    _tell_run(result)
    if result.report is not None:
        _say(f"copied to {folder / ('report-full.html' if full else 'report.html')}")
    if result.exit_code:
        raise typer.Exit(result.exit_code)


if __name__ == "__main__":
    main()
