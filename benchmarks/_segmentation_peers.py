"""What segmentation metrics are compared with: each peer as its users call it, label by label."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.evaluation import evaluate_segmentation

Array = npt.NDArray[Any]
Call = Callable[[], dict[str, float]]
EVERYTHING = (
    *("dice", "iou", "sensitivity", "specificity", "precision", "accuracy", "volume-similarity"),
    *("hd", "hd95/pooled", "hd95/max-directed", "assd", "masd", "nsd@2mm"),
)
PACKAGES = ("panoptica", "surface_distance", "monai", "SimpleITK", "seg_metrics", "medpy")


@dataclass(frozen=True)
class Pair:
    reference: Array
    prediction: Array
    spacing_mm: tuple[float, float, float]
    labels: Sequence[int]
    threads: int

    def ours(self, metrics: Sequence[str]) -> Call:
        """→ metric → mean over the labels."""

        def call() -> dict[str, float]:
            table = evaluate_segmentation(
                self.reference,
                self.prediction,
                self.spacing_mm,
                labels={label: str(label) for label in self.labels},
                metrics=list(metrics),
                threads=self.threads,
            )
            return {str(k): float(v) for k, v in table.groupby("metric")["value"].mean().items()}

        return call

    def each_label(self, measure: Callable[[Array, Array], dict[str, float]]) -> Call:
        def call() -> dict[str, float]:
            found = [
                measure(self.reference == label, self.prediction == label) for label in self.labels
            ]
            return {name: float(np.mean([one[name] for one in found])) for name in found[0]}

        return call

    def medpy(self) -> Call:
        binary: Any = importlib.import_module("medpy.metric").binary
        return self.each_label(lambda a, b: {"hd95/pooled": binary.hd95(b, a, self.spacing_mm)})

    def monai(self, everything: bool) -> Call:
        import torch

        metrics: Any = importlib.import_module("monai.metrics")
        here = {"include_background": True, "spacing": self.spacing_mm}

        def measure(a: Array, b: Array) -> dict[str, float]:
            torch.set_num_threads(self.threads)
            y, p = (torch.from_numpy(mask)[None, None] for mask in (a, b))
            found = {
                "hd95/max-directed": metrics.compute_hausdorff_distance(p, y, percentile=95, **here)
            }
            if everything:
                found |= {
                    "hd": metrics.compute_hausdorff_distance(p, y, **here),
                    "assd": metrics.compute_average_surface_distance(p, y, symmetric=True, **here),
                    "nsd@2mm": metrics.compute_surface_dice(p, y, [2.0], **here),
                    "dice": metrics.compute_dice(p, y, include_background=True),
                    "iou": metrics.compute_iou(p, y, include_background=True),
                }
            return {name: float(value) for name, value in found.items()}

        return self.each_label(measure)

    def surface_distance(self) -> Call:
        package: Any = importlib.import_module("surface_distance")

        def measure(a: Array, b: Array) -> dict[str, float]:
            found = package.compute_surface_distances(a, b, self.spacing_mm)
            return {
                "hd95/surface-weighted": package.compute_robust_hausdorff(found, 95),
                "nsd@2mm/surfels": package.compute_surface_dice_at_tolerance(found, 2.0),
            }

        return self.each_label(measure)

    def simpleitk(self) -> Call:
        import SimpleITK

        def measure(a: Array, b: Array) -> dict[str, float]:
            SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(self.threads)
            pair = [SimpleITK.GetImageFromArray(mask.astype(np.uint8)) for mask in (a, b)]
            for image in pair:
                image.SetSpacing(self.spacing_mm[::-1])
            hausdorff = SimpleITK.HausdorffDistanceImageFilter()
            hausdorff.Execute(*pair)
            return {
                "hd/filled": hausdorff.GetHausdorffDistance(),
                "ahd/filled": hausdorff.GetAverageHausdorffDistance(),
            }

        return self.each_label(measure)

    def seg_metrics(self) -> Call:
        """By signed distance maps and contours; its borders of the image are others than ours."""
        package: Any = importlib.import_module("seg_metrics.seg_metrics")

        def measure(a: Array, b: Array) -> dict[str, float]:
            pair = b.astype(np.uint8), a.astype(np.uint8)
            names = ["hd", "hd95", "msd"]
            found = package.computeQualityMeasures(*pair, self.spacing_mm[::-1], names, False)
            return {"hd": found["hd"], "hd95/pooled": found["hd95"], "masd": found["msd"]}

        return self.each_label(measure)

    def panoptica(self) -> Call:
        """All labels in one call, which cuts each to its box; the labels need no matching."""
        package: Any = importlib.import_module("panoptica")
        metric = package.metrics.Metric
        chosen = [metric.DSC, metric.IOU, metric.ASSD, metric.HD, metric.HD95, metric.NSD]
        evaluator = package.Panoptica_Evaluator(
            expected_input=package.InputType.MATCHED_INSTANCE,
            instance_metrics=chosen,
            global_metrics=[],
        )
        names = {"dice": "sq_dsc", "iou": "sq", "hd": "sq_hd", "hd95/pooled": "sq_hd95"}
        names |= {"masd": "sq_assd"}

        def call() -> dict[str, float]:
            pair = self.prediction, self.reference
            found = evaluator.evaluate(*pair, voxelspacing=self.spacing_mm, verbose=False)
            values = found["ungrouped"].to_dict()
            return {ours: float(values[theirs]) for ours, theirs in names.items()}

        return call


def peers(pair: Pair, chosen: Sequence[str]) -> dict[str, Call]:
    """By name, of those chosen that are installed."""
    calls: dict[str, Callable[[], Call]] = {
        "panoptica": pair.panoptica,
        "surface_distance": pair.surface_distance,
        "monai hd95": lambda: pair.monai(False),
        "monai": lambda: pair.monai(True),
        "SimpleITK": pair.simpleitk,
        "seg_metrics": pair.seg_metrics,
        "medpy hd95": pair.medpy,
    }
    return {
        name: make()
        for name, make in calls.items()
        if (package := name.split()[0]) in chosen and importlib.util.find_spec(package)
    }
