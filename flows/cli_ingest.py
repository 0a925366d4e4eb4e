"""``cohortflow ingest``: recordings into a cohort."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cohortflow.errors import UsageError
from flows.console import dump, tell_ingest
from flows.options import CohortArgument, JsonOption, given, spacing

app = typer.Typer()


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
                **given(
                    spacing_mm=spacing(spacing_mm),
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
