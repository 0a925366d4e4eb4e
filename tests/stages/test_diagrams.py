from __future__ import annotations

import numpy as np
import pytest

from cohortflow.errors import SeriesTooShort
from cohortflow.stages.diagrams import STAGE
from cohortflow.topology import delay_embedding, rips_persistence
from cohortflow.topology.ragged import unpack
from tests.golden.check import assert_golden
from tests.stages.examples import run, series_entry


def series(count: int = 3, samples: int = 40) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, samples))


def test_golden():
    assert_golden(STAGE, run(STAGE, series=series_entry(series())))


@pytest.mark.parametrize("max_degree", [0, 1, 2])
def test_holds_the_diagrams_of_every_region(max_degree: int):
    values = series()
    parameters = {"dimension": 2, "lag": 3, "max_degree": max_degree}
    dataset = run(STAGE, parameters, series=series_entry(values)).dataset
    for degree in range(max_degree + 1):
        stored = unpack(dataset, degree, 0, len(values))
        for row, diagram in zip(values, stored, strict=True):
            expected = rips_persistence(delay_embedding(row, 2, 3), max_degree)[degree]
            np.testing.assert_array_equal(diagram, expected)
    assert f"birth_death_{max_degree + 1}" not in dataset
    assert {k: dataset.attrs[k] for k in parameters} == parameters
    assert dataset.attrs["samples"] == 40


def test_invalid_regions_have_empty_diagrams_even_with_nan():
    values = series()
    values[1] = np.nan
    output = run(STAGE, series=series_entry(values, valid=[True, False, True]))
    assert output.work == {"clouds": 2}
    dataset = output.dataset
    lengths = [[len(d) for d in unpack(dataset, degree, 0, 3)] for degree in range(3)]
    assert [row[1] for row in lengths] == [0, 0, 0]
    assert lengths[0][0] == lengths[0][2] == 38
    assert dataset["valid"].values.tolist() == [True, False, True]


def test_an_error_names_the_region():
    with pytest.raises(SeriesTooShort, match="region r0"):
        run(STAGE, {"lag": 30}, series=series_entry(series()))


def test_bars_fit_into_the_projected_disk():
    output = run(STAGE, series=series_entry(series()))
    projected = STAGE.cost(STAGE.parameters(), [{"rois": 3, "samples": 40}])
    assert output.dataset.nbytes <= projected.disk_bytes
