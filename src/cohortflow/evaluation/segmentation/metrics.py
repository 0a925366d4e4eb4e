"""Ids of segmentation metrics: what each computes, in which unit, and the worst it can be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cohortflow.errors import BadParameter, NoWorldSpace, UnknownName, nearest

Family = Literal[
    "overlap",
    "surface",
    "surfels",
    "filled",
    "boundary",
    "shape",
    "lesions",
    "volume",
    "counts",
    "pooled",
]
Worst = Literal["zero", "diagonal", "infinite", "none"]
Side = Literal["mm", "voxel"]

OVERLAP = (
    *("dice", "iou", "sensitivity", "specificity", "precision", "accuracy"),
    "volume-similarity",
)
DISTANCES = ("hd", "assd", "masd", "asd/prediction-to-reference", "asd/reference-to-prediction")
FILLED = ("hd/filled", "ahd/filled")
SHAPE = ("pseudo-f-measure", "cldice")
LESIONS = ("lesion-recall", "lesion-precision", "lesion-f1")
VOLUMES = ("volume/reference", "volume/prediction")
COUNTS = ("voxels/tp", "voxels/fp", "voxels/fn", "voxels/tn")
SUMMED = tuple(name for name in OVERLAP if name != "volume-similarity")
"""What may be of the voxels of many cases: volumes too large and too small would even out."""
POOLED = (
    *(f"{name}/voxels" for name in SUMMED),
    *(f"{name}/voxels-as-counted" for name in SUMMED),
)
_NUMBER = r"(\d+(?:\.\d+)?)"
_PERCENTILE = re.compile(rf"hd{_NUMBER}/(pooled|max-directed|surface-weighted)")
_TOLERANCE = re.compile(rf"(nsd|boundary-iou)@{_NUMBER}(mm|voxel)(/surfels)?")
_BETTI = re.compile(r"betti-error/([012])")
_LESION = re.compile(rf"({'|'.join(LESIONS)})@(any|iou{_NUMBER})(/faces)?")
EXAMPLES = (
    *OVERLAP,
    *DISTANCES,
    *("hd95/pooled", "hd95/max-directed", "hd95/surface-weighted", *FILLED),
    *("nsd@2mm", "nsd@2mm/surfels", "nsd@2voxel", "boundary-iou", "boundary-iou@2mm", *SHAPE),
    *("betti-error/0", "betti-error/1", "betti-error/2"),
    *(f"{name}@iou0.5" for name in LESIONS),
    *(f"{name}@any" for name in LESIONS),
    *VOLUMES,
    *COUNTS,
    *POOLED,
)


@dataclass(frozen=True)
class Metric:
    """One id, parsed. ``unit`` is ``1``, ``count``, ``distance`` (mm, and voxel in index space) or
    ``volume`` (ml, and voxel; mm² of an image in the plane). A volume is neither good nor bad, nor
    is a count. ``pooled`` is of the voxels of many cases in one count, and of no single one.

    ``percentile`` of ``hd…``; ``tolerance`` with its ``side``; ``degree`` of a Betti number;
    ``threshold`` of the IoU of lesions (None: any common voxel) that are joined across ``faces``
    only or across edges and corners too.
    """

    id: str
    name: str
    family: Family
    unit: Literal["1", "count", "distance", "volume"] = "1"
    worst: Worst = "zero"
    percentile: float = 100.0
    tolerance: float = 0.0
    side: Side | None = None
    degree: int = 0
    threshold: float | None = None
    faces: bool = False

    @property
    def better(self) -> Literal["higher", "lower", "none"]:
        if self.worst == "none":
            return "none"
        return "higher" if self.worst == "zero" else "lower"


def parse_metric(text: str) -> Metric:
    """The metric of an id; :class:`UnknownName` with the nearest known one where it is none."""
    if text in OVERLAP:
        return Metric(text, text, "overlap")
    if text in DISTANCES:
        return Metric(text, text, "surface", "distance", "diagonal")
    if text in FILLED:
        return Metric(text, text, "filled", "distance", "diagonal")
    if text in SHAPE:
        return Metric(text, text, "shape")
    if text in VOLUMES:
        return Metric(text, text, "volume", "volume", "none")
    if text in COUNTS:
        return Metric(text, text, "counts", "count", "none")
    if text in POOLED:
        return Metric(text, text.split("/")[0], "pooled")
    if text == "boundary-iou":
        return Metric(text, text, "boundary")
    found = _percentile(text) or _tolerance(text) or _betti(text) or _lesion(text)
    if found is None:
        raise UnknownName(
            "a metric that is not known", found=repr(text), hint=nearest(text, EXAMPLES)
        )
    return found


def parse_metrics(ids: Sequence[str], world: bool) -> list[Metric]:
    """All of them in order; millimetres are refused in index space, and voxels outside of it."""
    if isinstance(ids, str) or not ids:
        raise BadParameter("metrics is a list of ids", expected="['dice', …]", found=repr(ids))
    doubled = sorted({text for text in ids if list(ids).count(text) > 1})
    if doubled:
        raise BadParameter("a metric is asked for twice", found=", ".join(doubled))
    metrics = [parse_metric(text) for text in ids]
    for metric in metrics:
        if metric.family == "pooled":
            raise BadParameter(
                f"{metric.id} is of the voxels of many cases, and these are of one",
                hint="Measure voxels/tp, fp, fn and tn of each case (counts: true in a pipeline): "
                "the summary of cases has it then.",
            )
        if metric.side == "mm" and not world:
            raise NoWorldSpace(
                f"{metric.id} is in millimetres, and the spacing is not known",
                hint="Say spacing_mm=(z, y, x), or take a tolerance in voxel.",
            )
        if metric.side == "voxel" and world:
            raise BadParameter(
                f"{metric.id} is in voxels, and the distances are in millimetres",
                hint="Take a tolerance in mm, or leave spacing_mm away.",
            )
    return metrics


def _percentile(text: str) -> Metric | None:
    match = _PERCENTILE.fullmatch(text)
    if match is None or not 0 < float(match[1]) <= 100:
        return None
    family: Family = "surfels" if match[2] == "surface-weighted" else "surface"
    name = f"hd/{match[2]}"
    return Metric(text, name, family, "distance", "diagonal", percentile=float(match[1]))


def _tolerance(text: str) -> Metric | None:
    match = _TOLERANCE.fullmatch(text)
    if match is None or (match[1] == "boundary-iou" and match[4]):
        return None
    side: Side = "mm" if match[3] == "mm" else "voxel"
    family: Family = "boundary"
    if match[1] == "nsd":
        family = "surfels" if match[4] else "surface"
    return Metric(text, match[1], family, tolerance=float(match[2]), side=side)


def _betti(text: str) -> Metric | None:
    match = _BETTI.fullmatch(text)
    if match is None:
        return None
    return Metric(text, "betti-error", "shape", "count", "infinite", degree=int(match[1]))


def _lesion(text: str) -> Metric | None:
    match = _LESION.fullmatch(text)
    if match is None or (match[3] is not None and not 0 < float(match[3]) <= 1):
        return None
    threshold = None if match[3] is None else float(match[3])
    return Metric(text, match[1], "lesions", threshold=threshold, faces=match[4] is not None)
