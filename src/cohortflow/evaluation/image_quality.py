"""Quality of an image beside its reference, with the range of the data stated."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cohortflow.errors import EmptyInput, NotFinite, ShapeMismatch, UsageError
from cohortflow.evaluation.masked import refuse_masked
from cohortflow.evaluation.measurement import Measurement, measured, undefined

IMAGE_METRICS = ("psnr", "ssim", "mae", "rmse")
_K1, _K2 = 0.01, 0.03
_SIGMA, _RADIUS, _WIDTH = 1.5, 5, 7

Floats = NDArray[np.float64]


def image_metrics(
    reference: ArrayLike,
    image: ArrayLike,
    *,
    data_range: float,
    unit: str,
    metrics: Sequence[str] = IMAGE_METRICS,
    case: str = "",
) -> list[Measurement]:
    """One row per metric of an image (y, x) or (z, y, x) of one channel, in ``unit`` (as HU).

    data_range: largest minus smallest value that could be; it is never taken from the dtype or
    from the data, as both change the number. ``ssim`` and ``ssim/uniform-7`` name their windows;
    over (z, y, x) windows are cubes. PSNR of equal images is undefined, as it is infinite; an image
    smaller than the window has no SSIM.

    Raises ShapeMismatch, EmptyInput, NotFinite, UsageError for a range that is not positive.
    """
    refuse_masked(reference, image, where=case)
    a, b = np.asarray(reference, dtype=np.float64), np.asarray(image, dtype=np.float64)
    _check(a, b, data_range, case)
    rows = []
    for metric in metrics:
        if metric not in _FUNCTIONS:
            raise UsageError(f"no metric {metric!r} of images", expected=", ".join(_FUNCTIONS))
        shown = unit if metric in ("mae", "rmse") else ""
        reason = _undefined_because(metric, a, b)
        if reason:
            rows.append(undefined(metric, a.size, reason, unit=shown, case=case))
        else:
            value = _FUNCTIONS[metric](a, b, data_range)
            rows.append(measured(metric, value, a.size, unit=shown, case=case))
    return rows


def _check(a: Floats, b: Floats, data_range: float, case: str) -> None:
    if a.shape != b.shape or a.ndim not in (2, 3):
        raise ShapeMismatch(
            "reference and image are not (y, x) or (z, y, x) of one shape",
            where=case,
            expected=str(a.shape),
            found=str(b.shape),
        )
    if a.size == 0:
        raise EmptyInput("the images have no pixel", where=case)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise NotFinite("a pixel is NaN or infinite", where=case)
    if not (math.isfinite(data_range) and data_range > 0.0):
        raise UsageError(
            "the range of the data is none",
            where="data_range",
            expected="above 0: 255 for eight bits, 400 for a window of 400 HU",
            found=f"{data_range:g}",
        )


def _undefined_because(metric: str, a: Floats, b: Floats) -> str:
    if metric == "psnr" and np.array_equal(a, b):
        return "the images are equal: the ratio is infinite"
    window = {"ssim": 2 * _RADIUS + 1, "ssim/uniform-7": _WIDTH}.get(metric, 1)
    if min(a.shape) < window:
        return f"an axis is shorter than the window of {window} pixels"
    return ""


def psnr(a: Floats, b: Floats, data_range: float) -> float:
    """10 log10(range² / mean squared error) in dB."""
    return float(10.0 * np.log10(data_range**2 / ((a - b) ** 2).mean()))


def ssim(a: Floats, b: Floats, data_range: float) -> float:
    """Mean structural similarity with the Gaussian window of Wang et al. 2004."""
    from scipy.ndimage import gaussian_filter

    return _ssim(a, b, data_range, lambda x: gaussian_filter(x, _SIGMA, radius=_RADIUS), _RADIUS)


def ssim_uniform(a: Floats, b: Floats, data_range: float) -> float:
    """Mean structural similarity with a square window of 7 and sample covariances."""
    from scipy.ndimage import uniform_filter

    count = _WIDTH**a.ndim
    sample = count / (count - 1)
    return _ssim(a, b, data_range, lambda x: uniform_filter(x, _WIDTH), _WIDTH // 2, sample)


def _ssim(
    a: Floats,
    b: Floats,
    data_range: float,
    blur: Callable[[Floats], Floats],
    border: int,
    sample: float = 1.0,
) -> float:
    """Equation 13 of Wang et al. 2004, averaged where the window lies inside the image."""
    mean_a, mean_b = blur(a), blur(b)
    variance_a = sample * (blur(a * a) - mean_a * mean_a)
    variance_b = sample * (blur(b * b) - mean_b * mean_b)
    covariance = sample * (blur(a * b) - mean_a * mean_b)
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    above = (2.0 * mean_a * mean_b + c1) * (2.0 * covariance + c2)
    below = (mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)
    inside = (slice(border, -border),) * a.ndim
    return float((above / below)[inside].mean())


_FUNCTIONS: dict[str, Callable[[Floats, Floats, float], float]] = {
    "psnr": psnr,
    "ssim": ssim,
    "ssim/uniform-7": ssim_uniform,
    "mae": lambda a, b, data_range: float(np.abs(a - b).mean()),
    "rmse": lambda a, b, data_range: float(np.sqrt(((a - b) ** 2).mean())),
}
