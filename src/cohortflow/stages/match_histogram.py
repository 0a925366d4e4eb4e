"""Intensities with the quantiles of another image."""

from __future__ import annotations

from collections.abc import Sequence

import pydantic

from cohortflow.cohort.entry import Entry, Output
from cohortflow.errors import GeometryMismatch
from cohortflow.pipeline.stage import Context, Cost, Facts, Parameters, Reads, Stage
from cohortflow.preprocess.intensity import matched
from cohortflow.stages._images import Image, image_cost, refuse_missing, side_by_side


class MatchHistogram(Parameters):
    bins: int = pydantic.Field(256, ge=2, description="of the histograms")
    points: int = pydantic.Field(15, ge=1, description="quantiles that are brought to agree")


def match_histogram(
    parameters: MatchHistogram, context: Context, image: Entry, reference: Entry
) -> Output:
    """Channel by channel; the two need not lie on one grid."""
    given, other = Image.of(image), Image.of(reference)
    refuse_missing(given)
    refuse_missing(other)
    if len(given.channels) != len(other.channels):
        raise GeometryMismatch(
            "the reference has other channels",
            expected=str(len(given.channels)),
            found=str(len(other.channels)),
        )
    channels = side_by_side(
        [
            matched(one, to, parameters.bins, parameters.points)
            for one, to in zip(given.channels, other.channels, strict=True)
        ]
    )
    return given.changed(channels, {"op": "match_histogram"})


def cost(parameters: MatchHistogram, facts: Sequence[Facts]) -> Cost:
    return image_cost(facts, 40, 2e-8)


STAGE = Stage(
    name="match_histogram",
    version=1,
    about="Gives an image the quantiles of another",
    parameters=MatchHistogram,
    reads={"image": Reads(("volume",)), "reference": Reads(("volume",))},
    writes="volume",
    scope="subject",
    function=match_histogram,
    cost=cost,
    tolerance=1e-5,
    source="Nyúl et al., IEEE Transactions on Medical Imaging 19(2), 2000",
)
