"""The best epoch beside the last: its numbers, whom it counts, and when there is none."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cohortflow.cohort.entry import Output
from cohortflow.evaluation.cases import Case, Cases, write_cases
from cohortflow.report import SECTIONS
from cohortflow.report.blocks import Section
from tests.report.fake import FakeSource, make_source

CURVES = {  # (seed, fold) → correct of eight after each of four epochs
    (0, 0): [3, 8, 5, 6],
    (0, 1): [4, 2, 7, 6],
    (1, 0): [4, 4, 4, 4],
    (1, 1): [4, 4, 4, 4],
}
CELL = {"comparison": "hc_mci", "network": "DMN", "degree": 0}
TRAINED = {"classes": ["HC", "MCI"], "n": {"HC": 4, "MCI": 4}, "parameters": 7, "regions": 7}


@pytest.fixture(scope="module")
def plain() -> FakeSource:
    return make_source()


def members(source: FakeSource, fold: int) -> list[str]:
    names = list(source.participants.index)
    return names[8 * fold : 8 * fold + 8]


def monitored(plain: FakeSource, lost: tuple[tuple[int, int], ...] = ()) -> FakeSource:
    """The run with trainings of one cell, and the same ones monitored; ``lost`` did not finish."""
    source = replace(plain, pipeline=copy.deepcopy(plain.pipeline), all_units=[*plain.all_units])
    reads = {"matrices": ["pairwise_rois"]}
    for step in source.pipeline["steps"]:
        if step["id"] == "score":
            step["reads"] = reads | {"weights": ["classify"]}
    shape = {**source.pipeline["steps"][0], "stage": "classify"}
    source.pipeline["steps"] += [
        {**shape, "id": "classify", "parameters": {}, "reads": reads},
        {
            **shape,
            "id": "peak",
            "parameters": {"monitor": True},
            "reads": {**reads, "monitor": ["pairwise_rois"]},
        },
    ]
    for (seed, fold), correct in CURVES.items():
        point = {**CELL, "fold": fold, "seed": seed}
        facts = {**TRAINED, "loss_first": 0.7, "loss_last": 0.1 + seed + 10 * fold}
        source.add("classify", "weights", Output(facts=facts), point=point)
        watched = {
            "n": 8,
            "correct": correct,
            "subjects": members(source, fold),
            "left_out": [],
            "missing": [],
        }
        output = None if (seed, fold) in lost else Output(facts=facts | {"monitor": watched})
        source.add("peak", "weights", output, point=point)
    return source


def tables(section: Section) -> dict[str, Any]:
    return {b["name"]: b for b in section.to_json()["blocks"] if b["type"] == "table"}


def texts(section: Section) -> str:
    return "\n".join(b["text"] for b in section.to_json()["blocks"] if "text" in b)


def row_of(source: FakeSource) -> dict[str, Any]:
    row: dict[str, Any]
    (row,) = tables(SECTIONS["accuracy"](source))["optimistic"]["rows"]
    return row


def test_one_best_epoch_a_seed_of_all_folds_joined(plain: FakeSource) -> None:
    """Of folds apart, the best would be 8 and 7: it is the sum over folds that is best."""
    row = row_of(monitored(plain))
    best = np.array([12, 8]) / 16
    assert row["epochs"] == ["3", "1"]
    assert row["hits"] == [12, 16]
    assert row["optimistic"] == {
        "mean": pytest.approx(best.mean()),
        "sd": pytest.approx(best.std(ddof=1)),
        "n": 2,
        "of": 2,
    }
    assert (row["tried"], row["seeds"]) == (4, [2, 2])
    assert (row["network"], row["degree"]) == ("DMN", "H0")


def test_the_headline_stays_what_it_is_and_stands_beside(plain: FakeSource) -> None:
    section, without = (SECTIONS["accuracy"](s) for s in (monitored(plain), plain))
    found, before = tables(section), tables(without)
    for name in ("accuracy", "metrics", "accuracy_per_seed"):
        assert found[name] == before[name]
    headline = found["accuracy"]["rows"][0]["accuracy"]
    assert found["optimistic"]["rows"][0]["accuracy"] == headline
    assert [c["title"] for c in found["optimistic"]["columns"]][3:5] == ["Last epoch", "Optimistic"]
    assert "chosen on the very test subjects" in texts(section)
    assert any("whose curve this is" in note for note in found["optimistic"]["notes"])


def test_it_stands_beside_the_printed_number_and_forms_no_difference(plain: FakeSource) -> None:
    found = tables(SECTIONS["published"](monitored(plain)))["published_beside"]
    before = tables(SECTIONS["published"](plain))["published_beside"]
    assert found["columns"][-1]["title"] == "Optimistic"
    assert found["columns"][:-1] == before["columns"]
    for row, old in zip(found["rows"], before["rows"], strict=True):
        own = row.pop("optimistic")
        assert row == old
        assert (own is not None) == ((row["network"], row["degree"]) == ("DMN", "H0"))


def test_a_pipeline_that_monitors_nothing_says_nothing(plain: FakeSource) -> None:
    for name in ("accuracy", "published"):
        section = SECTIONS[name](plain)
        assert "optimistic" not in tables(section)
        assert "best epoch" not in str(section.to_json())
        assert "No optimistic value" not in texts(section)


def test_a_lost_fold_counts_as_wrong(plain: FakeSource) -> None:
    row = row_of(monitored(plain, lost=((1, 1),)))
    assert row["optimistic"]["mean"] == pytest.approx((12 / 16 + 4 / 16) / 2)
    assert row["seeds"] == [2, 2]


def test_a_fold_that_no_seed_finished_leaves_no_number(plain: FakeSource) -> None:
    section = SECTIONS["accuracy"](monitored(plain, lost=((0, 1), (1, 1))))
    assert "optimistic" not in tables(section)
    assert "peak (comparison hc_mci, network DMN, degree 0): did not finish" in texts(section)


def test_a_seed_that_failed_counts_as_wrong(plain: FakeSource) -> None:
    row = row_of(monitored(plain, lost=((1, 0), (1, 1))))
    assert row["seeds"] == [2, 2]
    assert row["optimistic"]["mean"] == pytest.approx(0.75 / 2)


def test_who_failed_before_the_selection_counts_as_wrong(plain: FakeSource) -> None:
    """The score counts the subject as wrong, and no selection could name it."""
    source = monitored(plain)
    for number, unit in enumerate(source.all_units):
        if unit.step == "peak" and unit.point["fold"] == 0:
            own = unit.facts["monitor"]
            fewer = {**own, "n": 7, "subjects": own["subjects"][1:]}
            source.all_units[number] = replace(unit, facts={**unit.facts, "monitor": fewer})
    assert row_of(source)["hits"] == [12, 15]
    source.entries = {**source.entries}
    for unit in source.units(step="score"):
        if unit.point.items() >= (CELL | {"fold": 0}).items():
            cases = [Case(s, "HC", "HC", 0.1, "scored") for s in members(source, 0)]
            cases[0] = Case(members(source, 0)[0], "HC", None, None, "missing")
            written = write_cases(Cases(tuple(cases), ("HC", "MCI"), "MCI"))
            output = Output(files={"cases.parquet": written})
            source.entries[unit.key] = type(source.entry(unit)).in_memory("scores", output)
    row = row_of(source)
    assert row["hits"] == [12, 16]
    assert row["optimistic"]["mean"] == pytest.approx((12 + 8) / 32)


@pytest.mark.parametrize("name", ["loss_last", "parameters", "n"])
def test_another_training_than_was_scored_is_not_shown(plain: FakeSource, name: str) -> None:
    """Of other subjects, or of another model: a variant that is no CNN is no twin either."""
    source = monitored(plain)
    (number, unit) = next((i, u) for i, u in enumerate(source.all_units) if u.step == "classify")
    source.all_units[number] = replace(unit, facts={**unit.facts, name: 1})
    section = SECTIONS["accuracy"](source)
    assert "optimistic" not in tables(section)
    assert "another training than was scored" in texts(section)
