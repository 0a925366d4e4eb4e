"""Intensities on a common scale, each channel on its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import pydantic

from cohortflow.cohort.entry import Entry, Output
from cohortflow.errors import UndefinedResult
from cohortflow.geometry.agreement import require_agreement
from cohortflow.pipeline.stage import Context, Cost, Facts, Parameters, Reads, Stage
from cohortflow.preprocess.intensity import mean_and_deviation, percentile_range, scaled
from cohortflow.stages._images import Array, Image, image_cost, refuse_missing, side_by_side


class Normalise(Parameters):
    method: Literal["zscore", "percentile", "minmax", "given"] = pydantic.Field(
        "zscore",
        description="zscore: mean 0, deviation 1; percentile and minmax: 0 to 1 between two "
        "percentiles or the extremes; given: minus offset, over scale",
    )
    within: Literal["all", "above", "mask"] = pydantic.Field(
        "all", description="which voxels decide: all, those above a value, those of the input mask"
    )
    above: float = pydantic.Field(0.0, description="for within: above")
    percentiles: tuple[float, float] = pydantic.Field(
        (0.5, 99.5), description="for method: percentile; what lies beyond goes beyond 0 and 1"
    )
    offset: float = pydantic.Field(0.0, description="for method: given, such as a cohort's mean")
    scale: pydantic.PositiveFloat = pydantic.Field(1.0, description="for method: given")

    @pydantic.field_validator("percentiles")
    @classmethod
    def _rising(cls, percentiles: tuple[float, float]) -> tuple[float, float]:
        if not 0.0 <= percentiles[0] < percentiles[1] <= 100.0:
            raise ValueError("two percentiles between 0 and 100, the lower first")
        return percentiles


def masked(parameters: Normalise) -> bool:
    return parameters.within == "mask" and parameters.method != "given"


def normalise(
    parameters: Normalise, context: Context, image: Entry, mask: Entry | None = None
) -> Output:
    """Every voxel is scaled, also those that did not decide; offset and scale go along."""
    given = Image.of(image)
    refuse_missing(given)
    chosen = _mask(given, mask)
    scales = [_scale(parameters, channel, chosen) for channel in given.channels]
    channels = side_by_side(
        [
            scaled(channel, offset, scale)
            for channel, (offset, scale) in zip(given.channels, scales, strict=True)
        ]
    )
    operation: dict[str, Any] = {
        "op": parameters.method,
        "offset": [offset for offset, _ in scales],
        "scale": [scale for _, scale in scales],
    }
    return given.changed(channels, operation)


def _mask(image: Image, mask: Entry | None) -> Array | None:
    if mask is None:
        return None
    label = Image.of(mask)
    require_agreement(image.grid, label.grid, "the mask", image.entry.subject or "")
    chosen: Array = label.channels[0] != 0
    return chosen


def _scale(parameters: Normalise, channel: Array, mask: Array | None) -> tuple[float, float]:
    if parameters.method == "given":
        return parameters.offset, parameters.scale
    values = channel.reshape(-1)
    if parameters.within == "above":
        values = channel[channel > parameters.above]
    elif mask is not None:
        values = channel[mask]
    if not values.size:
        raise UndefinedResult("no voxel to take the scale of", expected=parameters.within)
    if parameters.method == "zscore":
        return mean_and_deviation(values)
    return percentile_range(
        values, *((0.0, 100.0) if parameters.method == "minmax" else parameters.percentiles)
    )


def cost(parameters: Normalise, facts: Sequence[Facts]) -> Cost:
    return image_cost(facts, 20, 1e-8)


STAGE = Stage(
    name="normalise",
    version=1,
    about="Scales intensities: z-score, percentiles, extremes, or numbers given",
    parameters=Normalise,
    reads={"image": Reads(("volume",)), "mask": Reads(("label_map",), when=masked)},
    writes="volume",
    scope="subject",
    function=normalise,
    cost=cost,
    tolerance=1e-6,
)
