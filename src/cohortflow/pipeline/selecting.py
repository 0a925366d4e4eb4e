"""What a training step reads: a selection, frozen when first used.

Its identity is the question (the recipes above, ``where``, split and fold, columns), never the
step's own parameters, seed or variant. New subjects, corrections and withdrawals leave it alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cohortflow.cohort.documents import digest as document_digest
from cohortflow.cohort.ingests import Ingested
from cohortflow.cohort.selections import Selection, Selections
from cohortflow.errors import MissingInput
from cohortflow.pipeline.effective import Effective
from cohortflow.pipeline.keys import digest
from cohortflow.pipeline.model import Label, Pipeline, Step
from cohortflow.pipeline.unit import ManyInput, Unit


@dataclass(frozen=True)
class ProposedSelection:
    """What would be frozen today. ``unsettled``: inputs that may still change until then."""

    question: str
    subjects: list[dict[str, Any]]
    described: dict[str, Any]
    digest: str
    unsettled: tuple[Unit, ...]


def question_of(
    pipeline: Pipeline, unit: Unit, point: Mapping[str, Label], settings: Effective
) -> str:
    """Identity of a training question."""
    assert unit.recipe is not None
    folds = {
        axis.split: point[axis.name]
        for axis in pipeline.axes.values()
        if axis.split is not None and axis.name in point
    }
    splits = {
        name: {
            "folds": split.folds,
            "test": split.test,
            "validation": split.validation,
            "column": split.column,
            "by": split.by,
            "stratify": list(split.stratify),
            "where": split.where,
            "seed": split.seed,
        }
        for name, split in pipeline.splits.items()
        if _mentions(settings, name)
    }
    return digest(
        {
            "above": unit.recipe.above,
            "where": list(settings.wheres),
            "splits": splits,
            "folds": {name: fold for name, fold in folds.items() if name in splits},
            "columns": list(unit.recipe.columns),
        }
    )


def _mentions(settings: Effective, split: str) -> bool:
    for where in settings.wheres:
        value = where.get("split", ())
        for item in [value] if isinstance(value, str) else value:
            if str(item).partition("/")[0] == split:
                return True
    return False


def propose(
    step: Step, unit: Unit, question: str, ingested: Ingested, described: dict[str, Any]
) -> ProposedSelection:
    """The subjects that the step would read today, with their entry keys and column values."""
    assert unit.recipe is not None
    rows: dict[str, dict[str, Any]] = {}
    unsettled: list[Unit] = []
    for name, many in unit.inputs.items():
        if not isinstance(many, ManyInput):
            continue
        for point, source in many.items:
            subject = str(point.get("subject", source.subject))
            row = rows.setdefault(subject, _row(subject, ingested, unit.recipe.columns))
            row["inputs"].setdefault(name, []).append([dict(point), source.stage, source.key])
            if source.state != "done":
                unsettled.append(source)
        unsettled += [u for u in many.lost if u.error is not None and u.error.get("transient")]
    subjects = [rows[subject] for subject in sorted(rows)]
    # The digest of the document, so that freezing it changes no key.
    return ProposedSelection(
        question, subjects, described, document_digest(subjects), tuple(dict.fromkeys(unsettled))
    )


def _row(subject: str, ingested: Ingested, columns: tuple[str, ...]) -> dict[str, Any]:
    known = ingested.subjects.get(subject)
    if known is None:
        raise MissingInput(f"subject {subject!r} is not in the cohort any more")
    values = {name: known.columns.get(name) for name in columns}
    return {"subject": subject, "patient": known.patient, "inputs": {}, "columns": values}


def choose(
    step: Step,
    unit: Unit,
    question: str,
    ingested: Ingested,
    selections: Selections,
    described: dict[str, Any],
    *,
    refresh: bool,
) -> Selection | ProposedSelection:
    """The frozen selection of the question, or a proposal where there is none yet."""
    frozen = None if refresh else selections.newest(question)
    if frozen is not None:
        return frozen
    return propose(step, unit, question, ingested, described)
