"""Arguments and options that several commands take."""

from __future__ import annotations

from typing import Annotated

import typer

CohortArgument = Annotated[str, typer.Argument(help="Folder or s3:// URL of the cohort.")]
PipelineArgument = Annotated[str, typer.Argument(help="Slug of a pipeline, or a YAML file.")]
SetOption = Annotated[
    list[str], typer.Option("--set", help="step.parameter=value or axes.network=[DMN]; repeatable.")
]
AtOption = Annotated[list[str], typer.Option("--at", help="Only these points: fold=0; repeatable.")]
SubjectsOption = Annotated[str | None, typer.Option(help="Only these subjects, comma separated.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
