"""Small entries, and a cohort as a run leaves it."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import xarray as xr

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.entries import EntryRef
from cohortflow.cohort.entry import Output
from cohortflow.cohort.ingests import IngestedEntry, IngestedSubject


def key(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def series(value: float = 1.0, regions: int = 3, samples: int = 5) -> Output:
    """A roi_series whose every number tells which writer wrote it."""
    names = [f"region {i}" for i in range(regions)]
    dataset = xr.Dataset(
        {
            "series": (("roi", "time"), np.full((regions, samples), float(value))),
            "valid": (("roi",), np.ones(regions, dtype=bool)),
            "network": (("roi",), np.array(["DMN"] * regions)),
            "region": (("roi",), np.array(names)),
        },
        attrs={"tr_s": 2.0},
    )
    return Output(dataset=dataset, facts={"value": value})


def table(text: str = "rows") -> Output:
    return Output(files={"table.parquet": text.encode()})


def weights(**facts: Any) -> Output:
    return Output(files={"weights.safetensors": b"w", "card.json": b"{}"}, facts=facts)


def ingest(cohort: Cohort, *ids: str, patients: dict[str, str] | None = None) -> None:
    """Commit a series for each subject and append the ingest."""
    rows = []
    for subject in ids:
        ref = EntryRef(subject, "series", key(f"series {subject}"))
        cohort.entries.commit(ref, "roi_series", series(), subjects=[subject])
        entry = IngestedEntry("series", "roi_series", "series", ref.key, {"regions": 3})
        rows.append(
            IngestedSubject(
                subject,
                patient=(patients or {}).get(subject, ""),
                columns={"group": "HC", "age": 70},
                entries={"series": entry},
                source={"digest": key(f"file {subject}"), "bytes": 100},
            )
        )
    cohort.ingests.append(rows, {"atlas": "none"})


def part(step: str, refs: list[EntryRef], kind: str = "table", **fields: Any) -> dict[str, Any]:
    """One part of an index: these units, done."""
    count = len(refs)
    return {
        "step": step,
        "stage": refs[0].stage,
        "version": 1,
        "kind": kind,
        "scope": "subject" if refs[0].subject else "cohort",
        "axes": [],
        "recipes": [{"parameters": {}}],
        "subject": [ref.subject for ref in refs],
        "point": [[] for _ in refs],
        "key": [ref.key for ref in refs],
        "state": ["done"] * count,
        "recipe": [0] * count,
        "inputs": [""] * count,
        "columns": [""] * count,
        "error": {},
        "warnings": {},
        "n": [1] * count,
        **fields,
    }
