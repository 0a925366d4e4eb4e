"""A cohort whose groups differ in dynamics only: independent AR(1) series, some regions faster.

Correlations between regions carry no group signal, so a control on the Pearson matrix must fail
where persistent homology succeeds. With ``phi_affected == phi`` there is nothing to find at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohortflow.preprocess.series import zscore

Floats = npt.NDArray[np.float64]
GROUPS = ("HC", "MCI")
SITES = ("north", "south")


def ar1_cohort(
    subjects: int = 60,
    regions: int = 12,
    samples: int = 100,
    affected: Sequence[int] = (2, 5, 9),
    phi: float = 0.85,
    phi_affected: float = 0.45,
    seed: int = 0,
) -> tuple[dict[str, Floats], pd.DataFrame]:
    """Series of every subject and the table of participants.

    Returns subject → (roi, time) float64, z-scored, and participants by id with the columns group
    (HC and MCI in turn), age (years), sex, site. In MCI the ``affected`` regions (indices) have the
    lag-1 coefficient ``phi_affected``, all else ``phi``. Each subject draws from a generator of its
    own: a larger cohort begins with the same subjects.
    """
    series, rows = {}, []
    for number in range(subjects):
        rng = np.random.default_rng([seed, number])
        group = GROUPS[number % 2]
        coefficients = np.full(regions, phi)
        if group == "MCI":
            coefficients[[index for index in affected if index < regions]] = phi_affected
        subject = f"sub-{number + 1:02d}"
        series[subject] = zscore(ar1_series(coefficients, samples, rng))
        rows.append(
            {
                "participant_id": subject,
                "group": group,
                "age": round(float(rng.normal(72.0, 6.0)), 1),
                "sex": str(rng.choice(["F", "M"])),
                "site": str(rng.choice(SITES)),
            }
        )
    return series, pd.DataFrame(rows).set_index("participant_id")


def ar1_series(coefficients: Floats, samples: int, rng: np.random.Generator) -> Floats:
    """Stationary AR(1) series (roi, time) of unit variance, one coefficient per row, |phi| < 1."""
    innovation = np.sqrt(1.0 - coefficients**2)
    noise = rng.standard_normal((len(coefficients), samples))
    series = np.empty_like(noise)
    series[:, 0] = noise[:, 0]
    for t in range(1, samples):
        series[:, t] = coefficients * series[:, t - 1] + innovation * noise[:, t]
    return series


def ar1_atlas(
    regions: int, networks: Sequence[str] = ("DMN",), sizes: Sequence[int] | None = None
) -> pd.DataFrame:
    """Region names, networks (neighbouring regions share one) and made-up positions in mm.

    ``sizes``: regions of each network; equal shares where not given.
    """
    angle = 2.0 * np.pi * np.arange(regions) / max(regions, 1)
    cuts = len(networks) if sizes is None else np.cumsum(sizes)[:-1]
    shares = np.array_split(np.arange(regions), cuts)
    return pd.DataFrame(
        {
            "region": [f"region {index + 1}" for index in range(regions)],
            "network": [name for name, share in zip(networks, shares, strict=True) for _ in share],
            "x": np.round(50.0 * np.sin(angle), 1),
            "y": np.round(60.0 * np.cos(angle) - 15.0, 1),
            "z": np.round(20.0 * np.cos(2.0 * angle) + 15.0, 1),
        }
    )


def write_ar1_cohort(
    folder: Path | str,
    networks: Sequence[str] = ("DMN",),
    sizes: Sequence[int] | None = None,
    **cohort: Any,
) -> Mapping[str, Path]:
    """Write a cohort of :func:`ar1_cohort` as files that ingest reads like any other.

    ``<subject>.1D`` (time, roi), ``participants.tsv`` and ``atlas.tsv`` (region, network, x, y, z
    in mm). Returns the paths of the two tables and the folder by name.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    series, participants = ar1_cohort(**cohort)
    for subject, values in series.items():
        np.savetxt(target / f"{subject}.1D", values.T, fmt="%.10g")
    paths = {"participants": target / "participants.tsv", "atlas": target / "atlas.tsv"}
    participants.to_csv(paths["participants"], sep="\t")
    regions = len(next(iter(series.values()))) if series else 0
    ar1_atlas(regions, networks, sizes).to_csv(paths["atlas"], sep="\t", index=False)
    return {"folder": target, **paths}
