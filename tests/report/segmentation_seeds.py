"""Made summaries of one structure at several seeds and folds, of cases whose scores are known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from cohortflow.cohort.entry import Output
from cohortflow.evaluation.segmentation.score_tables import long_table, write_table
from cohortflow.evaluation.segmentation.summary import summarise_segmentations
from cohortflow.evaluation.statistics.case_intervals import CaseIntervals
from tests.report.fake import FakeSource

DIAGONAL = 400.0
Dice = Mapping[Any, Mapping[Any, Sequence[Any]]]
"""Seed → fold → Dice of its cases, or of each of their labels; NaN: in neither map."""
BY_FOLD: Dice = {0: {0: [0.8, 0.8, 0.8], 1: [0.4]}, 1: {0: [0.9, 0.9, 0.9], 1: [0.5]}}


def case_table(dice: Any, labels: Mapping[int, str]) -> pd.DataFrame:
    """The table of one case; every distance that is measured is 4 mm."""
    values = [dice] * len(labels) if isinstance(dice, float) else list(dice)
    rows = []
    for (label, name), value in zip(labels.items(), values, strict=True):
        state = "absent" if math.isnan(value) else "measured"
        told = {"dice": (value, "1", 0.0), "hd95/pooled": (4.0, "mm", DIAGONAL)}
        for metric, (found, unit, worst) in told.items():
            counts = math.nan if state == "absent" else found
            rows.append((label, name, metric, counts, unit, 1, "", state, worst, "strict"))
    names = ["label", "name", "metric", "value", "unit", "n", "reason", "state", "worst", "policy"]
    return pd.DataFrame(rows, columns=names)


def summary_of(tables: Mapping[str, pd.DataFrame], away: Sequence[str] = ()) -> Output:
    made = summarise_segmentations(
        tables, [*tables, *away], undefined="keep", intervals=CaseIntervals(0, resamples=200)
    )
    files = {"summary.parquet": made, "cases.parquet": long_table(tables, away)}
    return Output(files={name: write_table(table) for name, table in files.items()})


def seeded(
    dice: Dice,
    labels: Mapping[int, str] | None = None,
    *,
    system: str = "compare-segmentations",
    failed: Sequence[tuple[Any, Any]] = (),
    pending: Sequence[tuple[Any, Any]] = (),
    away: Mapping[Any, Sequence[str]] | None = None,
) -> FakeSource:
    """A run whose summaries stand at seeds and folds (fold None: there are none).

    ``away``: cases without scores, by seed; they are none of ``dice``.
    """
    step = {
        "id": "summarise_scores", "stage": "summarise_scores", "version": 1, "about": "",
        "source": "", "parameters": {"resamples": 200}, "over": ["seed", "fold"],
    }  # fmt: skip
    folds = list(dict.fromkeys(fold for own in dice.values() for fold in own))
    axes = {"seed": list(dice)} | ({"fold": folds} if folds != [None] else {})
    pipeline = {
        "slug": system,
        "title": "",
        "text": "",
        "report": [],
        "steps": [step],
        "axes": axes,
    }
    source = FakeSource(pipeline, pd.DataFrame(index=pd.Index([], name="id")), [], {"seed": 0})
    for seed, own in dice.items():
        for fold, values in own.items():
            point = {"seed": seed} | ({} if fold is None else {"fold": fold})
            tables = {
                f"sub-{fold}-{case}": case_table(one, labels or {1: "liver"})
                for case, one in enumerate(values)
            }
            output = summary_of(tables, (away or {}).get(seed, ()))
            gone = (seed, fold) in failed or (seed, fold) in pending
            state = {"state": "pending"} if (seed, fold) in pending else {}
            source.add("summarise_scores", "scores", None if gone else output, point=point, **state)
    return source


def dice_of(dice: Dice, seed: Any) -> list[float]:
    return [float(value) for own in dice[seed].values() for value in own]
