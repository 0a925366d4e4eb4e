"""From one entry of diagrams per subject to one entry in which each region's lie together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from cohortflow.cohort.entry import Many, Output
from cohortflow.errors import RegionCountMismatch
from cohortflow.pipeline.stage import Context, Cost, Facts, Parameters, Reads, Stage
from cohortflow.stages._regions import PROCESS_BYTES, number, text
from cohortflow.topology.ragged import degrees, transpose

CHUNK_BARS = 65536


class ByRoi(Parameters):
    pass


def by_roi(parameters: ByRoi, context: Context, diagrams: Many) -> Output:
    """Region-major diagrams of all subjects, so that a step over one region reads one slice."""
    first = diagrams.items[0]
    regions = text(first.entry.dataset, "region")
    held = degrees(first.entry.dataset)
    packed: dict[int, tuple[list[Any], list[Any]]] = {degree: ([], []) for degree in held}
    valid = []
    for done, item in enumerate(diagrams, start=1):
        dataset = item.entry.dataset
        if degrees(dataset) != held or not np.array_equal(text(dataset, "region"), regions):
            raise RegionCountMismatch(
                "subjects differ in their regions or homology degrees",
                where=item.subject,
                expected=f"the {len(regions)} regions of {first.subject}, degrees {held}",
                found=f"{dataset.sizes['roi']} regions, degrees {degrees(dataset)}",
                hint="Ingest all subjects with one atlas.",
            )
        for degree, (bars, offsets) in packed.items():
            bars.append(dataset[f"birth_death_{degree}"].values)
            offsets.append(dataset[f"offset_{degree}"].values)
        valid.append(dataset["valid"].values.astype(bool))
        context.recorder.progress(done, len(diagrams))
    variables: dict[str, Any] = {
        "valid": (("roi", "subject"), np.stack(valid, axis=1)),
        "subject": ("subject", np.array([item.subject for item in diagrams])),
        "network": ("roi", text(first.entry.dataset, "network")),
        "region": ("roi", regions),
    }
    for degree, (bars, offsets) in packed.items():
        table, edges = transpose(bars, offsets)
        variables[f"birth_death_{degree}"] = ((f"bar_{degree}", "birth_death"), table)
        variables[f"offset_{degree}"] = ("cell_edge", edges)
    result = xr.Dataset(variables, attrs=dict(first.entry.dataset.attrs))
    for degree in held:
        bars_in_chunk = min(CHUNK_BARS, max(1, result.sizes[f"bar_{degree}"]))
        result[f"birth_death_{degree}"].encoding["chunks"] = (bars_in_chunk, 2)
    return Output(
        dataset=result, facts={"subjects": len(diagrams), "missing": len(diagrams.missing)}
    )


def cost(parameters: ByRoi, facts: Sequence[Facts]) -> Cost:
    bars = sum(2 * number(one, "rois", 160) * number(one, "samples", 200) for one in facts)
    return Cost(
        memory_bytes=PROCESS_BYTES + 80 * bars,
        disk_bytes=16 * bars + 65536,
        seconds=0.05 + 0.01 * len(facts),
    )


STAGE = Stage(
    name="by_roi",
    version=1,
    about="Gathers the diagrams of all subjects region by region",
    parameters=ByRoi,
    reads={"diagrams": Reads(("diagrams",), many=True)},
    writes="diagrams_by_region",
    scope="cohort",
    function=by_roi,
    cost=cost,
)
