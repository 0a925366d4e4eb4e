"""Intensities of one channel: where its scale lies, bias fields, histograms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.errors import UndefinedResult

Array = npt.NDArray[Any]
_PIECE = 2**20
Floats = npt.NDArray[np.float32]


def mean_and_deviation(values: Array) -> tuple[float, float]:
    """Of all ``values``, in float64; raises :class:`UndefinedResult` for a spread of 0."""
    flat = values.reshape(-1)
    # In pieces: squares of a whole volume in float64 are four times the volume.
    pieces = [flat[first : first + _PIECE] for first in range(0, flat.size, _PIECE)]
    mean = sum(float(one.sum(dtype=np.float64)) for one in pieces) / max(flat.size, 1)
    square = sum(float(((one.astype(np.float64) - mean) ** 2).sum()) for one in pieces)
    return _not_flat(mean, math.sqrt(square / max(flat.size, 1)), values)


def percentile_range(values: Array, low: float, high: float) -> tuple[float, float]:
    """The ``low``-th percentile and how far it is to the ``high``-th; linear between ranks."""
    if not values.size:
        return _not_flat(0.0, 0.0, values)
    first, last = np.percentile(values, (low, high))
    return _not_flat(float(first), float(last - first), values)


def _not_flat(offset: float, scale: float, values: Array) -> tuple[float, float]:
    if not scale > 0.0:
        raise UndefinedResult(
            "intensities without any spread cannot be scaled",
            found=f"{values.size} voxels, spread {scale:g}",
        )
    return offset, scale


def smallest(values: Array) -> float:
    """The smallest value that is a number; NaN where there is none."""
    return float(np.fmin.reduce(values.reshape(-1)))


def scaled(values: Array, offset: float, scale: float) -> Floats:
    """(values − offset) / scale, float32."""
    moved = np.empty(values.shape, np.float32)
    np.subtract(values, offset, out=moved, dtype=np.float32, casting="unsafe")
    moved /= np.float32(scale)
    return moved


def clipped(values: Array, lower: float | None, upper: float | None) -> Array:
    """Between the bounds; whole numbers keep their dtype where the bounds are whole numbers too."""
    bounds = [bound for bound in (lower, upper) if bound is not None]
    if values.dtype.kind in "iu" and all(bound == int(bound) for bound in bounds):
        kept = np.iinfo(values.dtype)
        low = kept.min if lower is None else min(max(int(lower), kept.min), kept.max)
        high = kept.max if upper is None else min(max(int(upper), kept.min), kept.max)
        whole: Array = np.clip(values, low, high)
        return whole
    real = values if values.dtype.kind == "f" else values.astype(np.float32)
    between: Array = np.clip(real, lower, upper)
    return between


def without_bias(
    values: Array,
    mask: Array | None = None,
    shrink: int = 4,
    levels: int = 4,
    iterations: int = 50,
) -> Floats:
    """(z, y, x) over its slowly varying field, by N4: Tustison et al., IEEE TMI 29(6), 2010.

    The field is found on every ``shrink``-th voxel, within ``mask``, or within what lies above
    Otsu's threshold, and divides the full image. On one thread: its sums depend on how many.
    Intensities are at least 0 for N4; what is not positive is outside the mask.
    """
    import SimpleITK

    image = SimpleITK.GetImageFromArray(values.astype(np.float32))
    if mask is None:
        within = SimpleITK.OtsuThreshold(image, 0, 1, 200)
    else:
        within = SimpleITK.GetImageFromArray((mask != 0).astype(np.uint8))
    within = SimpleITK.And(within, SimpleITK.BinaryThreshold(image, 1e-6, 3.4e38, 1, 0))
    if not SimpleITK.GetArrayViewFromImage(within).any():
        raise UndefinedResult("no positive intensity to find a bias field of")
    factors = [max(1, min(shrink, size // 4)) for size in image.GetSize()]
    one = SimpleITK.N4BiasFieldCorrectionImageFilter()
    one.SetNumberOfThreads(1)
    one.SetMaximumNumberOfIterations([iterations] * levels)
    one.Execute(SimpleITK.Shrink(image, factors), SimpleITK.Shrink(within, factors))
    field = SimpleITK.GetArrayFromImage(one.GetLogBiasFieldAsImage(image))
    return np.asarray(values / np.exp(field), dtype=np.float32)


def matched(values: Array, reference: Array, bins: int = 256, points: int = 15) -> Floats:
    """(z, y, x) with the quantiles of ``reference``: Nyúl et al., IEEE TMI 19(2), 2000, in ITK.

    Below the mean of each, which is mostly background, nothing decides.
    """
    import SimpleITK

    images = [SimpleITK.GetImageFromArray(one.astype(np.float32)) for one in (values, reference)]
    found = SimpleITK.HistogramMatching(*images, bins, points, True)
    return np.asarray(SimpleITK.GetArrayFromImage(found), dtype=np.float32)
