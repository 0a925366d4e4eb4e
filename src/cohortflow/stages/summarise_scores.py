"""Scores of all cases as one number a label and metric, with intervals and denominators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import pydantic

from cohortflow.cohort.entry import Many, Output
from cohortflow.errors import EmptyInput
from cohortflow.evaluation.denominator import Statistic
from cohortflow.evaluation.segmentation.score_tables import (
    long_table,
    of_equal_labels,
    once,
    read_table,
    write_table,
)
from cohortflow.evaluation.segmentation.summary import summarise_segmentations
from cohortflow.evaluation.statistics.case_intervals import CaseIntervals
from cohortflow.pipeline.stage import Context, Cost, Facts, Parameters, Reads, Stage
from cohortflow.stages._classes import label_of
from cohortflow.stages._images import LIBRARIES_BYTES

_ROWS = 600


class SummariseScores(Parameters):
    statistic: Statistic = pydantic.Field("mean", description="of the values of cases")
    undefined: Literal["refuse", "keep"] = pydantic.Field(
        "refuse", description="a label that is in no case: refused, or kept without a value"
    )
    stratify: str | None = pydantic.Field(
        None, description="participants column within whose groups cases are drawn for intervals"
    )
    group: str | None = pydantic.Field(
        None, description="column whose cases are drawn together: patient, where they come again"
    )
    level: float = pydantic.Field(0.95, gt=0.0, lt=1.0, description="of the intervals")
    resamples: int = pydantic.Field(2000, ge=100, description="of the BCa bootstrap")
    seed: int = pydantic.Field(0, description="of the bootstrap")


def summarise_scores(parameters: SummariseScores, context: Context, scores: Many) -> Output:
    """A case without scores counts as the worst in each metric, whatever the policy.

    Raises :class:`EmptyInput` without a single scored case, :class:`UndefinedResult` for a label
    that is in no case, :class:`InvalidEntry` for entries that are no scores of segmentations.
    """
    tables, away = _tables(scores)
    subjects = [*tables, *away]
    groups = _column(context, subjects, parameters.group)
    table = summarise_segmentations(
        tables,
        subjects,
        parameters.statistic,
        parameters.undefined,
        CaseIntervals(
            context.seed,
            parameters.level,
            parameters.resamples,
            _column(context, subjects, parameters.stratify),
            groups,
        ),
    )
    files = {
        "summary.parquet": write_table(table),
        "cases.parquet": write_table(long_table(tables, away, groups)),
    }
    context.recorder.progress(len(subjects), len(subjects))
    return Output(files=files, facts=_facts(tables, away), warnings=_warnings(away))


def _tables(scores: Many) -> tuple[dict[str, Any], list[str]]:
    """Case → its table, and the cases that should have one."""
    found: dict[str, list[Any]] = {}
    for item in scores:
        table = read_table(item.entry.read_file("metrics.parquet"), item.subject)
        found.setdefault(item.subject, []).append(table)
    away = sorted({str(point["subject"]) for point in scores.missing})
    if not found:
        raise EmptyInput(
            "no case has scores",
            expected="one at least",
            found=f"{len(away)} that failed" if away else "none",
        )
    tables = {subject: once(own) for subject, own in sorted(found.items()) if subject not in away}
    if not tables:
        raise EmptyInput("every case failed at one of its points", found=f"{len(away)} cases")
    return of_equal_labels(tables), away


def _column(context: Context, subjects: Sequence[str], column: str | None) -> Any:
    if column is None:
        return None
    return {subject: label_of(context, subject, column) for subject in subjects}


def _facts(tables: Any, away: Sequence[str]) -> dict[str, Any]:
    failed = [case for case, table in tables.items() if (table["state"] == "failed").any()]
    return {"cases": len(tables) + len(away), "failed": sorted([*failed, *away])}


def _warnings(away: Sequence[str]) -> list[dict[str, str]]:
    if not away:
        return []
    message = f"counted as the worst, distances as infinite: {', '.join(away)}"
    return [{"code": "missing-input", "message": message}]


def _columns(parameters: SummariseScores) -> list[str]:
    return [name for name in (parameters.stratify, parameters.group) if name is not None]


def cost(parameters: SummariseScores, facts: Sequence[Facts]) -> Cost:
    """The long table of all cases, and the resamples of each of its rows."""
    cases = len(facts)
    return Cost(
        memory_bytes=LIBRARIES_BYTES + 2**26 + 1024 * _ROWS * cases,
        disk_bytes=2**17 + 24 * _ROWS * cases,
        seconds=1.0 + _ROWS * (0.002 + 1.5e-8 * parameters.resamples * cases),
    )


STAGE = Stage(
    name="summarise_scores",
    version=2,
    about="Scores of all cases as one number a label and metric, with BCa intervals",
    parameters=SummariseScores,
    reads={"scores": Reads(("scores",), many=True)},
    writes="scores",
    scope="cohort",
    function=summarise_scores,
    columns=_columns,
    cost=cost,
    tolerance=1e-9,
    source="Efron, JASA 82, 171–185, 1987 (intervals)",
)
