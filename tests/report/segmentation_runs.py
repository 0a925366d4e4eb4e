"""Runs of segmentations that were never stored: made scores, summarised as the stage does."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from cohortflow.cohort.entry import Output
from cohortflow.evaluation.segmentation.score_tables import long_table, write_table
from cohortflow.evaluation.segmentation.summary import summarise_segmentations
from cohortflow.evaluation.statistics.case_intervals import CaseIntervals
from tests.report.fake import FakeSource

LABELS = {1: "liver", 2: "spleen", 3: "aorta"}
METRICS = ("dice", "hd95/pooled")


def scores(
    rng: np.random.Generator, skill: float, labels: dict[int, str], states: dict[int, str]
) -> pd.DataFrame:
    """The table of one case, in the columns of ``score_segmentation``."""
    rows = []
    for label, name in labels.items():
        state = states.get(label, "measured")
        volume = float(np.exp(rng.normal(3.0 + label % 3, 0.5)))
        reference = 0.0 if state in ("invented", "absent") else volume
        prediction = {"missed": 0.0, "absent": 0.0, "failed": math.nan}.get(
            state, volume * rng.normal(1.0, 0.05)
        )
        dice = float(np.clip(skill - rng.gamma(2.0, 0.02), 0, 1))
        told = {"dice": (dice, "1", 0.0), "hd95/pooled": (rng.gamma(2.0, 3.0), "mm", 400.0)}
        for metric, (value, unit, worst) in told.items():
            counts = {"measured": value, "absent": math.nan}.get(state, worst)
            rows.append(
                (label, name, metric, counts, unit, int(counts == counts), "", state, worst)
            )
        for metric, value in (("volume/reference", reference), ("volume/prediction", prediction)):
            rows.append((label, name, metric, value, "ml", 1, "", state, math.nan))
    names = ["label", "name", "metric", "value", "unit", "n", "reason", "state", "worst"]
    return pd.DataFrame(rows, columns=names).assign(policy="strict")


def tables(n: int, skill: float = 0.95, seed: int = 0, **states: Any) -> dict[str, pd.DataFrame]:
    """``states``: of a subject's labels, ``sub_2={1: "missed"}``."""
    rng = np.random.default_rng(seed)
    labels = states.pop("labels", LABELS)
    return {
        f"sub-{i}": scores(rng, skill, labels, states.get(f"sub_{i}", {})) for i in range(1, n + 1)
    }


def summarised(found: dict[str, pd.DataFrame], away: tuple[str, ...] = (), **more: Any) -> Output:
    groups = more.pop("groups", None)
    more = {"intervals": CaseIntervals(seed=0, resamples=200)} | more
    table = summarise_segmentations(found, [*found, *away], undefined="keep", **more)
    files = {
        "summary.parquet": write_table(table),
        "cases.parquet": write_table(long_table(found, list(away), groups)),
    }
    return Output(files=files)


def run_of(*outputs: tuple[str, Output]) -> FakeSource:
    """A run with one summary a variant."""
    step = {
        "id": "summarise_scores", "stage": "summarise_scores", "version": 1, "about": "a summary",
        "source": "nobody, 2026", "parameters": {}, "over": ["model"],
    }  # fmt: skip
    pipeline = {
        "slug": "compare-segmentations",
        "title": "Segmentations",
        "text": "",
        "report": ["segmentation", "methods"],
        "steps": [step],
        "axes": {"model": [name for name, _ in outputs]},
    }
    people = pd.DataFrame(index=pd.Index([], name="id"))
    environment = {"versions": {}, "seed": 0, "index": 1, "created": "2026-01-02T03:04:05Z"}
    source = FakeSource(pipeline, people, [], environment)
    for name, output in outputs:
        point = {"model": name} if len(outputs) > 1 else {}
        source.add("summarise_scores", "scores", output, point=point)
    return source


def usual(n: int = 14) -> FakeSource:
    """Two models; a missed label, an invented one, one in neither map, a case that is away."""
    states = {"sub_2": {1: "missed"}, "sub_3": {2: "invented"}, "sub_5": {2: "absent"}}
    fast = summarised(tables(n, 0.90, 1, **states), ("sub-99",))
    full = summarised(tables(n, 0.97, 2, sub_3={2: "absent"}, sub_5={2: "absent"}), ("sub-99",))
    return run_of(("fast", fast), ("full", full))
