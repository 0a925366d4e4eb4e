"""A magnetic resonance image without its slowly varying field, by N4."""

from __future__ import annotations

from collections.abc import Sequence

import pydantic

from cohortflow.cohort.entry import Entry, Output
from cohortflow.geometry.agreement import require_agreement
from cohortflow.pipeline.stage import Context, Cost, Facts, Parameters, Reads, Stage
from cohortflow.preprocess.intensity import without_bias
from cohortflow.stages._images import Image, image_cost, refuse_missing


class CorrectBias(Parameters):
    shrink: pydantic.PositiveInt = pydantic.Field(
        4, description="the field is found on every so-many-th voxel"
    )
    levels: int = pydantic.Field(4, ge=1, le=8, description="times that the field becomes finer")
    iterations: pydantic.PositiveInt = pydantic.Field(50, description="at most, at each level")
    masked: bool = pydantic.Field(
        False, description="within the input mask; else above Otsu's threshold"
    )


def correct_bias(
    parameters: CorrectBias, context: Context, image: Entry, mask: Entry | None = None
) -> Output:
    """Divide each channel by its field; what is not positive has no part in finding it."""
    given = Image.of(image)
    refuse_missing(given)
    chosen = None
    if mask is not None:
        label = Image.of(mask)
        require_agreement(given.grid, label.grid, "the mask", image.subject or "")
        chosen = label.channels[0]
    channels = given.each(
        lambda channel: without_bias(
            channel, chosen, parameters.shrink, parameters.levels, parameters.iterations
        )
    )
    return given.changed(channels, {"op": "correct_bias"})


def cost(parameters: CorrectBias, facts: Sequence[Facts]) -> Cost:
    per_voxel = 3e-7 + 5e-8 * parameters.levels * parameters.iterations / parameters.shrink**3
    return image_cost(facts, 32, per_voxel)


STAGE = Stage(
    name="correct_bias",
    version=1,
    about="Divides a magnetic resonance image by its bias field (N4)",
    parameters=CorrectBias,
    reads={
        "image": Reads(("volume",)),
        "mask": Reads(("label_map",), when=lambda parameters: parameters.masked),
    },
    writes="volume",
    scope="subject",
    function=correct_bias,
    cost=cost,
    threads=1,
    tolerance=1e-4,
    source="Tustison et al., N4ITK, IEEE Transactions on Medical Imaging 29(6), 2010",
)
