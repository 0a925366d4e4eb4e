"""Small entries for tests of stages, and a run of a stage that checks its output's kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from cohortflow.cohort.entry import Entry, Item, Many, Output
from cohortflow.cohort.kinds import validate
from cohortflow.phantoms.ar1 import ar1_cohort
from cohortflow.pipeline.stage import Context, Stage
from cohortflow.stages import correlation, diagrams, pairwise_rois, standardise


def series_entry(
    values: np.ndarray,
    network: Sequence[str] | None = None,
    valid: Sequence[bool] | None = None,
    subject: str = "sub-01",
    tr_s: float = 2.0,
) -> Entry:
    count = len(values)
    dataset = xr.Dataset(
        {
            "series": (("roi", "time"), np.asarray(values, dtype=np.float64)),
            "valid": ("roi", np.ones(count, bool) if valid is None else np.array(valid)),
            "network": ("roi", np.array(network or ["A"] * count)),
            "region": ("roi", np.array([f"r{i}" for i in range(count)])),
        },
        attrs={"tr_s": tr_s},
    )
    facts = {"rois": count, "samples": values.shape[1], "tr_s": tr_s}
    return Entry.in_memory("roi_series", Output(dataset=dataset, facts=facts), subject=subject)


def run(
    stage: Stage,
    parameters: Mapping[str, Any] | None = None,
    context: Context | None = None,
    **inputs: Entry | Many,
) -> Output:
    context = context or Context()
    output = stage.function(stage.parameters(**(parameters or {})), context, **inputs)
    validate(stage.writes, output.dataset, output.files, stage.name)
    return output


def as_entry(stage: Stage, output: Output, subject: str | None = None) -> Entry:
    return Entry.in_memory(stage.writes, output, subject=subject)


def many(entries: Mapping[str, Entry], missing: Sequence[Mapping[str, Any]] = ()) -> Many:
    return Many([Item({"subject": s}, entry) for s, entry in entries.items()], missing)


class Cohort:
    """The AR(1) cohort taken through the steps over subjects."""

    def __init__(self, network: Sequence[str] | None = None, max_degree: int = 1, **cohort: Any):
        self.series, self.participants = ar1_cohort(**cohort)
        self.columns = {
            str(subject): {"group": str(group)}
            for subject, group in self.participants["group"].items()
        }
        self.context = Context(columns=self.columns)
        self.standard: dict[str, Entry] = {}
        self.diagrams: dict[str, Entry] = {}
        self.distances: dict[str, Entry] = {}
        self.correlations: dict[str, Entry] = {}
        for subject, values in self.series.items():
            given = series_entry(values, network, subject=subject)
            scored = run(standardise.STAGE, {"length": None, "minimum_length": 3}, series=given)
            entry = self.standard[subject] = as_entry(standardise.STAGE, scored, subject)
            found = run(diagrams.STAGE, {"max_degree": max_degree}, series=entry)
            bars = self.diagrams[subject] = as_entry(diagrams.STAGE, found, subject)
            distances = run(pairwise_rois.STAGE, diagrams=bars)
            self.distances[subject] = as_entry(pairwise_rois.STAGE, distances, subject)
            linear = run(correlation.STAGE, series=entry)
            self.correlations[subject] = as_entry(correlation.STAGE, linear, subject)


def without_region(entry: Entry, region: int) -> Entry:
    """The same entry with one region marked invalid."""
    dataset = entry.dataset.copy(deep=True)
    dataset["valid"][region] = False
    return Entry.in_memory(entry.kind, Output(dataset=dataset), subject=entry.subject)
