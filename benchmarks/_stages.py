"""Stages that do nothing: what remains when a unit computes nothing is the machinery."""

from __future__ import annotations

import numpy as np
import xarray as xr

from cohortflow.cohort.entry import Output
from cohortflow.pipeline.stage import Context, Parameters, Stage


class Nothing(Parameters):
    """No parameters."""


def no_array(parameters: Nothing, context: Context) -> Output:
    return Output(files={"table.parquet": b""})


def small_array(parameters: Nothing, context: Context) -> Output:
    """One array of 2 kB: (16, 16) float64."""
    return Output(dataset=xr.Dataset({"features": (("row", "column"), np.zeros((16, 16)))}))


CATALOGUE = {
    "no_array": Stage("no_array", 1, "writes no array", Nothing, {}, "table", "subject", no_array),
    "small_array": Stage(
        "small_array", 1, "writes one array", Nothing, {}, "features", "subject", small_array
    ),
}
