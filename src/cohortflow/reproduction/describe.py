"""The manifest of a run, from its index and its cohort."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.entries import EntryRef
from cohortflow.cohort.ingests import Ingested
from cohortflow.cohort.run_view import RunView, UnitRow
from cohortflow.errors import EntryMissing
from cohortflow.pipeline.model import Axis, Pipeline
from cohortflow.pipeline.states import NO_TRAINING
from cohortflow.reproduction.code import code_version
from cohortflow.reproduction.manifest import Manifest
from cohortflow.reproduction.marks import (
    entries_read,
    file_mark,
    keys_mark,
    records_of,
    subject_marks,
)

PARTS = ("code", "environment", "engine")
"""Members of an index's claim without which a run cannot be described."""


def manifest_of(run: RunView, pipeline: Pipeline) -> Manifest | None:
    """What a report of this run must say to be computed again.

    None where the run was one of a version that did not keep it. :class:`EntryMissing` where an
    ingested entry, or the ingest itself, is gone.
    """
    claim = run.index.claim
    if any(part not in claim for part in PARTS):
        return None
    ingested = run.cohort.ingests.get(int(claim["ingest"]))
    document = {
        "cohort": run.cohort.id,
        "index": run.index.number,
        "run": claim["run"],
        "ingest": ingested.number,
        "created": (run.index.summary or claim).get("finished", claim["started"]),
        "pipeline": {
            "slug": pipeline.slug,
            "text": claim["text"],
            "settings": list(claim["settings"]),
        },
        "axes": _axes(run, pipeline),
        "seeds": _seeds(run, pipeline),
        "splits": pipeline.document.data.get("splits") or {},
        "subjects": list(_subjects(run.cohort, pipeline, ingested)),
        "files": list(_files(run.cohort, pipeline, ingested)),
        "selections": list(_selections(run)),
        "steps": [_step(step, run) for step in pipeline.steps],
        "undone": [_undone(row) for row in run.rows if row.state != "done"],
        "earlier": list(_earlier(run)),
        "code": claim["code"],
        "rendered_by": code_version(),
        "environment": claim["environment"],
        "engine": claim["engine"],
    }
    return Manifest.model_validate(document)


def _axes(run: RunView, pipeline: Pipeline) -> dict[str, list[Any]]:
    labels: dict[str, dict[Any, None]] = {}
    for row in run.rows:
        for axis, label in row.point.items():
            labels.setdefault(axis, {})[label] = None
    return {axis: list(labels[axis]) for axis in pipeline.axes if axis in labels}


def _seeds(run: RunView, pipeline: Pipeline) -> list[Any]:
    axis: Axis | None = pipeline.axes.get("seed")
    labels = [value.label for value in axis.values or ()] if axis is not None else []
    return labels or [pipeline.seed]


def _subjects(cohort: Cohort, pipeline: Pipeline, ingested: Ingested) -> Iterator[dict[str, Any]]:
    read = entries_read(pipeline, ingested.subjects.values())
    records = records_of(
        cohort, (EntryRef(s, e.stage, e.key) for s, entries in read.items() for e in entries)
    )
    for subject in ingested.subjects.values():
        recordings, columns = subject_marks(subject, read[subject.id], records)
        refused = str((subject.error or {}).get("code", ""))
        yield {"id": subject.id, "recordings": recordings, "columns": columns, "refused": refused}


def _files(cohort: Cohort, pipeline: Pipeline, ingested: Ingested) -> Iterator[dict[str, Any]]:
    for name in pipeline.files:
        file = ingested.files.get(name)
        if file is not None:
            content = file_mark(file, cohort.entries.record(file.ref))
            yield {"name": name, "kind": file.kind, "digest": file.digest, "content": content}


def _selections(run: RunView) -> Iterator[dict[str, Any]]:
    """Those whose digests the training units of the run have in their keys."""
    used = {
        inputs["selection"]
        for part in run.index.parts()
        for inputs in part["inputs"]
        if "selection" in inputs
    }
    for selection in run.cohort.selections.all() if used else ():
        if any(selection.digest.startswith(start) for start in used):
            yield {
                "question": selection.question,
                "number": selection.number,
                "digest": selection.digest,
                "step": str(selection.described.get("step", "")),
                "members": len(selection.subjects),
            }


def _step(step: Any, run: RunView) -> dict[str, Any]:
    done = {row.key for row in run.select(step=step.id) if row.state == "done"}
    return {
        "id": step.id,
        "stage": step.stage.name,
        "version": step.stage.version,
        "tolerance": float(step.stage.tolerance),
        "done": len(done),
        "keys": keys_mark(done),
    }


def _undone(row: UnitRow) -> dict[str, Any]:
    return {
        "step": row.step,
        "subject": row.subject,
        "point": list(row.point.values()),
        "state": row.state,
        "untried": row.state == "pending" or row.reason == NO_TRAINING,
    }


def _earlier(run: RunView) -> Iterator[dict[str, Any]]:
    """Results that stood before, by the code of the runs that computed them."""
    own, book = run.index.claim["code"], run.cohort.indexes(run.slug)
    made = {(row.step, row.key): row.made_in for row in run.rows if row.state == "done"}
    counts = Counter(number for number in made.values() if number != run.index.number)
    codes: dict[str, tuple[Any, int]] = {}
    for number, results in counts.items():
        code = None
        if number is not None:
            try:
                code = book.get(number).claim.get("code")
            except EntryMissing:  # its run is not kept any more
                code = None
        known = codes.get(str(code), (code, 0))
        codes[str(code)] = (code, known[1] + results)
    for code, results in codes.values():
        if code != own:
            yield {"code": code, "results": results}
