"""Metrics of depth maps and of surface normals, over the pixels of one image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cohortflow.errors import EmptyInput, NotFinite, ShapeMismatch, UsageError
from cohortflow.evaluation.definitions import definition
from cohortflow.evaluation.masked import refuse_masked
from cohortflow.evaluation.measurement import Measurement, measured

DEPTH_METRICS = ("mae", "rmse", "abs_rel", "delta@1.25")
NORMAL_METRICS = (
    "angular_error/mean",
    "angular_error/median",
    *(f"angular_share@{angle}deg" for angle in ("11.25", "22.5", "30")),
)
_SCALED = "/median-scaled"


def depth_metrics(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    unit: str,
    valid: ArrayLike | None = None,
    metrics: Sequence[str] = DEPTH_METRICS,
    case: str = "",
) -> list[Measurement]:
    """One row per metric over the valid pixels of a depth map.

    truth, prediction: (y, x), positive, in ``unit``. valid: (y, x) of booleans; default where the
    truth is finite and above 0. An id that ends in ``/median-scaled`` first multiplies the
    prediction by median(truth) / median(prediction), for methods that know no scale.

    Raises ShapeMismatch, EmptyInput where no pixel is valid, NotFinite where a valid pixel has no
    positive finite depth on both sides: leaving it out would better the numbers.
    """
    of_truth, of_prediction, mask = _alike(truth, prediction, valid)
    if valid is None:
        mask = np.isfinite(of_truth) & (of_truth > 0.0)
    true, told = of_truth[mask], of_prediction[mask]
    if true.size == 0:
        raise EmptyInput("no pixel is valid", where=case)
    for name, values in (("truth", true), ("prediction", told)):
        bad = int((~(np.isfinite(values) & (values > 0.0))).sum())
        if bad:
            raise NotFinite(
                f"the {name} of valid pixels is no depth",
                where=case,
                expected="finite and above 0",
                found=f"{bad} of {values.size} pixels",
            )
    rows = []
    for metric in metrics:
        scaled = told * np.median(true) / np.median(told) if metric.endswith(_SCALED) else told
        name = metric.removesuffix(_SCALED)
        shown = unit if name in ("mae", "rmse") else definition(metric).unit
        rows.append(measured(metric, _depth(name, true, scaled), true.size, unit=shown, case=case))
    return rows


def normal_metrics(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    valid: ArrayLike | None = None,
    metrics: Sequence[str] = NORMAL_METRICS,
    case: str = "",
) -> list[Measurement]:
    """Angles in degrees between true and predicted normals, over the valid pixels of one image.

    truth, prediction: (3, y, x) as (x, y, z), of any length. valid: (y, x); default where the truth
    is finite. A valid pixel whose prediction is not finite or of length 0 counts as 180°.

    Raises ShapeMismatch, EmptyInput where no pixel is valid, NotFinite where the truth of a valid
    pixel is no direction.
    """
    of_truth, of_prediction, mask = _alike(truth, prediction, valid)
    if of_truth.ndim != 3 or of_truth.shape[0] != 3:
        raise ShapeMismatch(
            "normals are (3, y, x)", where=case, expected="(3, y, x)", found=str(of_truth.shape)
        )
    if valid is None:
        mask = np.asarray(np.isfinite(of_truth).all(axis=0))
    angles = _angles(of_truth[:, mask], of_prediction[:, mask], case)
    return [measured(m, _of_angles(m, angles), angles.size, case=case) for m in metrics]


def _alike(
    truth: ArrayLike, prediction: ArrayLike, valid: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    refuse_masked(truth, prediction, valid)
    of_truth = np.asarray(truth, dtype=np.float64)
    of_prediction = np.asarray(prediction, dtype=np.float64)
    plane = of_truth.shape[-2:]
    mask = np.ones(plane, bool) if valid is None else np.asarray(valid)
    if of_truth.shape != of_prediction.shape or mask.shape != plane or mask.dtype != bool:
        raise ShapeMismatch(
            "truth, prediction and valid pixels are not of one shape",
            expected=f"{of_truth.shape}, and booleans {plane}",
            found=f"{of_prediction.shape}, and {mask.dtype} {mask.shape}",
        )
    return of_truth, of_prediction, mask


def _depth(metric: str, truth: NDArray[np.float64], told: NDArray[np.float64]) -> float:
    errors = told - truth
    if metric == "mae":
        return float(np.abs(errors).mean())
    if metric == "rmse":
        return float(np.sqrt((errors**2).mean()))
    if metric == "abs_rel":
        return float((np.abs(errors) / truth).mean())
    ratio = _parameter(metric, "delta@", "")
    return float((np.maximum(told / truth, truth / told) < ratio).mean())


def _angles(
    truth: NDArray[np.float64], told: NDArray[np.float64], case: str
) -> NDArray[np.float64]:
    """Degrees (pixel); by the arc tangent, which is exact for small angles too."""
    if truth.shape[1] == 0:
        raise EmptyInput("no pixel is valid", where=case)
    if not (np.isfinite(truth).all() and (truth != 0.0).any(axis=0).all()):
        raise NotFinite("the truth of a valid pixel is no direction", where=case)
    known = np.isfinite(told).all(axis=0) & (told != 0.0).any(axis=0)
    angles = np.full(truth.shape[1], 180.0)
    a, b = truth[:, known], told[:, known]
    sine = np.linalg.norm(np.cross(a, b, axis=0), axis=0)
    angles[known] = np.degrees(np.arctan2(sine, (a * b).sum(axis=0)))
    return angles


def _of_angles(metric: str, angles: NDArray[np.float64]) -> float:
    if metric == "angular_error/mean":
        return float(angles.mean())
    if metric == "angular_error/median":
        return float(np.median(angles))
    return float((angles < _parameter(metric, "angular_share@", "deg")).mean())


def _parameter(metric: str, before: str, after: str) -> float:
    text = metric.removeprefix(before).removesuffix(after)
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if metric != f"{before}{text}{after}" or not value > 0.0:
        raise UsageError(
            f"no metric {metric!r} here", expected=f"{before}<number above 0>{after}, for one"
        )
    return value
