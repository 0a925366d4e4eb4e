"""Stages that do nothing: what remains when a unit computes nothing is the machinery."""

from __future__ import annotations

import time

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


def compute(_: object = None, seconds: float = 0.01) -> None:
    """Keep a core busy for as long."""
    started = time.thread_time()
    while time.thread_time() - started < seconds:
        pass


def ten_milliseconds(parameters: Nothing, context: Context) -> Output:
    compute()
    return Output(files={"table.parquet": b""})


CATALOGUE = {
    "ten_milliseconds": Stage(
        "ten_milliseconds", 1, "computes", Nothing, {}, "table", "subject", ten_milliseconds
    ),
    "no_array": Stage("no_array", 1, "writes no array", Nothing, {}, "table", "subject", no_array),
    "small_array": Stage(
        "small_array", 1, "writes one array", Nothing, {}, "features", "subject", small_array
    ),
}
