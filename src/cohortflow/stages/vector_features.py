"""Vectors of fixed length from the diagrams of every region, for ordinary learners."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import pydantic
import xarray as xr

from cohortflow.cohort.entry import Entry, Output
from cohortflow.errors import BadParameter
from cohortflow.pipeline.stage import Context, Cost, Facts, Parameters, Reads, Stage
from cohortflow.stages._regions import LIBRARIES_BYTES, number, region_variables
from cohortflow.topology.ragged import degrees, unpack
from cohortflow.topology.vectors.curves import (
    betti_curve,
    persistence_landscape,
    persistence_silhouette,
)
from cohortflow.topology.vectors.images import persistence_image
from cohortflow.topology.vectors.statistics import STATISTICS, persistence_statistics

Feature = Literal["statistics", "betti", "landscape", "silhouette", "image"]
Floats = npt.NDArray[np.float64]


class VectorFeatures(Parameters):
    features: tuple[Feature, ...] = pydantic.Field(
        ("statistics",), min_length=1, description="what is computed, in this order"
    )
    degrees: tuple[int, ...] | None = pydantic.Field(
        None, min_length=1, description="homology degrees; null: all that the diagrams hold"
    )
    range: tuple[float, float] | None = pydantic.Field(
        None, description="filtration values that curves and images span; required by them"
    )
    resolution: int = pydantic.Field(50, ge=2, le=10000, description="values along each curve")
    levels: int = pydantic.Field(5, ge=1, le=1000, description="landscapes of each diagram")
    pixels: int = pydantic.Field(
        20, ge=1, le=1000, description="pixels along each axis of an image"
    )
    sigma: float | None = pydantic.Field(
        None, gt=0.0, description="standard deviation of a bar in an image; null: one pixel"
    )
    power: float = pydantic.Field(
        1.0, ge=0.0, description="bars weigh persistence^power in silhouettes and images"
    )

    @pydantic.model_validator(mode="after")
    def _complete(self) -> Self:
        for name in ("features", "degrees"):
            values = getattr(self, name) or ()
            if len(set(values)) < len(values):
                raise ValueError(f"{name} name one twice: {', '.join(map(str, values))}")
        spanning = [name for name in self.features if name != "statistics"]
        if spanning and self.range is None:
            raise ValueError(
                f"{', '.join(spanning)}: say which range of filtration values they span"
            )
        if self.range is not None and not self.range[0] < self.range[1]:
            raise ValueError(f"range must ascend, found {self.range[0]:g}, {self.range[1]:g}")
        return self


def vector_features(parameters: VectorFeatures, context: Context, diagrams: Entry) -> Output:
    """A row of numbers for each region, from its own diagrams alone; NaN where it is not valid."""
    dataset = diagrams.dataset
    regions = region_variables(dataset)
    valid = regions["valid"][1]
    chosen = _degrees(parameters, degrees(dataset))
    names = [f"h{k}_{name}" for k in chosen for name in _names(parameters)]
    columns = [np.empty((len(valid), 0))]
    outside = 0
    for done, degree in enumerate(chosen, start=1):
        found = np.full((len(valid), len(names) // len(chosen)), np.nan)
        for region, bars in enumerate(unpack(dataset, degree, 0, len(valid))):
            if valid[region]:
                found[region] = np.concatenate([*_vectors(parameters, bars)])
                outside += _outside(parameters, bars)
        columns.append(found)
        context.recorder.progress(done, len(chosen))
    attributes = {
        **{name: value for name, value in parameters.model_dump().items() if value is not None},
        "degrees": chosen,
        "essential": "drop",
        "alive": "from birth until just before death",
    }
    return Output(
        dataset=xr.Dataset(
            {
                "features": (("roi", "feature"), np.concatenate(columns, axis=1)),
                "name": ("feature", np.array(names, dtype=np.str_)),
                **regions,
            },
            attrs=attributes,
        ),
        facts={"columns": len(names), "bars_outside": outside},
        warnings=_outside_warning(outside, parameters),
        work={"vectors": int(valid.sum()) * len(chosen)},
    )


def _degrees(parameters: VectorFeatures, held: list[int]) -> list[int]:
    chosen = held if parameters.degrees is None else list(parameters.degrees)
    absent = sorted(set(chosen) - set(held))
    if absent:
        raise BadParameter(
            "no diagrams of this homology degree", expected=f"some of {held}", found=str(absent)
        )
    return chosen


def _names(parameters: VectorFeatures) -> Iterator[str]:
    """Names of the columns of one degree."""
    points = range(parameters.resolution)
    for feature in parameters.features:
        if feature == "statistics":
            yield from STATISTICS
        elif feature == "landscape":
            yield from (f"landscape{k + 1}_{i}" for k in range(parameters.levels) for i in points)
        elif feature == "image":
            pixels = range(parameters.pixels)
            yield from (
                f"image_{birth}_{persistence}" for birth in pixels for persistence in pixels
            )
        else:
            yield from (f"{feature}_{i}" for i in points)


def _vectors(parameters: VectorFeatures, bars: Floats) -> Iterator[Floats]:
    """The features of one diagram, each as a row, in the order of their names."""
    low, high = parameters.range or (0.0, 0.0)
    grid = np.linspace(low, high, parameters.resolution)
    for feature in parameters.features:
        if feature == "statistics":
            yield np.array(list(persistence_statistics(bars, essential="drop").values()))
        elif feature == "betti":
            yield betti_curve(bars, grid, essential="drop").astype(np.float64)
        elif feature == "landscape":
            yield persistence_landscape(bars, grid, parameters.levels, essential="drop").ravel()
        elif feature == "silhouette":
            yield persistence_silhouette(bars, grid, parameters.power, essential="drop")
        else:
            births = np.linspace(low, high, parameters.pixels + 1)
            sigma = parameters.sigma or (high - low) / parameters.pixels
            yield persistence_image(
                bars, births, births - low, sigma, parameters.power, essential="drop"
            ).ravel()


def _outside(parameters: VectorFeatures, bars: Floats) -> int:
    if parameters.range is None:
        return 0
    finite = bars[np.isfinite(bars[:, 1])]
    low, high = parameters.range
    return int(((finite[:, 0] < low) | (finite[:, 1] > high)).sum())


def _outside_warning(outside: int, parameters: VectorFeatures) -> list[dict[str, str]]:
    if not outside:
        return []
    low, high = parameters.range or (0.0, 0.0)
    message = f"{outside} bars leave the range {low:g} to {high:g}: curves and images cut them off"
    return [{"code": "outside-range", "message": message}]


def cost(parameters: VectorFeatures, facts: Sequence[Facts]) -> Cost:
    held = 3 if parameters.degrees is None else len(parameters.degrees)
    columns = held * sum(1 for _ in _names(parameters))
    widest = max(parameters.levels, parameters.pixels) + parameters.resolution
    memory = disk = 0
    seconds = 0.05
    for one in facts:
        rois, bars = number(one, "rois", 160), number(one, "samples", 200)
        # 400 bytes of each name, among them its characters at four bytes each, twice.
        disk += 8 * rois * columns + 400 * columns + 65536
        memory = max(memory, 3 * (8 * rois + 400) * columns + 100 * bars * widest)
        seconds += rois * held * (0.0004 + 5e-10 * bars * columns)
    return Cost(memory_bytes=LIBRARIES_BYTES + memory, disk_bytes=disk, seconds=seconds)


STAGE = Stage(
    name="vector_features",
    version=1,
    about="Statistics, curves, landscapes and images of every region's diagrams, as rows of "
    "numbers",
    parameters=VectorFeatures,
    reads={"diagrams": Reads(("diagrams",))},
    writes="features",
    scope="subject",
    function=vector_features,
    cost=cost,
    tolerance=1e-9,
    source="Bubenik 2015; Chazal et al. 2014; Adams et al. 2017",
)
