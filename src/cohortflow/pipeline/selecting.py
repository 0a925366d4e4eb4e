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
from cohortflow.errors import PipelineError
from cohortflow.pipeline.admission import patient_mark
from cohortflow.pipeline.at_point import AtPoint
from cohortflow.pipeline.keys import unit_key
from cohortflow.pipeline.unit import ManyInput, Unit


@dataclass(frozen=True)
class ProposedSelection:
    """What would be frozen today. ``unsettled``: inputs that may still change until then."""

    question: str
    subjects: list[dict[str, Any]]
    described: dict[str, Any]
    digest: str
    unsettled: tuple[Unit, ...]


@dataclass(frozen=True)
class Chosen:
    """The selection of a question, frozen or proposed, and whom it shows to the weights."""

    selection: Selection | ProposedSelection
    members: tuple[str, ...]
    saw: frozenset[str]


class Training:
    """Chooses selections for one plan: one for each question, whoever asks it.

    ``renewed``: questions whose selection is to be made anew (``--refresh``).
    """

    def __init__(
        self, slug: str, ingested: Ingested, selections: Selections, renewed: frozenset[str]
    ) -> None:
        self.slug = slug
        self.ingested = ingested
        self.selections = selections
        self.renewed = renewed
        self.proposed: dict[str, ProposedSelection] = {}
        self.frozen: dict[str, Selection] = {}
        self._chosen: dict[str, Chosen] = {}

    def choose(self, at: AtPoint, unit: Unit, question: str) -> None:
        """Give a training unit its selection, and with it its key and whom it saw."""
        assert unit.recipe is not None
        if question not in self._chosen:
            self._chosen[question] = self._choose(at, unit, question)
        chosen = self._chosen[question]
        singles = {name: one.key for name, one in unit.inputs.items() if isinstance(one, Unit)}
        unit.selection = question
        unit.input_digests = {**singles, "selection": chosen.selection.digest}
        unit.key = unit_key(unit.recipe.digest, None, unit.input_digests, unit.columns)
        unit.members = chosen.members
        unit.absentees = ()
        unit.saw = unit.saw | chosen.saw if unit.saw else chosen.saw

    def _choose(self, at: AtPoint, unit: Unit, question: str) -> Chosen:
        frozen = None if question in self.renewed else self.selections.newest(question)
        selection: Selection | ProposedSelection
        if frozen is not None:
            selection = self.frozen[question] = frozen
        else:
            selection = self.proposed[question] = self._propose(at, unit, question)
        members = tuple(row["subject"] for row in selection.subjects)
        marks = {patient_mark(row["patient"]) for row in selection.subjects}
        return Chosen(selection, members, frozenset(members) | marks)

    def _propose(self, at: AtPoint, unit: Unit, question: str) -> ProposedSelection:
        """The subjects that the step would read today, with their entry keys and column values."""
        assert unit.recipe is not None
        rows: dict[str, dict[str, Any]] = {}
        unsettled: list[Unit] = []
        for name, many in unit.inputs.items():
            if not isinstance(many, ManyInput):
                continue
            for point, source in many.items:
                if source.subject is None:
                    raise PipelineError(
                        f"step {at.step.id!r} trains on {source.step!r}, which is of no subject",
                        where=at.line,
                        expected="entries of subjects, which a selection can name",
                    )
                row = rows.setdefault(source.subject, self._row(source.subject, unit))
                row["inputs"].setdefault(name, []).append([dict(point), source.stage, source.key])
                if source.state != "done":
                    unsettled.append(source)
            unsettled += [lost for lost in many.lost if lost.transient]
        subjects = [rows[subject] for subject in sorted(rows)]
        return ProposedSelection(
            question,
            subjects,
            {"pipeline": self.slug, "step": at.step.id, "point": dict(at.point)},
            # The digest of the document, so that freezing it changes no key.
            document_digest(subjects),
            tuple(dict.fromkeys(unsettled)),
        )

    def _row(self, subject: str, unit: Unit) -> dict[str, Any]:
        assert unit.recipe is not None
        known = self.ingested.subjects[subject]
        columns: Mapping[str, Any] = {n: known.columns.get(n) for n in unit.recipe.columns}
        return {"subject": subject, "patient": known.patient, "inputs": {}, "columns": columns}
