"""Region series that the topology is timed on: generated ones,
and real ones where there are any."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cohortflow.topology import delay_embedding, rips_persistence

Floats = npt.NDArray[np.float64]
TR_S = 3.0


def series(samples: int, rng: np.random.Generator) -> Floats:
    """A slow driver and autoregressive noise, 0.01–0.1 Hz, zero mean, unit variance."""
    noise, values = rng.normal(size=(2, samples)), np.zeros((2, samples))
    for t in range(1, samples):
        values[:, t] = (0.5, 0.9) * values[:, t - 1] + noise[:, t]
    spectrum = np.fft.rfft(values.sum(axis=0))
    frequency = np.fft.rfftfreq(samples, TR_S)
    passed = np.fft.irfft(spectrum * ((frequency >= 0.01) & (frequency <= 0.1)), samples)
    return np.asarray((passed - passed.mean()) / passed.std())


def real_series(samples: int, count: int) -> list[Floats]:
    """At most ``count`` regions of a real recording, zero mean, unit variance;
    none without data."""
    folder = os.environ.get("COHORTFLOW_TEST_DATA")
    if not folder:
        return []
    path = Path(folder) / "fmri" / "fmri_timeseries.csv"
    table = np.genfromtxt(path, delimiter=",", skip_header=1)[:samples]
    columns = np.unique(np.linspace(3, table.shape[1] - 1, count).astype(int))
    return [(one - one.mean()) / one.std() for one in table[:, columns].T]


def finite_diagrams(all_series: list[Floats]) -> list[list[Floats]]:
    """Finite bars of the delay embedding of each series: [degree][series]."""
    persistence = [rips_persistence(delay_embedding(one)) for one in all_series]
    return [
        [bars[degree][np.isfinite(bars[degree][:, 1])] for bars in persistence]
        for degree in range(3)
    ]
