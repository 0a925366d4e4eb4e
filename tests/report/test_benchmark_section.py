"""The benchmark's section: seeds by name, n, spread, each against a computation of its own."""

from __future__ import annotations

import io
import statistics
from typing import Any

import pandas as pd
import pytest
from scipy.stats import binomtest

from cohortflow.cohort.entry import Output
from cohortflow.report import SECTIONS
from tests.report.fake import FOLDS, SEEDS, FakeSource, make_source
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


def test_structures_are_pooled_over_seeds_and_folds() -> None:
    source = make_source()
    source.pipeline["steps"].append({"id": "summarise", "stage": "summarise_scores"})
    for seed, fold, value in ((0, 0, 0.8), (0, 1, 0.6), (1, 0, 0.9), (1, 1, None)):
        row: dict[str, Any] = {
            "label": 1, "name": "liver", "metric": "dice", "unit": "", "statistic": "mean",
            "value": value, "low": 0.5, "high": 0.95, "n": 7,
        }  # fmt: skip
        out = io.BytesIO()
        pd.DataFrame([row]).to_parquet(out)
        output = Output(files={"summary.parquet": out.getvalue()})
        source.add("summarise", "scores", output, point={"seed": seed, "fold": fold})
    (found,) = rows(SECTIONS["benchmark"](source), "benchmark_structures")
    assert found["seeds"] == ["0", "1"]
    assert found["mean"] == pytest.approx((0.7 + 0.9) / 2)
    assert found["sd"] == pytest.approx(statistics.stdev([0.7, 0.9]))
    assert found["fold_sd"] == pytest.approx(statistics.stdev([0.8, 0.6]))
    assert (found["n"], found["interval"]) == (7, [0.5, 0.95])
