from __future__ import annotations

import io
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from cohortflow.errors import InvalidEntry
from cohortflow.evaluation.cases import Case, Cases, positive_class, read_cases, write_cases
from cohortflow.evaluation.classification import (
    METRICS,
    classification_metrics,
)
from cohortflow.evaluation.measurement import write_measurements


def cases(*rows: tuple[str, str | None, float | None, Any]) -> Cases:
    made = [Case(f"sub-{i:02d}", *row) for i, row in enumerate(rows)]
    return Cases(tuple(made), ("HC", "MCI"), "MCI")


def values(given_cases: Cases) -> dict[str, float]:
    return {row.metric: row.value for row in classification_metrics(given_cases)}


EXAMPLE = cases(
    ("HC", "HC", 0.1, "scored"),
    ("HC", "MCI", 0.6, "scored"),
    ("HC", "HC", 0.3, "scored"),
    ("MCI", "MCI", 0.9, "scored"),
    ("MCI", "HC", 0.2, "scored"),
    ("MCI", None, None, "missing"),
    ("MCI", None, None, "left_out"),
)


def test_counts_by_hand() -> None:
    rows = {row.metric: row for row in classification_metrics(EXAMPLE)}
    assert list(rows) == [*METRICS, "majority_accuracy"]
    assert (rows["accuracy"].value, rows["accuracy"].n) == (3 / 6, 6)
    assert (rows["sensitivity"].value, rows["sensitivity"].n) == (1 / 3, 3)
    assert (rows["specificity"].value, rows["specificity"].n) == (2 / 3, 3)
    assert rows["balanced_accuracy"].value == pytest.approx((1 / 3 + 2 / 3) / 2)
    # Positives 0.9, 0.2 and the missing one below all, against 0.1, 0.6, 0.3.
    assert rows["auc"].value == pytest.approx((3 + 1 + 0) / 9)
    assert rows["majority_accuracy"].value == 1 / 2
    assert rows["accuracy"].low == pytest.approx(0.11812, abs=1e-5)
    assert rows["accuracy"].interval == "clopper-pearson 95 %"
    assert rows["auc"].interval == ""
    assert all(row.unit == "1" for row in rows.values())


ROW = st.tuples(st.booleans(), st.floats(0, 1), st.sampled_from(["scored", "missing", "left_out"]))


def drawn(rows: list[tuple[bool, float, str]]) -> Cases:
    return cases(
        *(
            ("MCI" if positive else "HC", "MCI" if p > 0.5 else "HC", p, counted)
            if counted == "scored"
            else ("MCI" if positive else "HC", None, None, counted)
            for positive, p, counted in rows
        )
    )


@given(st.lists(ROW, min_size=1, max_size=25), st.data())
def test_losing_a_prediction_never_improves_a_metric(
    rows: list[tuple[bool, float, str]], data: st.DataObject
) -> None:
    before = drawn(rows)
    scored = [i for i, case in enumerate(before.cases) if case.counted == "scored"]
    if not scored:
        return
    lost = data.draw(st.sampled_from(scored))
    after = replace(
        before,
        cases=tuple(
            replace(case, prediction=None, probability=None, counted="missing")
            if i == lost
            else case
            for i, case in enumerate(before.cases)
        ),
    )
    then, now = values(before), values(after)
    for metric in METRICS:
        assert math.isnan(then[metric]) == math.isnan(now[metric])
        assert math.isnan(now[metric]) or now[metric] <= then[metric] + 1e-12


@given(st.lists(ROW, min_size=1, max_size=25))
def test_a_subject_left_out_is_in_no_denominator(rows: list[tuple[bool, float, str]]) -> None:
    everything = drawn(rows)
    without = replace(everything, cases=tuple(everything.judged))
    assert str(classification_metrics(everything)) == str(classification_metrics(without))


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=2, max_size=40))
def test_agrees_with_scikit_learn(rows: list[tuple[bool, float]]) -> None:
    found = values(drawn([(*row, "scored") for row in rows]))
    truth = np.array([positive for positive, _ in rows])
    p = np.array([probability for _, probability in rows])
    assert found["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(truth, p > 0.5))
    if truth.all() or not truth.any():
        assert math.isnan(found["auc"])
        assert math.isnan(found["balanced_accuracy"])
        return
    assert found["auc"] == pytest.approx(sklearn_metrics.roc_auc_score(truth, p))
    assert found["sensitivity"] == pytest.approx(sklearn_metrics.recall_score(truth, p > 0.5))
    expected = sklearn_metrics.balanced_accuracy_score(truth, p > 0.5)
    assert found["balanced_accuracy"] == pytest.approx(expected)


def test_undefined_metrics_say_why() -> None:
    one_class = classification_metrics(cases(("HC", "HC", 0.2, "scored")))
    reasons = {row.metric: row.reason for row in one_class if math.isnan(row.value)}
    assert reasons == {
        "balanced_accuracy": "no case of MCI",
        "sensitivity": "no case of MCI",
        "auc": "cases of one class only",
    }
    nobody = classification_metrics(cases(("HC", None, None, "left_out")))
    assert all(math.isnan(row.value) and row.reason and row.n == 0 for row in nobody)


def test_three_classes_have_accuracy_and_no_sensitivity() -> None:
    three = Cases(
        tuple(Case(f"s{i}", c, c, 0.5, "scored") for i, c in enumerate(("A", "B", "C"))),
        ("A", "B", "C"),
        "C",
    )
    rows = {row.metric: row for row in classification_metrics(three)}
    assert rows["accuracy"].value == rows["balanced_accuracy"].value == 1.0
    assert "two classes" in rows["sensitivity"].reason
    assert "two classes" in rows["auc"].reason


@pytest.mark.parametrize(
    ("classes", "positive"),
    [
        (["HC", "MCI"], "MCI"),
        (["EMCI", "HC"], "EMCI"),
        (["EMCI", "LMCI"], "LMCI"),
        (["autism", "control"], "autism"),
        (["control", "healthy"], "healthy"),
    ],
)
def test_the_positive_class_is_no_control(classes: list[str], positive: str) -> None:
    assert positive_class(classes) == positive


def test_cases_come_back_from_parquet_sorted_and_in_the_same_bytes() -> None:
    shuffled = replace(EXAMPLE, cases=EXAMPLE.cases[::-1])
    assert write_cases(shuffled) == write_cases(EXAMPLE)
    assert read_cases(write_cases(shuffled)) == EXAMPLE
    frame = pd.read_parquet(io.BytesIO(write_cases(EXAMPLE)))
    assert list(frame.columns) == ["subject", "truth", "prediction", "probability", "counted"]
    assert frame["prediction"].isna().sum() == 2


def test_measurements_are_a_plain_table() -> None:
    data = write_measurements(classification_metrics(EXAMPLE))
    assert data == write_measurements(classification_metrics(EXAMPLE))
    frame = pd.read_parquet(io.BytesIO(data)).set_index("metric")
    assert frame.loc["accuracy", "value"] == 0.5
    assert frame.loc["accuracy", "n"] == 6
    assert frame.columns.tolist() == ["value", "unit", "n", "low", "high", "interval", "reason"]


@pytest.mark.parametrize("data", [b"", b"PAR1", write_measurements([])])
def test_what_is_no_table_of_cases_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidEntry, match="here"):
        read_cases(data, where="here")
