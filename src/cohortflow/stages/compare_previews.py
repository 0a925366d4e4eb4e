"""Three planes of an image with a prediction and its reference on it, for looking at a result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pydantic

from cohortflow.cohort.entry import Entry, Output
from cohortflow.pipeline.stage import Context, Cost, Facts, Reads, Stage
from cohortflow.preprocess.planes import three_planes
from cohortflow.stages.preview import Preview, drawn, facts_of, image_of, labels_of, volumes
from cohortflow.stages.preview import cost as preview_cost

Labels = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]


class ComparePreviews(Preview):
    through: Literal["labels", "difference"] = pydantic.Field(
        "labels",
        description="where the planes go: the middle of both maps together, or of where they "
        "differ",
    )


def compare_previews(
    parameters: ComparePreviews, context: Context, image: Entry, prediction: Entry, reference: Entry
) -> Output:
    """Planes with both maps; facts as of ``preview``, ``labels`` being ml of the prediction.

    Where the maps do not differ, ``difference`` is as ``labels``. Of several channels the first.
    Raises :class:`GeometryMismatch`, :class:`NotFinite`.
    """
    where = context.subject or ""
    array, grid = image_of(image, where)
    ours, truth = labels_of(prediction, grid, where), labels_of(reference, grid, where)
    planes = three_planes(
        array,
        grid,
        ours,
        parameters.limits,
        reference=truth,
        through=_through(ours, truth, parameters.through),
    )
    facts = {
        **facts_of(array, grid),
        "labels": volumes(ours, grid),
        "reference_labels": volumes(truth, grid),
    }
    return Output(dataset=drawn(planes), facts=facts, work={"voxels": int(array.size)})


def _through(ours: Labels, truth: Labels, where: str) -> Mask:
    differ: Mask = ours != truth
    either: Mask = (ours != 0) | (truth != 0)
    return differ if where == "difference" and differ.any() else either


def cost(parameters: ComparePreviews, facts: Sequence[Facts]) -> Cost:
    """Of a preview, and another map and a mask beside it."""
    alone = preview_cost(parameters, facts)
    return Cost(
        alone.memory_bytes + alone.memory_bytes // 2, 2 * alone.disk_bytes, 2 * alone.seconds
    )


STAGE = Stage(
    name="compare_previews",
    version=1,
    about="Three planes of an image with the outlines of a prediction and its reference",
    parameters=ComparePreviews,
    reads={
        "image": Reads(("volume",)),
        "prediction": Reads(("label_map",)),
        "reference": Reads(("label_map",)),
    },
    writes="preview",
    scope="subject",
    function=compare_previews,
    cost=cost,
    tolerance=1e-9,
)
