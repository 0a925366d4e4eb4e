"""The plan: every unit of every step, its key, and whether it is to run, with the reason.

A plan is a function of the pipeline, the newest ingest, the frozen selections and what is known of
each key. Nothing is written and no array is read, so it can be made again after every step.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from cohortflow.cohort.ingests import Ingested
from cohortflow.cohort.selections import Selection, Selections
from cohortflow.errors import SelectionEmpty, UnknownName, nearest
from cohortflow.pipeline.admission import Admission, patient_mark
from cohortflow.pipeline.at_point import AtPoint
from cohortflow.pipeline.bind import bind
from cohortflow.pipeline.effective import effective
from cohortflow.pipeline.ingested import file_table, ingest_table, merged_facts
from cohortflow.pipeline.inputs import Inputs
from cohortflow.pipeline.keys import canonical, digest_lines, unit_key
from cohortflow.pipeline.ledger import Ledger
from cohortflow.pipeline.many import united, united_saw
from cohortflow.pipeline.model import Pipeline, Step
from cohortflow.pipeline.options import PlanOptions
from cohortflow.pipeline.points import Points, Values
from cohortflow.pipeline.recipes import Recipes
from cohortflow.pipeline.selecting import ProposedSelection, Training
from cohortflow.pipeline.states import States
from cohortflow.pipeline.unit import ManyInput, Recipe, StepTable, Unit

__all__ = ["Plan", "PlanOptions", "make_plan"]


@dataclass
class Plan:
    """Tables of units by step, in the order of the steps, and the selections to be frozen."""

    pipeline: Pipeline
    ingested: Ingested
    options: PlanOptions
    tables: dict[str, StepTable]
    proposed: dict[str, ProposedSelection] = field(default_factory=dict)
    frozen: dict[str, Selection] = field(default_factory=dict)

    def steps(self) -> list[StepTable]:
        return [self.tables[step.id] for step in self.pipeline.steps]

    def units(self) -> Iterable[Unit]:
        for table in self.steps():
            yield from table.units()


def make_plan(
    pipeline: Pipeline,
    ingested: Ingested,
    ledger: Ledger,
    selections: Selections,
    options: PlanOptions | None = None,
) -> Plan:
    """Plan the whole pipeline; raises :class:`PipelineError` before anything runs."""
    options = options or PlanOptions()
    _check_options(pipeline, ingested, options)
    renewed: frozenset[str] = frozenset()
    if options.refresh:
        # Steps share selections by their question, which only a plan can tell.
        first = _Planner(pipeline, ingested, ledger, selections, options, renewed).plan()
        asking = [unit for step in options.refresh for unit in first.tables[step].units()]
        renewed = frozenset(str(unit.selection) for unit in asking if unit.selection)
    return _Planner(pipeline, ingested, ledger, selections, options, renewed).plan()


def _check_options(pipeline: Pipeline, ingested: Ingested, options: PlanOptions) -> None:
    training = [step.id for step in pipeline.steps if step.stage.trains]
    for step_id in sorted(options.refresh):
        if step_id not in training:
            raise UnknownName(
                f"no training step {step_id!r}",
                where="--refresh",
                hint=nearest(step_id, training),
            )
    if options.subjects is not None and not options.subjects & ingested.subjects.keys():
        raise SelectionEmpty("no subject of the cohort was selected")


class _Planner:
    def __init__(
        self,
        pipeline: Pipeline,
        ingested: Ingested,
        ledger: Ledger,
        selections: Selections,
        options: PlanOptions,
        renewed: frozenset[str],
    ) -> None:
        self.pipeline = pipeline
        self.ingested = ingested
        self.options = options
        self.subjects = ingested.subjects
        self.tables: dict[str, StepTable] = {
            name: ingest_table(declaration, self.subjects)
            for name, declaration in pipeline.inputs.items()
        }
        for name, file in pipeline.files.items():
            line = pipeline.document.where(("files", name))
            self.tables[name] = file_table(file, ingested.files, line)
        facts = merged_facts(pipeline, self.subjects)
        self.admission = Admission(self.subjects, pipeline.splits, pipeline.axes, self.tables)
        self.points = Points(pipeline, facts, self.admission, options.at)
        self.recipes = Recipes(pipeline, facts, self.tables, self.admission)
        self.inputs = Inputs(self.tables, self.admission)
        self.training = Training(pipeline.slug, ingested, selections, renewed)
        self._column_digests: dict[tuple[tuple[str, ...], ...], str] = {}
        self.states = States(ledger, options, self.training, self.admission)

    def plan(self) -> Plan:
        for step in self.pipeline.steps:
            self._plan_step(step)
        return Plan(
            self.pipeline,
            self.ingested,
            self.options,
            self.tables,
            self.training.proposed,
            self.training.frozen,
        )

    def _plan_step(self, step: Step) -> None:
        table = StepTable(step.id, step.over, step.stage.scope == "subject", step)
        sources = self.points.check(step)
        table.learned = step.stage.trains or any(self.tables[name].learned for name in sources)
        for values in self.points.of(step):
            self._plan_point(step, table, values)
        self.tables[step.id] = table

    def _plan_point(self, step: Step, table: StepTable, values: Values) -> None:
        at = self._at(step, values)
        candidates = self.inputs.candidates(at)
        recipe = self.recipes.of(at, candidates)
        table.chains[at.labels] = recipe.chain
        owners = candidates if table.by_subject else [None]
        if self.inputs.lacks(at) or (at.in_a_block and not candidates):
            owners = []
        table.cells[at.labels] = {owner: self._unit(at, recipe, owner) for owner in owners}

    def _at(self, step: Step, values: Values) -> AtPoint:
        settings = effective(self.pipeline, step, values)
        bound = bind(self.pipeline, step, settings.reads, settings.parameters)
        bound = self.points.pinned(step, bound, values)
        point = {axis: value.label for axis, value in values.items()}
        line = self.pipeline.where(step, "where")
        admitted = self.admission.admitted(settings.wheres, point, line)
        for bindings in bound.values():
            for binding in bindings:
                self.admission.admitted([binding.where], point, binding.line)
        return AtPoint(
            step=step,
            labels=tuple(point.values()),
            point=point,
            settings=settings,
            bound=bound,
            admitted=admitted,
            asked=self.points.asked(values),
            line=line,
        )

    # --- one unit ---------------------------------------------------------------------------------

    def _unit(self, at: AtPoint, recipe: Recipe, subject: str | None) -> Unit:
        stage = at.step.stage
        unit = Unit(
            step=at.step.id,
            stage=stage.name,
            kind=stage.writes,
            subject=subject,
            labels=at.labels,
            key="",
            recipe=recipe,
            inputs=self.inputs.of(at, subject),
            input_digests={},
            columns="",
            state="pending",
        )
        _inherit(unit)
        if stage.trains and subject is None:
            self.training.choose(at, unit, self.recipes.question(at, recipe))
        else:
            unit.input_digests = {
                name: source.digest if isinstance(source, ManyInput) else source.key
                for name, source in unit.inputs.items()
            }
            unit.columns = self._columns_digest(recipe, unit)
            unit.key = unit_key(recipe.digest, subject, unit.input_digests, unit.columns)
        if stage.trains and subject is not None:
            patient = self.subjects[subject].patient
            unit.saw = unit.saw | {subject, patient_mark(patient)}
        self.states.settle(at, unit)
        if stage.scores:
            self.states.refuse_seen(at, unit)
        return unit

    def _columns_digest(self, recipe: Recipe, unit: Unit) -> str:
        if not recipe.columns:
            return ""
        key = (recipe.columns, unit.members, unit.absentees)
        if key not in self._column_digests:
            self._column_digests[key] = self._digest_of_columns(recipe, unit)
        return self._column_digests[key]

    def _digest_of_columns(self, recipe: Recipe, unit: Unit) -> str:
        lines = []
        for member in sorted(unit.concerned):
            subject = self.subjects.get(member)
            for name in recipe.columns:
                value = subject.columns.get(name) if subject is not None else None
                lines.append(f"{member}\t{name}\t{json.dumps(canonical(value))}")
        return digest_lines(lines)


def _inherit(unit: Unit) -> None:
    """Whom and which weights a unit is made of, from what it reads."""
    sources = list(unit.inputs.values())
    lineage = [s for s in sources if not (isinstance(s, Unit) and s.kind == "weights")]
    unit.weights = united(
        (s.key,) if isinstance(s, Unit) and s.kind == "weights" else s.weights for s in sources
    )
    unit.saw = united_saw(sources)
    if unit.subject is not None:
        unit.members = (unit.subject,)
    else:
        unit.members = united(source.members for source in lineage)
        unit.absentees = united(source.absentees for source in lineage)
