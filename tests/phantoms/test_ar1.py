from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohortflow.phantoms.ar1 import ar1_cohort, ar1_series, write_ar1_cohort


def lag_one(series: np.ndarray) -> np.ndarray:
    return np.array([np.corrcoef(row[1:], row[:-1])[0, 1] for row in series])


def test_series_are_stationary_with_the_coefficient_asked_for():
    rng = np.random.default_rng(0)
    series = ar1_series(np.array([0.85, 0.45, 0.0]), 20_000, rng)
    np.testing.assert_allclose(lag_one(series), [0.85, 0.45, 0.0], atol=0.03)
    np.testing.assert_allclose(series.std(axis=1), 1.0, atol=0.06)


def test_only_affected_regions_of_patients_are_faster():
    series, participants = ar1_cohort(subjects=40, samples=300)
    assert participants.group.value_counts().to_dict() == {"HC": 20, "MCI": 20}
    mean = {
        group: np.mean([lag_one(series[s]) for s in members.index], axis=0)
        for group, members in participants.groupby("group")
    }
    difference = mean["HC"] - mean["MCI"]
    affected = np.isin(np.arange(12), [2, 5, 9])
    assert (difference[affected] > 0.3).all()
    assert (np.abs(difference[~affected]) < 0.1).all()


def test_a_larger_cohort_begins_with_the_same_subjects():
    small, table = ar1_cohort(subjects=4)
    large, larger_table = ar1_cohort(subjects=7)
    for subject, values in small.items():
        np.testing.assert_array_equal(values, large[subject])
    pd.testing.assert_frame_equal(table, larger_table.iloc[:4])
    other, _ = ar1_cohort(subjects=4, seed=1)
    assert not np.array_equal(other["sub-01"], small["sub-01"])


def test_files_hold_the_cohort(tmp_path: Path):
    paths = write_ar1_cohort(tmp_path, networks=("A", "B"), subjects=5, regions=7, samples=30)
    series, participants = ar1_cohort(subjects=5, regions=7, samples=30)
    for subject, values in series.items():
        read = np.loadtxt(tmp_path / f"{subject}.1D")
        assert read.shape == (30, 7)
        np.testing.assert_allclose(read.T, values, rtol=1e-9)
    table = pd.read_csv(paths["participants"], sep="\t", index_col="participant_id")
    pd.testing.assert_frame_equal(table, participants, check_dtype=False)
    atlas = pd.read_csv(paths["atlas"], sep="\t")
    assert atlas.columns.tolist() == ["region", "network", "x", "y", "z"]
    assert atlas.network.tolist() == ["A"] * 4 + ["B"] * 3


@pytest.mark.parametrize("regions", [2, 6])
def test_affected_regions_beyond_the_last_are_ignored(regions: int):
    series, _ = ar1_cohort(subjects=2, regions=regions)
    assert all(values.shape == (regions, 100) for values in series.values())
