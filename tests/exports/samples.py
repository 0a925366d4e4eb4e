"""Cohorts with images and results, made by committing entries: no reader, no run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from cohortflow.cohort.cohort import Cohort, create_cohort
from cohortflow.cohort.entries import EntryRef
from cohortflow.cohort.entry import Output
from cohortflow.cohort.ingests import IngestedEntry, IngestedSubject
from cohortflow.geometry import Grid
from cohortflow.phantoms.canary import LETTERS, Canary, canary_grids

GRIDS = dict(canary_grids())
NAMES = {str(value): f"letter {letter}" for letter, value in LETTERS.items()}


def volume(grid: Grid, **attributes: Any) -> Output:
    """The canary's intensities, or a ramp in index space."""
    placed = grid.index_to_world is not None
    array = Canary.within(grid).image(grid) if placed else ramp(grid)
    dims = ("z", "y", "x")
    return Output(xr.Dataset({"image": (dims, array)}, attrs=grid.attributes() | attributes))


def ramp(grid: Grid) -> np.ndarray:
    return np.arange(np.prod(grid.shape), dtype=np.float32).reshape(grid.shape)


def labels(grid: Grid, **attributes: Any) -> Output:
    """The canary's letters."""
    array = Canary.within(grid).labels(grid)
    attributes = {"label_names": NAMES, **grid.attributes(), **attributes}
    return Output(xr.Dataset({"label": (("z", "y", "x"), array)}, attrs=attributes))


def key(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def cohort_of(
    path: Path,
    images: Mapping[str, Mapping[str, tuple[str, Output]]],
    columns: Mapping[str, Mapping[str, Any]] | None = None,
    refused: Sequence[str] = (),
) -> Cohort:
    """A cohort: subject → entry name → (kind, output)."""
    cohort = create_cohort(path)
    rows = []
    for subject, entries in images.items():
        ingested = {}
        for name, (kind, output) in entries.items():
            ref = EntryRef(subject, "image", key(subject, name))
            cohort.entries.commit(ref, kind, output, subjects=[subject])
            ingested[name] = IngestedEntry(name, kind, "image", ref.key)
        rows.append(
            IngestedSubject(
                subject, columns=dict((columns or {}).get(subject, {})), entries=ingested
            )
        )
    error = {"code": "truncated-file", "message": "the file ends early", "hint": ""}
    rows += [IngestedSubject(subject, error=error) for subject in refused]
    cohort.ingests.append(rows, {})
    return cohort


Row = tuple[str | None, Mapping[str, Any], Output | str]


def run_of(cohort: Cohort, slug: str, steps: Mapping[str, tuple[str, Sequence[Row]]]) -> None:
    """An index of a finished run: step → (kind, rows of subject, point, and output or state)."""
    writer = cohort.indexes(slug).begin({"run": "r", "started": "", "pipeline": slug})
    for step, (kind, rows) in steps.items():
        keys = [
            key(slug, writer.number, step, subject, sorted(point.items()))
            for subject, point, _ in rows
        ]
        for (subject, _, output), one in zip(rows, keys, strict=True):
            if isinstance(output, Output):
                cohort.entries.commit(EntryRef(subject, step, one), kind, output)
        states = ["done" if isinstance(output, Output) else output for *_, output in rows]
        error = {"code": "stage-failed", "message": "it broke", "hint": ""}
        writer.append(
            {
                "step": step,
                "stage": step,
                "version": 1,
                "kind": kind,
                "scope": "subject" if rows[0][0] else "cohort",
                "axes": list(rows[0][1]),
                "recipes": [{"parameters": {}}],
                "subject": [subject for subject, *_ in rows],
                "point": [list(point.values()) for _, point, _ in rows],
                "key": keys,
                "state": states,
                "reason": [""] * len(rows),
                "recipe": [0] * len(rows),
                "inputs": [""] * len(rows),
                "columns": [""] * len(rows),
                "error": {str(i): error for i, state in enumerate(states) if state == "failed"},
                "warnings": {},
                "n": [1] * len(rows),
                "missing": [0] * len(rows),
            }
        )
    writer.finish({"counts": {}, "finished": "now"})


def segmented(path: Path, grids: Mapping[str, Grid], **attributes: Any) -> Cohort:
    """Subjects with an image, and a run ``organs`` that labelled each (step ``segment``)."""
    cohort = cohort_of(path, {s: {"image": ("volume", volume(g))} for s, g in grids.items()})
    rows: list[Row] = [(s, {}, labels(g, **attributes)) for s, g in grids.items()]
    run_of(cohort, "organs", {"segment": ("label_map", rows)})
    return cohort
