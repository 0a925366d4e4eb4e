from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier

from cohortflow.training.forest import (
    fit_forest,
    forest_arrays,
    forest_probabilities,
    upper_triangle,
)
from tests.training.examples import matrices


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    subjects=st.integers(4, 40),
    features=st.integers(1, 8),
    classes=st.integers(2, 4),
    trees=st.integers(1, 12),
)
def test_the_arrays_answer_as_scikit_learn_does(seed, subjects, features, classes, trees):
    rng = np.random.default_rng(seed)
    # Coarse values, so that a feature often equals a threshold.
    x = rng.integers(0, 5, size=(subjects, features)) / 2 + rng.choice([0.0, 1e-9])
    y = np.concatenate([np.arange(classes), rng.integers(0, classes, subjects)])[:subjects]
    forest = RandomForestClassifier(n_estimators=trees, random_state=seed).fit(x, y)
    unseen = np.concatenate([x, rng.normal(size=(7, features)) * 3])
    expected = forest.predict_proba(unseen)
    found = forest_probabilities(forest_arrays(forest), unseen)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(found.argmax(1), expected.argmax(1))


def test_learns_and_repeats_under_a_seed():
    values, labels = matrices(30)
    features = upper_triangle(values)
    forest = fit_forest(features[:20], labels[:20], trees=50, seed=2**63)
    again = fit_forest(features[:20], labels[:20], trees=50, seed=2**63)
    for name, array in forest.items():
        np.testing.assert_array_equal(array, again[name])
    guess = forest_probabilities(forest, features[20:]).argmax(1)
    assert (guess == labels[20:]).mean() >= 0.9


def test_upper_triangle_is_read_row_by_row():
    matrix = np.arange(9.0).reshape(1, 3, 3)
    assert upper_triangle(matrix).tolist() == [[1.0, 2.0, 5.0]]


def test_nobody_to_ask_is_no_row():
    values, labels = matrices(8)
    forest = fit_forest(upper_triangle(values), labels, trees=3)
    assert forest_probabilities(forest, np.empty((0, 15))).shape == (0, 2)


@pytest.mark.parametrize("trees", [1, 500])
def test_the_number_of_trees_is_kept(trees: int):
    values, labels = matrices(8)
    assert len(fit_forest(upper_triangle(values), labels, trees=trees)["offset"]) == trees + 1
