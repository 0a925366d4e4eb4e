"""PR matrices: Wasserstein distances between the regions of one subject, network by network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pydantic
import xarray as xr

from cohortflow.cohort.entry import Entry, Output
from cohortflow.pipeline.stage import Context, Cost, Facts, Parameters, Reads, Stage
from cohortflow.stages._regions import (
    LIBRARIES_BYTES,
    network_sizes,
    number,
    pairs,
    region_variables,
)
from cohortflow.topology.bars import GroundNorm
from cohortflow.topology.distances.pairwise import wasserstein_matrix
from cohortflow.topology.ragged import degrees, unpack


class PairwiseRois(Parameters):
    order: float = pydantic.Field(1.0, ge=1.0, description="order q of the Wasserstein distance")
    ground_norm: GroundNorm = pydantic.Field("linf", description="metric of the birth-death plane")


def pairwise_rois(parameters: PairwiseRois, context: Context, diagrams: Entry) -> Output:
    """Distances of all pairs within each network; NaN across networks and at invalid regions."""
    dataset = diagrams.dataset
    regions = region_variables(dataset)
    valid, network = regions["valid"][1], regions["network"][1]
    held = degrees(dataset)
    distance = np.full((len(held), len(valid), len(valid)), np.nan)
    names = list(dict.fromkeys(network.tolist()))
    distances = 0
    for layer, degree in enumerate(held):
        all_diagrams = unpack(dataset, degree, 0, len(valid))
        for done, name in enumerate(names):
            members = np.flatnonzero((network == name) & valid)
            distance[layer][np.ix_(members, members)] = wasserstein_matrix(
                [all_diagrams[index] for index in members],
                parameters.order,
                parameters.ground_norm,
                essential="drop",
            )
            distances += pairs(len(members))
            context.recorder.progress(layer * len(names) + done + 1, len(held) * len(names))
    result = xr.Dataset(
        {"distance": (("degree", "roi_i", "roi_j"), distance), **regions},
        coords={"degree": np.array(held)},
        attrs={**parameters.model_dump(), "essential": "drop"},
    )
    result["distance"].encoding["chunks"] = (1, *distance.shape[1:])
    return Output(dataset=result, work={"distances": distances})


def cost(parameters: PairwiseRois, facts: Sequence[Facts]) -> Cost:
    seconds, disk, memory = 0.0, 0, 0
    for one in facts:
        scale = (number(one, "samples", 200) / 176) ** 2
        seconds += 0.00005 * scale * sum(map(pairs, network_sizes(one)))
        disk += 24 * number(one, "rois", 160) ** 2 + 65536
        memory = max(memory, 3 * disk)
    return Cost(memory_bytes=LIBRARIES_BYTES + memory, disk_bytes=disk, seconds=seconds)


STAGE = Stage(
    name="pairwise_rois",
    version=1,
    about="Wasserstein distances between the regions of one subject, within each network",
    parameters=PairwiseRois,
    reads={"diagrams": Reads(("diagrams",))},
    writes="distance_matrix",
    scope="subject",
    function=pairwise_rois,
    cost=cost,
    tolerance=1e-9,
    source="Aithal et al. 2024, equations 4 and 6",
)
