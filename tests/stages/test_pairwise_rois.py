from __future__ import annotations

import numpy as np
import pytest

from cohortflow.stages import diagrams
from cohortflow.stages.pairwise_rois import STAGE
from cohortflow.topology import wasserstein_distance
from cohortflow.topology.ragged import unpack
from tests.golden.check import assert_golden
from tests.stages.examples import as_entry, run, series_entry

NETWORK = ["A", "B", "A", "B", "A", "lonely"]


@pytest.fixture(scope="module")
def bars():
    values = np.random.default_rng(0).normal(size=(6, 40))
    entry = series_entry(values, NETWORK, valid=[True, True, True, True, False, True])
    return as_entry(diagrams.STAGE, run(diagrams.STAGE, series=entry), "sub-01")


def test_golden(bars):
    assert_golden(STAGE, run(STAGE, diagrams=bars))


@pytest.mark.parametrize("parameters", [{}, {"order": 2.0, "ground_norm": "l2"}])
def test_every_cell_is_the_distance_or_nan(bars, parameters):
    output = run(STAGE, parameters, diagrams=bars)
    dataset = output.dataset
    computed = np.isfinite(np.triu(dataset["distance"].values, 1)) & np.triu(
        np.ones((6, 6), bool), 1
    )
    assert output.work == {"distances": computed.sum()} == {"distances": 3 * (1 + 1)}
    valid = dataset["valid"].values
    for degree in (0, 1, 2):
        cells = unpack(bars.dataset, degree, 0, 6)
        matrix = dataset["distance"].sel(degree=degree).values
        for i in range(6):
            for j in range(6):
                if valid[i] and valid[j] and NETWORK[i] == NETWORK[j]:
                    expected = wasserstein_distance(
                        cells[i], cells[j], essential="drop", **parameters
                    )
                    assert matrix[i, j] == pytest.approx(expected, rel=1e-12)
                else:
                    assert np.isnan(matrix[i, j])


def test_zero_diagonal_and_metadata(bars):
    dataset = run(STAGE, diagrams=bars).dataset
    matrix = dataset["distance"].sel(degree=0).values
    assert matrix[np.eye(6, dtype=bool) & np.isfinite(matrix)].tolist() == [0.0] * 5
    assert dataset.attrs["order"] == 1.0
    assert dataset.attrs["ground_norm"] == "linf"
    assert dataset["distance"].encoding["chunks"] == (1, 6, 6)
    assert dataset["network"].values.tolist() == NETWORK


def test_projected_time_grows_with_pairs_and_points():
    small, large = (
        STAGE.cost(STAGE.parameters(), [{"rois": n, "samples": 176, "networks": {"DMN": n}}])
        for n in (34, 68)
    )
    assert 3.9 < large.seconds / small.seconds < 4.3
