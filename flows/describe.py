"""A stage, a pipeline or the installation in words."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from cohortflow.cohort.source_map import home
from cohortflow.errors import UnknownName, nearest
from cohortflow.pipeline.load import load_pipeline, packaged_pipelines
from cohortflow.pipeline.model import Axis, FileDeclaration
from cohortflow.pipeline.stage import Stage
from cohortflow.report.from_run import PACKAGES, package_version


def describe_name(name: str) -> dict[str, Any]:
    """What a stage reads, takes and writes; or the steps and axes of a pipeline.

    A method of which only the printed tables are here has no lines.
    """
    from cohortflow.evaluation.published import PUBLISHED
    from cohortflow.stages import CATALOGUE

    if name in CATALOGUE:
        return _describe_stage(CATALOGUE[name])
    if name in packaged_pipelines() or name.endswith((".yaml", ".yml")):
        return _describe_pipeline(name)
    if name in PUBLISHED:
        return {"lines": []}
    known = {*CATALOGUE, *packaged_pipelines(), *PUBLISHED}
    raise UnknownName(f"no stage, pipeline or published method {name!r}", hint=nearest(name, known))


def describe_installation() -> dict[str, Any]:
    """Versions of what computes, and where things are kept outside of cohorts."""
    from tasks.tracking import shown

    versions = {name: package_version(name) or "not installed" for name in PACKAGES}
    tracking = os.environ.get("COHORTFLOW_TRACKING") or f"sqlite:///{home() / 'mlflow.db'}"
    prefect_home = os.environ.get("PREFECT_HOME") or Path.home() / ".prefect"
    kept = {
        "source maps (private)": str(home() / "source-maps"),
        "MLflow runs": shown(tracking),
        "Prefect runs": shown(os.environ.get("PREFECT_API_URL") or str(prefect_home)),
    }
    return {"python": sys.version.split()[0], "versions": versions, "kept": kept}


def _describe_stage(stage: Stage) -> dict[str, Any]:
    lines = [f"stage {stage.name}, version {stage.version}: {stage.about}", f"over {stage.scope}s"]
    for name, reads in stage.reads.items():
        many = "many" if reads.many else "one"
        lines.append(f"reads {name}: {many} {' or '.join(reads.kinds)}")
    lines.append(f"writes {stage.writes}")
    schema = stage.parameters.model_json_schema()
    for name, field in schema.get("properties", {}).items():
        kind = field.get("type") or field.get("enum") or field.get("anyOf") or ""
        default = f" = {field['default']}" if "default" in field else " (required)"
        about = f": {field['description']}" if "description" in field else ""
        lines.append(f"parameter {name} [{kind}]{default}{about}")
    if stage.source:
        lines.append(f"source: {stage.source}")
    return {"stage": stage.name, "version": stage.version, "parameters": schema, "lines": lines}


def _describe_pipeline(name: str) -> dict[str, Any]:
    pipeline = load_pipeline(name)
    lines = [f"pipeline {pipeline.slug}: {pipeline.title}"]
    lines += [f"input {i.name}: {i.kind}" for i in pipeline.inputs.values()]
    lines += [_file_line(file) for file in pipeline.files.values()]
    for axis in pipeline.axes.values():
        lines.append(f"axis {axis.name}: {_values(axis)}")
    for step in pipeline.steps:
        over = f" over {', '.join(step.over)}" if step.over else ""
        lines.append(f"step {step.id} ({step.stage.name}){over} → {step.stage.writes}")
    return {"pipeline": pipeline.slug, "steps": [s.id for s in pipeline.steps], "lines": lines}


def _values(axis: Axis) -> str:
    if axis.values:
        return ", ".join(str(value.label) for value in axis.values)
    if axis.split:
        return f"folds of {axis.split}"
    if axis.block_size:
        return f"blocks of {axis.block_size} subjects"
    return f"pairs of {axis.pairs}" if axis.pairs else f"length of {axis.from_input}"


def _file_line(file: FileDeclaration) -> str:
    parts = [f"file {file.name}: {file.kind}, of no subject"]
    if file.optional:
        parts.append("optional")
    if file.kind == "weights":
        parts.append("what it was trained on is not known")
    return f"{', '.join(parts)}; cohortflow ingest - COHORT --file {file.name}=PATH"
