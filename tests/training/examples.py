"""A card and a small learnable task for tests of training."""

from __future__ import annotations

from typing import Any

import numpy as np

from cohortflow.training.weights import Card


def card(**changes: Any) -> Card:
    fields: dict[str, Any] = {
        "system": "mci-persistent-homology",
        "architecture": "fusion_cnn",
        "options": {"regions": 6, "classes": 2, "dropout": 0.2, "model": "fusion_cnn"},
        "parameters": 7,
        "input_kind": "distance_matrix",
        "input_mean": 0.5,
        "input_sd": 2.0,
        "network": "A",
        "degree": 1,
        "regions": [f"r{i}" for i in range(6)],
        "column": "group",
        "classes": ["HC", "MCI"],
        "subjects_seen": {"HC": 3, "MCI": 4},
        "selection": "0" * 64,
        "seed": 3,
        "training": {"epochs": 2, "losses": [0.7, 0.1]},
    }
    return Card(**{**fields, **changes})


def matrices(subjects: int = 12, regions: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Symmetric matrices (subject, roi, roi), zero diagonal;
    class 1 lies further apart in region 2."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(subjects) % 2).astype(np.int64)
    values = rng.gamma(4.0, 0.5, size=(subjects, regions, regions))
    values[labels == 1, 2, :] += 3.0
    values = np.triu(values, 1)
    return values + values.transpose(0, 2, 1), labels
