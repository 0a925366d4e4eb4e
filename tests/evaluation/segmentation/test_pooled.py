"""Voxels of a cohort in one count: as of one huge pair, with no gain by a lost case."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cohortflow.errors import CohortflowError, UndefinedResult
from cohortflow.evaluation import count_segmentation, evaluate_segmentation, summarise_segmentations
from cohortflow.evaluation.definitions import definition
from cohortflow.evaluation.segmentation.metrics import COUNTS, POOLED, SUMMED
from cohortflow.evaluation.segmentation.score_tables import (
    as_failed,
    long_table,
    of_equal_labels,
    short_tables,
)
from cohortflow.evaluation.statistics import bca_interval
from cohortflow.evaluation.statistics.case_intervals import CaseIntervals

LABELS = {1: "liver", 2: "spleen"}
METRICS = ["dice", *COUNTS]


def pair(seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    reference = rng.integers(0, 3, (3, 5, 4 + seed)).astype(np.uint8)
    wrong = rng.random(reference.shape) < 0.1 * seed
    return reference, np.where(wrong, rng.integers(0, 3, reference.shape), reference)


def table(reference: Any, prediction: Any, **more: Any) -> pd.DataFrame:
    more = {"labels": LABELS, "metrics": METRICS} | more
    return evaluate_segmentation(reference, prediction, **more)


def rows_of(tables: Any, *expected: str, **more: Any) -> Any:
    found = summarise_segmentations(tables, [*tables, *expected], undefined="keep", **more)
    return found[found["per"] == "voxel"].set_index(["name", "metric"])


def ratio(above: Any, below: Any, axis: int) -> Any:
    return above.sum(axis=axis) / below.sum(axis=axis)


PAIRS = {f"sub-{seed}": pair(seed) for seed in (1, 2, 3, 4)}
TABLES = {case: table(*masks) for case, masks in PAIRS.items()}


def test_pooled_is_one_huge_pair() -> None:
    rows = rows_of(TABLES)
    a, b = (np.concatenate([m[side].ravel() for m in PAIRS.values()])[None] for side in (0, 1))
    whole = evaluate_segmentation(a, b, labels=LABELS, metrics=[*SUMMED])
    for row in whole.itertuples():
        found = rows.loc[(row.name, f"{row.metric}/voxels")]
        assert found["value"] == row.value
        assert (found["n"], found["cases"], found["missing"]) == (4, 4, 0)
    assert not rows.index.get_level_values("metric").str.endswith("as-counted").any()


def test_pooled_slices_are_those_of_volumes() -> None:
    """A slice that misses what it holds is no missed case, and one that holds nothing counts."""
    slices = {case: table(*masks, per="slice") for case, masks in PAIRS.items()}
    columns = ["value", "n", "cases", "missing", "reason"]
    pd.testing.assert_frame_equal(rows_of(slices)[columns], rows_of(TABLES)[columns])


def test_the_interval_draws_cases_of_the_ratio_of_sums() -> None:
    rows = rows_of(TABLES, intervals=CaseIntervals(seed=3, resamples=300))
    parts = [
        count_segmentation(*masks, labels=LABELS).by_label[1].as_worst for masks in PAIRS.values()
    ]
    both, sizes = [2 * one.tp for one in parts], [2 * one.tp + one.fp + one.fn for one in parts]

    known = bca_interval([both, sizes], ratio, seed=3, resamples=300)
    row = rows.loc[("liver", "dice/voxels")]
    assert [row["low"], row["high"]] == pytest.approx([known.low, known.high])
    assert row["low"] < row["value"] < row["high"]
    assert row["interval"] == "BCa 95% of 4 units"


def test_a_missed_case_has_every_voxel_wrong_and_the_usual_number_stands_beside() -> None:
    reference, _ = PAIRS["sub-4"]
    lost = TABLES | {"sub-4": table(reference, np.where(reference == 1, 0, reference))}
    row = rows_of(lost, intervals=CaseIntervals(seed=3, resamples=300)).loc["liver"]
    counts = [count_segmentation(*PAIRS[f"sub-{k}"], labels=LABELS) for k in (1, 2, 3)]
    known = sum((one.by_label[1].as_worst.tp for one in counts), 0.0)
    sizes = sum(
        one.by_label[1].as_worst.reference + one.by_label[1].as_worst.prediction for one in counts
    )
    last = count_segmentation(reference, np.where(reference == 1, 0, reference), labels=LABELS)
    parts = [one.by_label[1].as_counted for one in (*counts, last)]
    both, sum_of = [2 * one.tp for one in parts], [2 * one.tp + one.fp + one.fn for one in parts]
    known_ends = bca_interval([both, sum_of], ratio, seed=3, resamples=300)
    ours, usual = row.loc["dice/voxels"], row.loc["dice/voxels-as-counted"]
    assert usual[["low", "high"]].tolist() == pytest.approx([known_ends.low, known_ends.high])
    assert ours["value"] == 2 * known / (sizes + reference.size)
    assert usual["value"] == 2 * known / (sizes + (reference == 1).sum())
    assert (ours["missing"], usual["published"], ours["published"]) == (1, True, False)
    assert "may improve" in usual["reason"]
    assert rows_of(lost).loc[("spleen", "dice/voxels"), "missing"] == 0


@pytest.mark.parametrize("name", ["sub-1", "sub-4"])
@pytest.mark.parametrize(
    ("way", "per"),
    [("missed", "volume"), ("failed", "slice"), ("failed", "volume"), ("away", "volume")],
)
def test_a_lost_case_never_improves(name: str, way: str, per: str) -> None:
    """The best of them, and the worst; test_policies tries any masks."""
    tables = TABLES if per == "volume" else {c: table(*m, per=per) for c, m in PAIRS.items()}
    reference = PAIRS[name][0]
    after = dict(tables)
    del after[name]
    if way != "away":
        after[name] = table(reference, 0 * reference if way == "missed" else None, per=per)
    was, now = rows_of(tables), rows_of(after, *([name] if way == "away" else []))
    for key, row in was.iterrows():
        assert not now.loc[key, "value"] > row["value"], key
        assert now.loc[key, ["missing", "cases"]].tolist() == [1, 4]
        if way == "away":
            assert math.isnan(now.loc[key, "value"])
            assert "nobody knows the voxels of 1 cases" in now.loc[key, "reason"]


def test_a_case_that_failed_has_every_voxel_wrong_of_a_label_that_it_lacks_too() -> None:
    """Its prediction could have had the label anywhere."""
    reference, _ = PAIRS["sub-4"]
    own = np.where(reference == 1, 0, reference)
    dice = [
        rows_of(TABLES | {"sub-4": table(own, other)}).loc[("liver", "dice/voxels")]
        for other in (np.ones_like(own), None)
    ]
    assert [row["missing"] for row in dice] == [0, 1]
    assert dice[0]["value"] == dice[1]["value"]


def test_a_case_that_nobody_scored_is_said_in_the_usual_number() -> None:
    usual = rows_of(TABLES, "sub-9").loc[("liver", "dice/voxels-as-counted")]
    assert usual["value"] == rows_of(TABLES).loc[("liver", "dice/voxels"), "value"]
    assert usual[["n", "cases", "missing"]].tolist() == [4, 5, 1]
    assert usual["reason"].startswith("of 4 cases that have scores")


def test_a_label_that_a_case_does_not_know_is_background_there() -> None:
    """A case that names its own labels only has the voxels of its image for the others too."""
    own = {
        "a": table(*PAIRS["sub-1"], labels={1: "liver"}, others="background"),
        "b": TABLES["sub-2"],
    }
    spleen = rows_of(of_equal_labels(own)).loc["spleen"]
    alone = count_segmentation(*PAIRS["sub-2"], labels=LABELS).by_label[2].as_worst
    size = PAIRS["sub-1"][0].size
    assert spleen.loc["accuracy/voxels", "value"] == (alone.tp + alone.tn + size) / (
        alone.voxels + size
    )


def test_a_cohort_that_failed_is_the_worst_and_a_table_comes_back_as_it_was() -> None:
    cases = long_table(TABLES, ["sub-9"])
    tables, away = short_tables(cases)
    assert away == []
    for case, one in TABLES.items():
        pd.testing.assert_frame_equal(tables[case], one)
    pd.testing.assert_frame_equal(rows_of(tables), rows_of(TABLES, "sub-9"))
    lost, _ = short_tables(as_failed(long_table(TABLES, [])))
    known = {case: table(masks[0], None) for case, masks in PAIRS.items()}
    pd.testing.assert_frame_equal(rows_of(lost), rows_of(known))
    assert set(rows_of(lost).loc[("liver", "dice/voxels"), ["value"]]) == {0.0}


def test_ids_are_of_many_cases_only() -> None:
    assert len(set(POOLED)) == 2 * len(SUMMED) == 12
    assert "all cases in one count" in definition("dice/voxels").about
    assert definition("precision/voxels-as-counted").better == "higher"
    with pytest.raises(CohortflowError, match="of many cases") as caught:
        table(*PAIRS["sub-1"], metrics=["dice/voxels"])
    assert "counts: true" in str(caught.value.hint)
    nothing = table(np.zeros((2, 3, 3), int), np.zeros((2, 3, 3), int), metrics=COUNTS)
    with pytest.raises(UndefinedResult, match="liver"):
        summarise_segmentations({"a": nothing})
    row = rows_of({"a": nothing}).loc[("liver", "dice/voxels")]
    assert math.isnan(row["value"])
    assert row["n"] == 0
    row = rows_of({"a": nothing}, "sub-9").loc[("liver", "dice/voxels")]
    assert math.isnan(row["value"])
    assert row[["n", "cases", "missing"]].tolist() == [1, 2, 1]
    assert "nobody knows the voxels of 1 cases" in row["reason"], "they may hold the label"


def test_a_label_that_was_only_invented_is_no_label_without_a_case() -> None:
    invented = table(np.zeros((2, 3, 3), int), np.ones((2, 3, 3), int))
    row = rows_of({"a": invented}).loc[("liver", "dice/voxels")]
    assert row[["value", "n"]].tolist() == [0.0, 1]
