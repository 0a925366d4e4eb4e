"""Pearson correlation between the regions of one subject: the control for the topology."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from cohortflow.cohort.entry import Entry, Output
from cohortflow.pipeline.stage import Context, Cost, Facts, Parameters, Reads, Stage
from cohortflow.stages._regions import PROCESS_BYTES, number, region_variables


class Correlation(Parameters):
    pass


def correlation(parameters: Correlation, context: Context, series: Entry) -> Output:
    """All pairs of regions, diagonal 1; NaN at invalid regions."""
    dataset = series.dataset
    regions = region_variables(dataset)
    members = np.flatnonzero(regions["valid"][1])
    values = dataset["series"].values.astype(np.float64)
    matrix = np.full((len(values), len(values)), np.nan)
    if len(members):
        found = np.triu(np.atleast_2d(np.corrcoef(values[members])), 1)
        # Mirrored, since the product of a matrix with itself is symmetric up to rounding only.
        matrix[np.ix_(members, members)] = found + found.T + np.eye(len(members))
    return Output(
        dataset=xr.Dataset(
            {"connectivity": (("roi_i", "roi_j"), matrix), **regions}, attrs={"measure": "pearson"}
        )
    )


def cost(parameters: Correlation, facts: Sequence[Facts]) -> Cost:
    size = sum(8 * number(one, "rois", 160) ** 2 for one in facts)
    return Cost(memory_bytes=PROCESS_BYTES + 8 * size, disk_bytes=size + 16384, seconds=0.01)


STAGE = Stage(
    name="correlation",
    version=1,
    about="Pearson correlation of every pair of regions of one subject",
    parameters=Correlation,
    reads={"series": Reads(("roi_series",))},
    writes="connectivity",
    scope="subject",
    function=correlation,
    cost=cost,
    tolerance=1e-9,
)
