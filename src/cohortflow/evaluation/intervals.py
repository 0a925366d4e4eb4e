"""Intervals of proportions."""

from __future__ import annotations

CLOPPER_PEARSON = "clopper-pearson 95 %"


def clopper_pearson(hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Exact binomial interval of ``hits`` of ``n`` (Clopper and Pearson, Biometrika 26, 1934).

    (0, 1) where nothing was counted.
    """
    from scipy.stats import beta

    if not 0 <= hits <= n:
        raise ValueError(f"{hits} of {n} is no proportion")
    tail = (1.0 - level) / 2.0
    low = float(beta.ppf(tail, hits, n - hits + 1)) if hits > 0 else 0.0
    high = float(beta.ppf(1.0 - tail, hits + 1, n - hits)) if hits < n else 1.0
    return low, high
