"""What counts where nothing can be measured, and that nobody gains by missing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohortflow.errors import CohortflowError, EmptyInput, UndefinedResult
from cohortflow.evaluation import (
    SegmentationCounts,
    count_segmentation,
    evaluate_segmentation,
    summarise_segmentations,
)
from cohortflow.evaluation.segmentation.empties import POLICIES
from cohortflow.evaluation.segmentation.metrics import OVERLAP, parse_metric
from cohortflow.evaluation.segmentation.score_tables import of_equal_labels, once

SPACING = (3.0, 1.0, 2.0)
SHAPE = (2, 4, 5)
DIAGONAL = math.hypot(6, 4, 10)
EMPTY = np.zeros(SHAPE, np.uint8)
FULL = EMPTY.copy()
FULL[0, 1:3, 1:4] = 1
SHIFTED = np.roll(FULL, 1, axis=2)
LABELS = {1: "liver"}
IDS = [
    *OVERLAP,
    *("hd", "hd95/pooled", "assd", "nsd@2mm", "hd95/surface-weighted", "boundary-iou"),
    *("betti-error/0", "lesion-f1@any", "hd/filled"),
]


def table(
    reference: Any, prediction: Any, empty: str = "strict", metrics: list[str] | None = None
) -> pd.DataFrame:
    return evaluate_segmentation(
        reference, prediction, SPACING, labels=LABELS, metrics=metrics or IDS, empty=empty
    )


@pytest.mark.parametrize(
    ("policy", "reference", "prediction", "dice", "hd95", "iou"),
    [
        ("strict", FULL, EMPTY, 0.0, DIAGONAL, 0.0),
        ("strict", EMPTY, FULL, 0.0, DIAGONAL, 0.0),
        ("strict", EMPTY, EMPTY, None, None, None),
        ("strict", FULL, None, 0.0, DIAGONAL, 0.0),
        ("strict", EMPTY, None, 0.0, DIAGONAL, 0.0),
        ("transunet", FULL, EMPTY, 0.0, 0.0, 0.0),
        ("transunet", EMPTY, FULL, 1.0, 0.0, 0.0),
        ("transunet", EMPTY, EMPTY, 0.0, 0.0, None),
        ("transunet", FULL, None, 0.0, DIAGONAL, 0.0),
        ("empty-one", FULL, EMPTY, 0.0, DIAGONAL, 0.0),
        ("empty-one", EMPTY, FULL, 0.0, DIAGONAL, 0.0),
        ("empty-one", EMPTY, EMPTY, 1.0, 0.0, 1.0),
        ("present", FULL, EMPTY, 0.0, DIAGONAL, 0.0),
        ("present", EMPTY, FULL, None, None, None),
        ("present", EMPTY, EMPTY, None, None, None),
    ],
)
def test_policies(
    policy: str,
    reference: Any,
    prediction: Any,
    dice: float | None,
    hd95: float | None,
    iou: float | None,
) -> None:
    rows = table(reference, prediction, policy, ["dice", "hd95/pooled", "iou"])
    found: Any
    for found, expected in zip(rows.itertuples(), (dice, hd95, iou), strict=True):
        assert found.reason
        assert found.n == (expected is not None)
        if expected is None:
            assert math.isnan(found.value)
        else:
            assert math.isclose(found.value, expected)


def test_the_policy_changes_nothing_where_both_are_there() -> None:
    tables = [table(FULL, SHIFTED, policy).drop(columns="policy") for policy in POLICIES]
    assert all(tables[0].equals(other) for other in tables[1:])
    assert set(tables[0]["reason"]) == {""}


# Prediction over reference as a case may be; None failed, absent has no table at all.
MASKS = [EMPTY, FULL, SHIFTED, np.ones(SHAPE, np.uint8), FULL[:, ::-1], 1 - FULL]
CASES = st.tuples(st.integers(0, 5), st.integers(0, 5))


@settings(max_examples=25)
@given(
    st.lists(CASES, min_size=1, max_size=5),
    st.data(),
    st.sampled_from(sorted(POLICIES)),
    st.sampled_from(["mean", "median"]),
)
def test_a_miss_never_improves_a_summary(
    cases: list[tuple[int, int]], data: st.DataObject, policy: str, statistic: Any
) -> None:
    """Missed, failed or absent, whichever case it is, whatever it was before."""
    place = data.draw(st.integers(0, len(cases) - 1))
    way = data.draw(st.sampled_from(["missed", "failed", "absent"]))
    masks = [(MASKS[a], MASKS[b]) for a, b in cases]
    if way == "missed" and not masks[place][0].any():
        way = "failed"  # what is not there cannot be missed
    before = {str(k): table(*pair, policy) for k, pair in enumerate(masks)}
    after = dict(before)
    if way == "absent":
        del after[str(place)]
        if not after:
            return
    else:
        missed = EMPTY if way == "missed" else None
        after[str(place)] = table(masks[place][0], missed, policy)
    tables = [
        summarise_segmentations(one, list(before), statistic, undefined="keep")
        for one in (before, after)
    ]
    ours = [one[~one["published"]].set_index("metric") for one in tables]
    for metric in IDS:
        was, now = (one.loc[metric] for one in ours)
        assert now["n"] >= was["n"]
        assert now["missing"] >= was["missing"]
        assert now["cases"] == len(cases)
        if was["n"]:
            better = parse_metric(metric).better
            change = now["value"] - was["value"] if now["value"] != was["value"] else 0.0
            assert change <= 1e-12 if better == "higher" else change >= -1e-12, metric


def test_the_published_number_may_gain_by_a_miss_and_says_so() -> None:
    """TransUNet counts a distance of 0 for a missed organ: ours gets worse, theirs better."""
    good = {"a": table(FULL, SHIFTED, "transunet"), "b": table(FULL, SHIFTED, "transunet")}
    missed = good | {"b": table(FULL, EMPTY, "transunet")}
    summaries = [summarise_segmentations(one).set_index("metric") for one in (good, missed)]
    theirs = [one.loc["hd95/pooled/transunet"] for one in summaries]
    ours = [one.loc["hd95/pooled"] for one in summaries]
    assert theirs[1]["value"] == theirs[0]["value"] / 2
    assert [(one["n"], one["missing"], one["left_out"]) for one in theirs] == [(2, 0, 0), (2, 1, 0)]
    assert theirs[1]["published"]
    assert "may improve" in theirs[1]["reason"]
    assert ours[1]["value"] == (ours[0]["value"] + DIAGONAL) / 2
    assert (ours[1]["n"], ours[1]["missing"], ours[1]["left_out"]) == (2, 1, 0)
    assert "iou/transunet" not in summaries[0].index


def test_denominators() -> None:
    cases = {
        "good": table(FULL, FULL),
        "none": table(EMPTY, EMPTY),
        "missed": table(FULL, EMPTY),
        "invented": table(EMPTY, FULL),
        "failed": table(FULL, None),
    }
    rows = summarise_segmentations(cases, [*cases, "away"]).set_index("metric")
    dice: Any = rows.loc["dice"]
    assert dice["value"] == 1 / 5
    counts = dice[["n", "cases", "missing", "left_out"]].tolist()
    assert counts == [5, 6, 4, 1]
    assert rows.loc["hd", "value"] == math.inf
    without = summarise_segmentations(cases).set_index("metric")
    assert without.loc["hd", "value"] == pytest.approx(3 * DIAGONAL / 4)


def test_a_measured_case_without_a_value_is_left_out_and_counted() -> None:
    """A label that fills the image leaves no voxel to be specific about; nothing was missed."""
    full = np.ones(SHAPE, np.uint8)
    cases = {"good": table(FULL, FULL), "full": table(full, full)}
    row: Any = summarise_segmentations(cases).set_index("metric").loc["specificity"]
    assert row[["value", "n", "missing", "left_out"]].tolist() == [1.0, 1, 0, 1]


@pytest.mark.parametrize("order", [1, -1])
def test_a_case_that_failed_at_one_fold_gains_by_no_other(order: int) -> None:
    folds = [table(FULL, one, "transunet", ["dice"]) for one in (SHIFTED, None)][::order]
    (row,) = (one for one in once(folds).to_dict("records") if one["metric"] == "dice")
    assert (row["value"], row["state"]) == (0.0, "failed")
    again = once([table(FULL, one, metrics=["dice"]) for one in (SHIFTED, FULL)])
    assert again["value"].iloc[0] == pytest.approx((2 * 4 / 12 + 1) / 2)


def test_summaries_refuse() -> None:
    with pytest.raises(EmptyInput):
        summarise_segmentations({})
    with pytest.raises(EmptyInput):
        summarise_segmentations({}, ["a", "b"])
    with pytest.raises(UndefinedResult, match="found liver\\. Leave"):
        summarise_segmentations({"a": table(EMPTY, EMPTY)})
    many = {value: f"label {value}" for value in range(1, 31)}
    nothing = evaluate_segmentation(EMPTY, EMPTY, labels=many, metrics=["dice", "iou"])
    with pytest.raises(UndefinedResult, match="label 10 and 20 more"):
        summarise_segmentations({"a": nothing})
    kept = summarise_segmentations({"a": table(EMPTY, EMPTY)}, undefined="keep")
    assert kept["value"].isna().all()
    assert kept["reason"].str.startswith("undefined").all()
    for others in (table(FULL, FULL, metrics=["iou"]), table(FULL, FULL, "present")):
        with pytest.raises(CohortflowError, match="other labels") as caught:
            summarise_segmentations({"a": table(FULL, FULL), "b": others})
        assert caught.value.where == "b"
    with pytest.raises(CohortflowError, match="not expected"):
        summarise_segmentations({"a": table(FULL, FULL)}, ["b"])


# --- voxels of several cases in one count ---


POOLED = [name for name in OVERLAP if name != "volume-similarity"]


def pooled(cases: list[tuple[Any, Any]]) -> SegmentationCounts:
    first, *rest = [count_segmentation(*pair, labels=LABELS) for pair in cases]
    for other in rest:
        first = first + other
    return first


def test_pooled_voxels_are_those_of_one_image() -> None:
    cases = [(FULL, SHIFTED), (MASKS[4], FULL), (MASKS[5], SHIFTED)]
    found = pooled(cases).table(POOLED)
    a, b = (np.concatenate(side) for side in zip(*cases, strict=True))
    whole = evaluate_segmentation(a, b, labels=LABELS, metrics=POOLED)
    assert found["value"].tolist() == whole["value"].tolist()
    assert found["metric"].tolist() == [f"{name}/voxels" for name in POOLED]
    assert set(found["n"]) == {3}


@settings(max_examples=60)
@given(st.lists(CASES, min_size=1, max_size=4), st.integers(0, 3), st.booleans())
def test_a_miss_never_improves_pooled_voxels(
    cases: list[tuple[int, int]], place: int, failed: bool
) -> None:
    masks: list[tuple[Any, Any]] = [(MASKS[a], MASKS[b]) for a, b in cases]
    place %= len(masks)
    reference = masks[place][0]
    after = list(masks)
    after[place] = (reference, None if failed or not reference.any() else EMPTY)
    if not any(a.any() or b.any() for a, b in masks):
        return
    values = [pooled(one).table(POOLED).set_index("metric") for one in (masks, after)]
    was: Any
    now: Any
    for name in POOLED:
        was, now = (one.loc[f"{name}/voxels"] for one in values)
        assert now["value"] <= was["value"] or math.isnan(was["value"]), name
        assert now["missing"] >= was["missing"]


def test_pooled_voxels_as_counted_are_flagged() -> None:
    """Beside a prediction all wrong, none at all looks better where voxels count as they are."""
    bad = pooled([(FULL, FULL), (FULL, MASKS[5])]).table(["dice"])
    none = pooled([(FULL, FULL), (FULL, EMPTY)]).table(["dice"])
    assert bad["metric"].tolist() == ["dice/voxels"]
    assert none["metric"].tolist() == ["dice/voxels", "dice/voxels-as-counted"]
    assert none["published"].tolist() == [False, True]
    assert none["value"][1] > bad["value"][0] >= none["value"][0]


def test_pooled_voxels_refuse() -> None:
    with pytest.raises(CohortflowError, match="no ratio of counts"):
        pooled([(FULL, FULL)]).table(["assd"])
    with pytest.raises(CohortflowError, match="make up for each other"):
        pooled([(FULL, FULL)]).table(["volume-similarity"])
    with pytest.raises(UndefinedResult):
        pooled([(EMPTY, EMPTY)]).table(["dice"])
    with pytest.raises(CohortflowError, match="other labels"):
        _ = pooled([(FULL, FULL)]) + count_segmentation(FULL, FULL, labels={1: "spleen"})


# --- cases that each know their own labels only ---

NAMED = {1: "1", 2: "2", 5: "5"}
MAPS = [EMPTY, FULL, SHIFTED * 2, FULL * 5, FULL + SHIFTED]


@settings(max_examples=25)
@given(
    st.lists(CASES.map(lambda pair: (pair[0] % 5, pair[1] % 5)), min_size=1, max_size=4),
    st.integers(0, 3),
    st.sampled_from(sorted(POLICIES)),
)
def test_a_failure_never_improves_where_labels_are_those_found(
    cases: list[tuple[int, int]], place: int, policy: str
) -> None:
    """Labels found are as good as labels said, and a case that fails loses in every label."""
    place %= len(cases)
    ids = ["dice", "hd"]

    def found(pair: tuple[int, int], failed: bool = False) -> pd.DataFrame:
        a, b = MAPS[pair[0]], None if failed else MAPS[pair[1]]
        values = set(np.unique(a)) | (set() if b is None else set(np.unique(b)))
        labels = {int(v): NAMED[int(v)] for v in sorted(values - {0})} or {1: "1"}
        return evaluate_segmentation(a, b, SPACING, labels=labels, metrics=ids, empty=policy)

    before = {str(k): found(pair) for k, pair in enumerate(cases)}
    after = before | {str(place): found(cases[place], failed=True)}
    tables = [
        summarise_segmentations(of_equal_labels(one), undefined="keep") for one in (before, after)
    ]
    was, now = (one[~one["published"]].set_index(["label", "metric"]) for one in tables)
    for key in now.index:
        if key in was.index and was.loc[key, "n"]:
            change = now.loc[key, "value"] - was.loc[key, "value"]
            assert change <= 1e-12 if key[1] == "dice" else change >= -1e-12, key
