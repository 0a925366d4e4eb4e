"""The command that serves a cohort: unattended every night, on demand from a form."""

from __future__ import annotations

from typing import Annotated

import typer

from cohortflow.errors import Cancelled
from flows.console import say
from flows.options import ClusterOption, CohortArgument, MemoryOption, PipelineArgument, SetOption

app = typer.Typer()


@app.command()
def serve(
    pipeline: PipelineArgument,
    cohort: CohortArgument,
    set_: SetOption = [],  # noqa: B006 - typer reads the default, nothing changes it
    cron: Annotated[str | None, typer.Option(help='Every night at two: "0 2 * * *"')] = None,
    timezone: Annotated[str | None, typer.Option(help="Of --cron, such as Europe/Berlin.")] = None,
    retry_failed: bool = False,
    label: Annotated[
        str | None, typer.Option(help="Name of this cohort in Prefect; it is shown to all.")
    ] = None,
    cluster: ClusterOption = "local",
    workers: int | None = None,
    threads: int | None = None,
    memory: MemoryOption = None,
    silence: Annotated[
        float, typer.Option(help="Seconds without a sign of life until a run counts as crashed.")
    ] = 90.0,
    prefect_port: int = 4200,
    mlflow_port: int = 5000,
    report_port: int = 4280,
) -> None:
    """Serve a pipeline and a cohort: a form in Prefect's UI, a run every night, the reports."""
    from flows.running import stopped_by_signals
    from flows.serve import serve
    from flows.serve_request import ServeRequest
    from tasks.request import RunRequest

    run = RunRequest(
        pipeline,
        cohort,
        tuple(set_),
        retry_failed=retry_failed,
        cluster=cluster,
        workers=workers,
        threads=threads,
        memory=memory,
    )
    request = ServeRequest(
        run, cron, timezone, label, silence, prefect_port, mlflow_port, report_port
    )
    with stopped_by_signals() as stop:
        try:
            serve(request, stop=stop, say=say)
        except Cancelled:
            say("stopped before anything was served")
