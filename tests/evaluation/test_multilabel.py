from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from cohortflow.errors import BadProbabilities, EmptyInput, NotLabels, ShapeMismatch, UsageError
from cohortflow.evaluation.measurement import Measurement
from cohortflow.evaluation.multilabel import multilabel_metrics

NAMES = ("nodule", "effusion", "fracture")


def by_id(rows: list[Measurement]) -> dict[tuple[str, str], Measurement]:
    return {(row.metric, row.label): row for row in rows}


def test_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth, p = rng.random((40, 3)) < 0.3, np.round(rng.random((40, 3)), 1)
    rows = by_id(multilabel_metrics(truth, p, NAMES))
    assert rows["map", ""].value == pytest.approx(peer.average_precision_score(truth, p))
    assert rows["auc/labels", ""].value == pytest.approx(peer.roc_auc_score(truth, p))
    assert rows["map/label", "nodule"].n == 40


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 10), st.data())
def test_losing_a_case_never_improves_a_metric(seed: int, n: int, data: Any) -> None:
    rng = np.random.default_rng(seed)
    truth, p = rng.integers(0, 2, (n, 3)), rng.integers(0, 4, (n, 3)) / 3.0
    order = data.draw(st.permutations(range(n)))
    then = by_id(multilabel_metrics(truth, p, NAMES))
    for count in range(1, n + 1):
        p[order[count - 1]] = np.nan
        now = by_id(multilabel_metrics(truth, p, NAMES, order[:count]))
        for key, row in now.items():
            assert row.defined == then[key].defined
            assert not row.value > then[key].value + 1e-12, key
        then = now


def test_a_label_of_nobody_makes_the_mean_undefined() -> None:
    rows = by_id(multilabel_metrics([[1, 0, 1], [0, 0, 1]], np.full((2, 3), 0.5), NAMES))
    assert rows["map", ""].reason == "no case of effusion"
    assert rows["auc/label", "fracture"].reason == "no case without fracture"
    assert not rows["auc/labels", ""].defined


def test_what_cannot_be_evaluated_is_refused() -> None:
    truth, p = np.eye(3), np.full((3, 3), 0.5)
    with pytest.raises(ShapeMismatch):
        multilabel_metrics(truth, p[:2], NAMES)
    with pytest.raises(EmptyInput):
        multilabel_metrics(truth[:0], p[:0], NAMES)
    with pytest.raises(NotLabels):
        multilabel_metrics(truth * 2, p, NAMES)
    for bad in (np.nan, -0.1, 1.1):
        with pytest.raises(BadProbabilities, match="1 cases"):
            multilabel_metrics(truth, np.where(np.eye(3, k=-2) == 1, bad, p), NAMES)


@pytest.mark.parametrize("missing", [[False, True], [2], [-1], [0.0]])
def test_missing_cases_are_told_by_their_indices(missing: Any) -> None:
    with pytest.raises(UsageError, match="indices"):
        multilabel_metrics([[1, 0], [0, 1]], [[0.9, 0.2], [0.3, 0.4]], ["a", "b"], missing)


def test_two_labels_of_one_name_are_refused() -> None:
    with pytest.raises(NotLabels, match="one name"):
        multilabel_metrics([[1, 0], [0, 1]], [[0.9, 0.2], [0.3, 0.4]], ["a", "a"])
