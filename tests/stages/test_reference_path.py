"""Diagrams, PR matrices and p-values of the main pipeline beside a slow path of other libraries.

Series of real recordings where they are at hand (a CC200 table has no header we need: a column per
region), else generated. gudhi's diagrams without a collapse, scipy's whole assignment, and a loop
of rank-sum tests: none of it is ours.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from gudhi.sklearn import RipsPersistence
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import mannwhitneyu

from cohortflow.cohort.entry import Entry
from cohortflow.phantoms.ar1 import ar1_cohort
from cohortflow.pipeline.stage import Context
from cohortflow.stages import diagrams, pairwise_rois, rank_sum_map, standardise
from cohortflow.topology.ragged import unpack
from tests.stages.examples import as_entry, many, run, series_entry

DEGREES = 3
REGIONS = 4
SAMPLES = 110


def real_series(folder: Path, subjects: int) -> dict[str, np.ndarray]:
    """The first regions of the first recordings that vary in all of them."""
    found = {}
    for path in sorted((folder / "fmri" / "abide_cc200").glob("*.1D.gz"))[:subjects]:
        with gzip.open(path, "rt") as file:
            table = np.loadtxt(file)[:SAMPLES].T
        found[f"sub-{len(found) + 1:02d}"] = table[table.std(axis=1) > 0][:REGIONS]
    return found


def slow_diagrams(series: np.ndarray) -> list[list[np.ndarray]]:
    """By region and degree, finite bars of the windows of three samples."""
    found = []
    for row in (series - series.mean(axis=1, keepdims=True)) / series.std(axis=1, keepdims=True):
        cloud = np.stack([row[:-2], row[1:-1], row[2:]], axis=1)
        rips = RipsPersistence(
            homology_dimensions=range(DEGREES), num_collapses=0, homology_coeff_field=2
        )
        bars = [np.reshape(b, (-1, 2)) for b in rips.fit_transform([cloud])[0]]
        kept = [b[np.isfinite(b[:, 1]) & (b[:, 1] > b[:, 0])] for b in bars]
        found.append([b[np.lexsort((b[:, 1], b[:, 0]))] for b in kept])
    return found


def slow_distance(a: np.ndarray, b: np.ndarray) -> float:
    m, n = len(a), len(b)
    cost = np.zeros((m + n, m + n))
    cost[:m, :n] = cdist(a, b, "chebyshev")
    cost[:m, n:] = (a[:, 1:] - a[:, :1]) / 2.0
    cost[m:, :n] = (b[:, 1] - b[:, 0]) / 2.0
    return float(cost[linear_sum_assignment(cost)].sum())


def check(series: dict[str, np.ndarray]) -> None:
    slow = {subject: slow_diagrams(values) for subject, values in series.items()}
    matrices: dict[str, Entry] = {}
    for subject, values in series.items():
        settings = {"length": None, "minimum_length": 3}
        ready = run(standardise.STAGE, settings, series=series_entry(values))
        found = run(diagrams.STAGE, series=as_entry(standardise.STAGE, ready))
        finite_bars_agree(found.dataset, slow[subject])
        pr = run(pairwise_rois.STAGE, diagrams=as_entry(diagrams.STAGE, found))
        matrices[subject] = as_entry(pairwise_rois.STAGE, pr, subject)
    table = np.zeros((len(series), DEGREES, REGIONS, REGIONS))
    for s, of_regions in enumerate(slow.values()):
        for k in range(DEGREES):
            for i in range(REGIONS):
                for j in range(i):
                    table[s, k, i, j] = slow_distance(of_regions[i][k], of_regions[j][k])
                    table[s, k, j, i] = table[s, k, i, j]
        ours = list(matrices.values())[s].dataset["distance"].values
        np.testing.assert_allclose(ours, table[s], rtol=1e-9, atol=1e-12)
    first = np.arange(len(series)) % 2 == 0
    groups = {s: {"group": "ab"[k % 2]} for k, s in enumerate(series)}
    for k in range(DEGREES):
        tested = run(
            rank_sum_map.STAGE,
            {"network": "A", "degree": k},
            Context(columns=groups),
            matrices=many(matrices),
        ).dataset
        for i in range(REGIONS):
            for j in range(i):
                x, y = table[first, k, i, j], table[~first, k, i, j]
                expected = mannwhitneyu(x, y, method="asymptotic").pvalue
                assert tested["p_value"].values[i, j] == pytest.approx(expected, rel=1e-9)


def finite_bars_agree(dataset: xr.Dataset, slow: list[list[np.ndarray]]) -> None:
    for degree in range(DEGREES):
        for found, expected in zip(
            unpack(dataset, degree, 0, REGIONS), [one[degree] for one in slow], strict=True
        ):
            finite = found[np.isfinite(found[:, 1])]
            np.testing.assert_allclose(finite, expected, rtol=1e-9, atol=1e-12)


def test_generated_recordings():
    series, _ = ar1_cohort(subjects=6, regions=REGIONS, samples=SAMPLES)
    check(series)


def test_real_recordings(test_data: Path):
    check(real_series(test_data, 6))
