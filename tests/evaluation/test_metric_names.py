"""Metric ids as MLflow names, checked by MLflow's own validator."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortflow.evaluation.metric_names import mlflow_metric_name


@pytest.mark.parametrize(
    ("metric", "label", "name"),
    [
        ("nsd@2mm", "liver", "nsd_2mm/liver"),
        ("hd95/pooled", "liver", "hd95_pooled/liver"),
        ("accuracy", "", "accuracy"),
        ("accuracy_mean", "hc_mci DMN H0", "accuracy_mean/hc_mci DMN H0"),
    ],
)
def test_known_names(metric: str, label: str, name: str) -> None:
    assert mlflow_metric_name(metric, label) == name


@given(st.text(max_size=300), st.text(max_size=300))
def test_mlflow_accepts_every_name(metric: str, label: str) -> None:
    from mlflow.utils.validation import MAX_ENTITY_KEY_LENGTH, _validate_metric_name

    name = mlflow_metric_name(metric, label)
    validate: Callable[[str], None] = _validate_metric_name
    validate(name)
    assert 0 < len(name) <= MAX_ENTITY_KEY_LENGTH


@given(st.text(max_size=20), st.text(max_size=20))
def test_two_labels_never_share_a_name(one: str, other: str) -> None:
    if one != other:
        assert mlflow_metric_name("dice", one) != mlflow_metric_name("dice", other)
