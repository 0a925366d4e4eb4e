"""The benchmark's section: seeds by name, n, spread, each against a computation of its own."""

from __future__ import annotations

import math
import statistics

import pytest
from scipy.stats import binomtest

from cohortflow.report import SECTIONS
from tests.report.fake import FOLDS, SEEDS, FakeSource, make_source
from tests.report.segmentation_seeds import BY_FOLD, dice_of, seeded
from tests.report.test_sections import blocks, cases_of, rows


@pytest.fixture(scope="module")
def source() -> FakeSource:
    return make_source()


def test_every_seed_has_its_n_its_interval_and_the_spread_of_its_folds(source: FakeSource) -> None:
    section = SECTIONS["benchmark"](source)
    text = blocks(section, "text")[0]["text"]
    assert "2 seeds: 0, 1" in text
    assert "2 folds: 0, 1" in text
    table = [row for row in rows(section, "benchmark_seeds") if row["step"] == "score"]
    assert {row["seed"] for row in table} == {"0", "1"}
    row = next(r for r in table if r["seed"] == "1" and r["where"].endswith("network FP, degree 1"))
    point = {"network": "FP", "degree": 1, "seed": 1}
    judged = cases_of(source, "score", **point)
    judged = judged[judged["counted"] != "left_out"]
    hits = int((judged["truth"] == judged["prediction"]).sum())
    assert row["n"] == len(judged)
    assert row["accuracy"] == pytest.approx(hits / len(judged))
    exact = binomtest(hits, len(judged)).proportion_ci(0.95, method="exact")
    assert row["interval"] == pytest.approx([exact.low, exact.high])
    shares = []
    for fold in FOLDS:
        part = cases_of(source, "score", **point, fold=fold)
        part = part[part["counted"] != "left_out"]
        shares.append(float((part["truth"] == part["prediction"]).mean()))
    assert row["fold_sd"] == pytest.approx(statistics.stdev(shares))
    assert row["fold_range"] == pytest.approx([min(shares), max(shares)])


def test_over_seeds_stand_the_mean_and_the_spread(source: FakeSource) -> None:
    section = SECTIONS["benchmark"](source)
    per_seed = rows(section, "benchmark_seeds")
    for row in rows(section, "benchmark"):
        own = [
            r["accuracy"]
            for r in per_seed
            if (r["step"], r["where"]) == (row["step"], row["where"])
        ]
        assert len(own) == len(SEEDS) == len(row["seeds"])
        assert row["accuracy"]["mean"] == pytest.approx(statistics.fmean(own))
        assert row["accuracy"]["sd"] == pytest.approx(statistics.stdev(own))


def test_a_seed_that_did_not_finish_is_named(source: FakeSource) -> None:
    broken = make_source()
    unit = next(u for u in broken.units(step="score") if u.point["seed"] == 1)
    number = broken.units(step="score").index(unit)
    broken.change("score", number, state="failed")
    note = blocks(SECTIONS["benchmark"](broken), "note")[0]["text"]
    assert "Without a finished score" in note
    assert "seed 1" in note


def test_nothing_is_claimed_where_nothing_was_scored(source: FakeSource) -> None:
    section = SECTIONS["benchmark"](source.without("score"))
    assert blocks(section, "note")[0]["tone"] == "absent"


def test_structures_are_those_of_all_folds_and_then_over_seeds() -> None:
    """Three cases in one fold, one in the other: the mean of a seed is over four cases."""
    dice = {0: {0: [0.8, 0.8, 0.8], 1: [0.4]}, 1: {0: [0.9, 0.9, 0.9], 1: [0.5]}}
    found = rows(SECTIONS["benchmark"](seeded(dice)), "benchmark_structures")
    (row,) = [row for row in found if row["metric"] == "dice"]
    assert row["seeds"] == ["0", "1"]
    assert row["mean"] == pytest.approx((0.7 + 0.8) / 2)
    assert row["sd"] == pytest.approx(statistics.stdev([0.7, 0.8]))
    assert row["fold_sd"] == pytest.approx(statistics.stdev([0.8, 0.4]))
    assert row["n"] == 4
    assert row["interval"][0] < 0.7 < row["interval"][1]


def test_a_fold_that_failed_counts_as_the_worst_of_its_cases() -> None:
    found = rows(SECTIONS["benchmark"](seeded(BY_FOLD, failed=[(1, 1)])), "benchmark_structures")
    (row,) = [row for row in found if row["metric"] == "dice"]
    first, second = dice_of(BY_FOLD, 0), dice_of({1: {0: BY_FOLD[1][0], 1: [0.0]}}, 1)
    assert row["mean"] == pytest.approx((statistics.fmean(first) + statistics.fmean(second)) / 2)
    (far,) = [row for row in found if row["metric"] == "hd95/pooled"]
    assert far["mean"] == pytest.approx((4.0 + (3 * 4.0 + 400.0) / 4) / 2), "its own diagonal"


def test_an_infinite_mean_says_why() -> None:
    found = rows(
        SECTIONS["benchmark"](seeded(BY_FOLD, away={0: ["sub-9"]})), "benchmark_structures"
    )
    (far,) = [row for row in found if row["metric"] == "hd95/pooled"]
    assert (far["mean"], far["sd"], far["n"]) == (math.inf, None, 5)
    assert far["why"].startswith("infinite: a case has no surface")


def test_a_fold_that_finished_nowhere_leaves_no_number() -> None:
    section = SECTIONS["benchmark"](seeded(BY_FOLD, failed=[(0, 1), (1, 1)]))
    assert not rows(section, "benchmark_structures")
