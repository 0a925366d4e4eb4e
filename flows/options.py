"""Arguments and options that several commands take."""

from __future__ import annotations

from typing import Annotated

import typer

from cohortflow.errors import UsageError

CohortArgument = Annotated[str, typer.Argument(help="Folder or s3:// URL of the cohort.")]
PipelineArgument = Annotated[str, typer.Argument(help="Slug of a pipeline, or a YAML file.")]
SetOption = Annotated[
    list[str], typer.Option("--set", help="step.parameter=value or axes.network=[DMN]; repeatable.")
]
AtOption = Annotated[list[str], typer.Option("--at", help="Only these points: fold=0; repeatable.")]
SubjectsOption = Annotated[str | None, typer.Option(help="Only these subjects, comma separated.")]
RefreshOption = Annotated[list[str], typer.Option(help="Renew this step's training selection.")]
NoTrainOption = Annotated[bool, typer.Option("--no-train")]
WaitOption = Annotated[bool, typer.Option(help="Wait for another run of this pipeline.")]
ClusterOption = Annotated[str, typer.Option(help="local, tcp://scheduler or none")]
MemoryOption = Annotated[str | None, typer.Option(help="Per worker, such as 4GiB.")]
PrefectOption = Annotated[bool, typer.Option(help="Record the run in Prefect.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


def points(at: list[str]) -> dict[str, tuple[str, ...]]:
    """``--at``: labels by axis."""
    found: dict[str, tuple[str, ...]] = {}
    for item in at:
        axis, equals, labels = item.partition("=")
        if not equals:
            raise UsageError(f"--at {item} has no '='", expected="axis=label")
        found[axis] = (*found.get(axis, ()), *labels.split(","))
    return found


def listed(text: str | None) -> tuple[str, ...] | None:
    """``--subjects``: ids; None where nothing is said."""
    return None if text is None else tuple(item.strip() for item in text.split(",") if item.strip())


def given(**options: object) -> dict[str, object]:
    """Options that were given; of the others the defaults stand."""
    return {name: value for name, value in options.items() if value is not None}


def spacing(text: str | None) -> tuple[float, ...] | None:
    """``3,0.8,0.8``: three numbers, along z, y, x."""
    if text is None:
        return None
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError:
        raise UsageError(
            "a spacing is three numbers", expected="--spacing-mm 3,0.8,0.8 (z, y, x)", found=text
        ) from None
