"""PS matrix: Wasserstein distances between the subjects at one region."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pydantic
import xarray as xr

from cohortflow.cohort.entry import Entry, Output
from cohortflow.errors import UndefinedResult
from cohortflow.pipeline.stage import Context, Cost, Facts, Parameters, Reads, Stage
from cohortflow.stages._regions import LIBRARIES_BYTES, number, pairs, text
from cohortflow.topology.bars import GroundNorm
from cohortflow.topology.pairwise import wasserstein_matrix
from cohortflow.topology.ragged import degrees, unpack


class PairwiseSubjects(Parameters):
    roi: pydantic.NonNegativeInt = pydantic.Field(
        description="index of the region, from 0, in the order of the series"
    )
    order: float = pydantic.Field(1.0, ge=1.0, description="order q of the Wasserstein distance")
    ground_norm: GroundNorm = pydantic.Field("linf", description="metric of the birth-death plane")


def pairwise_subjects(parameters: PairwiseSubjects, context: Context, diagrams: Entry) -> Output:
    """Distances of all pairs of subjects; NaN where the region is invalid in one of them."""
    dataset = diagrams.dataset
    subjects, roi = dataset.sizes["subject"], parameters.roi
    if roi >= dataset.sizes["roi"]:
        raise UndefinedResult(
            "no such region", expected=f"roi below {dataset.sizes['roi']}", found=str(roi)
        )
    valid = dataset["valid"][roi].values.astype(bool)
    members = np.flatnonzero(valid)
    held = degrees(dataset)
    distance = np.full((len(held), subjects, subjects), np.nan)
    for layer, degree in enumerate(held):
        cells = unpack(dataset, degree, roi * subjects, (roi + 1) * subjects)
        distance[layer][np.ix_(members, members)] = wasserstein_matrix(
            [cells[index] for index in members],
            parameters.order,
            parameters.ground_norm,
            essential="drop",
        )
        context.recorder.progress(layer + 1, len(held))
    result = xr.Dataset(
        {
            "distance": (("degree", "subject_i", "subject_j"), distance),
            "valid": ("subject", valid),
            "subject": ("subject", text(dataset, "subject")),
        },
        coords={"degree": np.array(held)},
        attrs={
            **parameters.model_dump(),
            "essential": "drop",
            "region": str(text(dataset, "region")[roi]),
            "network": str(text(dataset, "network")[roi]),
        },
    )
    result["distance"].encoding["chunks"] = (1, subjects, subjects)
    left_out = text(dataset, "subject")[~valid].tolist()
    work = {"distances": len(held) * pairs(len(members))}
    return Output(dataset=result, facts={"left_out": left_out}, work=work)


def cost(parameters: PairwiseSubjects, facts: Sequence[Facts]) -> Cost:
    samples = max((number(one, "samples", 200) for one in facts), default=200)
    cells = len(facts) ** 2
    return Cost(
        memory_bytes=LIBRARIES_BYTES + 48 * cells + 64 * len(facts) * samples,
        disk_bytes=24 * cells + 16384,
        seconds=0.01 + 0.00005 * (samples / 176) ** 2 * pairs(len(facts)),
    )


STAGE = Stage(
    name="pairwise_subjects",
    version=1,
    about="Wasserstein distances between all subjects at one region",
    parameters=PairwiseSubjects,
    reads={"diagrams": Reads(("diagrams_by_region",))},
    writes="distance_matrix",
    scope="cohort",
    function=pairwise_subjects,
    cost=cost,
    tolerance=1e-9,
    source="Aithal et al. 2024, equations 4 and 5",
)
