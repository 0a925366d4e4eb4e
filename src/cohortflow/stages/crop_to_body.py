"""A volume cut down to the largest thing in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pydantic

from cohortflow.cohort.entry import Entry, Output
from cohortflow.pipeline.stage import Context, Cost, Facts, Reads, Stage
from cohortflow.preprocess.boxes import largest_object
from cohortflow.stages._cropping import Margin, cropped
from cohortflow.stages._images import Image, image_cost


class CropToBody(Margin):
    above: float = pydantic.Field(
        -500.0, description="what is above it, in any channel, may be body; −500 HU for CT"
    )


def crop_to_body(parameters: CropToBody, context: Context, image: Entry) -> Output:
    """The box around the largest object, whose voxels share faces."""
    given = Image.of(image)
    mask = np.logical_or.reduce(given.channels > parameters.above, axis=0)
    return cropped(parameters, given, largest_object(mask))


def cost(parameters: CropToBody, facts: Sequence[Facts]) -> Cost:
    return image_cost(facts, 16, 2e-8)


STAGE = Stage(
    name="crop_to_body",
    version=1,
    about="Cuts a volume down to the largest object in it",
    parameters=CropToBody,
    reads={"image": Reads(("volume",))},
    writes="volume",
    scope="subject",
    function=crop_to_body,
    cost=cost,
)
