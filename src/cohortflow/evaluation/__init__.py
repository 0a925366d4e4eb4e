"""Metrics that carry their definitions. What is heavy loads with the first call."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cohortflow.evaluation.segmentation.evaluate import evaluate_segmentation
    from cohortflow.evaluation.segmentation.pooled import SegmentationCounts, count_segmentation
    from cohortflow.evaluation.segmentation.summary import summarise_segmentations

__all__ = [
    "SegmentationCounts",
    "count_segmentation",
    "evaluate_segmentation",
    "summarise_segmentations",
]

_WHERE = {
    "SegmentationCounts": "pooled",
    "count_segmentation": "pooled",
    "evaluate_segmentation": "evaluate",
    "summarise_segmentations": "summary",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.segmentation.{_WHERE[name]}"), name)
