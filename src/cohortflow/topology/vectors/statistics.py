"""A diagram in a few numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cohortflow.topology.bars import Floats, known, split_bars
from cohortflow.topology.vectors.curves import Endless

SUMMARIES = ("mean", "sd", "min", "q25", "median", "q75", "max")
STATISTICS = (
    "bars",
    *(f"{of}_{name}" for of in ("birth", "death", "persistence") for name in SUMMARIES),
    "total_persistence",
    "entropy",
)
"""Names of the statistics, in their order."""


def persistence_statistics(
    diagram: npt.ArrayLike, essential: Endless = "refuse"
) -> dict[str, float]:
    """Statistics of a diagram (bar, 2) by the names in ``STATISTICS``.

    ``bars`` counts them; mean, standard deviation (of the bars as the whole population), minimum,
    quartiles (interpolated linearly), median and maximum of births, deaths and persistences (deaths
    less births); ``total_persistence``, their sum; ``entropy``, - sum of p log p with p =
    persistence / total, bars of no length adding nothing (natural logarithm). All are 0 where there
    is no bar.

    Source: of the entropy, Chintakunta et al. 2015, Pattern Recognition 48, 391–401.
    """
    known("essential", essential, ("refuse", "drop"))
    bars = split_bars(diagram, essential).finite
    if not len(bars):
        return dict.fromkeys(STATISTICS, 0.0)
    persistence = bars[:, 1] - bars[:, 0]
    found = [float(len(bars))]
    for values in (bars[:, 0], bars[:, 1], persistence):
        quartiles = np.quantile(values, (0.0, 0.25, 0.5, 0.75, 1.0))
        found += [float(values.mean()), float(values.std()), *map(float, quartiles)]
    found += [float(persistence.sum()), _entropy(persistence)]
    return dict(zip(STATISTICS, found, strict=True))


def _entropy(persistence: Floats) -> float:
    share = persistence[persistence > 0.0]
    share = share / share.sum()
    return float(np.maximum(-(share * np.log(share)).sum(), 0.0))
