"""One registry of metric ids: each task's, told apart where they share a name."""

from __future__ import annotations

from collections import Counter

import pytest

from cohortflow.errors import UnknownName
from cohortflow.evaluation.definitions import DEFINITIONS, TASKS, definition
from cohortflow.evaluation.segmentation.metrics import EXAMPLES, parse_metric


@pytest.mark.parametrize("metric", [*EXAMPLES, "lesion-f1@iou0.1/faces", "hd80/max-directed"])
def test_every_id_of_segmentation_is_defined(metric: str) -> None:
    one, parsed = definition(metric, "segmentation"), parse_metric(metric)
    assert one.better == parsed.better
    assert one.about
    assert one.source
    assert one.unit.split(";")[0] in {"1", "count", "mm", "ml"}
    assert (one.worst == 0.0) == (parsed.worst == "zero")


def test_ids_are_unique_in_a_task_and_shared_ones_are_those_known() -> None:
    assert len(DEFINITIONS) == sum(map(len, TASKS.values()))
    times = Counter(name for _, name in DEFINITIONS)
    shared = {name for name, count in times.items() if count > 1}
    assert shared == {"accuracy", "sensitivity", "specificity", "precision"}
    for name in shared:
        of_cases, of_voxels = definition(name), definition(name, "segmentation")
        assert of_cases is DEFINITIONS["classification", name]
        assert of_voxels is DEFINITIONS["segmentation", name]
        assert of_cases.about != of_voxels.about


def test_parameters_find_their_definition() -> None:
    assert definition("hd95/pooled").id == "hd<percent>/pooled"
    assert definition("nsd@2mm/surfels").id == "nsd@<tolerance>/surfels"
    assert definition("boundary-iou").id != definition("boundary-iou@2mm").id
    assert definition("lesion-f1@any").id != definition("lesion-f1@any/faces").id


@pytest.mark.parametrize(
    ("metric", "task"),
    [("hd/pooled", None), ("hd95", None), ("nsd", None), ("dice", "classification"),
     ("auc", "segmentation"), ("dice", "segmentations")],
)  # fmt: skip
def test_what_means_nothing_is_refused_with_the_nearest(metric: str, task: str | None) -> None:
    with pytest.raises(UnknownName):
        definition(metric, task)
