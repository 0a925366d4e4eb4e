"""The command line: thin and typed; every command calls a flow or a query."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from cohortflow.errors import CohortflowError, UnknownName, UsageError, nearest
from flows import cli_cohort, cli_reproduce, cli_serve
from flows.console import complain, dump, end_run, say, table, tell_ingest, tell_run
from flows.environment import set_defaults
from flows.options import (
    AtOption,
    ClusterOption,
    CohortArgument,
    JsonOption,
    MemoryOption,
    NoTrainOption,
    PipelineArgument,
    PrefectOption,
    RefreshOption,
    SetOption,
    SubjectsOption,
    WaitOption,
    listed,
    points,
)
from flows.running import run_request

set_defaults()

app = typer.Typer(
    name="cohortflow",
    help="Cohorts of medical recordings, from raw files to reproducible reports.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(cli_cohort.app)
app.add_typer(cli_serve.app)
app.add_typer(cli_reproduce.app)


def main() -> None:
    """Entry point: named errors become one line on stderr and their exit code."""
    try:
        app(standalone_mode=True)
    except CohortflowError as error:
        complain(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


@app.callback()
def _setup(verbose: Annotated[int, typer.Option("-v", "--verbose", count=True)] = 0) -> None:
    from tasks.logs import setup_logging

    setup_logging(verbose)


# --- what there is --------------------------------------------------------------------------------


@app.command("list")
def list_command(
    what: Annotated[
        str, typer.Argument(help="pipelines, stages, systems, metrics or published")
    ] = "pipelines",
    as_json: JsonOption = False,
) -> None:
    """List pipelines, stages, systems, metric ids, or methods with printed tables."""
    from flows.describe_published import published_list

    listings: dict[str, Callable[[], list[list[str]]]] = {
        "pipelines": _pipelines,
        "stages": _stages,
        "systems": _systems,
        "metrics": _metrics,
        "published": published_list,
    }
    if what not in listings:
        raise UnknownName(f"nothing called {what!r} to list", hint=nearest(what, listings))
    rows = listings[what]()
    if as_json:
        dump([{"name": name, "about": about} for name, about in rows])
    else:
        table(["name", "about"], [list(row) for row in rows])


def _pipelines() -> list[list[str]]:
    from cohortflow.pipeline.load import load_pipeline, packaged_pipelines

    return [[slug, load_pipeline(slug).title] for slug in packaged_pipelines()]


def _stages() -> list[list[str]]:
    from cohortflow.stages import CATALOGUE

    return [[stage.name, stage.about] for stage in CATALOGUE.values()]


def _systems() -> list[list[str]]:
    from cohortflow.systems import SYSTEMS

    return [[name, system.title] for name, system in SYSTEMS.items()]


def _metrics() -> list[list[str]]:
    from cohortflow.evaluation.definitions import DEFINITIONS

    return [
        [one.id, f"{task}: {one.about} [{one.unit}, {one.better} is better; {one.source}]"]
        for (task, _), one in DEFINITIONS.items()
    ]


@app.command()
def describe(
    name: Annotated[str, typer.Argument(help="A stage, a pipeline or a published method.")],
    as_json: JsonOption = False,
) -> None:
    """Describe a stage (inputs, parameters, output), a pipeline (steps, axes), printed tables."""
    from cohortflow.evaluation.published import PUBLISHED, published_paper
    from flows.describe import describe_name
    from flows.describe_published import published_json, tell_published

    described = describe_name(name)
    if as_json:
        paper = {"published": published_json(published_paper(name))} if name in PUBLISHED else {}
        dump(described | paper)
        return
    for line in described["lines"]:
        say(line)
    if name in PUBLISHED:
        tell_published(published_paper(name), say, table)


@app.command()
def info(as_json: JsonOption = False) -> None:
    """Versions and where things are kept."""
    from flows.describe import describe_installation

    described = describe_installation()
    if as_json:
        dump(described)
    else:
        table(["package", "version"], [list(row) for row in described["versions"].items()])
        say("")
        table(["kept", "where"], [list(row) for row in described["kept"].items()])


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
    spacing_mm: Annotated[
        str | None, typer.Option(help="z,y,x in mm, of images that do not say it.")
    ] = None,
    orientation: Annotated[
        str | None, typer.Option(help="LPS, RAS, …: of axes that no header places.")
    ] = None,
    time: Annotated[int | None, typer.Option(help="Which time point of several.")] = None,
    fill_not_finite: Annotated[
        float | None, typer.Option(help="What NaN and infinite voxels become.")
    ] = None,
    series: Annotated[int | None, typer.Option(help="Which DICOM Series Number.")] = None,
    accept: Annotated[
        list[str],
        typer.Option(help="Code of an error that is resolved, and recorded, instead of refused."),
    ] = [],  # noqa: B006
    max_voxels: Annotated[int | None, typer.Option(help="Largest image that is read.")] = None,
    file: Annotated[
        list[str],
        typer.Option(
            help="NAME=PATH: a file of no subject that pipelines declare (weights, a table)"
        ),
    ] = [],  # noqa: B006
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
                "files": _named_files(file),
                **_given(
                    spacing_mm=_spacing(spacing_mm),
                    orientation=orientation,
                    time=time,
                    fill_not_finite=fill_not_finite,
                    series=series,
                    accept=tuple(accept) or None,
                    max_voxels=max_voxels,
                ),
            },
            readmit=tuple(readmit),
        )
    )
    if as_json:
        dump(report.to_json())
    else:
        tell_ingest(report)
    if report.refused or report.refused_files:
        raise typer.Exit(3)


def _given(**options: object) -> dict[str, object]:
    return {name: value for name, value in options.items() if value is not None}


def _spacing(text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError:
        raise UsageError(
            "a spacing is three numbers", expected="--spacing-mm 3,0.8,0.8 (z, y, x)", found=text
        ) from None


def _pairs(text: str | None) -> dict[str, str]:
    if not text:
        return {}
    pairs = [item.partition("=") for item in text.split(",")]
    wrong = [name for name, equals, column in pairs if not equals or not column]
    if wrong:
        raise UsageError(f"--columns {text}: {wrong[0]!r} has no column", expected="name=COLUMN,…")
    return {name.strip(): column.strip() for name, _, column in pairs}


def _named_files(items: list[str]) -> dict[str, str]:
    files: dict[str, str] = {}
    for item in items:
        name, _, path = item.partition("=")
        if not name or not path:
            raise UsageError(f"--file {item} names no file", expected="NAME=PATH")
        if name in files:
            raise UsageError(f"--file {name} stands twice", found=item)
        files[name] = path
    return files


def _number(text: str | None) -> float | str | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return text


# --- plan and run ---------------------------------------------------------------------------------


@app.command()
def plan(
    pipeline: PipelineArgument,
    cohort: CohortArgument,
    set_: SetOption = [],  # noqa: B006 - typer reads the default, nothing changes it
    at: AtOption = [],  # noqa: B006
    subjects: SubjectsOption = None,
    retry_failed: bool = False,
    refresh: RefreshOption = [],  # noqa: B006
    no_train: NoTrainOption = False,
    units: Annotated[bool, typer.Option(help="One line per unit instead of per reason.")] = False,
    as_json: JsonOption = False,
) -> None:
    """What a run would do, and why; writes nothing."""
    from cohortflow.pipeline.reasons import summary
    from flows.looking import unit_lines
    from tasks.planning import plan_only
    from tasks.request import RunRequest

    request = RunRequest(
        pipeline,
        cohort,
        settings=tuple(set_),
        at=points(at),
        subjects=listed(subjects),
        retry_failed=retry_failed,
        refresh=tuple(refresh),
        train=not no_train,
    )
    planned, projection = plan_only(request)
    rows = summary(planned)
    lines = unit_lines(planned) if units else []
    if as_json:
        found = {"units": lines} if units else {}
        dump({"steps": rows, **found, "projection": vars(projection)})
        return
    if units:
        table(
            ["step", "subject", "point", "state", "reason", "key"],
            [[*list(u.values())[:-1], u["key"][:16]] for u in lines],
        )
    else:
        table(["step", "action", "units", "reason"], [list(row.values()) for row in rows])
    say(
        f"{projection.units} units to run: about {projection.seconds:.0f} core seconds, "
        f"{projection.disk_bytes / 2**20:.1f} MiB on disk, at most "
        f"{projection.memory_bytes / 2**20:.0f} MiB of memory a unit"
        + (f" ({projection.memory_step})" if projection.memory_step else "")
    )


@app.command()
def run(
    pipeline: PipelineArgument,
    cohort: CohortArgument,
    set_: SetOption = [],  # noqa: B006
    at: AtOption = [],  # noqa: B006
    subjects: SubjectsOption = None,
    retry_failed: bool = False,
    refresh: RefreshOption = [],  # noqa: B006
    no_train: NoTrainOption = False,
    wait: WaitOption = False,
    cluster: ClusterOption = "local",
    workers: int | None = None,
    threads: int | None = None,
    memory: MemoryOption = None,
    prefect: PrefectOption = True,
    as_json: JsonOption = False,
) -> None:
    """Run a pipeline over a cohort; what stands is not computed again."""
    from tasks.request import RunRequest

    request = RunRequest(
        pipeline,
        cohort,
        settings=tuple(set_),
        at=points(at),
        subjects=listed(subjects),
        retry_failed=retry_failed,
        refresh=tuple(refresh),
        train=not no_train,
        wait=wait,
        cluster=cluster,
        workers=workers,
        threads=threads,
        memory=memory,
    )
    result = run_request(request, prefect=prefect)
    end_run(result, as_json=as_json)


@app.command()
def apply(
    pipeline: PipelineArgument,
    source: Annotated[Path, typer.Argument(help="One recording: a file, or a folder of DICOM.")],
    out: Annotated[Path, typer.Argument(help="Its result: .nii.gz, .ome.zarr, .csv or .parquet.")],
    step: Annotated[
        str | None, typer.Option(help="Whose result; by default the last that fits.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="The weights that the pipeline declares: a file, or a cohort with them."),
    ] = None,
    set_: SetOption = [],  # noqa: B006
    grid: Annotated[
        str, typer.Option(help="source: back on the grid of the recording; own: as computed")
    ] = "source",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output.")] = False,
    atlas: Annotated[str | None, typer.Option(help="As of ingest, for series.")] = None,
    spacing_mm: Annotated[str | None, typer.Option(help="As of ingest.")] = None,
    time: Annotated[int | None, typer.Option(help="As of ingest.")] = None,
    accept: Annotated[list[str], typer.Option(help="As of ingest.")] = [],  # noqa: B006
) -> None:
    """One recording through a pipeline, one file out; no cohort is kept."""
    from flows.apply import ApplyRequest, apply_pipeline
    from flows.running import stopped_by_signals

    options = _given(
        atlas=atlas, spacing_mm=_spacing(spacing_mm), time=time, accept=tuple(accept) or None
    )
    request = ApplyRequest(
        pipeline, source, out, step, weights, tuple(set_), grid, overwrite, options
    )
    with stopped_by_signals() as stop:
        made = apply_pipeline(request, stop)
    say(f"{out}: {made} of {source.name}")


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
    tell_run(result)
    if result.report is not None:
        say(f"copied to {folder / ('report-full.html' if full else 'report.html')}")
    if result.exit_code:
        raise typer.Exit(result.exit_code)


if __name__ == "__main__":
    main()
