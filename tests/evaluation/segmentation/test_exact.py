"""The fast paths beside the obvious formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cohortflow.evaluation import evaluate_segmentation
from cohortflow.evaluation.segmentation import bit_maps, nearest
from cohortflow.evaluation.segmentation.metrics import DISTANCES, FILLED, OVERLAP
from cohortflow.evaluation.segmentation.point_tree import distances_by_tree
from cohortflow.evaluation.segmentation.slow import slow_distances, slow_metric, slow_surface
from tests.evaluation.segmentation.strategies import LABELS, Array, pairs

IDS = [*OVERLAP, *DISTANCES, *FILLED, "hd95/pooled", "hd95/max-directed", "hd50/pooled", "nsd@2mm"]
BALL = np.linalg.norm(np.indices((9, 21, 70)) - [[[[4]]], [[[10]]], [[[35]]]], axis=0)


@settings(max_examples=120)
@given(pairs())
@example((np.zeros((1, 1, 1), np.uint8), np.zeros((1, 1, 1), np.uint8), (1.0, 1.0, 1.0)))
@example((np.full((2, 3, 8), 7), np.full((2, 3, 8), 7), (3.0, 0.78, 0.78)))
@example(((BALL < 4).astype(np.uint8), (BALL < 9).astype(np.uint8) * 2, (3.0, 0.5, 0.5)))
def test_equals_the_slow_reference(pair: tuple[Array, Array, tuple[float, ...]]) -> None:
    reference, prediction, spacing = pair
    compare(reference, prediction, spacing)


def compare(reference: Array, prediction: Array, spacing: tuple[float, ...]) -> int:
    table = evaluate_segmentation(
        reference, prediction, spacing, labels=LABELS, metrics=IDS, threads=2
    )
    assert table["metric"].tolist() == IDS * len(LABELS)
    row: Any
    for row in table.itertuples():
        masks = reference == row.label, prediction == row.label
        if masks[0].any() and masks[1].any():
            expected = slow_metric(row.metric, *masks, spacing)
            assert row.state == "measured"
            if math.isnan(expected):
                assert math.isnan(row.value)
                assert row.reason.startswith("undefined")
            else:
                assert math.isclose(row.value, expected, rel_tol=1e-13, abs_tol=1e-13), row
        else:
            assert row.state != "measured"
    return int((table["state"] == "measured").sum())


def test_far_islands_on_both_sides_of_the_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the reach of the probes a tree answers, or all others are looked at."""
    rng = np.random.default_rng(5)
    reference, prediction = np.zeros((2, 40, 90, 70), np.uint8)
    reference[5:9, 5:12, 5:17], prediction[5:9, 6:13, 5:17] = 1, 1
    reference[20, rng.integers(0, 90, 30), rng.integers(0, 70, 30)] = 7
    prediction[38, rng.integers(0, 90, 30), rng.integers(0, 70, 30)] = 7
    prediction[39, 86:, 66:] = 1
    for limit in (0, 10**9):
        for far in (-1, 10**9):  # all by the tree, or those only that the probes miss
            monkeypatch.setattr(nearest, "_ALL_LOOKED_AT", limit)
            monkeypatch.setattr(nearest, "_FAR", far)
            assert compare(reference, prediction, (3.0, 0.78, 0.78)) == 2 * len(IDS)


points_in = st.integers(1, 70).flatmap(
    lambda n: hnp.arrays(np.int32, (n, 3), elements=st.integers(0, 600))
)


@settings(max_examples=80)
@given(points_in, points_in, st.tuples(*[st.sampled_from([0.5, 0.78, 1.0, 3.0, 10.0])] * 3))
def test_a_tree_finds_the_nearest(
    points: Array, others: Array, sampling: tuple[float, float, float]
) -> None:
    """Equal in every bit to all looked at: one point, equal points, leaves that are not full."""
    expected = slow_distances(points, others, sampling)
    assert distances_by_tree(points, others, sampling).tolist() == expected.tolist()


def test_a_tree_of_surfaces_far_away_finds_the_nearest() -> None:
    """Many sites nearly as far as the nearest: where bounds that are off by one would show."""
    ball = BALL < 4
    shell = np.argwhere(slow_surface(ball)).astype(np.int32)
    around = np.concatenate([shell * 40, shell + np.array([300, 5, 0])]).astype(np.int32)
    for sampling in ((1.0, 1.0, 1.0), (3.0, 0.78, 0.78)):
        found = distances_by_tree(around, shell, sampling)
        assert found.tolist() == slow_distances(around, shell, sampling).tolist()


def test_words_that_fill_no_row_and_rows_that_fill_no_word() -> None:
    rng = np.random.default_rng(0)
    for width in (1, 7, 8, 9, 63, 64, 65, 130):
        blocks = rng.choice([0, 1, 2, 7], (3, 4, width // 3 + 1)).repeat(3, axis=2)[..., :width]
        other = np.where(rng.random(blocks.shape) < 0.9, blocks, 1)
        for dtype in (np.uint8, np.int32):
            compare(blocks.astype(dtype), other.astype(dtype), (2.0, 1.0, 1.5))


def test_threads_change_nothing() -> None:
    rng = np.random.default_rng(2)
    reference = rng.choice([0, 0, 0, 1, 2], (90, 40, 50))
    prediction = np.roll(reference, (1, 2, 3), axis=(0, 1, 2))
    tables = [
        evaluate_segmentation(
            reference, prediction, (1, 2, 3), labels={1: "a", 2: "b"}, metrics=IDS, threads=threads
        )
        for threads in (1, 2, 5)
    ]
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])


def test_views_and_other_memory_orders() -> None:
    rng = np.random.default_rng(3)
    whole = rng.choice([0, 1, 2], (12, 14, 22)).astype(np.int16)
    pair = whole[::2, ::-1, 1::3], np.asfortranarray(whole[1::2, :, ::3][..., :7])
    assert compare(*pair, (2.0, 0.5, 0.5)) == 2 * len(IDS)


def test_steps_hold_every_voxel_within_reach() -> None:
    for sampling in ((10.0, 1.5, 1.5), (1.0, 1.0, 1.0), (0.1, 5.0, 0.7)):
        layout = bit_maps.layout_of(np.array([0, 30, 0, 40, 0, 50]), sampling)
        reach = layout.lengths[-1]
        far = np.indices((61, 81, 101)) - np.array([30, 40, 50])[:, None, None, None]
        within = np.linalg.norm(far * np.array(sampling)[:, None, None, None], axis=0) <= reach
        assert len(layout.steps) == within.sum()
        assert (np.diff(layout.lengths) >= 0).all()
