"""Scores of a cohort in one table: whoever is missing counts as the worst."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cohortflow.cohort.entry import Entry, Item, Many, Output
from cohortflow.errors import EmptyInput, InvalidEntry, ParticipantMissing, UndefinedResult
from cohortflow.evaluation.segmentation.empties import POLICIES
from cohortflow.evaluation.statistics import bca_interval
from cohortflow.geometry import Grid
from cohortflow.pipeline.stage import Context
from cohortflow.stages import score_segmentation
from cohortflow.stages.summarise_scores import STAGE
from tests.golden.check import assert_golden
from tests.stages.examples import as_entry, run
from tests.stages.image_examples import label_map

GRID = Grid((4, 9, 9), np.array([[0, 0, 1, 0], [0, 1, 0, 0], [2, 0, 0, 0], [0, 0, 0, 1.0]]))
REFERENCE = np.zeros(GRID.shape, np.uint8)
REFERENCE[1:3, 2:6, 2:6] = 1
REFERENCE[1:3, 7:, 7:] = 2
BOTH = {1: "liver", 2: "spleen"}


def shifted(step: int) -> np.ndarray:
    return np.roll(REFERENCE, step, axis=2)


def scores(prediction: np.ndarray | None, labels: Any = BOTH, **parameters: Any) -> Entry:
    maps = {"reference": label_map(REFERENCE, GRID)}
    if prediction is not None:
        maps["prediction"] = label_map(prediction, GRID)
    chosen = {"labels": labels, "metrics": ["dice", "hd"], **parameters}
    return as_entry(score_segmentation.STAGE, run(score_segmentation.STAGE, chosen, None, **maps))


def summary(
    entries: Mapping[str, Entry] | list[Item],
    missing: list[str] | None = None,
    parameters: dict[str, Any] | None = None,
    context: Context | None = None,
) -> tuple[Output, pd.DataFrame, pd.DataFrame]:
    items = (
        [Item({"subject": s}, entry) for s, entry in entries.items()]
        if isinstance(entries, Mapping)
        else entries
    )
    many = Many(items, [{"subject": subject} for subject in missing or []])
    output = run(STAGE, parameters, context, scores=many)
    tables = [
        pd.read_parquet(io.BytesIO(output.files[f"{name}.parquet"]))
        for name in ("summary", "cases")
    ]
    return output, tables[0], tables[1]


CASES = {f"s{k}": scores(shifted(k % 3)) for k in range(6)}


def test_golden() -> None:
    columns = {f"s{k}": {"site": "AB"[k % 2]} for k in range(6)}
    output, _, _ = summary(CASES, [], {"stratify": "site"}, Context(columns=columns))
    assert_golden(STAGE, output)


def test_intervals_are_those_of_the_cases_values() -> None:
    _, table, cases = summary(CASES, [], {"resamples": 500}, Context(seed=7))
    row = table[(table["name"] == "liver") & (table["metric"] == "dice")].iloc[0]
    values = cases[(cases["name"] == "liver") & (cases["metric"] == "dice")]["value"].to_numpy()
    truth = bca_interval(values, np.mean, seed=7, resamples=500)
    assert (row["low"], row["high"]) == (truth.low, truth.high)
    assert row["value"] == pytest.approx(truth.estimate)
    assert row["interval"] == "BCa 95% of 6 units"


def test_cases_of_a_group_are_drawn_together() -> None:
    columns = {f"s{k}": {"patient": f"p{k // 2}", "site": "A"} for k in range(6)}
    asked = {"group": "patient", "stratify": "site"}
    _, table, _ = summary(CASES, [], asked, Context(columns=columns))
    assert table["interval"].tolist()[0] == "BCa 95% of 3 units within 1 strata"
    with pytest.raises(ParticipantMissing, match="site"):
        summary(CASES, [], {"stratify": "site"})


def test_cases_say_their_group() -> None:
    people = {subject: {"patient": f"p{int(subject[1:]) // 2}"} for subject in CASES}
    cases = summary(CASES, [], {"group": "patient"}, Context(columns=people))[2]
    assert set(zip(cases["subject"], cases["group"], strict=True)) == {
        (subject, row["patient"]) for subject, row in people.items()
    }
    assert "group" not in summary(CASES)[2]


def test_a_case_that_failed_counts_as_the_worst_and_is_listed() -> None:
    output, table, cases = summary(CASES, ["gone"])
    whole = summary(CASES)[1]
    was: Any
    now: Any
    for was, now in zip(whole.itertuples(), table.itertuples(), strict=True):
        assert (now.n, now.cases, now.missing) == (7, 7, was.missing + 1)
    dice = table[table["metric"] == "dice"]["value"] / whole[whole["metric"] == "dice"]["value"]
    np.testing.assert_allclose(dice, 6 / 7)
    assert (table[table["metric"] == "hd"]["value"] == math.inf).all()
    gone = cases[cases["subject"] == "gone"]
    assert set(gone["state"]) == {"failed"}
    assert gone["value"].isna().all()
    assert set(gone["label"]) == {1, 2}
    assert output.facts == {"cases": 7, "failed": ["gone"]}
    assert output.warnings[0]["code"] == "missing-input"


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_labels_that_a_case_does_not_know_are_absent_or_failed(policy: str) -> None:
    """Without a table of labels each case has those it found; a failed one may lack any."""
    one = np.where(REFERENCE == 1, 1, 0).astype(np.uint8)
    invented = np.where(REFERENCE == 2, 5, REFERENCE)
    told = {
        "plain": scores(shifted(1), None, empty=policy),
        "invents": scores(invented, None, empty=policy),
        "failed": scores(None, None, empty=policy),
        "misses": scores(one, None, empty=policy),
    }
    _, table, cases = summary(told)
    ours: Any = table[~table["published"]].set_index(["name", "metric"])
    assert ours.loc[("5", "dice"), ["n", "cases", "missing", "left_out"]].tolist() == [2, 4, 2, 2]
    assert ours.loc[("5", "dice"), "value"] == 0.0
    states = cases[cases["metric"] == "dice"].pivot(
        index="subject", columns="label", values="state"
    )
    assert states[5].to_dict() == {
        "plain": "absent",
        "invents": "invented",
        "failed": "failed",
        "misses": "absent",
    }
    named = {
        k: scores(p, {1: "1", 2: "2", 5: "5"}, empty=policy)
        for k, p in (
            ("plain", shifted(1)),
            ("invents", invented),
            ("failed", None),
            ("misses", one),
        )
    }
    pd.testing.assert_frame_equal(table, summary(named)[1], check_dtype=False)


def test_a_newcomer_of_several_folds_counts_once() -> None:
    items = [Item({"subject": "a", "fold": 0}, CASES["s0"])]
    items += [Item({"subject": "new", "fold": k}, CASES[f"s{k}"]) for k in (0, 1)]
    _, table, cases = summary(items)
    liver = cases[(cases["name"] == "liver") & (cases["metric"] == "dice")].set_index("subject")
    alone = summary({"a": CASES["s0"], "b": CASES["s1"]})[2]
    values = alone[(alone["name"] == "liver") & (alone["metric"] == "dice")]["value"]
    assert liver.loc["new", "value"] == pytest.approx(values.mean())
    assert set(table["n"]) == {2}
    items[-1] = Item({"subject": "new", "fold": 1}, scores(np.where(REFERENCE == 1, 0, REFERENCE)))
    _, table, _ = summary(items)
    row = table[(table["name"] == "liver") & (table["metric"] == "dice")].iloc[0]
    assert (row["value"], row["missing"]) == (0.5, 1)


def test_a_case_with_scores_of_one_fold_that_lost_another_is_lost() -> None:
    _, table, cases = summary({name: CASES[name] for name in ("s0", "s1")}, ["s0"])
    assert set(cases.loc[cases["subject"] == "s0", "state"]) == {"failed"}
    row = table[(table["name"] == "liver") & (table["metric"] == "dice")].iloc[0]
    assert row[["value", "n", "missing", "cases"]].tolist() == [0.75 / 2, 2, 1, 2]


def test_slices_of_a_case_are_drawn_together() -> None:
    entries = {f"s{k}": scores(shifted(k), per="slice") for k in range(3)}
    _, table, cases = summary(entries, ["gone"])
    row = table[(table["name"] == "liver") & (table["metric"] == "dice")].iloc[0]
    assert (row["n"], row["missing"], row["left_out"]) == (6, 1, 6)
    # One worst slice would be less than the bad ones that it stands for.
    assert math.isnan(row["value"])
    assert math.isnan(row["low"])
    assert "slices of 1 cases" in row["reason"]
    assert cases[cases["subject"] == "gone"]["slice"].unique().tolist() == [-1]
    published = {name: scores(shifted(1), per="slice", empty="transunet") for name in ("a", "b")}
    _, table, _ = summary(published, ["gone"])
    row = table[(table["name"] == "liver") & (table["metric"] == "dice/transunet")].iloc[0]
    assert math.isnan(row["value"]), "nobody gains by slices that nobody knows"
    assert "slices of 1 cases" in row["reason"]
    _, table, _ = summary(entries)
    row = table[(table["name"] == "liver") & (table["metric"] == "dice")].iloc[0]
    assert (row["n"], row["left_out"], row["interval"]) == (6, 6, "BCa 95% of 3 units")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("second", [np.full_like(REFERENCE, 3), None])
def test_what_became_of_a_newcomer_is_the_worst_of_its_folds(
    order: tuple[int, int], second: np.ndarray | None
) -> None:
    """In neither map by one fold, invented or failed by the other: it counts."""
    labels = {**BOTH, 3: "aorta"}
    entries = [scores(REFERENCE, labels), scores(second, labels)]
    items = [Item({"subject": "new", "fold": k}, entries[k]) for k in order]
    _, table, _ = summary(items, [])
    row = table[(table["name"] == "aorta") & (table["metric"] == "dice")].iloc[0]
    assert (row["value"], row["n"], row["missing"]) == (0.0, 1, 1)


def test_what_is_refused() -> None:
    with pytest.raises(EmptyInput, match="no case has scores"):
        summary({}, ["a"])
    nowhere = {"s": scores(REFERENCE, {**BOTH, 9: "gallbladder"})}
    with pytest.raises(UndefinedResult, match="gallbladder"):
        summary(nowhere)
    kept = summary(nowhere, [], {"undefined": "keep"})[1]
    assert kept[kept["name"] == "gallbladder"]["value"].isna().all()
    with pytest.raises(InvalidEntry, match="two names"):
        summary({"a": CASES["s0"], "b": scores(REFERENCE, {1: "Liver", 2: "spleen"})})
    other = pd.DataFrame({"metric": ["accuracy"], "value": [1.0]}).to_parquet()
    entry = Entry.in_memory("scores", Output(files={"metrics.parquet": other}))
    with pytest.raises(InvalidEntry, match="no scores of segmentations"):
        summary({"s": entry})
