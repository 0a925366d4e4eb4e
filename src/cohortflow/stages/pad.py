"""A volume with voxels put around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pydantic

from cohortflow.cohort.entry import Entry, Output
from cohortflow.pipeline.stage import Context, Cost, Facts, Parameters, Reads, Stage
from cohortflow.preprocess.boxes import shifted
from cohortflow.preprocess.intensity import smallest
from cohortflow.stages._images import Array, Image, Size, image_cost

Sides = tuple[pydantic.NonNegativeInt, pydantic.NonNegativeInt, pydantic.NonNegativeInt]


class Pad(Parameters):
    margin: pydantic.NonNegativeInt | Sides = pydantic.Field(
        0, description="voxels on either side of z, y, x, or one number for all"
    )
    size: Size | None = pydantic.Field(
        None, description="at least so many voxels along z, y, x, the margin among them"
    )
    value: float | Literal["minimum"] = pydantic.Field(
        "minimum", description="of what is put around; the smallest of the channel by default"
    )


def pad(parameters: Pad, context: Context, image: Entry) -> Output:
    """Where an odd number is missing the far side gets the one more."""
    given = Image.of(image)
    margin = np.broadcast_to(np.asarray(parameters.margin, int), (3,))
    shape = np.asarray(given.grid.shape) + 2 * margin
    if parameters.size is not None:
        shape = np.maximum(shape, parameters.size)
    before = (shape - given.grid.shape) // 2
    sides = list(zip(before, shape - given.grid.shape - before, strict=True))

    def padded(channel: Array) -> Array:
        value = smallest(channel) if parameters.value == "minimum" else parameters.value
        whole: Array = np.full(shape, value, channel.dtype)
        whole[tuple(slice(a, n - b) for (a, b), n in zip(sides, shape, strict=True))] = channel
        return whole

    grid, way = shifted(given.grid, shape.tolist(), (-before).tolist())
    return given.moved(given.each(padded), grid, way)


def cost(parameters: Pad, facts: Sequence[Facts]) -> Cost:
    return image_cost(facts, 8, 2e-9)


STAGE = Stage(
    name="pad",
    version=1,
    about="Puts voxels around a volume, to a margin or a smallest size",
    parameters=Pad,
    reads={"image": Reads(("volume",))},
    writes="volume",
    scope="subject",
    function=pad,
    cost=cost,
)
