"""Metric ids of numbers: regression over cases, depth and normals over pixels."""

from __future__ import annotations

from cohortflow.evaluation.definitions.definition import OF_THE_VALUES, Definition

_EIGEN = "Eigen, Puhrsch and Fergus 2014, NeurIPS, section 4"
_LEAST = "as in scikit-learn"
_SCALED = "; the prediction multiplied by median(truth) / median(prediction) first"


def _lower(name: str, about: str, unit: str, source: str) -> Definition:
    return Definition(name, about, unit, "lower", None, source)


REGRESSION = (
    _lower("mae", "mean of |prediction - truth|", OF_THE_VALUES, _LEAST),
    _lower("rmse", "root of the mean of (prediction - truth)²", OF_THE_VALUES, _LEAST),
    _lower("abs_rel", "mean of |prediction - truth| / |truth|", "1", _EIGEN),
    Definition("bias", "mean of prediction - truth", OF_THE_VALUES, "none", None, _LEAST),
    Definition(
        "r2",
        "1 - sum of squared errors / sum of squares of the truth about its mean",
        "1",
        "higher",
        None,
        _LEAST,
    ),
)

DEPTH = (
    *(
        _lower(f"{name}/median-scaled", about + _SCALED, unit, "Zhou et al. 2017, CVPR, section 4")
        for name, about, unit in (
            ("mae", "mean of |prediction - truth|", OF_THE_VALUES),
            ("rmse", "root of the mean of (prediction - truth)²", OF_THE_VALUES),
            ("abs_rel", "mean of |prediction - truth| / |truth|", "1"),
        )
    ),
    Definition(
        "delta@<ratio>",
        "share of pixels with max(prediction / truth, truth / prediction) below the ratio",
        "1",
        "higher",
        0.0,
        _EIGEN,
    ),
    Definition(
        "delta@<ratio>/median-scaled",
        "share of pixels with max(prediction / truth, truth / prediction) below the ratio"
        + _SCALED,
        "1",
        "higher",
        0.0,
        "Zhou et al. 2017, CVPR, section 4",
    ),
)

NORMALS = (
    Definition(
        "angular_error/mean",
        "mean angle between normals; a pixel without a predicted normal counts 180°",
        "deg",
        "lower",
        180.0,
        "Fouhey, Gupta and Hebert 2013, ICCV",
    ),
    Definition(
        "angular_error/median",
        "median angle between normals; a pixel without a predicted normal counts 180°",
        "deg",
        "lower",
        180.0,
        "Fouhey, Gupta and Hebert 2013, ICCV",
    ),
    Definition(
        "angular_share@<angle>deg",
        "share of pixels whose normals differ by less than the angle",
        "1",
        "higher",
        0.0,
        "Fouhey, Gupta and Hebert 2013, ICCV",
    ),
)
