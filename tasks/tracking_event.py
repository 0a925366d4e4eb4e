"""What one run tells MLflow, as plain JSON values: nothing here knows MLflow."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping
from typing import Any

from cohortflow.evaluation.metric_names import mlflow_metric_name
from cohortflow.report.cells import Cell, case_rows, cells
from cohortflow.report.overview import verdict
from cohortflow.report.segmentations import Variant, variants
from cohortflow.report.source import ReportSource, StepTimes, done
from cohortflow.report.timings import MIB, counted, rates

SCHEMA = 1
RUN_TAG = "cohortflow.run_id"
DESCRIPTION_TAG = "mlflow.note.content"
LONGEST_VALUE = 6000


def run_event(
    source: ReportSource, *, experiment: str, run_id: str, report: str = ""
) -> dict[str, Any]:
    """Tags, parameters and aggregate metrics. No paths, no commands, no identifiers of people.

    ``report``: the address of the report, or its place inside the cohort.
    """
    environment = source.environment
    return {
        "schema": SCHEMA,
        "run_id": run_id,
        "experiment": experiment,
        "name": f"{source.pipeline['slug']} {environment.get('index', '')}".strip(),
        "time_ms": _milliseconds(environment.get("created")),
        "tags": {
            RUN_TAG: run_id,
            "cohortflow.pipeline": str(source.pipeline["slug"]),
            "cohortflow.cohort": str(environment.get("cohort", "")),
            "cohortflow.index": str(environment.get("index", "")),
            "cohortflow.version": str(environment.get("versions", {}).get("cohortflow", "")),
            **_where_else(report, environment.get("links", {})),
        },
        "parameters": dict(_parameters(source)),
        "metrics": dict(_metrics(source)),
    }


def _where_else(report: str, links: Mapping[str, str]) -> dict[str, str]:
    """Where the run stands besides: tags, and the same to be clicked in the run's description."""
    tags = {"cohortflow.report": report} if report else {}
    pages = {"Report": report} if "://" in report else {}
    if "Prefect" in links:
        tags["cohortflow.prefect"] = pages["Run in Prefect"] = links["Prefect"]
    if pages:
        tags[DESCRIPTION_TAG] = " · ".join(f"[{name}]({url})" for name, url in pages.items())
    return tags


def case_table(source: ReportSource) -> bytes | None:
    """All cases of all scores as Parquet; None where nothing was scored."""
    import pyarrow as pa

    from cohortflow.evaluation.cases import write_parquet

    rows = case_rows(source)
    if not rows:
        return None
    names = list(dict.fromkeys(name for row in rows for name in row))
    return write_parquet(pa.table({name: [row.get(name) for row in rows] for name in names}))


def segmentation_table(source: ReportSource) -> bytes | None:
    """Scores of all label maps as Parquet: variant, subject, label, metric, value, state, …; None
    where none were summarised."""
    import pandas as pd
    import pyarrow as pa

    from cohortflow.evaluation.cases import write_parquet

    found = variants(source)
    if not found:
        return None
    frames = [one.cases.drop(columns=["lost", "counted"]) for one in found]
    for one, frame in zip(found, frames, strict=True):
        frame.insert(0, "variant", one.name)
    return write_parquet(pa.Table.from_pandas(pd.concat(frames), preserve_index=False))


def _parameters(source: ReportSource) -> Iterable[tuple[str, str]]:
    yield "seed", str(source.environment.get("seed", ""))
    for axis, labels in source.pipeline.get("axes", {}).items():
        yield _name(f"axes.{axis}"), ", ".join(map(str, labels))[:LONGEST_VALUE]
    for step in source.pipeline["steps"]:
        yield _name(f"{step['id']}.version"), str(step.get("version", ""))
        for name, value in step.get("parameters", {}).items():
            yield _name(f"{step['id']}.{name}"), str(value)[:LONGEST_VALUE]


def _metrics(source: ReportSource) -> Iterable[tuple[str, float]]:
    head = verdict(source)
    for state, count in head["units"].items():
        yield _name(f"units_{state}"), float(count)
    for name in ("subjects_complete", "subjects_total", "refused", "warnings"):
        yield name, float(head[name])
    for times in source.timings:
        if times.here and times.wall_s is not None:
            yield from _time_metrics(times)
    found = cells(source)
    several = len({cell.step for cell in found}) > 1
    for cell in found:
        label = _label(cell.point, cell.step if several else "")
        yield from _cell_metrics(cell, label)
    segmented = variants(source)
    for variant in segmented:
        yield from _segmentation_metrics(variant, variant.name if len(segmented) > 1 else "")
    for unit in done(source.units(stage="rank_sum_map")):
        label = _label(unit.point, unit.step)
        for fact in ("tests", "significant", "significant_corrected", "significant_family"):
            if fact in unit.facts:
                yield mlflow_metric_name(f"{fact}_pairs", label), float(unit.facts[fact])


def _time_metrics(times: StepTimes) -> Iterable[tuple[str, float]]:
    """What this run took for a step; what stood before is the metric of the run that did it."""
    yield mlflow_metric_name("wall_s", times.step), float(times.wall_s or 0.0)
    if times.peak_memory_bytes:
        yield mlflow_metric_name("peak_memory_mib", times.step), times.peak_memory_bytes / MIB
    for name, count in counted(times):
        for rate, value in rates(times, count).items():
            yield mlflow_metric_name(f"{name}_{rate}", times.step), value


def _cell_metrics(cell: Cell, label: str) -> Iterable[tuple[str, float]]:
    for metric in ("accuracy", "balanced_accuracy", "auc"):
        found = cell.mean_sd(metric)
        if found is not None and found["mean"] is not None:
            yield mlflow_metric_name(f"{metric}_mean", label), found["mean"]
            yield mlflow_metric_name(f"{metric}_seeds", label), float(found["n"] or 0)
            if found["sd"] is not None:
                yield mlflow_metric_name(f"{metric}_sd", label), found["sd"]
    yield mlflow_metric_name("seeds_asked", label), float(cell.seeds_asked)
    yield mlflow_metric_name("cases_n", label), float(cell.seeds[0].n)
    yield mlflow_metric_name("cases_missing", label), float(cell.seeds[0].missing)


def _segmentation_metrics(variant: Variant, name: str) -> Iterable[tuple[str, float]]:
    """Of each label and metric: its value where it is finite, the cases that count, and those of
    them that are lost and count as the worst; where it is infinite, how many cases are, and the
    median."""
    import pandas as pd

    columns = ("label", "name", "metric", "unit", "value", "n", "missing")
    for row in pd.concat([variant.summary, variant.pooled])[list(columns)].itertuples(index=False):
        label = f"{row.name} {name}".strip()
        unit = "" if row.unit == "1" else f"_{row.unit}"
        if math.isfinite(row.value):
            yield mlflow_metric_name(f"{row.metric}{unit}", label), float(row.value)
        elif spread := variant.infinite(row.label, row.metric):
            yield mlflow_metric_name(f"{row.metric}_infinite", label), float(spread.infinite)
            if math.isfinite(spread.median):
                yield mlflow_metric_name(f"{row.metric}_median{unit}", label), spread.median
        yield mlflow_metric_name(f"{row.metric}_n", label), float(row.n)
        yield mlflow_metric_name(f"{row.metric}_missing", label), float(row.missing)


def _label(point: Mapping[str, Any], step: str) -> str:
    words = [f"H{label}" if axis == "degree" else str(label) for axis, label in point.items()]
    return " ".join([step, *words] if step else words)


def _name(name: str) -> str:
    return mlflow_metric_name(name)


def _milliseconds(created: Any) -> int:
    """Of an ISO time; now where there is none."""
    try:
        time = datetime.datetime.fromisoformat(str(created))
    except ValueError:
        time = datetime.datetime.now(datetime.UTC)
    return int(time.timestamp() * 1000)
