"""Series of brain regions: cropping, constant regions, z-scores."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cohortflow.errors import SeriesTooShort

Floats = npt.NDArray[np.float64]


def crop(series: Floats, length: int) -> Floats:
    """The first ``length`` samples of (roi, time); raises SeriesTooShort where there are fewer."""
    if series.shape[-1] < length:
        raise SeriesTooShort(
            "the series is shorter than the length asked for",
            expected=f"at least {length} samples",
            found=f"{series.shape[-1]} samples",
            hint="Leave this recording out, or lower length and minimum_length.",
        )
    return series[..., :length]


def constant_regions(series: Floats) -> npt.NDArray[np.bool_]:
    """(roi,) true where (roi, time) has no variance beyond rounding."""
    spread = np.ptp(series, axis=-1)
    return np.asarray(spread <= 4 * np.finfo(np.float64).eps * np.abs(series).max(axis=-1))


def zscore(series: Floats) -> Floats:
    """Each row of (roi, time) at mean 0 and standard deviation 1 (of the population); constant →
    0."""
    centred = series - series.mean(axis=-1, keepdims=True)
    deviation = centred.std(axis=-1, keepdims=True)
    constant = constant_regions(series)[..., None]
    return np.where(constant, 0.0, centred / np.where(constant, 1.0, deviation))
