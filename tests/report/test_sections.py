"""Each section's numbers against an independent computation, and what it says when nothing ran."""

from __future__ import annotations

import io
import itertools
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import binomtest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from cohortflow.cohort.entry import Output
from cohortflow.evaluation.cases import Case, Cases, write_cases
from cohortflow.evaluation.published import published_tables
from cohortflow.report import SECTIONS
from cohortflow.report.blocks import Section
from cohortflow.report.failures import failures, left_out
from cohortflow.report.methods import citations, methods
from cohortflow.report.overview import overview, verdict
from tests.report.fake import FakeSource, make_source

NETWORK_SIZES = {"DMN": 34, "FP": 21, "OP": 22, "SM": 33, "CO": 32, "CB": 18}


@pytest.fixture(scope="module")
def source() -> FakeSource:
    return make_source()


def blocks(section: Section, type: str) -> list[dict[str, Any]]:
    return [block for block in section.to_json()["blocks"] if block["type"] == type]


def rows(section: Section, name: str) -> list[dict[str, Any]]:
    return next(table["rows"] for table in blocks(section, "table") if table["name"] == name)


def cases_of(source: FakeSource, step: str, **point: Any) -> pd.DataFrame:
    parts = [
        pd.read_parquet(io.BytesIO(source.entry(unit).read_file("cases.parquet")))
        for unit in source.units(step=step)
        if point.items() <= unit.point.items()
    ]
    return pd.concat(parts, ignore_index=True)


def test_accuracies_are_those_of_all_cases_joined(source: FakeSource) -> None:
    section = SECTIONS["accuracy"](source)
    table = rows(section, "accuracy")
    assert [(row["network"], row["degree"]) for row in table] == [
        ("DMN", "H0"),
        ("DMN", "H1"),
        ("FP", "H0"),
        ("FP", "H1"),
    ]
    for row, more in zip(table, rows(section, "metrics"), strict=True):
        point = {"network": row["network"], "degree": int(row["degree"][1])}
        per_seed = [cases_of(source, "score", seed=seed, **point) for seed in (0, 1)]
        right = [int((cases.truth == cases.prediction).sum()) for cases in per_seed]
        assert row["hits"] == [right[0], 16]
        assert row["accuracy"]["mean"] == pytest.approx(np.mean(right) / 16)
        assert row["accuracy"]["sd"] == pytest.approx(np.std(right, ddof=1) / 16)
        exact = binomtest(right[0], 16).proportion_ci(method="exact")
        assert row["interval"] == pytest.approx([exact.low, exact.high])
        assert row["majority"] == 0.5
        control = [
            (c.truth == c.prediction).mean()
            for c in (
                cases_of(source, "score_correlation", seed=seed, network=row["network"])
                for seed in (0, 1)
            )
        ]
        assert row["control"]["mean"] == pytest.approx(np.mean(control))
        balanced = [balanced_accuracy_score(c.truth, c.prediction) for c in per_seed]
        assert more["balanced_accuracy"]["mean"] == pytest.approx(np.mean(balanced))
        auc = [roc_auc_score(c.truth == "MCI", c.probability) for c in per_seed]
        assert more["auc"]["mean"] == pytest.approx(np.mean(auc))


def test_a_missing_prediction_counts_as_wrong_and_is_said() -> None:
    source = make_source(subjects=8)
    unit = source.units(step="score")[0]
    before = rows(SECTIONS["accuracy"](source), "accuracy")[0]["hits"]
    cases = cases_of(source, "score", **unit.point)
    right = int((cases.truth == cases.prediction).sum())
    lost = tuple(Case(r.subject, r.truth, None, None, "missing") for r in cases.itertuples())
    files = {"cases.parquet": write_cases(Cases(lost, ("HC", "MCI"), "MCI"))}
    source.entries[unit.key] = type(source.entries[unit.key]).in_memory(
        "scores", Output(files=files)
    )
    section = SECTIONS["accuracy"](source)
    assert rows(section, "accuracy")[0]["hits"] == [before[0] - right, 8]
    assert any("count as wrong" in note["text"] for note in blocks(section, "note"))


def test_a_lost_fold_counts_as_wrong_and_a_lost_seed_shows() -> None:
    source = make_source(subjects=8)
    before = rows(SECTIONS["accuracy"](source), "accuracy")[0]
    unit = source.units(step="score")[0]
    cases = cases_of(source, "score", **unit.point)
    source.change("score", 0, state="failed", error={"code": "unit-timeout"})
    section = SECTIONS["accuracy"](source)
    row = rows(section, "accuracy")[0]
    right = int((cases.truth == cases.prediction).sum())
    assert row["hits"] == [before["hits"][0] - right, 8]
    assert row["accuracy"]["mean"] < before["accuracy"]["mean"]
    assert (row["units"], row["seeds"]) == ([3, 4], [2, 2])
    assert blocks(section, "note")[0]["tone"] == "warning"
    # Without the same fold of the other seed nobody knows which cases are lost: no seed is left.
    source.change("score", 2, state="failed", error={"code": "unit-timeout"})
    section = SECTIONS["accuracy"](source)
    first = rows(section, "accuracy")[0]
    assert any(
        "No number: score (comparison hc_mci, network DMN, degree 0)" in note["text"]
        for note in blocks(section, "note")
    )
    assert (first["network"], first["degree"]) == ("DMN", "H1")


@pytest.mark.parametrize("first", [0, 2])
def test_a_lost_seed_counts_as_wrong_and_one_never_tried_shows(first: int) -> None:
    whole = make_source(subjects=8)
    every = rows(SECTIONS["accuracy"](whole), "accuracy_per_seed")[:2]
    kept = every[1 if first == 0 else 0]["accuracy"]
    whole.change("score", first, state="failed")
    whole.change("score", first + 1, state="blocked")
    row = rows(SECTIONS["accuracy"](whole), "accuracy")[0]
    assert row["seeds"] == [2, 2]
    assert row["accuracy"]["mean"] == pytest.approx(kept / 2)
    assert row["hits"][1] == 8
    assert (row["hits"][0] == 0) == (first == 0)
    found = rows(SECTIONS["classification"](whole), "classification")[0]
    assert found["metric"] == "accuracy"
    assert found["seeds"]["mean"] == pytest.approx(kept / 2)
    whole.change("score", first, state="pending")
    whole.change("score", first + 1, state="pending")
    row = rows(SECTIONS["accuracy"](whole), "accuracy")[0]
    assert row["seeds"] == [1, 2]
    assert row["accuracy"]["mean"] == pytest.approx(kept)


def test_significant_pairs_are_counted_once_each(source: FakeSource) -> None:
    section = SECTIONS["p_plots"](source)
    for row in rows(section, "significant_pairs"):
        (unit,) = (
            unit
            for unit in source.units(step="rank_sum_map")
            if unit.point["network"] == row["network"]
            and f"H{unit.point['degree']}" == row["degree"]
        )
        dataset = source.entry(unit).dataset
        upper = np.triu_indices(dataset.sizes["roi_i"], 1)
        p_value, q_value = dataset["p_value"].values[upper], dataset["q_value"].values[upper]
        assert row["tests"] == len(p_value)
        assert row["significant"] == (p_value < 0.01).sum()
        assert row["share"] == pytest.approx((p_value < 0.01).mean())
        assert row["expected"] == pytest.approx(0.01 * len(p_value))
        assert row["corrected"] == (q_value < 0.01).sum()
    for row in rows(section, "strongest_pairs"):
        low, high = row["interval"]
        assert -1.0 <= low <= row["effect"] <= high <= 1.0
    best = [row for row in rows(section, "strongest_pairs") if row["network"] == "DMN"]
    assert {row["degree"] for row in best} == {"H0", "H1"}
    assert all(a["p"] <= b["p"] for a, b in itertools.pairwise(best[:3]))
    first = rows(section, "partners")[0]
    assert first["region"] in ("region 1 of DMN", "region 2 of DMN")
    assert first["partners"][1] == 6
    assert not re.search("synchron", str(section.to_json()), re.IGNORECASE)


def test_pairs_by_permutation_stand_beside_the_others_where_they_were_asked_for() -> None:
    source = make_source()
    plain = SECTIONS["p_plots"](source).to_json()
    assert "permut" not in str(plain)
    first, second = (unit for unit in source.units(step="rank_sum_map")[:2])
    dataset = source.entry(first).dataset.copy()
    dims = ("roi_i", "roi_j")
    p_family = np.ones((dataset.sizes["roi_i"],) * 2)
    p_family[0, 2] = p_family[2, 0] = 0.004
    p_family[1, 2] = p_family[2, 1] = 0.01
    dataset = dataset.assign(p_family=(dims, p_family)).assign_attrs(permutations=999)
    source.all_units = [unit for unit in source.all_units if unit.stage != "rank_sum_map"]
    source.add("rank_sum_map", "pair_map", Output(dataset), point=first.point)
    source.add("rank_sum_map", "pair_map", Output(source.entry(second).dataset), point=second.point)
    section = SECTIONS["p_plots"](source)
    found = {row["degree"]: row["family"] for row in rows(section, "significant_pairs")}
    assert sorted(found.values(), key=str) == [1, None]
    assert "999 ways" in str(section.to_json())


def test_distances_within_and_between_groups(source: FakeSource) -> None:
    section = SECTIONS["pair_maps"](source)
    row = next(
        row
        for row in rows(section, "subject_distances")
        if row["region"] == "region 1 of DMN" and row["degree"] == "H1"
    )
    unit = next(u for u in source.units(step="pairwise_subjects") if u.point["roi"] == 1)
    distance = source.entry(unit).dataset["distance"].values[1]
    patient = (source.participants["group"] == "MCI").to_numpy()
    within = distance[~patient][:, ~patient]
    assert row["within_first"] == pytest.approx(within.sum() / (8 * 7))
    assert row["between"] == pytest.approx(distance[patient][:, ~patient].mean())
    assert (row["first"], row["sizes"]) == (["HC", "MCI"], [8, 8])
    notes = " ".join(note["text"] for note in blocks(section, "note"))
    assert "6 more regions" in notes


def test_the_example_shows_the_bars_of_its_region(source: FakeSource) -> None:
    section = SECTIONS["example_subject"](source)
    dataset = source.entry(source.units(step="diagrams")[0]).dataset
    first, last = dataset["offset_1"].values[:2]
    lengths = np.diff(dataset["birth_death_1"].values[first:last], axis=1)
    row = rows(section, "example_bars")[1]
    assert (row["degree"], row["bars"]) == ("H1", last - first)
    assert row["longest"] == pytest.approx(lengths.max())


def test_published_cells_stand_beside_their_own(source: FakeSource) -> None:
    section = SECTIONS["published"](source)
    obtained = {
        (r["network"], r["degree"]): r for r in rows(SECTIONS["accuracy"](source), "accuracy")
    }
    printed = {
        (label, row.labels["dim"], row.labels["cohort"]): row.values[label]
        for row in published_tables("mci-persistent-homology")[0].rows
        if row.labels["comparison"] == "HC vs MCI"
        for label in ("DMN", "FP")
    }
    table = rows(section, "published_beside")
    assert len(table) == 8
    for row in table:
        percent = printed[row["network"], row["degree"], row["cohort"]]
        assert row["published"] == pytest.approx(percent / 100)
        own = obtained[row["network"], row["degree"]]["accuracy"]["mean"]
        assert row["difference"] == pytest.approx(own - percent / 100)
    assert {r["what"] for r in rows(section, "differences")} >= {"Data", "Protocol", "diagrams.lag"}


def test_a_comparison_without_printed_numbers_gets_no_difference() -> None:
    source = make_source(subjects=8)
    for number, unit in enumerate(source.units(step="score")):
        source.change("score", number, point={**unit.point, "comparison": "autism_control"})
    section = SECTIONS["published"](source)
    assert "autism_control" in blocks(section, "note")[0]["text"]
    assert "published_beside" not in [table["name"] for table in blocks(section, "table")]
    row = rows(section, "published_other")[0]
    assert row["printed_0"] == pytest.approx(0.70)
    assert "difference" not in row


@pytest.mark.parametrize(
    ("section", "stages"),
    [
        ("example_subject", ["diagrams"]),
        ("example_subject", ["standardise"]),
        ("pair_maps", ["pairwise_rois", "pairwise_subjects"]),
        ("p_plots", ["rank_sum_map"]),
        ("accuracy", ["score"]),
        ("published", ["score"]),
    ],
)
def test_what_was_not_run_is_said(source: FakeSource, section: str, stages: list[str]) -> None:
    made = SECTIONS[section](source.without(*stages))
    absent = [note for note in blocks(made, "note") if note["tone"] == "absent"]
    assert absent
    assert not blocks(made, "figure")


def test_verdict_failures_and_who_was_left_out() -> None:
    source = make_source(subjects=6)
    source.refused = [
        {"subject": "sub-99", "error": {"code": "missing-values", "message": "NaN", "hint": "mend"}}
    ]
    source.participants.loc["sub-99"] = ["HC", "A"]
    replay = {"code": "worker-lost", "message": "killed", "hint": "again", "replay": "cohortflow x"}
    source.change("diagrams", 0, state="failed", error=replay)
    source.change("diagrams", 1, state="failed", error=replay)
    source.change("score", 0, state="blocked")
    source.ingested[2]["facts"]["constant_regions"] = ["region 4"]
    source.ingested[2]["warnings"] = [{"code": "constant-region", "message": "1 region"}]
    warned = [{"code": "left-out", "message": "lacks"}]
    source.change("rank_sum_map", 0, facts={"left_out": ["sub-03"]}, warnings=warned)
    source.change("rank_sum_map", 1, facts={"left_out": ["sub-03"]}, warnings=warned)
    head = verdict(source)
    assert head["tone"] == "bad"
    assert (head["subjects_complete"], head["subjects_total"]) == (4, 7)
    assert (head["units"]["failed"], head["units"]["blocked"], head["warnings"]) == (2, 1, 3)
    causes = {(r["step"], r["code"]): r for r in rows(failures(source), "failures")}
    assert set(causes) == {
        ("ingest", "missing-values"),
        ("diagrams", "worker-lost"),
        ("score", "blocked"),
    }
    lost = causes["diagrams", "worker-lost"]
    assert (lost["units"], lost["subjects"]) == (2, ["sub-01", "sub-02"])
    assert lost["hint"] == "again"
    (table,) = blocks(failures(source), "table")
    assert table["notes"] == ["Replay one of diagrams, worker-lost: cohortflow x"]
    gone = left_out(source)
    assert rows(gone, "constant_regions") == [
        {"subject": "sub-03", "count": 1, "regions": ["region 4"]}
    ]
    (row,) = rows(gone, "left_out")
    assert (row["points"], row["subjects"]) == (2, ["sub-03"])


def test_a_run_without_units_claims_nothing() -> None:
    source = make_source(subjects=4)
    source.all_units = []
    head = verdict(source)
    assert head["tone"] == "open"
    assert "Nothing" in head["text"]
    assert blocks(methods(source), "text") == []
    assert blocks(citations(source), "table") == []


def test_cohort_by_group_and_site_and_mixed_repetition_times(source: FakeSource) -> None:
    cohort = rows(overview(source), "cohort")
    assert cohort[-1] == {"site": "all sites", "n_HC": 8, "n_MCI": 8, "total": 16}
    mixed = make_source(subjects=4)
    mixed.ingested[0]["facts"] = {"samples": 40, "tr_s": 1.5, "rois": 12}
    table = rows(overview(mixed), "recordings")
    assert [(r["tr_s"], r["subjects"], r["shortest"]) for r in table] == [
        ("1.5", 1, 40),
        ("2", 3, 60),
    ]


def test_methods_say_what_was_asked_and_what_it_became(source: FakeSource) -> None:
    asked = make_source(subjects=4)
    asked.pipeline["steps"][0] |= {
        "parameters": {"length": 60, "mixed_tr": "allow"},
        "declared": {"length": "shortest", "mixed_tr": "allow"},
    }
    text = blocks(methods(asked), "text")[0]["text"]
    assert "length = 60 (shortest)" in text
    assert "mixed_tr = allow" in text
    ground = blocks(methods(source), "text")[2]["text"]
    assert "ground_norm = linf" in ground


def test_a_full_study_stays_small_and_says_what_it_does_not_draw() -> None:
    """Four comparisons, six networks of up to 34 regions, three degrees."""
    rng = np.random.default_rng(0)
    source = make_source(subjects=4).without("rank_sum_map")
    for comparison in ("hc_mci", "hc_emci", "hc_lmci", "emci_lmci"):
        for network, size in NETWORK_SIZES.items():
            for degree in (0, 1, 2):
                p = rng.uniform(size=(size, size)) ** 3
                p = np.triu(p, 1) + np.triu(p, 1).T + np.eye(size)
                dims = ("roi_i", "roi_j")
                regions = np.array([f"post cingulate {i} <&> $x$" for i in range(size)])
                dataset = xr.Dataset(
                    {
                        "p_value": (dims, p),
                        "q_value": (dims, np.minimum(1, 5 * p)),
                        "effect": (dims, p - 0.5),
                        "region": (("roi",), regions),
                    },
                    attrs={"alpha": 0.01, "first": "HC", "second": "MCI", "n": {"HC": 9, "MCI": 9}},
                )
                point = {"comparison": comparison, "network": network, "degree": degree}
                source.add("rank_sum_map", "pair_map", Output(dataset), point=point)
    section = SECTIONS["p_plots"](source)
    figures = [block for block in section.blocks if block.type == "figure"]
    assert len(figures) == 9
    assert sum(len(figure.svg.encode()) for figure in figures) < 2_500_000
    assert "16 more maps" in " ".join(note["text"] for note in blocks(section, "note"))
    assert len(rows(section, "significant_pairs")) == 72
    assert "<&>" not in figures[0].svg
    assert "&lt;&amp;&gt; $x$" in figures[0].svg
