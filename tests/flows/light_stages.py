"""Stages that take no time: nights are about what runs and why, not about arithmetic."""

from __future__ import annotations

import numpy as np

from cohortflow.cohort.entry import Entry, Many, Output
from cohortflow.evaluation.cases import Case, Cases, write_cases
from cohortflow.evaluation.measurement import write_measurements
from cohortflow.pipeline.stage import Context, Parameters, Reads, Stage

FILE = "table.parquet"


class Nothing(Parameters):
    pass


class Seeded(Parameters):
    seed: int = 0


def average(parameters: Nothing, context: Context, series: Entry) -> Output:
    weighted = series.dataset["series"].values * np.arange(1, series.dataset.sizes["time"] + 1)
    return Output(files={FILE: repr(weighted.mean(axis=1).tolist()).encode()})


def square(parameters: Nothing, context: Context, averages: Entry) -> Output:
    return Output(files={FILE: b"squared " + averages.read_file(FILE)})


def tally(parameters: Nothing, context: Context, tables: Many) -> Output:
    groups = {subject: columns["group"] for subject, columns in context.columns.items()}
    return Output(files={FILE: repr(groups).encode() + _all(tables)})


def learn(parameters: Seeded, context: Context, tables: Many) -> Output:
    return Output(files={"weights.safetensors": _all(tables), "card.json": b"{}"})


def judge(parameters: Nothing, context: Context, tables: Many, weights: Entry) -> Output:
    weights.read_file("weights.safetensors")
    subjects = [str(item.point["subject"]) for item in tables]
    cases = [
        Case(subject, str(context.columns[subject]["group"]), "HC", 0.5, "scored")
        for subject in subjects
    ]
    files = {
        "cases.parquet": write_cases(Cases(tuple(cases), ("HC", "MCI"), "MCI")),
        "metrics.parquet": write_measurements([]),
    }
    return Output(files=files)


def _all(tables: Many) -> bytes:
    return b"".join(item.entry.read_file(FILE) for item in tables)


TABLES = Reads(("table",), many=True)
CATALOGUE = {
    stage.name: stage
    for stage in (
        Stage(
            name="average", version=1, about="weighted mean of each region", parameters=Nothing,
            reads={"series": Reads(("roi_series",))}, writes="table", scope="subject",
            function=average,
        ),
        Stage(
            name="square", version=2, about="marked", parameters=Nothing, function=square,
            reads={"averages": Reads(("table",))}, writes="table", scope="subject",
        ),
        Stage(
            name="tally", version=1, about="everybody", parameters=Nothing, function=tally,
            reads={"tables": TABLES}, writes="table", scope="cohort",
            columns=lambda parameters: ["group"],
        ),
        Stage(
            name="learn", version=1, about="trains", parameters=Seeded, function=learn,
            reads={"tables": TABLES}, writes="weights", scope="cohort", trains=True, threads=1,
            columns=lambda parameters: ["group"],
        ),
        Stage(
            name="judge", version=1, about="scores", parameters=Nothing, function=judge,
            reads={"tables": TABLES, "weights": Reads(("weights",))}, writes="scores",
            scope="cohort", scores=True, columns=lambda parameters: ["group"],
        ),
    )
}  # fmt: skip
