"""PS matrix: Wasserstein distances between the subjects at one region, whole or one tile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pydantic
import xarray as xr
from numpy.typing import NDArray

from cohortflow.cohort.entry import Entry, Output
from cohortflow.errors import RegionCountMismatch, UndefinedResult
from cohortflow.pipeline.stage import Context, Cost, Facts, Parameters, Reads, Stage
from cohortflow.stages._regions import LIBRARIES_BYTES, number, pairs, text
from cohortflow.topology.bars import GroundNorm
from cohortflow.topology.distances.pairwise import wasserstein_matrix
from cohortflow.topology.ragged import degrees, unpack


class PairwiseSubjects(Parameters):
    roi: pydantic.NonNegativeInt = pydantic.Field(
        description="index of the region, from 0, in the order of the series"
    )
    order: float = pydantic.Field(1.0, ge=1.0, description="order q of the Wasserstein distance")
    ground_norm: GroundNorm = pydantic.Field("linf", description="metric of the birth-death plane")


@dataclass(frozen=True)
class Side:
    """One region of the subjects of an entry: who they are, in whom the region is valid."""

    entry: Entry
    roi: int
    subjects: NDArray[np.str_]
    valid: NDArray[np.bool_]

    def diagrams(self, degree: int) -> list[NDArray[np.float64]]:
        """Of the valid ones."""
        size = len(self.subjects)
        cells = unpack(self.entry.dataset, degree, self.roi * size, (self.roi + 1) * size)
        return [cells[index] for index in np.flatnonzero(self.valid)]


def pairwise_subjects(
    parameters: PairwiseSubjects, context: Context, diagrams: Entry, others: Entry | None = None
) -> Output:
    """Distances of all pairs of subjects, or of each with each of ``others``;
    NaN where the region is invalid in one of them."""
    rows = _side(diagrams, parameters.roi)
    columns = rows if others is None else _side(others, parameters.roi)
    _refuse_other_regions(diagrams.dataset, columns.entry.dataset)
    held = degrees(diagrams.dataset)
    distance = np.full((len(held), len(rows.subjects), len(columns.subjects)), np.nan)
    within = np.ix_(rows.valid, columns.valid)
    for layer, degree in enumerate(held):
        distance[layer][within] = wasserstein_matrix(
            rows.diagrams(degree),
            parameters.order,
            parameters.ground_norm,
            essential="drop",
            others=None if others is None else columns.diagrams(degree),
        )
        context.recorder.progress(layer + 1, len(held))
    variables = {
        "distance": (("degree", "subject_i", "subject_j"), distance),
        "subject": ("subject", rows.subjects),
        "valid": ("subject", rows.valid),
    }
    left_out = rows.subjects[~rows.valid].tolist()
    if others is not None:
        variables["other"] = ("other", columns.subjects)
        variables["other_valid"] = ("other", columns.valid)
        left_out += columns.subjects[~columns.valid].tolist()
    result = xr.Dataset(
        variables,
        coords={"degree": np.array(held)},
        attrs={
            **parameters.model_dump(),
            "essential": "drop",
            "region": str(text(diagrams.dataset, "region")[parameters.roi]),
            "network": str(text(diagrams.dataset, "network")[parameters.roi]),
        },
    )
    result["distance"].encoding["chunks"] = (1, *distance.shape[1:])
    computed = pairs(rows.valid.sum()) if others is None else rows.valid.sum() * columns.valid.sum()
    return Output(
        dataset=result,
        facts={"left_out": left_out},
        work={"distances": len(held) * int(computed)},
    )


def _side(entry: Entry, roi: int) -> Side:
    dataset = entry.dataset
    if roi >= dataset.sizes["roi"]:
        raise UndefinedResult(
            "no such region", expected=f"roi below {dataset.sizes['roi']}", found=str(roi)
        )
    return Side(entry, roi, text(dataset, "subject"), dataset["valid"][roi].values.astype(bool))


def _refuse_other_regions(first: xr.Dataset, second: xr.Dataset) -> None:
    if first is second:
        return
    if degrees(first) != degrees(second) or not np.array_equal(
        text(first, "region"), text(second, "region")
    ):
        raise RegionCountMismatch(
            "two blocks of subjects differ in their regions or homology degrees",
            expected=f"{first.sizes['roi']} regions, degrees {degrees(first)}",
            found=f"{second.sizes['roi']} regions, degrees {degrees(second)}",
            hint="Ingest all subjects with one atlas.",
        )


def cost(parameters: PairwiseSubjects, facts: Sequence[Facts]) -> Cost:
    """Of all pairs among the subjects: of two blocks, twice what their tile needs."""
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
    reads={
        "diagrams": Reads(("diagrams_by_region",)),
        "others": Reads(("diagrams_by_region",), across="diagrams"),
    },
    writes="distance_matrix",
    scope="cohort",
    function=pairwise_subjects,
    cost=cost,
    tolerance=1e-9,
    source="Aithal et al. 2024, equations 4 and 5",
)
