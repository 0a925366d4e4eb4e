"""A label map at another spacing, of another size, or on the grid of another entry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pydantic

from cohortflow.cohort.entry import Entry, Output
from cohortflow.geometry.grid import Grid
from cohortflow.geometry.resample import resample_to_grid
from cohortflow.pipeline.stage import Context, Cost, Facts, Reads, Stage
from cohortflow.stages._images import Array, Image, image_cost
from cohortflow.stages._targets import Target, resampled, target_voxels, to_reference


class RegridLabels(Target):
    interpolation: Literal["labels", "nearest"] = pydantic.Field(
        "labels",
        description="labels: of the labels around a place the one with the most linear weight",
    )


def regrid_labels(
    parameters: RegridLabels, context: Context, label: Entry, reference: Entry | None = None
) -> Output:
    """No label comes up that was not there; beyond the edge is 0."""

    def compute(channel: Array, grid: Grid, target: Grid, thick: int | None) -> Array:
        return resample_to_grid(
            channel,
            grid,
            target,
            parameters.interpolation,
            nearest_along=thick,
            threads=context.threads,
        )

    return resampled(parameters, Image.of(label), reference, compute)


def cost(parameters: RegridLabels, facts: Sequence[Facts]) -> Cost:
    written = sum(target_voxels(parameters, one) for one in facts)
    return image_cost(facts, 8, 1e-8, written)


STAGE = Stage(
    name="regrid_labels",
    version=1,
    about="Brings a label map to a spacing, a size, or the grid of another entry",
    parameters=RegridLabels,
    reads={"label": Reads(("label_map",)), "reference": Reads(("volume",), when=to_reference)},
    writes="label_map",
    scope="subject",
    function=regrid_labels,
    cost=cost,
)
