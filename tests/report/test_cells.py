"""A mean over seeds says how many of them stand behind it."""

from __future__ import annotations

import pytest

from cohortflow.report.cells import Cell, SeedScores
from cohortflow.report.formats import cell as printed


def of_seeds(*values: float | None, asked: int) -> Cell:
    seeds = [SeedScores(seed, 1, 2, 0, (), {}, {"auc": value}) for seed, value in enumerate(values)]
    return Cell("score", False, {}, len(seeds), asked, {"HC": 1, "MCI": 1}, "MCI", seeds, asked)


def test_a_seed_without_a_value_is_no_silent_loss() -> None:
    found = of_seeds(0.5, None, 0.7, asked=4).mean_sd("auc")
    assert found == {
        "mean": pytest.approx(0.6),
        "sd": pytest.approx(0.1414, abs=1e-4),
        "n": 2,
        "of": 4,
    }
    assert printed(found, "mean_sd") == "60.0 ± 14.1 % (2 of 4 seeds)"
    assert (
        printed(of_seeds(0.5, None, asked=2).mean_sd("auc"), "mean_sd") == "50.0 % (1 of 2 seeds)"
    )
    assert printed(of_seeds(0.5, 0.7, asked=2).mean_sd("auc"), "mean_sd") == "60.0 ± 14.1 %"
    assert of_seeds(None, None, asked=2).mean_sd("auc") is None
