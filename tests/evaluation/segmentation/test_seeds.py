"""One question at several seeds: joined folds are one cohort, a lost seed is one that failed."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cohortflow.evaluation import evaluate_segmentation, summarise_segmentations
from cohortflow.evaluation.segmentation.score_tables import long_table, write_table
from cohortflow.evaluation.segmentation.seeds import Part, SeedSummary, over_seeds
from cohortflow.evaluation.statistics import bca_interval
from cohortflow.evaluation.statistics.case_intervals import CaseIntervals

LABELS = {1: "liver", 2: "spleen"}
MADE = CaseIntervals(seed=5, resamples=300)


def case(number: int, predicted: bool = True) -> pd.DataFrame:
    """The second case misses the spleen; each has an image of its own size."""
    reference = np.zeros((3, 8, 9 + number), np.uint8)
    reference[1, 1:4, 1:5] = 1
    reference[1, 5:8, 2:6] = 2
    prediction = np.roll(reference, number % 3, axis=2)
    if number == 1:
        prediction[prediction == 2] = 0
    other: Any = prediction if predicted else None
    metrics = ["dice", "hd"]
    return evaluate_segmentation(
        reference, other, labels=LABELS, metrics=metrics, empty="transunet"
    )


TABLES = {f"sub-{number}": case(number) for number in range(6)}


def part(
    fold: int,
    *names: str,
    away: tuple[str, ...] = (),
    failed: bool = False,
    groups: dict[str, str] | None = None,
) -> Part:
    tables = {name: TABLES[name] for name in names}
    data = write_table(long_table(tables, away, groups))
    summary = summarise_segmentations(tables, [*tables, *away], intervals=MADE)
    return Part(fold, lambda: pd.read_parquet(io.BytesIO(data)), None if failed else summary)


def seed_of(*parts: Part) -> SeedSummary:
    return SeedSummary(0, parts, "mean", MADE)


def test_joined_folds_are_the_summary_of_all_cases() -> None:
    names = list(TABLES)
    joined = seed_of(part(0, *names[:4], away=("sub-9",)), part(1, *names[4:])).summary
    whole = summarise_segmentations(TABLES, [*TABLES, "sub-9"], intervals=MADE)
    pd.testing.assert_frame_equal(joined, whole)
    assert whole.loc[whole["metric"] == "hd", "value"].tolist() == [math.inf, math.inf]


def test_joined_folds_are_of_the_same_statistic_and_groups() -> None:
    """A patient with a recording in each fold is drawn once, in the summary and in a test."""
    names = list(TABLES)
    patients = {name: f"patient-{place % 4}" for place, name in enumerate(names)}
    parts = [part(0, *names[:4], groups=patients), part(1, *names[4:], groups=patients)]
    joined = SeedSummary(0, parts, "median", MADE)
    grouped = replace(MADE, groups=patients)
    whole = summarise_segmentations(TABLES, statistic="median", intervals=grouped)
    pd.testing.assert_frame_equal(joined.summary, whole)
    own = joined.cases
    assert dict(zip(own["subject"], own["group"], strict=True)) == patients
    spleen = whole[(whole["name"] == "spleen") & (whole["metric"] == "dice")].iloc[0]
    worst_or_value = [
        row.value if row.state == "measured" else row.worst
        for one in TABLES.values()
        for row in one[(one["name"] == "spleen") & (one["metric"] == "dice")].itertuples()
    ]
    groups = list(patients.values())
    known = bca_interval(worst_or_value, np.median, seed=5, resamples=300, groups=groups)
    assert [spleen["low"], spleen["high"]] == pytest.approx([known.low, known.high])
    low, high, how = joined.interval_of_mean("dice", [2])
    assert [low, high] == pytest.approx([spleen["low"], spleen["high"]])
    assert how == "BCa 95% of 4 units"


def test_a_label_in_no_case_of_a_seed_is_a_row_without_a_value() -> None:
    nothing = np.zeros((2, 3, 4), np.uint8)
    table = evaluate_segmentation(nothing, nothing, labels={1: "liver"}, metrics=["dice"])
    parts = [
        Part(fold, partial(long_table, {f"sub-{fold}": table}, []), pd.DataFrame())
        for fold in (0, 1)
    ]
    (row,) = seed_of(*parts).summary.to_dict("records")
    assert math.isnan(row["value"])
    assert (row["n"], row["cases"], row["left_out"]) == (0, 2, 2)


def test_a_seed_that_failed_is_a_cohort_without_predictions() -> None:
    lost = seed_of(part(0, *TABLES, failed=True))
    assert lost.failed
    assert not seed_of(part(0, "sub-0", failed=True), part(1, "sub-2")).failed
    assert set(lost.cases["state"]) == {"failed"}
    assert sorted(set(lost.cases["subject"])) == list(TABLES)
    known = {name: case(number, predicted=False) for number, name in enumerate(TABLES)}
    pd.testing.assert_frame_equal(lost.summary, summarise_segmentations(known))


@pytest.mark.parametrize("metric", ["dice", "dice/transunet", "hd", "hd/transunet"])
def test_the_interval_of_a_mean_is_that_of_case_means_by_any_policy(metric: str) -> None:
    names = list(TABLES)
    joined = seed_of(part(0, *names[:4]), part(1, *names[4:]))
    low, high, how = joined.interval_of_mean(metric, [1, 2])
    base, _, policy = metric.partition("/")
    rows = pd.concat([one.assign(case=name) for name, one in TABLES.items()])
    rows = rows[rows["metric"] == base]
    counted = (
        rows["value"] if policy else rows["value"].where(rows["state"] == "measured", rows["worst"])
    )
    means = counted.groupby(rows["case"]).mean().tolist()
    known = bca_interval(means, np.mean, seed=5, resamples=300)
    assert [low, high] == pytest.approx([known.low, known.high])
    assert how == "BCa 95% of 6 units"


def test_why_a_mean_has_no_interval() -> None:
    far = seed_of(part(0, *TABLES, away=("sub-9",)))
    assert far.interval_of_mean("hd", [1, 2])[2] == "none: a case counts as infinitely bad"
    assert far.interval_of_mean("dice/voxels", [1])[2] == "none: it is no mean over cases"


def test_a_seed_without_a_value_leaves_no_mean() -> None:
    pooled = over_seeds([0.8, math.nan], 3)
    assert math.isnan(pooled.mean)
    assert (pooled.n, pooled.n_expected) == (1, 3)
    assert over_seeds([0.8, math.inf], 2).mean == math.inf
    assert over_seeds([0.8, 0.6], 3).mean == pytest.approx(0.7)
