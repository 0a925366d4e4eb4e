"""Each id beside the package whose definition it is, on random anisotropic pairs.

MedPy is under the GPL: it is compared with here and never imported by the package.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from cohortflow.evaluation import evaluate_segmentation
from tests.evaluation.segmentation.test_definitions import blobs

pytestmark = pytest.mark.slow
PAIRS = 12
Answers = Mapping[str, float]
Peer = Callable[[Any, Any, tuple[float, ...]], Answers]


def peer(name: str) -> Any:
    return pytest.importorskip(name, reason=f"{name} is not installed (extra peers)")


def compare(answers: Peer, axes: tuple[int, ...] = (3, 2)) -> None:
    """Shapes, borders, spacings and overlaps at random; 1e-6 of the largest answer."""
    rng = np.random.default_rng(11)
    for number in range(PAIRS):
        for dimensions in axes:
            shape = tuple(rng.integers(6, 22, dimensions).tolist())
            spacing = tuple(rng.uniform(0.4, 4.0, dimensions).round(2).tolist())
            seeds = number, number + 100 * (1 + number % 2)
            a, b = (blobs(seed, shape) for seed in seeds)
            if number % 3 == 0:
                b = np.roll(a, 1, axis=-1)
            if not a.any() or not b.any():
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                expected = answers(a, b, spacing)
            table = evaluate_segmentation(a, b, spacing, labels={1: "it"}, metrics=list(expected))
            for row in table.itertuples():
                near = pytest.approx(expected[str(row.metric)], rel=1e-6, abs=1e-6)
                assert row.value == near, (row.metric, shape, spacing)


def test_medpy() -> None:
    binary = peer("medpy.metric").binary

    def answers(a: Any, b: Any, spacing: tuple[float, ...]) -> Answers:
        return {
            "dice": binary.dc(b, a),
            "iou": binary.jc(b, a),
            "sensitivity": binary.sensitivity(b, a),
            "specificity": binary.specificity(b, a),
            "precision": binary.precision(b, a),
            "hd": binary.hd(b, a, spacing),
            "hd95/pooled": binary.hd95(b, a, spacing),
            "assd": binary.assd(b, a, spacing),
            "asd/prediction-to-reference": binary.asd(b, a, spacing),
            "asd/reference-to-prediction": binary.asd(a, b, spacing),
        }

    compare(answers)


def test_monai() -> None:
    metrics = peer("monai.metrics")
    torch = peer("torch")

    def answers(a: Any, b: Any, spacing: tuple[float, ...]) -> Answers:
        y, p = (torch.from_numpy(mask)[None, None] for mask in (a, b))
        here = {"include_background": True, "spacing": spacing}
        distance = metrics.compute_average_surface_distance
        found = {
            "dice": metrics.compute_dice(p, y, include_background=True),
            "iou": metrics.compute_iou(p, y, include_background=True),
            "hd": metrics.compute_hausdorff_distance(p, y, **here),
            "hd95/max-directed": metrics.compute_hausdorff_distance(p, y, percentile=95, **here),
            "assd": distance(p, y, symmetric=True, **here),
            "asd/prediction-to-reference": distance(p, y, **here),
            "nsd@2mm": metrics.compute_surface_dice(p, y, [2.0], **here),
        }
        return {name: float(value) for name, value in found.items()}

    compare(answers)


def test_surface_distance() -> None:
    package = peer("surface_distance")

    def answers(a: Any, b: Any, spacing: tuple[float, ...]) -> Answers:
        found = package.compute_surface_distances(a, b, spacing)
        return {
            "dice": package.compute_dice_coefficient(a, b),
            "hd95/surface-weighted": package.compute_robust_hausdorff(found, 95),
            "hd100/surface-weighted": package.compute_robust_hausdorff(found, 100),
            "nsd@2mm/surfels": package.compute_surface_dice_at_tolerance(found, 2.0),
            "nsd@0.5mm/surfels": package.compute_surface_dice_at_tolerance(found, 0.5),
        }

    compare(answers)


def test_simpleitk() -> None:
    sitk = peer("SimpleITK")

    def image(mask: Any, spacing: tuple[float, ...]) -> Any:
        made = sitk.GetImageFromArray(mask.astype(np.uint8))
        made.SetSpacing(spacing[::-1])
        return made

    def answers(a: Any, b: Any, spacing: tuple[float, ...]) -> Answers:
        pair = image(a, spacing), image(b, spacing)
        hausdorff = sitk.HausdorffDistanceImageFilter()
        hausdorff.Execute(*pair)
        overlap = sitk.LabelOverlapMeasuresImageFilter()
        overlap.Execute(*pair)
        return {
            "hd/filled": hausdorff.GetHausdorffDistance(),
            "ahd/filled": hausdorff.GetAverageHausdorffDistance(),
            "dice": overlap.GetDiceCoefficient(1),
            "iou": overlap.GetJaccardCoefficient(1),
        }

    compare(answers)
