"""One recording through a pipeline, without keeping a cohort: one file in, one file out."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from cohortflow.cohort.cohort import Cohort, create_cohort
from cohortflow.errors import (
    Cancelled,
    ExportTargetTaken,
    NoSuchSource,
    UnknownName,
    UsageError,
    named_by_code,
    nearest,
)
from cohortflow.exports.export import export
from cohortflow.exports.image import GridChoice
from cohortflow.exports.selection import Asked
from cohortflow.exports.writer import ExportOptions
from cohortflow.pipeline.load import load_pipeline
from cohortflow.pipeline.model import Pipeline
from flows.ingest import IngestRequest, ingest_source
from flows.process import process_cohort
from flows.weights import weights_file
from tasks.progress import Progress
from tasks.request import RunRequest
from tasks.scratch import scratch_folder

_FORMATS = {
    ".nii.gz": ("nifti", ("volume", "label_map")),
    ".ome.zarr": ("ome-zarr", ("volume", "label_map", "image_2d")),
    ".csv": ("table", ("table", "scores", "features")),
    ".parquet": ("table", ("table", "scores", "features")),
}


@dataclass(frozen=True)
class ApplyRequest:
    """``source``: one recording, a file or a folder. ``step``: whose result; None: the last one.

    ``weights``: a file, or a cohort that has them.
    """

    pipeline: str
    source: Path
    out: Path
    step: str | None = None
    weights: str | None = None
    settings: tuple[str, ...] = ()
    grid: str = "source"
    overwrite: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


def apply_pipeline(
    request: ApplyRequest, stop: threading.Event | None = None, progress: Progress | None = None
) -> str:
    """Write the result to ``request.out``; returns the step it is of.

    Everything between is made in a scratch folder that is removed at the end. Raises the error that
    refused the recording or failed a step, and before anything is read :class:`ExportTargetTaken`,
    :class:`NoSuchSource`, :class:`UsageError` (a format that is not written, no step that makes
    it).
    """
    suffix, format_name, kinds = _format(request.out)
    pipeline = load_pipeline(request.pipeline, request.settings)
    step = _step(pipeline, request.step, kinds, suffix)
    name = _declared_weights(pipeline) if request.weights is not None else ""
    if request.out.exists() and not request.overwrite:
        raise ExportTargetTaken(
            "the output is there already",
            where=str(request.out),
            hint="Name another, or --overwrite.",
        )
    if not request.source.exists():
        raise NoSuchSource("no such file or folder", where=str(request.source))
    with scratch_folder() as folder:
        cohort = create_cohort(Path(folder) / "cohort")
        try:
            weights = request.weights
            files = {} if weights is None else {name: weights_file(weights, name, Path(folder))}
            _ingest(request, cohort, files)
            run = RunRequest(
                request.pipeline, cohort.url, settings=request.settings, cluster="none"
            )
            if process_cohort(run, stop=stop, progress=progress).cancelled:
                raise Cancelled("stopped; nothing was written")
            _refuse_failed(cohort, pipeline, step)
            exported = Path(folder) / "export"
            options = ExportOptions(grid=cast(GridChoice, request.grid), allow_index_space=True)
            report = export(cohort, exported, format_name, Asked(pipeline.slug, (step,)), options)
            for error in report.errors:
                raise named_by_code(error["code"])(error["message"], hint=error["hint"])
            _put(_the_one(sorted(exported.glob(f"*{suffix}")), step), request.out)
        finally:
            cohort.source_map.discard()
    return step


def _format(out: Path) -> tuple[str, str, tuple[str, ...]]:
    for suffix, (format_name, kinds) in _FORMATS.items():
        if out.name.lower().endswith(suffix):
            return suffix, format_name, kinds
    raise UsageError(
        "the name of the output does not say a format that is written",
        expected=", ".join(_FORMATS),
        found=out.name,
    )


def _step(pipeline: Pipeline, asked: str | None, kinds: tuple[str, ...], suffix: str) -> str:
    fitting = [step.id for step in pipeline.steps if step.stage.writes in kinds]
    if asked is not None and asked not in fitting:
        known = [step.id for step in pipeline.steps]
        raise UnknownName(
            f"no step {asked!r} whose result is a {suffix}",
            where=pipeline.slug,
            found=", ".join(known),
            hint=nearest(asked, fitting),
        )
    if not fitting:
        raise UsageError(f"no step of {pipeline.slug} has a result that is a {suffix}")
    if asked is not None:
        return asked
    images = [step.id for step in pipeline.steps if step.stage.writes == "volume"]
    return images[-1] if "volume" in kinds and images else fitting[-1]


def _declared_weights(pipeline: Pipeline) -> str:
    declared = [name for name, file in pipeline.files.items() if file.kind == "weights"]
    if len(declared) != 1:
        raise UsageError(
            "weights are for a pipeline that declares one file of weights",
            where=pipeline.slug,
            found=", ".join(declared) or "none",
        )
    return declared[0]


def _ingest(request: ApplyRequest, cohort: Cohort, files: Mapping[str, Path]) -> None:
    # The cohort is gone at the end, and its one id with it: whatever the name, it tells nobody.
    options = {"subject_from": "name", **request.options, "files": dict(files)}
    report = ingest_source(IngestRequest(str(request.source), cohort.url, options))
    found = len(report.new) + len(report.refused)
    if found != 1:
        raise UsageError(
            "one recording at a time",
            where=request.source.name,
            found=f"{found} recordings",
            hint="Ingest them into a cohort and run the pipeline on it.",
        )
    for error in report.refused.values():
        raise named_by_code(error["code"])(error["message"], hint=error["hint"])


def _refuse_failed(cohort: Cohort, pipeline: Pipeline, step: str) -> None:
    rows = cohort.run(pipeline.slug).rows
    for row in rows:
        if row.state in ("failed", "quarantined") and row.error is not None:
            raise named_by_code(row.error["code"])(row.error["message"], hint=row.error["hint"])
    if not any(row.step == step and row.state == "done" for row in rows):
        raise UsageError(
            f"step {step} has no result for this recording",
            hint="It reads an input that the recording does not bring.",
        )


def _the_one(made: list[Path], step: str) -> Path:
    if len(made) != 1:
        raise UsageError(
            f"step {step} has several results, and one file holds one",
            expected="one",
            found=", ".join(path.name for path in made) or "none",
            hint="Choose a point with --set axes.NAME=[VALUE], or ingest and export.",
        )
    return made[0]


def _put(made: Path, out: Path) -> None:
    """Whole or not at all: copied beside the output under another name, then renamed."""
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        copy = beside / out.name
        if made.is_dir():
            shutil.copytree(made, copy)
        else:
            shutil.copyfile(made, copy)
        if out.is_dir() and not out.is_symlink():
            shutil.rmtree(out)
        os.replace(copy, out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
