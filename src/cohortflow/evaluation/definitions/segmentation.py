"""Metric ids of segmentation; units and directions are those that their parsing gives."""

from __future__ import annotations

import math

from cohortflow.evaluation.definitions.definition import Definition
from cohortflow.evaluation.segmentation.metrics import SUMMED, parse_metric

_TAHA = "Taha and Hanbury 2015, BMC Medical Imaging 15:29"
_OURS = "ours"
_SURFELS = "DeepMind surface-distance; Nikolov et al. 2021, JMIR 23(7):e26151"
_UNITS = {"distance": "mm; voxel in index space", "volume": "ml; voxel in index space"}
_WORST = {"zero": 0.0, "infinite": math.inf, "diagonal": None, "none": None}


def _of(name: str, about: str, source: str, example: str = "") -> Definition:
    """``example``: an id of this definition, where it has a parameter. The worst of a distance is
    the diagonal of the case's own image."""
    metric = parse_metric(example or name)
    unit = _UNITS.get(metric.unit, metric.unit)
    return Definition(name, about, unit, metric.better, _WORST[metric.worst], source)


def _lesions(faces: str) -> tuple[Definition, ...]:
    joined = "across faces only" if faces else "across faces, edges and corners"
    parts = {
        "lesion-recall": "share of the reference's components that are found",
        "lesion-precision": "share of the prediction's components that are right",
        "lesion-f1": "harmonic mean of lesion recall and precision",
    }
    how = f"paired one to one from an IoU on, or by any common voxel; joined {joined}"
    return tuple(
        _of(f"{name}@<overlap>{faces}", f"{about}; {how}", _OURS, f"{name}@iou0.5{faces}")
        for name, about in parts.items()
    )


def _pooled(way: str, about: str) -> tuple[Definition, ...]:
    how = f"of the voxels of all cases in one count; {about}"
    return tuple(_of(f"{name}/{way}", f"{name} {how}", _OURS) for name in SUMMED)


SEGMENTATION = (
    _of("dice", "2TP / (2TP + FP + FN)", _TAHA),
    _of("iou", "TP / (TP + FP + FN)", _TAHA),
    _of("sensitivity", "TP / (TP + FN) of voxels", f"{_TAHA}; MedPy"),
    _of("specificity", "TN / (TN + FP) of voxels", f"{_TAHA}; MedPy"),
    _of("precision", "TP / (TP + FP) of voxels", f"{_TAHA}; MedPy"),
    _of("accuracy", "(TP + TN) of all voxels", _TAHA),
    _of("volume-similarity", "1 - |FN - FP| / (2TP + FP + FN)", _TAHA),
    _of("hd", "largest distance from a surface voxel to the other surface", "MedPy hd; MONAI"),
    _of(
        "hd<percent>/pooled",
        "percentile of the distances of both surfaces joined",
        "MedPy hd95; panoptica",
        "hd95/pooled",
    ),
    _of(
        "hd<percent>/max-directed",
        "larger of the percentiles of the two directions",
        "MONAI HausdorffDistanceMetric(percentile)",
        "hd95/max-directed",
    ),
    _of(
        "hd<percent>/surface-weighted",
        "larger of the percentiles of the two directions, surface elements weighted by area",
        f"{_SURFELS}, compute_robust_hausdorff",
        "hd95/surface-weighted",
    ),
    _of("hd/filled", "largest distance from a voxel of one mask to the other", "SimpleITK"),
    _of(
        "ahd/filled", "mean of the two mean distances of all voxels to the other mask", "SimpleITK"
    ),
    _of("assd", "mean distance of both surfaces joined", "MedPy assd; MONAI, symmetric"),
    _of("masd", "mean of the mean distances of the two directions", "panoptica ASSD"),
    _of(
        "asd/prediction-to-reference",
        "mean distance from the prediction's surface to the reference's",
        "MedPy asd; MONAI",
    ),
    _of(
        "asd/reference-to-prediction",
        "mean distance from the reference's surface to the prediction's",
        "MedPy asd, arguments swapped",
    ),
    _of(
        "nsd@<tolerance>",
        "share of the surface voxels of both that are within the tolerance (mm or voxel)",
        "MONAI SurfaceDiceMetric",
        "nsd@2mm",
    ),
    _of(
        "nsd@<tolerance>/surfels",
        "share of the area of both surfaces that is within the tolerance",
        f"{_SURFELS}, compute_surface_dice_at_tolerance",
        "nsd@2mm/surfels",
    ),
    _of(
        "boundary-iou",
        "IoU of the bands inside both contours, 2 % of the image's diagonal wide",
        "Cheng et al. 2021, CVPR",
    ),
    _of(
        "boundary-iou@<tolerance>",
        "IoU of the bands inside both contours, as wide as the tolerance (mm or voxel)",
        _OURS,
        "boundary-iou@2mm",
    ),
    _of(
        "pseudo-f-measure",
        "harmonic mean of precision and the share of the reference's skeleton in the prediction",
        "Ntirogiannis et al. 2008, unweighted",
    ),
    _of(
        "cldice",
        "harmonic mean of the shares of each skeleton in the other mask",
        "Shit et al. 2021, CVPR, equations 1–3",
    ),
    _of("betti-error/0", "difference in the number of components", "homology of closed voxels"),
    _of("betti-error/1", "difference in the number of tunnels", "homology of closed voxels"),
    _of("betti-error/2", "difference in the number of cavities", "homology of closed voxels"),
    *_lesions(""),
    *_lesions("/faces"),
    _of("volume/reference", "voxels of the reference times their size; no score", _OURS),
    _of("volume/prediction", "voxels of the prediction times their size; no score", _OURS),
    _of("voxels/tp", "voxels in both; no score", _OURS),
    _of("voxels/fp", "voxels in the prediction only; no score", _OURS),
    _of("voxels/fn", "voxels in the reference only; no score", _OURS),
    _of("voxels/tn", "voxels in neither; no score", _OURS),
    *_pooled("voxels", "a missed or failed case has every voxel wrong"),
    *_pooled("voxels-as-counted", "a missed structure may improve it"),
)
