"""Intensities between two bounds, or of a window."""

from __future__ import annotations

from collections.abc import Sequence

import pydantic

from cohortflow.cohort.entry import Entry, Output
from cohortflow.pipeline.stage import Context, Cost, Facts, Parameters, Reads, Stage
from cohortflow.preprocess.intensity import clipped
from cohortflow.stages._images import Image, image_cost


class Clip(Parameters):
    lower: float | None = pydantic.Field(
        None, description="smallest value kept, of the image's unit"
    )
    upper: float | None = pydantic.Field(None, description="largest value kept")
    level: float | None = pydantic.Field(None, description="middle of a window, instead of bounds")
    width: pydantic.PositiveFloat | None = pydantic.Field(None, description="width of the window")

    @pydantic.model_validator(mode="after")
    def _bounds_or_window(self) -> Clip:
        bounds = self.lower is not None or self.upper is not None
        window = self.level is not None and self.width is not None
        if (self.level is None) != (self.width is None):
            raise ValueError("a window has a level and a width")
        if bounds == window:
            raise ValueError("bounds (lower, upper), or a window (level and width)")
        if self.lower is not None and self.upper is not None and self.lower >= self.upper:
            raise ValueError("lower is below upper")
        return self

    def bounds(self) -> tuple[float | None, float | None]:
        if self.level is None or self.width is None:
            return self.lower, self.upper
        return self.level - self.width / 2, self.level + self.width / 2


def clip(parameters: Clip, context: Context, image: Entry) -> Output:
    """Whole numbers stay whole where the bounds are."""
    given = Image.of(image)
    lower, upper = parameters.bounds()
    channels = given.each(lambda channel: clipped(channel, lower, upper))
    return given.changed(channels, {"op": "clip", "lower": lower, "upper": upper})


def cost(parameters: Clip, facts: Sequence[Facts]) -> Cost:
    return image_cost(facts, 8, 2e-9)


STAGE = Stage(
    name="clip",
    version=1,
    about="Keeps intensities between two bounds, or inside a window",
    parameters=Clip,
    reads={"image": Reads(("volume",))},
    writes="volume",
    scope="subject",
    function=clip,
    cost=cost,
    tolerance=1e-7,
)
