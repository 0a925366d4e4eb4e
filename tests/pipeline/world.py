"""A cohort of records only, and runs that settle units without computing anything."""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.documents import encode
from cohortflow.cohort.entries import RECORD, EntryRecord, EntryRef
from cohortflow.cohort.failures import record_failure
from cohortflow.cohort.ingests import IngestedEntry, IngestedFile, IngestedSubject
from cohortflow.errors import AlreadyExists
from cohortflow.pipeline.document import apply_settings, load_document
from cohortflow.pipeline.ledger import Ledger, PreviousRow, rows_of
from cohortflow.pipeline.model import Pipeline
from cohortflow.pipeline.parse import parse_pipeline
from cohortflow.pipeline.parts import part_of
from cohortflow.pipeline.plan import Plan, PlanOptions, make_plan
from cohortflow.pipeline.reasons import explain
from cohortflow.pipeline.stage import Stage
from cohortflow.pipeline.unit import ManyInput, Place, Unit
from tests.pipeline.fakes import CATALOGUE
from tests.pipeline.memory import memory_cohort

Fails = Callable[[Unit], dict[str, Any] | None]
STANDING = {"code": "stage-failed", "message": "broken", "hint": "", "transient": False}
TRANSIENT = {"code": "worker-lost", "message": "gone", "hint": "", "transient": True}


def digest(*parts: Any) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def entry(name: str, kind: str, content: Any, **facts: Any) -> IngestedEntry:
    return IngestedEntry(name, kind, name, digest(name, content), dict(facts))


def scan(
    subject: str,
    *,
    patient: str = "",
    image: Any = 1,
    label: Any = 1,
    size: int = 100,
    error: dict[str, Any] | None = None,
    **columns: Any,
) -> IngestedSubject:
    """A subject with an image and a label (None: did not bring it);
    refused where error is given."""
    entries = {}
    if image is not None and error is None:
        entries["image"] = entry("image", "volume", (subject, image), size=size)
    if label is not None and error is None:
        entries["label"] = entry("label", "label_map", (subject, label))
    return IngestedSubject(subject, patient=patient, columns=columns, entries=entries, error=error)


def recording(
    subject: str, *, samples: int = 180, tr_s: float = 2.0, content: Any = 1, **columns: Any
) -> IngestedSubject:
    """A subject with ROI series of six regions."""
    facts = {
        "rois": 6,
        "samples": samples,
        "tr_s": tr_s,
        "networks": {"DMN": 3, "CO": 3},
    }
    entries = {"series": entry("series", "roi_series", (subject, content), **facts)}
    return IngestedSubject(subject, columns=columns, entries=entries)


def scans(n: int, **columns: Sequence[Any]) -> list[IngestedSubject]:
    """``sub-01`` …; columns are dealt in turn from the sequences."""
    return [
        scan(
            f"sub-{i + 1:02d}",
            **{name: values[i % len(values)] for name, values in columns.items()},
        )
        for i in range(n)
    ]


class World:
    """A cohort in memory and one pipeline on it."""

    def __init__(
        self,
        text: str,
        subjects: Iterable[IngestedSubject] = (),
        *,
        catalogue: Mapping[str, Stage] = CATALOGUE,
        settings: Sequence[str] = (),
        cohort: Cohort | None = None,
    ) -> None:
        self.cohort = cohort or memory_cohort()
        self.subjects = {subject.id: subject for subject in subjects}
        self.parts: list[dict[str, Any]] = []
        self.earlier: list[list[dict[str, Any]]] = []
        self.pipeline = parse(text, catalogue, settings)
        self.runs = 0
        self.ingest()

    def rewrite(
        self,
        text: str,
        *,
        catalogue: Mapping[str, Stage] = CATALOGUE,
        settings: Sequence[str] = (),
    ) -> None:
        """Another pipeline file of the same slug."""
        self.pipeline = parse(text, catalogue, settings)

    def ingest(self, *subjects: IngestedSubject) -> None:
        """Add or replace subjects."""
        self.subjects.update({subject.id: subject for subject in subjects})
        self.cohort.ingests.append(self.subjects, {})

    def take_in(self, name: str, kind: str, content: Any = 1) -> None:
        """A file of no subject, or another under its name."""
        files = dict(self.cohort.ingested.files)
        files[name] = IngestedFile(name, kind, digest("file", content), digest(content), 1)
        self.cohort.ingests.append(self.subjects, {}, files)

    def withdraw(self, subject: str) -> None:
        """Leave the subject out of the next ingest and strike it from the selections, as forget."""
        del self.subjects[subject]
        self.ingest()

    def ledger(self, *, retry_failed: bool = False) -> Ledger:
        return Ledger(self.cohort, self.parts, retry_failed=retry_failed)

    def plan(self, *, retry_failed: bool = False, **options: Any) -> Plan:
        """What a run would do now, with reasons."""
        return self._plan(self.ledger(retry_failed=retry_failed), PlanOptions(**options))

    def _plan(self, ledger: Ledger, options: PlanOptions) -> Plan:
        plan = make_plan(
            self.pipeline, self.cohort.ingested, ledger, self.cohort.selections, options
        )
        explain(plan, rows_of(self.parts), self._finished)
        return plan

    def _finished(self, place: Place) -> PreviousRow | None:
        """The newest row of a place that was done, of runs before the last."""
        rows = [rows_of(parts).get(place) for parts in reversed(self.earlier)]
        return next((row for row in rows if row is not None and row.state == "done"), None)

    def run(
        self,
        fails: Fails = lambda unit: None,
        *,
        retry_failed: bool = False,
        at_most: int | None = None,
        **options: Any,
    ) -> Plan:
        """Settle what is to run, step by step, as a run does; the plan as it stands then.

        ``at_most``: units after which the run is cut off.
        """
        self.runs += 1
        ledger = self.ledger(retry_failed=retry_failed)
        chosen = PlanOptions(**options)
        plan = self._plan(ledger, chosen)
        settled = 0
        for step in self.pipeline.steps:
            self._freeze(plan, step.id)
            for unit in plan.tables[step.id].unique():
                if unit.state == "pending" and unit.asked and self._may_run(plan, unit):
                    if at_most is not None and settled >= at_most:
                        break
                    self._settle(unit, fails(unit), ledger)
                    settled += 1
            plan = self._plan(ledger, chosen)
        self.earlier.append(self.parts)
        self.parts = [part_of(t, list(t.units()), {}, {}) for t in plan.steps() if t.cells]
        return plan

    def _freeze(self, plan: Plan, step_id: str) -> None:
        for unit in plan.tables[step_id].unique():
            proposed = plan.proposed.get(unit.selection or "")
            if proposed is None or unit.state != "pending" or not unit.asked:
                continue
            if proposed.unsettled or proposed.question in plan.frozen:
                continue
            plan.frozen[proposed.question] = self.cohort.selections.freeze(
                proposed.question, proposed.subjects, proposed.described
            )

    def _may_run(self, plan: Plan, unit: Unit) -> bool:
        """A training waits for its selection; nothing runs before what it reads."""
        if unit.selection is not None:
            return unit.selection in plan.frozen
        singles = [source for source in unit.inputs.values() if isinstance(source, Unit)]
        many = [u for m in unit.inputs.values() if isinstance(m, ManyInput) for _, u in m.items]
        return all(source.state == "done" for source in (*singles, *many))

    def _settle(self, unit: Unit, failure: Mapping[str, Any] | None, ledger: Ledger) -> None:
        if failure is None:
            commit(self.cohort, unit)
            ledger.settle(unit.key, "done", None)
            return
        stored = {**failure, "run": f"run-{self.runs}"}
        record_failure(self.cohort.storage, unit.ref, stored)
        ledger.settle(unit.key, "failed", stored)


def commit(cohort: Cohort, unit: Unit) -> None:
    """The record of an entry that holds nothing."""
    ref = EntryRef(unit.subject, unit.stage, unit.key)
    record = EntryRecord(
        ref, unit.kind, "", {}, list(unit.members), list(unit.weights), {}, [], {}, False
    )
    try:
        cohort.storage.create(f"{ref.path}/{RECORD}", encode(record.to_json()))
    except AlreadyExists:
        return


def parse(
    text: str, catalogue: Mapping[str, Stage] = CATALOGUE, settings: Sequence[str] = ()
) -> Pipeline:
    document = load_document(textwrap.dedent(text), "world.yaml")
    return parse_pipeline(apply_settings(document, settings), "world", catalogue)


def failing(step: str, *subjects: str | None, error: Mapping[str, Any] = STANDING) -> Fails:
    """Units of a step fail: those of the subjects named, or all."""

    def fails(unit: Unit) -> dict[str, Any] | None:
        hit = unit.step == step and (not subjects or unit.subject in subjects)
        return dict(error) if hit else None

    return fails


def units(plan: Plan, step: str, **labels: Any) -> list[Unit]:
    """Units of a step at the points that agree with the labels."""
    table = plan.tables[step]
    cells = table.project(labels)
    return [unit for cell in cells for unit in table.cells[cell].values()]


def unit_of(plan: Plan, step: str, subject: str | None = None, **labels: Any) -> Unit:
    found = [unit for unit in units(plan, step, **labels) if unit.subject == subject]
    assert len(found) == 1, f"{len(found)} units of {step} {subject} {labels}"
    return found[0]


def states(plan: Plan, step: str) -> dict[str | None, str]:
    """Subject → state, of a step without axes."""
    return {unit.subject: unit.state for unit in plan.tables[step].units()}


def who(plan: Plan, step: str, **labels: Any) -> set[str | None]:
    return {unit.subject for unit in units(plan, step, **labels)}


def points(unit: Unit, name: str) -> list[dict[str, Any]]:
    """The points that an input reading many is handed."""
    source = unit.inputs[name]
    assert isinstance(source, ManyInput)
    return [dict(point) for point, _ in source.items]


def missing(unit: Unit, name: str) -> list[dict[str, Any]]:
    source = unit.inputs[name]
    assert isinstance(source, ManyInput)
    return [dict(point) for point in source.missing]


def keys(plan: Plan, step: str) -> dict[tuple[str | None, tuple[Any, ...]], str]:
    return {(unit.subject, unit.labels): unit.key for unit in plan.tables[step].units()}


def pending(plan: Plan) -> list[Unit]:
    return [unit for unit in plan.units() if unit.state == "pending"]
