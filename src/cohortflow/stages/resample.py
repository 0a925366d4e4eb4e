"""A volume at another spacing, of another size, or on the grid of another entry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pydantic

from cohortflow.cohort.entry import Entry, Output
from cohortflow.geometry.grid import Grid
from cohortflow.geometry.resample import resample_to_grid
from cohortflow.pipeline.stage import Context, Cost, Facts, Reads, Stage
from cohortflow.preprocess.intensity import smallest
from cohortflow.stages._images import Array, Image, image_cost
from cohortflow.stages._targets import Target, resampled, target_voxels, to_reference


class Resample(Target):
    interpolation: Literal["linear", "bspline", "nearest"] = pydantic.Field(
        "linear", description="bspline is cubic; nearest keeps the dtype, the others give float32"
    )
    antialias: bool = pydantic.Field(
        True, description="smooth first along axes that shrink; not for nearest"
    )
    outside: float | Literal["minimum"] = pydantic.Field(
        "minimum", description="value beyond the edge of the image; its own smallest by default"
    )


def resample(
    parameters: Resample, context: Context, image: Entry, reference: Entry | None = None
) -> Output:
    """Resample every channel; the matrix, or the way back in index space, says where it lies."""

    def compute(channel: Array, grid: Grid, target: Grid, thick: int | None) -> Array:
        outside = parameters.outside
        return resample_to_grid(
            channel,
            grid,
            target,
            parameters.interpolation,
            smallest(channel) if outside == "minimum" else outside,
            antialias=parameters.antialias,
            nearest_along=thick,
            threads=context.threads,
        )

    return resampled(parameters, Image.of(image), reference, compute)


def cost(parameters: Resample, facts: Sequence[Facts]) -> Cost:
    written = sum(target_voxels(parameters, one) for one in facts)
    slow = 1e-8 if parameters.interpolation == "bspline" else 4e-9
    return image_cost(facts, 12, slow, written)


STAGE = Stage(
    name="resample",
    version=1,
    about="Brings a volume to a spacing, a size, or the grid of another entry",
    parameters=Resample,
    reads={"image": Reads(("volume",)), "reference": Reads(("volume",), when=to_reference)},
    writes="volume",
    scope="subject",
    function=resample,
    cost=cost,
    tolerance=1e-5,
    source="Cardoso et al., IPMI 2015 (antialiasing); Isensee et al., Nature Methods 2021",
)
