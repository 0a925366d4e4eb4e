"""Persistence diagrams of the delay embedding of every region's series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pydantic
import xarray as xr

from cohortflow.cohort.entry import Entry, Output
from cohortflow.errors import CohortflowError
from cohortflow.pipeline.stage import Context, Cost, Facts, Parameters, Reads, Stage
from cohortflow.stages._regions import LIBRARIES_BYTES, number, region_variables
from cohortflow.topology.embedding import delay_embedding
from cohortflow.topology.ragged import pack
from cohortflow.topology.rips.cost import predict_rips_cost
from cohortflow.topology.rips.persistence import rips_persistence


class Diagrams(Parameters):
    dimension: pydantic.PositiveInt = pydantic.Field(
        3, description="coordinates of a point: windows of this many samples (M + 1)"
    )
    lag: pydantic.PositiveInt = pydantic.Field(1, description="samples between coordinates (τ)")
    max_degree: int = pydantic.Field(2, ge=0, le=2, description="highest homology degree")


def diagrams(parameters: Diagrams, context: Context, series: Entry) -> Output:
    """Embed, filter, reduce: one diagram per region and degree; invalid regions get empty ones."""
    dataset = series.dataset
    values = dataset["series"].values
    regions = region_variables(dataset)
    valid, names = regions["valid"][1], regions["region"][1]

    empty = [np.empty((0, 2))] * (parameters.max_degree + 1)
    found = []
    for index, row in enumerate(values):
        found.append(_diagrams_of(row, parameters, names[index]) if valid[index] else empty)
        context.recorder.progress(index + 1, len(values))
    variables: dict[str, Any] = {}
    for degree in range(parameters.max_degree + 1):
        bars, offsets = pack([region[degree] for region in found])
        variables[f"birth_death_{degree}"] = ((f"bar_{degree}", "birth_death"), bars)
        variables[f"offset_{degree}"] = ("roi_edge", offsets)
    attributes = {
        **parameters.model_dump(),
        "filtration": "vietoris-rips, edge length",
        "samples": int(values.shape[1]),
    }
    return Output(
        dataset=xr.Dataset({**variables, **regions}, attrs=attributes),
        facts={
            "bars": {
                str(degree): len(variables[f"birth_death_{degree}"][1])
                for degree in range(parameters.max_degree + 1)
            }
        },
        work={"clouds": int(valid.sum())},
    )


def _diagrams_of(row: np.ndarray, parameters: Diagrams, region: str) -> list[np.ndarray]:
    try:
        cloud = delay_embedding(row, parameters.dimension, parameters.lag)
        return list(rips_persistence(cloud, parameters.max_degree))
    except CohortflowError as error:
        error.where = error.where or f"region {region}"
        raise


def cost(parameters: Diagrams, facts: Sequence[Facts]) -> Cost:
    memory = disk = 0
    seconds = 0.0
    for one in facts:
        rois, points = number(one, "rois", 160), number(one, "samples", 200)
        one_cloud = predict_rips_cost(points, parameters.max_degree, dimension=parameters.dimension)
        seconds += rois * one_cloud.seconds
        memory = max(memory, int(one_cloud.memory_bytes))
        disk += 16 * rois * points * (1 + parameters.max_degree) + 65536
    return Cost(memory_bytes=LIBRARIES_BYTES + memory, disk_bytes=disk, seconds=seconds)


STAGE = Stage(
    name="diagrams",
    version=1,
    about="Persistence diagrams (Vietoris–Rips) of the delay embedding of every region",
    parameters=Diagrams,
    reads={"series": Reads(("roi_series",))},
    writes="diagrams",
    scope="subject",
    function=diagrams,
    cost=cost,
    tolerance=1e-12,
    source="Aithal et al. 2024, equations 1 to 3",
)
