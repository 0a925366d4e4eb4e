"""Curves, reliability and intervals of classification against scikit-learn and the metrics."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from cohortflow.errors import NotFinite, ShapeMismatch
from cohortflow.evaluation.calibration import reliability
from cohortflow.evaluation.cases import Case, Cases
from cohortflow.evaluation.classification import classification_metrics
from cohortflow.evaluation.classification_intervals import (
    BCA,
    PERCENTILE,
    RESAMPLES_OF_MANY,
    statistic_of,
    with_intervals,
)
from cohortflow.evaluation.columns import columns_of_cases
from cohortflow.evaluation.curves import precision_recall_curve, roc_curve
from cohortflow.evaluation.statistics.bootstrap import bootstrap_distribution
from cohortflow.evaluation.statistics.resampling import units_of

IDS = [
    "balanced_accuracy", "f1/macro", "f1/class", "auc/macro", "auc/class", "auprc/macro",
    "auprc/class", "brier/sum", "ece@10",
]  # fmt: skip
OF_TWO = ["balanced_accuracy", "f1", "auc", "auprc", "brier", "brier/sum", "ece@5"]

ranked = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=25).filter(
    lambda rows: len({truth for truth, _ in rows}) == 2
)


def columns(rows: list[tuple[bool, int]]) -> tuple[Any, Any]:
    truth, ranks = zip(*rows, strict=True)
    return np.array(truth), np.array(ranks) / 6.0


def drawn(seed: int, n: int, lost: int = 0, classes: tuple[str, ...] = ("A", "B", "C")) -> Cases:
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.arange(n) % len(classes))
    p = rng.dirichlet([0.7] * len(classes), n).round(1)
    p /= p.sum(axis=1, keepdims=True)
    made = [
        Case(f"s{i}", classes[t], classes[int(row.argmax())], row[-1], "scored", tuple(row))
        for i, (t, row) in enumerate(zip(truth, p, strict=True))
    ]
    for i in range(lost):
        made[i] = Case(f"s{i}", made[i].truth, None, None, "missing")
    return Cases(tuple(made), classes, classes[-1])


@given(ranked)
@settings(deadline=None, max_examples=40)
def test_curves_are_those_of_scikit_learn_inside_their_bands(rows: list[tuple[bool, int]]) -> None:
    truth, ranks = columns(rows)
    roc = roc_curve(truth, ranks, seed=0, resamples=2)
    x, y, _ = peer.roc_curve(truth, ranks, drop_intermediate=False)
    assert np.allclose([roc.x, roc.y], [x, y])
    assert np.trapezoid(roc.y, roc.x) == pytest.approx(peer.roc_auc_score(truth, ranks))
    pr = precision_recall_curve(truth, ranks, seed=0, resamples=2)
    precision, recall, _ = peer.precision_recall_curve(truth, ranks, drop_intermediate=False)
    assert np.allclose(pr.y, precision[:-1][::-1])
    assert np.allclose(pr.x, recall[:-1][::-1])
    area = (np.diff(pr.x, prepend=0.0) * pr.y).sum()
    assert area == pytest.approx(peer.average_precision_score(truth, ranks))
    for curve in (roc, pr):
        own = curve.at(curve.grid)
        assert (curve.low <= own).all()
        assert (own <= curve.high).all()
        assert curve.low.min() >= 0.0
        assert curve.high.max() <= 1.0
        assert np.isin(curve.x, curve.grid).all()


def test_a_band_is_as_wide_as_its_level_says() -> None:
    """Of many cases the rate at a place is nearly normal: 95 % is 1.96 times as wide as 68 %."""
    rng = np.random.default_rng(4)
    truth = rng.random(2000) < 0.3
    ranks = rng.normal(truth * 1.5)
    wide, narrow = (roc_curve(truth, ranks, seed=1, level=level) for level in (0.95, 0.6827))
    middle = (wide.grid > 0.1) & (wide.grid < 0.5)
    widths = [float((one.high - one.low)[middle].mean()) for one in (wide, narrow)]
    assert widths[0] / widths[1] == pytest.approx(1.96, rel=0.1)


def test_bands_repeat_and_narrow_with_cases() -> None:
    rng = np.random.default_rng(3)
    truth = rng.random(2000) < 0.3
    ranks = rng.normal(truth * 1.5)
    wide, narrow = (roc_curve(truth[:n], ranks[:n], seed=1) for n in (60, 2000))
    grid = np.linspace(0.05, 0.5, 10)

    def width(curve: Any) -> float:
        return float((np.interp(grid, curve.grid, curve.high - curve.low)).mean())

    assert width(narrow) < 0.3 * width(wide)
    again = roc_curve(truth[:60], ranks[:60], seed=1)
    assert np.array_equal(again.low, wide.low)
    assert not np.array_equal(roc_curve(truth[:60], ranks[:60], seed=2).low, wide.low)


def test_missing_cases_stand_as_badly_as_can_be() -> None:
    truth = np.array([True, True, False, False])
    ranks = np.array([0.9, -np.inf, np.inf, 0.1])
    roc = roc_curve(truth, ranks, seed=0)
    assert roc.y[roc.x == 0.5].max() == 0.5
    assert np.trapezoid(roc.y, roc.x) == 0.25
    pr = precision_recall_curve(truth, ranks, seed=0)
    assert pr.x.max() == 0.5, "a case without a probability is never found"
    assert pr.at(np.array([0.75])) == 0.0


@pytest.mark.parametrize("truth", [[], [True], [True, True], [False, False]])
def test_one_class_has_no_curve(truth: list[bool]) -> None:
    curve = roc_curve(truth, np.zeros(len(truth)), seed=0)
    assert curve.reason == ("cases of one class only" if truth else "no case")
    assert len(curve.x) == len(curve.grid) == 0


def test_bad_ranks_are_refused() -> None:
    with pytest.raises(NotFinite):
        roc_curve([True, False], [0.1, np.nan], seed=0)
    with pytest.raises(ShapeMismatch):
        roc_curve([True, False], [0.1], seed=0)


@pytest.mark.parametrize("lost", [0, 5])
def test_reliability_is_the_error_it_states(lost: int) -> None:
    cases = drawn(5, 80, lost)
    found = reliability(cases, 10)
    (row, *_) = classification_metrics(cases, ["ece@10"])
    assert found.ece == pytest.approx(row.value)
    assert found.count.sum() + found.missing == found.n == 80
    own = [c for c in cases.cases if c.probabilities is not None]
    inside = [c for c in own if 0.5 < max(c.probabilities or ()) <= 0.6]
    assert found.count[5] == len(inside)
    assert found.accuracy[5] == pytest.approx(np.mean([c.correct for c in inside]))
    assert found.confidence[5] == pytest.approx(
        np.mean([max(c.probabilities or ()) for c in inside])
    )
    kept = found.count > 0
    assert (found.low[kept] <= found.accuracy[kept]).all()
    assert np.isnan(found.accuracy[~kept]).all()


@pytest.mark.parametrize("lost", [0, 4])
@pytest.mark.parametrize(("classes", "ids"), [(("A", "B", "C"), IDS), (("A", "B"), OF_TWO)])
def test_statistics_of_resamples_are_the_metrics(
    lost: int, classes: tuple[str, ...], ids: list[str]
) -> None:
    """On the cases themselves, and on a resample made by hand."""
    cases = drawn(7, 30, lost, classes)
    arrays = columns_of_cases(cases)
    rng = np.random.default_rng(1)
    places = np.stack([np.arange(30), rng.permutation(np.r_[0:30:2, 0:15])])
    resamples = [
        tuple(replace(cases.cases[i], subject=f"draw {k}") for k, i in enumerate(at))
        for at in places
    ]
    rows = [classification_metrics(replace(cases, cases=own), ids) for own in resamples]
    for one, other in zip(*rows, strict=True):
        statistic = statistic_of(one.metric, one.label, arrays)
        if statistic is None:
            assert one.metric == "majority_accuracy"
            continue
        values = statistic(places.astype(float), axis=-1)
        assert values == pytest.approx([one.value, other.value]), one.metric


def test_intervals_hold_the_value_and_say_how_they_were_made() -> None:
    rows = {row.metric: row for row in with_intervals(drawn(2, 60), ["accuracy", *IDS], seed=0)}
    assert rows["accuracy"].interval == "clopper-pearson 95 %"
    for metric in ("auc/macro", "brier/sum", "f1/macro", "balanced_accuracy"):
        row = rows[metric]
        assert row.interval == BCA
        assert row.low < row.value < row.high
    again = with_intervals(drawn(2, 60), ["auc/macro"], seed=0)[0]
    assert again == rows["auc/macro"]
    many = with_intervals(drawn(2, 1200), ["auc/macro"], seed=0)[0]
    assert many.interval == PERCENTILE
    assert many.high - many.low < 0.5 * (rows["auc/macro"].high - rows["auc/macro"].low)
    auc = statistic_of("auc/macro", "", columns_of_cases(drawn(2, 1200)))
    assert auc is not None
    units = units_of(1200, None, [case.truth for case in drawn(2, 1200).cases])
    resampled = bootstrap_distribution([np.arange(1200.0)], auc, units, RESAMPLES_OF_MANY, 0)
    assert [many.low, many.high] == pytest.approx(np.percentile(resampled, [2.5, 97.5]).tolist())
    few = with_intervals(drawn(2, 3), ["brier/sum"], seed=0)[0]
    assert np.isnan(few.low)
    assert few.interval.startswith("none: 3 of 3 strata hold one unit")
