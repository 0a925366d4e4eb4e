"""Ingested entries and files as the first tables of a plan."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from typing import Any

from cohortflow.cohort.ingests import IngestedEntry, IngestedFile, IngestedSubject
from cohortflow.errors import FileMissing, KindMismatch, MissingInput
from cohortflow.pipeline.keys import digest
from cohortflow.pipeline.model import FileDeclaration, InputDeclaration, Pipeline
from cohortflow.pipeline.unit import StepTable, Unit


def ingest_table(
    declaration: InputDeclaration, subjects: Mapping[str, IngestedSubject]
) -> StepTable:
    """One unit per subject that brought the input, or was to bring it and did not."""
    table = StepTable(declaration.name, (), True, None)
    chain = {"input": declaration.kind, "match": declaration.match}
    table.chains[()] = digest(chain)
    cell = table.cells[()] = {}
    for subject_id, subject in subjects.items():
        unit = _ingest_unit(declaration, subject)
        if unit is not None:
            cell[subject_id] = unit
    return table


def file_table(
    declaration: FileDeclaration, files: Mapping[str, IngestedFile], where: str
) -> StepTable:
    """The one unit of a file, without subject and axes; none where it is optional and absent.

    Weights from elsewhere have seen nobody of this cohort as far as one can know.
    """
    name = declaration.name
    table = StepTable(name, (), False, None, learned=declaration.kind == "weights")
    file = files.get(name)
    # Another file above is another recipe: what was trained below it is another question.
    table.chains[()] = digest({"file": declaration.kind, "key": file.key if file else None})
    table.cells[()] = {}
    if file is not None:
        _check_kind(declaration, file, where)
        table.cells[()][None] = _file_unit(file)
    elif not declaration.optional:
        raise FileMissing(
            f"the pipeline declares the file {name!r}, which this cohort has not taken in",
            where=where,
            expected=f"a file of kind {declaration.kind}",
            found=", ".join(files) or "no file",
            hint=f"cohortflow ingest - COHORT --file {name}=PATH",
        )
    return table


def _check_kind(declaration: FileDeclaration, file: IngestedFile, where: str) -> None:
    if file.kind != declaration.kind:
        raise KindMismatch(
            f"the file {file.name!r} is of another kind than the pipeline declares",
            where=where,
            expected=declaration.kind,
            found=file.kind,
            hint=f"Take in another file (cohortflow ingest - COHORT --file {file.name}=PATH), "
            f"or declare {file.name}: {file.kind}.",
        )


def _file_unit(file: IngestedFile) -> Unit:
    return Unit(
        step=file.name,
        stage=file.name,
        kind=file.kind,
        subject=None,
        labels=(),
        key=file.key,
        recipe=None,
        inputs={},
        input_digests={},
        columns="",
        state="done",
    )


def fitting_entries(declaration: InputDeclaration, subject: IngestedSubject) -> list[IngestedEntry]:
    return [
        entry
        for entry in subject.entries.values()
        if entry.kind == declaration.kind
        and (declaration.match is None or fnmatch.fnmatchcase(entry.name, declaration.match))
    ]


def _ingest_unit(declaration: InputDeclaration, subject: IngestedSubject) -> Unit | None:
    found = fitting_entries(declaration, subject)
    error: Mapping[str, Any] | None = subject.error
    if error is None and len(found) != 1:
        if not found and declaration.optional:
            return None
        error = MissingInput(
            f"subject {subject.id!r} brings {len(found)} entries for the input "
            f"{declaration.name!r}",
            expected=f"one {declaration.kind}"
            + (f" matching {declaration.match!r}" if declaration.match else ""),
            found=_told(found or subject.entries.values()),
            hint=_TELLING if found or declaration.kind != "label_map" else _NAMING,
        ).to_json()
    entry = found[0] if len(found) == 1 and error is None else None
    return Unit(
        step=declaration.name,
        stage=entry.stage if entry else declaration.name,
        kind=declaration.kind,
        subject=subject.id,
        labels=(),
        key=entry.key if entry else "refused",
        recipe=None,
        inputs={},
        input_digests={},
        columns="",
        state="done" if entry else "failed",
        error=error,
        members=(subject.id,),
    )


_TELLING = "Tell them apart with match, or declare the input optional."
_NAMING = "The file of a label map has a name that ends in _seg, _label or _mask, or such a folder."


def _told(entries: Iterable[IngestedEntry]) -> str:
    return ", ".join(f"{entry.kind} {entry.name}" for entry in entries) or "none"


def merged_facts(
    pipeline: Pipeline, subjects: Mapping[str, IngestedSubject]
) -> dict[str, dict[str, Any]]:
    """Facts of each subject: those of the first declared input on top, all inputs by name below."""
    facts: dict[str, dict[str, Any]] = {}
    for subject_id, subject in subjects.items():
        merged: dict[str, Any] = {}
        for declaration in reversed(list(pipeline.inputs.values())):
            found = fitting_entries(declaration, subject)
            if subject.error is None and len(found) == 1:
                merged = {**merged, **found[0].facts, declaration.name: found[0].facts}
        facts[subject_id] = merged
    return facts
