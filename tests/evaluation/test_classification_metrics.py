"""All metrics of classification: peers, missing cases, and what is refused."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from cohortflow.errors import (
    BadProbabilities,
    InvalidEntry,
    UnknownClass,
    UnknownName,
    UsageError,
)
from cohortflow.evaluation.cases import Case, Cases, read_cases, write_cases, write_probabilities
from cohortflow.evaluation.classification import (
    CLASSIFICATION_METRICS,
    MetricName,
    classification_metrics,
)
from cohortflow.evaluation.counts import confusion_matrix
from cohortflow.evaluation.definitions import DEFINITIONS, definition
from cohortflow.evaluation.measurement import Measurement

PARAMETERS = {
    "sensitivity@": "sensitivity@0.3",
    "specificity@": "specificity@0.3",
    "ece@": "ece@10",
}
ALL = [PARAMETERS.get(name, name) for name in CLASSIFICATION_METRICS]
THREE = ("A", "B", "C")


def by_id(rows: list[Measurement]) -> dict[tuple[str, str], Measurement]:
    return {(row.metric, row.label): row for row in rows}


def of_two(truth: Any, p: Any) -> Cases:
    made = [
        Case(f"s{i:03d}", "ill" if t else "well", "ill" if q > 0.5 else "well", float(q), "scored")
        for i, (t, q) in enumerate(zip(truth, p, strict=True))
    ]
    return Cases(tuple(made), ("ill", "well"), "ill")


def of_three(truth: Any, p: Any) -> Cases:
    made = [
        Case(f"s{i:03d}", THREE[t], THREE[int(np.argmax(row))], row[2], "scored", tuple(row))
        for i, (t, row) in enumerate(zip(truth, p, strict=True))
    ]
    return Cases(tuple(made), THREE, "C")


def lose(cases: Cases, i: int) -> Cases:
    gone = replace(
        cases.cases[i], prediction=None, probability=None, probabilities=None, counted="missing"
    )
    return replace(cases, cases=(*cases.cases[:i], gone, *cases.cases[i + 1 :]))


def drawn_three(seed: int, n: int = 60) -> tuple[Any, Any, Cases]:
    rng = np.random.default_rng(seed)
    truth, p = rng.permutation(np.arange(n) % 3), rng.dirichlet((0.7, 0.7, 0.7), n)
    return truth, p, of_three(truth, p)


def test_two_classes_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth, p = rng.random(80) < 0.4, np.round(rng.random(80), 1)
    found = {k[0]: r.value for k, r in by_id(classification_metrics(of_two(truth, p), ALL)).items()}
    said = p > 0.5
    assert found["f1"] == pytest.approx(peer.f1_score(truth, said))
    assert found["precision"] == pytest.approx(peer.precision_score(truth, said))
    assert found["auprc"] == pytest.approx(peer.average_precision_score(truth, p))
    assert found["brier"] == pytest.approx(peer.brier_score_loss(truth, p))
    assert found["brier/sum"] == pytest.approx(2 * found["brier"])
    assert found["sensitivity@0.3"] == pytest.approx(peer.recall_score(truth, p >= 0.3))
    assert found["specificity@0.3"] == pytest.approx(peer.recall_score(~truth, p < 0.3))


@pytest.mark.parametrize("seed", range(3))
def test_three_classes_agree_with_scikit_learn(seed: int) -> None:
    truth, p, cases = drawn_three(seed)
    rows = by_id(classification_metrics(cases, ALL))
    said = p.argmax(axis=1)
    for metric, function in (
        ("f1/class", peer.f1_score),
        ("precision/class", peer.precision_score),
        ("recall/class", peer.recall_score),
    ):
        expected = function(truth, said, average=None)
        assert [rows[metric, name].value for name in THREE] == pytest.approx(list(expected))
    assert rows["f1/macro", ""].value == pytest.approx(peer.f1_score(truth, said, average="macro"))
    assert rows["f1/micro", ""].value == pytest.approx(peer.f1_score(truth, said, average="micro"))
    expected = peer.roc_auc_score(truth, p, multi_class="ovr")
    assert rows["auc/macro", ""].value == pytest.approx(expected)
    one_hot = np.eye(3)[truth]
    expected = peer.average_precision_score(one_hot, p)
    assert rows["auprc/macro", ""].value == pytest.approx(expected)
    assert rows["brier/sum", ""].value == pytest.approx(((p - one_hot) ** 2).sum(axis=1).mean())
    assert "two classes" in rows["f1", ""].reason
    matrix = confusion_matrix(cases)
    assert (matrix.counts == peer.confusion_matrix(truth, said)).all()
    assert matrix.n == len(truth)


def test_counts_of_missing_and_never_named_classes_by_hand() -> None:
    """A, A and B; what is called A, a missing one and what is called A: nobody is called B."""
    whole = of_three([0, 0, 1], [(0.8, 0.1, 0.1)] * 3)
    assert (
        by_id(classification_metrics(whole, ["precision/class"]))["precision/class", "B"].value == 0
    )
    cases = lose(whole, 1)
    matrix = confusion_matrix(cases)
    assert matrix.counts.tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert matrix.missing.tolist() == [1, 0, 0]
    assert matrix.n == 3
    rows = by_id(classification_metrics(cases, ["precision/class", "accuracy"]))
    assert rows["precision/class", "A"].value == 1 / 2
    assert rows["precision/class", "B"].value == 0.0
    assert rows["majority_accuracy", ""].value == 2 / 3
    assert rows["accuracy", ""].value == 1 / 3


def test_calibration_error_by_hand() -> None:
    # Confidences 0.75 0.75 | 1.0, right right wrong: 2/3 · |1 - 0.75| + 1/3 · |0 - 1|.
    cases = of_two([1, 0, 0], [0.75, 0.25, 1.0])
    (row,) = classification_metrics(cases, ["ece@4"])[:1]
    assert row.value == pytest.approx(2 / 3 * 0.25 + 1 / 3)
    # 0.75 closes the third bin of four, so that only a finer division parts it from 0.8.
    near = of_two([1, 0], [0.75, 0.8])
    coarse, fine = classification_metrics(near, ["ece@4", "ece@100"])[:2]
    assert coarse.value == pytest.approx((0.25 + 0.8) / 2)
    together, apart = classification_metrics(of_two([1, 0], [0.7, 0.8]), ["ece@2", "ece@10"])[:2]
    assert together.value == pytest.approx(abs(0.5 - 0.75))
    assert apart.value == pytest.approx((0.3 + 0.8) / 2)
    assert fine.value == coarse.value


def reference_ece(truth: Any, p: Any, bins: int) -> float:
    """The definition, bin by bin."""
    confidence, correct = p.max(axis=1), p.argmax(axis=1) == truth
    total = 0.0
    for i in range(bins):
        inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)
        if inside.any():
            total += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    return total


@pytest.mark.parametrize("bins", [1, 7, 15])
def test_calibration_error_against_its_definition(bins: int) -> None:
    truth, p, cases = drawn_three(5)
    (row,) = classification_metrics(cases, [f"ece@{bins}"])[:1]
    assert row.value == pytest.approx(reference_ece(truth, p, bins))


TIED = st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])


@settings(max_examples=60)
@given(st.lists(st.tuples(st.booleans(), TIED), min_size=2, max_size=14), st.data())
def test_losing_a_case_of_two_classes_never_improves_a_metric(rows: Any, data: Any) -> None:
    cases = of_two(*zip(*rows, strict=True))
    worsens(cases, data.draw(st.permutations(range(len(rows)))))


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(2, 12), st.data())
def test_losing_a_case_of_three_classes_never_improves_a_metric(
    seed: int, n: int, data: Any
) -> None:
    rng = np.random.default_rng(seed)
    parts = rng.integers(0, 4, (n, 3)) + np.array([1, 0, 0])
    cases = of_three(rng.integers(0, 3, n), parts / parts.sum(axis=1, keepdims=True))
    worsens(cases, data.draw(st.permutations(range(n))))


def worsens(cases: Cases, order: list[int]) -> None:
    then = by_id(classification_metrics(cases, ALL))
    for i in order[:3]:
        cases = lose(cases, i)
        now = by_id(classification_metrics(cases, ALL))
        for key, row in now.items():
            assert row.defined == then[key].defined
            assert row.defined or row.reason
            gain = row.value - then[key].value
            if definition(row.metric).better == "lower":
                gain = -gain
            assert not gain > 1e-12, f"{key} became better by {gain}"
        then = now


def test_all_missing_is_the_worst_of_each_definition() -> None:
    cases = of_two([1, 0, 1, 0], [0.9, 0.1, 0.8, 0.3])
    for i in range(4):
        cases = lose(cases, i)
    for row in classification_metrics(cases, ALL):
        if row.defined and row.metric != "majority_accuracy":
            assert row.value == definition(row.metric).worst, row.metric


def test_one_class_missing_everywhere_gives_reasons_and_no_number() -> None:
    _, p, _ = drawn_three(2, 12)
    rows = classification_metrics(of_three(np.arange(12) % 2, p), ALL)
    means = [row for row in rows if row.metric.endswith("/macro") or row.label == "C"]
    assert len(means) == 9
    assert all(not row.defined and "no case of C" in row.reason for row in means)


def test_an_empty_cohort_gives_reasons_and_no_number() -> None:
    cases = Cases((Case("s", "A", None, None, "left_out"),), THREE, "C")
    assert all(not row.defined and row.reason for row in classification_metrics(cases, ALL))


@pytest.mark.parametrize(
    ("case", "error"),
    [
        (Case("s1", "D", "A", 0.5, "scored"), UnknownClass),
        (Case("s1", "A", "D", 0.5, "scored"), UnknownClass),
        (Case("s1", "A", "A", math.nan, "scored"), BadProbabilities),
        (Case("s1", "A", "A", 1.5, "scored"), BadProbabilities),
        (Case("s1", "A", "A", 0.2, "scored", (0.5, 0.3, 0.3)), BadProbabilities),
        (Case("s1", "A", "A", 0.2, "scored", (0.5, 0.5)), BadProbabilities),
        (Case("s1", "A", "A", 0.2, "scored", (0.5, 0.5, math.inf)), BadProbabilities),
    ],
)
def test_bad_cases_are_refused_by_name(case: Case, error: type[Exception]) -> None:
    with pytest.raises(error, match="s1"):
        classification_metrics(Cases((case,), THREE, "C"))


@pytest.mark.parametrize(
    ("case", "match"),
    [
        (Case("s1", "A", "A", 0.2, "scored", (0.5, 0.2, 0.2)), "do not sum to one"),
        (Case("s1", "A", "A", 0.3, "scored", (0.5, 0.3, 0.2)), "two probabilities"),
        (Case("s1", "A", "A", 0.2, "scored", (0.8, 0.2)), "one probability for each class"),
        (Case("s1", "A", None, 0.2, "missing"), "without a prediction"),
    ],
)
def test_each_refusal_of_a_case_is_its_own(case: Case, match: str) -> None:
    with pytest.raises((BadProbabilities, InvalidEntry), match=match) as caught:
        classification_metrics(Cases((case,), THREE, "C"))
    assert caught.value.where == "s1"


def test_a_case_that_stands_twice_is_refused() -> None:
    cases = of_two([1, 0], [0.9, 0.1])
    with pytest.raises(InvalidEntry, match="stands twice"):
        classification_metrics(replace(cases, cases=(*cases.cases, cases.cases[0])))


def test_bad_classes_and_ids_are_refused() -> None:
    cases = of_two([1, 0], [0.9, 0.1])
    with pytest.raises(InvalidEntry, match="classes"):
        classification_metrics(replace(cases, classes=("ill",), cases=()))
    with pytest.raises(UnknownName, match="Did you mean 'f1/macro'"):
        classification_metrics(cases, ["f1/marco"])
    for metric in ("ece@", "ece@0", "ece@2.5", "sensitivity@2", "sensitivity@x"):
        with pytest.raises(UsageError, match="parameter"):
            classification_metrics(cases, [metric])


def test_cases_that_tell_one_probability_of_three_are_not_taken_for_missing() -> None:
    _, _, cases = drawn_three(1, 12)
    short = replace(cases, cases=tuple(replace(c, probabilities=None) for c in cases.cases))
    metrics = ["auc/class", "auc/macro", "auprc/macro", "brier/sum", "ece@10"]
    rows = classification_metrics(short, metrics)[:-1]
    assert len(rows) == 7
    assert {row.reason for row in rows} == {"12 cases do not tell the probabilities of all classes"}


def test_what_a_pipeline_can_ask_for_is_known() -> None:
    cases = of_two([1, 0, 1, 0], [0.9, 0.1, 0.8, 0.3])
    assert all(row.defined for row in classification_metrics(cases, get_args(MetricName)))


def test_every_metric_has_a_definition_with_a_source() -> None:
    for metric in ALL:
        assert definition(metric).source
    assert definition("ece@15") is DEFINITIONS["classification", "ece@<bins>"]
    with pytest.raises(UnknownName, match="no metric 'ece'"):
        definition("ece")


def test_probabilities_of_all_classes_come_back_from_parquet() -> None:
    _, _, cases = drawn_three(1, 6)
    lost = lose(cases, 2)
    told = write_probabilities(lost)
    assert read_cases(write_cases(lost), probabilities=told) == lost
    assert told == write_probabilities(replace(lost, cases=lost.cases[::-1]))
    without = tuple(replace(case, probabilities=None) for case in lost.cases)
    assert read_cases(write_cases(lost)) == replace(lost, cases=without)
    frame = pd.read_parquet(io.BytesIO(told))
    assert list(frame.columns) == ["subject", *cases.classes]
    assert len(frame) == 5


def test_probabilities_of_other_cases_or_classes_are_refused() -> None:
    _, _, cases = drawn_three(1, 6)
    written = write_cases(cases)
    fewer = write_probabilities(replace(cases, cases=cases.cases[1:]))
    with pytest.raises(InvalidEntry, match="of other cases"):
        read_cases(written, probabilities=fewer)
    names = tuple(name + "x" for name in cases.classes)
    for other in (write_probabilities(replace(cases, classes=names)), written):
        with pytest.raises(InvalidEntry, match="no table of probabilities"):
            read_cases(written, probabilities=other)


def test_a_class_may_be_called_subject() -> None:
    named = replace(of_two([1, 0], [0.9, 0.2]), classes=("subject", "ill"), positive="ill")
    told = tuple(
        replace(c, truth="ill", prediction="ill", probabilities=(0.25, 0.75), probability=0.75)
        for c in named.cases
    )
    cases = replace(named, cases=told)
    assert read_cases(write_cases(cases), probabilities=write_probabilities(cases)) == cases
