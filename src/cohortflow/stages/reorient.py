"""A volume turned towards the axes of the body: flips and transposes, no value changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pydantic

from cohortflow.cohort.entry import Entry, Output
from cohortflow.errors import UsageError
from cohortflow.geometry.orientation import Reorientation, checked_orientation
from cohortflow.pipeline.stage import Context, Cost, Facts, Parameters, Reads, Stage
from cohortflow.stages._images import Image, image_cost


class Reorient(Parameters):
    orientation: str = pydantic.Field(
        "RAS", description="the sides of the body towards which x, y and z run"
    )

    @pydantic.field_validator("orientation")
    @classmethod
    def _exists(cls, orientation: str) -> str:
        try:
            return checked_orientation(orientation)
        except UsageError as error:
            raise ValueError(str(error)) from error


def reorient(parameters: Reorient, context: Context, image: Entry) -> Output:
    """Turn the array; an oblique image stays as oblique as it was."""
    given = Image.of(image)
    way = Reorientation.towards(given.grid, parameters.orientation)
    return given.moved(np.ascontiguousarray(way.apply(given.channels)), way.after)


def cost(parameters: Reorient, facts: Sequence[Facts]) -> Cost:
    return image_cost(facts, 8, 4e-9)


STAGE = Stage(
    name="reorient",
    version=1,
    about="Turns a volume towards the axes of the body, without resampling",
    parameters=Reorient,
    reads={"image": Reads(("volume",))},
    writes="volume",
    scope="subject",
    function=reorient,
    cost=cost,
)
