"""Cutting a box out of a volume, with a margin around it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pydantic

from cohortflow.cohort.entry import Output
from cohortflow.geometry.grid import Grid
from cohortflow.pipeline.stage import Parameters
from cohortflow.preprocess.boxes import Box, shifted, widened
from cohortflow.stages._images import Image


class Margin(Parameters):
    margin: pydantic.NonNegativeInt = pydantic.Field(0, description="voxels kept around the box")
    margin_mm: pydantic.NonNegativeFloat = pydantic.Field(
        0.0, description="mm kept around the box, beside margin; needs world space"
    )


def cropped(parameters: Margin, image: Image, box: Box) -> Output:
    """The box, widened by the margin as far as the image goes."""
    box = widened(box, _margins(parameters, image.grid), image.grid.shape)
    first = [part.start for part in box]
    shape = [part.stop - part.start for part in box]
    grid, way = shifted(image.grid, shape, first)
    return image.moved(image.channels[(slice(None), *box)], grid, way)


def _margins(parameters: Margin, grid: Grid) -> Sequence[int]:
    if not parameters.margin_mm:
        return [parameters.margin] * 3
    return [parameters.margin + math.ceil(parameters.margin_mm / mm) for mm in grid.spacing_mm]
