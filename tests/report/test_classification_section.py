"""Classifications in a report: first seed's cases, seeds beside them, the lost ones counted."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as peer

from cohortflow.cohort.entry import Output
from cohortflow.evaluation.cases import write_cases, write_probabilities
from cohortflow.report import SECTIONS
from cohortflow.report.blocks import Section
from tests.report.fake import FakeSource, make_source
from tests.report.plots.gallery import classified, replace_all
from tests.report.test_segmentation_section import blocks, rows, words


@pytest.fixture(scope="module")
def source() -> FakeSource:
    return make_source()


@pytest.fixture(scope="module")
def section(source: FakeSource) -> Section:
    return SECTIONS["classification"](source)


def cases_of(source: FakeSource, **point: Any) -> pd.DataFrame:
    parts = [
        pd.read_parquet(io.BytesIO(source.entry(unit).read_file("cases.parquet")))
        for unit in source.units(step="score")
        if point.items() <= unit.point.items()
    ]
    return pd.concat(parts, ignore_index=True)


def one_score(*seeds: Any) -> FakeSource:
    """A run with one score step over seeds, of cases made elsewhere."""
    source = make_source(subjects=4).without("score")
    source.pipeline["steps"] = [s for s in source.pipeline["steps"] if s["id"] == "score"]
    for seed, cases in enumerate(seeds):
        files = {
            "cases.parquet": write_cases(cases),
            "probabilities.parquet": write_probabilities(cases),
        }
        source.add("score", "scores", Output(files=files), point={"seed": seed})
    return source


def test_values_are_those_of_the_first_seeds_joined_cases(
    source: FakeSource, section: Section
) -> None:
    found = [r for r in rows(section, "classification") if r["point"] == "hc_mci DMN H0 (score)"]
    table = {row["metric"]: row for row in found}
    first, second = (
        cases_of(source, network="DMN", degree=0, comparison="hc_mci", seed=seed) for seed in (0, 1)
    )
    truth = first.truth == "MCI"
    known = {
        "accuracy": (first.truth == first.prediction).mean(),
        "balanced_accuracy": peer.balanced_accuracy_score(first.truth, first.prediction),
        "f1": peer.f1_score(truth, first.prediction == "MCI"),
        "auc": peer.roc_auc_score(truth, first.probability),
        "auprc": peer.average_precision_score(truth, first.probability),
        "brier": peer.brier_score_loss(truth, first.probability),
    }
    for metric, value in known.items():
        row = table[metric]
        assert row["value"] == pytest.approx(value)
        assert (row["n"], row["missing"], row["left_out"]) == (16, 0, 0), "not twice 16"
        low, high = row["interval"] or (0.0, 1.0)
        assert low <= value <= high
        assert bool(row["how"]) == (row["interval"] is not None)
    both = [known["auc"], peer.roc_auc_score(second.truth == "MCI", second.probability)]
    assert table["auc"]["seeds"] == {
        "mean": pytest.approx(np.mean(both)),
        "sd": pytest.approx(np.std(both, ddof=1)),
        "n": 2,
        "of": 2,
    }
    assert (table["accuracy"]["how"], table["brier"]["how"]) == ("exact", "BCa")


def test_curves_are_of_one_seed_and_the_other_is_a_thin_line(section: Section) -> None:
    figures = blocks(section, "figure")
    assert len(figures) == 16, "four plots of four points; the control is in the table only"
    roc = next(f for f in figures if f["name"].endswith("_roc"))
    assert roc["data"]["MCI"]["positives"] == 8
    assert "Thin lines: other seeds" in roc["caption"]
    row = next(r for r in rows(section, "classification") if r["metric"] == "auc")
    assert roc["data"]["MCI"]["area"] == row["value"]
    assert np.isfinite(roc["data"]["MCI"]["interval"]).all() == (row["interval"] is not None)
    calibration = next(f for f in figures if f["name"].endswith("_calibration"))
    ece = next(r for r in rows(section, "classification") if r["metric"] == "ece@10")
    assert calibration["data"]["ece"] == pytest.approx(ece["value"])


def test_several_classes_have_a_curve_each_by_their_probabilities() -> None:
    cases = classified(45, ("CN", "MCI", "AD"), lost=2)
    section = SECTIONS["classification"](one_score(cases))
    figures = {f["name"].rsplit("_", 1)[1]: f for f in blocks(section, "figure")}
    assert set(figures["roc"]["data"]) == {"CN", "MCI", "AD"}
    table = {row["metric"]: row for row in rows(section, "classification")}
    assert set(table) == {
        "accuracy", "balanced_accuracy", "f1/macro", "auc/macro", "auprc/macro", "brier/sum",
        "ece@10",
    }  # fmt: skip
    assert {row["missing"] for row in table.values()} == {2}
    areas = [line["area"] for line in figures["roc"]["data"].values()]
    assert np.mean(areas) == pytest.approx(table["auc/macro"]["value"])
    assert figures["confusion"]["data"]["missing"].sum() == 2


def test_without_probabilities_of_all_classes_curves_say_so() -> None:
    source = one_score(classified(30, ("CN", "MCI", "AD")))
    (unit,) = source.units(step="score")
    files = {"cases.parquet": source.entry(unit).read_file("cases.parquet")}
    source.entries[unit.key] = type(source.entry(unit)).in_memory("scores", Output(files=files))
    section = SECTIONS["classification"](source)
    assert "30 cases do not tell the probabilities of all classes" in words(section)
    assert len(blocks(section, "figure")) == 1, "the confusion"


def test_everyone_lost_is_zero_and_drawn_where_it_can_be() -> None:
    section = SECTIONS["classification"](one_score(replace_all(classified(12))))
    table = {row["metric"]: row for row in rows(section, "classification")}
    assert (table["accuracy"]["value"], table["accuracy"]["missing"]) == (0.0, 12)
    assert (table["auc"]["value"], table["ece@10"]["value"]) == (0.0, 1.0)
    assert "Calibration not shown: no case has a probability." in words(section)


def test_a_seed_without_a_value_is_said() -> None:
    cases = classified(20)
    one_class = type(cases)(tuple(c for c in cases.cases if c.truth == "MCI"), cases.classes, "MCI")
    section = SECTIONS["classification"](one_score(cases, one_class))
    auc = next(r for r in rows(section, "classification") if r["metric"] == "auc")
    assert (auc["seeds"]["n"], auc["seeds"]["of"]) == (1, 2)


def test_nothing_scored_says_so(source: FakeSource) -> None:
    section = SECTIONS["classification"](source.without("score"))
    assert "no score step has a finished unit" in words(section)
