"""Random forest kept as plain arrays, so that storing one needs no pickle.

All trees stand one after the other: node ``i`` of tree ``t`` is row ``offset[t] + i``. A leaf has
``left`` = -1. ``value (node, class)`` holds the shares of the classes at a node.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Forest = dict[str, NDArray[Any]]


def upper_triangle(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Entries above the diagonal: (subject, roi_i, roi_j) → (subject, pair), row by row."""
    rows, columns = np.triu_indices(matrices.shape[-1], k=1)
    return np.asarray(matrices[..., rows, columns])


def fit_forest(
    features: NDArray[np.float64], labels: NDArray[np.int64], *, trees: int = 500, seed: int = 0
) -> Forest:
    """Grow a forest (scikit-learn's defaults) on ``features (subject, feature)``."""
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(n_estimators=trees, random_state=seed % 2**32, n_jobs=1)
    forest.fit(features, labels)
    return forest_arrays(forest)


def forest_arrays(forest: Any) -> Forest:
    """The arrays of a fitted ``RandomForestClassifier``."""
    trees = [tree.tree_ for tree in forest.estimators_]
    counts = [tree.node_count for tree in trees]
    return {
        "offset": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        "left": np.concatenate([tree.children_left for tree in trees]).astype(np.int32),
        "right": np.concatenate([tree.children_right for tree in trees]).astype(np.int32),
        "feature": np.concatenate([tree.feature for tree in trees]).astype(np.int32),
        "threshold": np.concatenate([tree.threshold for tree in trees]).astype(np.float64),
        "value": np.concatenate([tree.value[:, 0, :] for tree in trees]).astype(np.float64),
    }


def forest_probabilities(forest: Forest, features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over trees of the leaf's class shares: (subject, class), as ``predict_proba`` gives."""
    # scikit-learn compares float32 features with float64 thresholds.
    rows = np.asarray(features, dtype=np.float32)
    total = np.zeros((len(rows), forest["value"].shape[1]))
    for start in forest["offset"][:-1]:
        total += _leaf_values(forest, int(start), rows)
    return total / (len(forest["offset"]) - 1)


def _leaf_values(forest: Forest, start: int, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    node = np.full(len(rows), start)
    subject = np.arange(len(rows))
    while True:
        inner = forest["left"][node] >= 0
        if not inner.any():
            break
        at, who = node[inner], subject[inner]
        goes_left = rows[who, forest["feature"][at]] <= forest["threshold"][at]
        node[inner] = start + np.where(goes_left, forest["left"][at], forest["right"][at])
    value = forest["value"][node]
    return np.asarray(value / value.sum(axis=1, keepdims=True))
