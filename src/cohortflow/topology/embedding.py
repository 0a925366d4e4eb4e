"""Delay embedding: one series becomes a cloud of points."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cohortflow.errors import MissingValues, SeriesTooShort, UsageError


def delay_embedding(
    series: npt.ArrayLike, dimension: int = 3, lag: int = 1
) -> npt.NDArray[np.float64]:
    """Sliding windows of a series as points of R^dimension.

    ``series`` (time,), any numeric dtype → (time - (dimension - 1) * lag, dimension) float64: row t
    is (v[t], v[t + lag], …, v[t + (dimension - 1) * lag]). ``dimension`` counts coordinates, so the
    M = 2 of the source is ``dimension=3``; ``lag`` is in samples.

    Raises MissingValues (NaN or infinity) and SeriesTooShort (no complete window).
    Source: Aithal et al. 2024, equations 1 and 2.
    """
    values = np.asarray(series, dtype=np.float64)
    if values.ndim != 1:
        raise UsageError("one series at a time", expected="(time,)", found=str(values.shape))
    if dimension < 1 or lag < 1:
        raise UsageError(
            "dimension and lag are at least 1", found=f"dimension={dimension}, lag={lag}"
        )
    span = (dimension - 1) * lag
    if len(values) <= span:
        raise SeriesTooShort(
            "no complete window fits into the series",
            expected=f"at least {span + 1} samples for dimension={dimension}, lag={lag}",
            found=f"{len(values)} samples",
        )
    finite = np.isfinite(values)
    if not finite.all():
        raise MissingValues(
            "a series with NaN or infinity has no embedding",
            found=f"first at sample {int(np.argmin(finite))}",
        )
    windows = np.lib.stride_tricks.sliding_window_view(values, span + 1)
    return np.ascontiguousarray(windows[:, ::lag])
