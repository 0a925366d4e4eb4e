"""A volume cut down to where labels are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pydantic

from cohortflow.cohort.entry import Entry, Output
from cohortflow.geometry.agreement import require_agreement
from cohortflow.pipeline.stage import Context, Cost, Facts, Reads, Stage
from cohortflow.preprocess.boxes import around
from cohortflow.stages._cropping import Margin, cropped
from cohortflow.stages._images import Image, image_cost


class CropToLabel(Margin):
    labels: tuple[int, ...] = pydantic.Field((), description="which; all but 0 where none is named")


def crop_to_label(parameters: CropToLabel, context: Context, image: Entry, label: Entry) -> Output:
    """The box around the labels; the label map lies on the grid of the image."""
    given, where = Image.of(image), Image.of(label)
    require_agreement(given.grid, where.grid, where=image.subject or "")
    found = where.channels[0]
    mask = np.isin(found, parameters.labels) if parameters.labels else found != 0
    return cropped(parameters, given, around(mask))


def cost(parameters: CropToLabel, facts: Sequence[Facts]) -> Cost:
    return image_cost(facts, 16, 1e-8)


STAGE = Stage(
    name="crop_to_label",
    version=1,
    about="Cuts a volume down to where labels are",
    parameters=CropToLabel,
    reads={"image": Reads(("volume",)), "label": Reads(("label_map",))},
    writes="volume",
    scope="subject",
    function=crop_to_label,
    cost=cost,
)
