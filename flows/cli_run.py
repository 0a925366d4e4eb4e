"""Commands that plan and compute."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.console import dump, end_run, say, table, tell_run
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
    given,
    listed,
    points,
    spacing,
)
from flows.running import run_request

app = typer.Typer()


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

    options = given(
        atlas=atlas, spacing_mm=spacing(spacing_mm), time=time, accept=tuple(accept) or None
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
