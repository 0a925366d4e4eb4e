"""The plan: every unit of every step, its key, and whether it is to run, with the reason.

A plan is a function of the pipeline, the newest ingest, the frozen selections and what is known of
each key. Nothing is written and no array is read, so it can be made again after every step.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cohortflow.cohort.ingests import Ingested, IngestedSubject
from cohortflow.cohort.selections import Selection, Selections
from cohortflow.errors import AxisError, SeenSubject, SelectionEmpty, UnknownName, nearest
from cohortflow.pipeline.admission import Admission, patient_mark
from cohortflow.pipeline.bind import Binding, bind, check_axes_act
from cohortflow.pipeline.effective import Effective, effective
from cohortflow.pipeline.ingested import ingest_table, merged_facts
from cohortflow.pipeline.keys import digest, digest_lines, unit_key
from cohortflow.pipeline.ledger import Ledger
from cohortflow.pipeline.many import gather
from cohortflow.pipeline.model import AxisValue, Label, Pipeline, Step
from cohortflow.pipeline.parse import build_parameters
from cohortflow.pipeline.selecting import ProposedSelection, choose, question_of
from cohortflow.pipeline.stage import Parameters
from cohortflow.pipeline.unit import (
    SETTLED_BADLY,
    Labels,
    ManyInput,
    Recipe,
    StepTable,
    Unit,
)

LENGTH_FACTS = {"roi_series": "rois"}
"""Which fact of an ingested kind gives the length of an axis that is ``{from: input}``."""


@dataclass(frozen=True)
class PlanOptions:
    """What a run may narrow: points, subjects, training.

    ``held``: questions whose selection cannot be frozen today, with the reason.
    """

    at: Mapping[str, Sequence[str]] = field(default_factory=dict)
    subjects: frozenset[str] | None = None
    refresh: frozenset[str] = frozenset()
    train: bool = True
    held: Mapping[str, str] = field(default_factory=dict)


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
    return _Planner(pipeline, ingested, ledger, selections, options or PlanOptions()).plan()


class _Planner:
    def __init__(
        self,
        pipeline: Pipeline,
        ingested: Ingested,
        ledger: Ledger,
        selections: Selections,
        options: PlanOptions,
    ) -> None:
        self.pipeline = pipeline
        self.ingested = ingested
        self.ledger = ledger
        self.selections = selections
        self.options = options
        self.subjects: dict[str, IngestedSubject] = {
            s: subject
            for s, subject in ingested.subjects.items()
            if options.subjects is None or s in options.subjects
        }
        self.facts = merged_facts(pipeline, self.subjects)
        self.tables: dict[str, StepTable] = {
            name: ingest_table(declaration, self.subjects)
            for name, declaration in pipeline.inputs.items()
        }
        self.admission = Admission(self.subjects, pipeline.splits, pipeline.axes, self.tables)
        self.plan_ = Plan(pipeline, ingested, options, self.tables)
        self._many: dict[str, ManyInput] = {}
        self._blamed: set[str] = set()
        self._chosen: dict[str, Selection | ProposedSelection] = {}

    def plan(self) -> Plan:
        self._check_options()
        for step in self.pipeline.steps:
            self._plan_step(step)
        if self.options.subjects is not None and not self.subjects:
            raise SelectionEmpty("no subject of the cohort was selected")
        return self.plan_

    def _check_options(self) -> None:
        for axis, labels in self.options.at.items():
            if axis not in self.pipeline.axes:
                raise UnknownName(
                    f"no axis {axis!r}", where="--at", hint=nearest(axis, self.pipeline.axes)
                )
            known = [str(value.label) for value in self._values(axis)]
            for label in labels:
                if str(label) not in known:
                    raise UnknownName(
                        f"axis {axis!r} has no value {label!r}",
                        where="--at",
                        hint=nearest(str(label), known),
                    )
        for step_id in self.options.refresh:
            known = [step.id for step in self.pipeline.steps if step.stage.trains]
            if step_id not in known:
                raise UnknownName(
                    f"no training step {step_id!r}", where="--refresh", hint=nearest(step_id, known)
                )

    # --- points -----------------------------------------------------------------------------------

    def _values(self, name: str) -> list[AxisValue]:
        axis = self.pipeline.axes[name]
        if axis.values is not None:
            return list(axis.values)
        where = self.pipeline.document.where(("axes", name))
        labels: Sequence[Label]
        if axis.split is not None:
            folds = self.admission.assignment(axis.split, where).folds
            if not folds:
                raise AxisError(f"split {axis.split!r} has no folds to be an axis", where=where)
            labels = folds
        else:
            labels = range(self._length(str(axis.from_input), where))
        return [AxisValue(label, label) for label in labels]

    def _length(self, input_name: str, where: str) -> int:
        kind = self.pipeline.inputs[input_name].kind
        if kind not in LENGTH_FACTS:
            raise AxisError(f"a {kind} has no length to be an axis", where=where)
        lengths = {facts[LENGTH_FACTS[kind]] for facts in self.facts.values() if facts}
        if len(lengths) > 1:
            raise AxisError(
                f"{input_name!r} has different lengths", where=where, found=str(sorted(lengths))
            )
        return int(next(iter(lengths), 0))

    def _points(self, step: Step) -> Iterable[dict[str, AxisValue]]:
        choices = []
        for name in step.over:
            wanted = self.options.at.get(name)
            values = self._values(name)
            if wanted is not None:
                values = [v for v in values if str(v.label) in {str(w) for w in wanted}]
            choices.append([(name, value) for value in values])
        for combination in itertools.product(*choices):
            yield dict(combination)

    # --- one step ---------------------------------------------------------------------------------

    def _plan_step(self, step: Step) -> None:
        table = StepTable(step.id, step.over, step.stage.scope == "subject", step)
        self._check_statically(step)
        for values in self._points(step):
            labels = tuple(value.label for value in values.values())
            self._plan_point(step, table, labels, values)
        self.tables[step.id] = table

    def _check_statically(self, step: Step) -> None:
        """Bindings and axes are checked even where no point exists yet (an empty cohort)."""
        first = {
            name: axis.values[0] if (axis := self.pipeline.axes[name]).values else AxisValue(0, 0)
            for name in step.over
        }
        settings = effective(self.pipeline, step, first)
        parameters = build_parameters(step.stage, settings.parameters, self.pipeline.where(step))
        bound = bind(self.pipeline, step, settings.reads, parameters)
        check_axes_act(self.pipeline, step, bound)

    def _plan_point(
        self, step: Step, table: StepTable, labels: Labels, values: Mapping[str, AxisValue]
    ) -> None:
        settings = effective(self.pipeline, step, values)
        point = dict(zip(table.axes, labels, strict=True))
        where = self.pipeline.where(step)
        parameters = build_parameters(step.stage, settings.parameters, where)
        bound = bind(self.pipeline, step, settings.reads, parameters)
        admitted = self.admission.admitted(settings.wheres, point, where)
        recipe = self._recipe(step, parameters, bound, settings, point, admitted)
        table.chains[labels] = recipe.chain
        cell = table.cells[labels] = {}
        if table.by_subject:
            for subject in self._candidates(step, bound, point, admitted):
                cell[subject] = self._unit(
                    step, labels, subject, recipe, bound, point, admitted, settings
                )
        else:
            cell[None] = self._unit(step, labels, None, recipe, bound, point, admitted, settings)

    def _recipe(
        self,
        step: Step,
        parameters: Parameters,
        bound: Mapping[str, tuple[Binding, ...]],
        settings: Effective,
        point: Mapping[str, Label],
        admitted: frozenset[str],
    ) -> Recipe:
        stage = step.stage
        if stage.resolve is not None:
            facts = {s: self.facts[s] for s in self.subjects if s in admitted and self.facts[s]}
            parameters = stage.resolve(parameters, facts)
        seed = int(getattr(parameters, "seed", 0) or 0)
        own = {
            "stage": stage.name,
            "version": stage.version,
            "parameters": parameters.model_dump(mode="json", exclude_defaults=True),
        }
        if "seed" in stage.parameters.model_fields and self.pipeline.seed:
            own["pipeline_seed"] = self.pipeline.seed
        if stage.threads not in (None, 1):
            own["threads"] = stage.threads
        above = digest(
            {
                name: [[sorted(self._chains(b, point)), b.where] for b in bindings]
                for name, bindings in bound.items()
            }
        )
        chain = digest({"own": own, "above": above, "where": list(settings.wheres)})
        columns = tuple(stage.columns(parameters)) if stage.columns else ()
        for name in columns:
            if self.subjects and name not in self.admission.columns:
                raise UnknownName(
                    f"step {step.id!r} needs the participants column {name!r}",
                    where=self.pipeline.where(step),
                    hint=nearest(name, self.admission.columns),
                )
        return Recipe(parameters, digest(own), above, chain, columns, seed)

    def _chains(self, binding: Binding, point: Mapping[str, Label]) -> set[str]:
        table = self.tables[binding.producer.name]
        cells = table.project({**{a: point[a] for a in table.axes if a in point}, **binding.at})
        return {table.chains.get(cell, table.name) for cell in cells}

    def _candidates(
        self,
        step: Step,
        bound: Mapping[str, tuple[Binding, ...]],
        point: Mapping[str, Label],
        admitted: frozenset[str],
    ) -> list[str]:
        """Subjects that the single inputs admit, in the order of ingestion."""
        result = set(admitted)
        for name, bindings in bound.items():
            for binding in bindings:
                table = self.tables[binding.producer.name]
                need = step.stage.reads[name]
                if not table.by_subject or need.many or need.optional:
                    continue
                present: set[str] = set()
                for cell in table.project({**point, **binding.at}):
                    present.update(str(s) for s in table.cells[cell])
                result &= present
                if binding.where:
                    result &= self.admission.admitted([binding.where], point, binding.producer.name)
        return [s for s in self.subjects if s in result]

    # --- one unit ---------------------------------------------------------------------------------

    def _unit(
        self,
        step: Step,
        labels: Labels,
        subject: str | None,
        recipe: Recipe,
        bound: Mapping[str, tuple[Binding, ...]],
        point: Mapping[str, Label],
        admitted: frozenset[str],
        settings: Effective,
    ) -> Unit:
        inputs: dict[str, Unit | ManyInput] = {}
        for name, bindings in bound.items():
            if step.stage.reads[name].many:
                inputs[name] = self._collect(bindings, point, subject, admitted, step)
            else:
                found = self._single(bindings[0], point, subject)
                if found is not None:
                    inputs[name] = found
        self._join_paired(step, inputs)
        unit = Unit(
            step=step.id,
            stage=step.stage.name,
            kind=step.stage.writes,
            subject=subject,
            labels=labels,
            key="",
            recipe=recipe,
            inputs=inputs,
            input_digests={},
            columns="",
            state="pending",
        )
        self._inherit(unit)
        if step.stage.trains:
            self._train(step, unit, point, settings)
        else:
            unit.input_digests = {
                name: i.digest if isinstance(i, ManyInput) else i.key for name, i in inputs.items()
            }
            unit.columns = self._columns_digest(recipe, unit.members)
            unit.key = unit_key(recipe.digest, subject, unit.input_digests, unit.columns)
        self._settle(step, unit)
        if step.stage.scores:
            self._refuse_seen(step, unit, settings)
        return unit

    def _single(
        self, binding: Binding, point: Mapping[str, Label], subject: str | None
    ) -> Unit | None:
        table = self.tables[binding.producer.name]
        labels = {**{a: point[a] for a in table.axes if a in point}, **binding.at}
        for cell in table.project(labels):
            unit = table.cells[cell].get(subject if table.by_subject else None)
            if unit is not None:
                return unit
        return None

    def _collect(
        self,
        bindings: tuple[Binding, ...],
        point: Mapping[str, Label],
        subject: str | None,
        admitted: frozenset[str],
        step: Step,
    ) -> ManyInput:
        cache_key = self._collect_key(bindings, point, subject, admitted)
        if cache_key not in self._many:
            found: list[tuple[dict[str, Any], Unit]] = []
            for binding in bindings:
                found += self._items(binding, point, subject, admitted, step, len(bindings) > 1)
            self._many[cache_key] = gather(found)
        return self._many[cache_key]

    def _collect_key(
        self,
        bindings: tuple[Binding, ...],
        point: Mapping[str, Label],
        subject: str | None,
        admitted: frozenset[str],
    ) -> str:
        parts: list[str] = [str(subject), str(hash(admitted))]
        for binding in bindings:
            axes = self.tables[binding.producer.name].axes
            shared = sorted((a, v) for a, v in point.items() if a in axes)
            relevant = sorted(point.items()) if binding.where else shared
            parts.append(f"{binding.producer.name} {dict(binding.at)} {binding.where} {relevant}")
        return "|".join(parts)

    def _items(
        self,
        binding: Binding,
        point: Mapping[str, Label],
        subject: str | None,
        admitted: frozenset[str],
        step: Step,
        several: bool,
    ) -> Iterable[tuple[dict[str, Any], Unit]]:
        table = self.tables[binding.producer.name]
        if binding.where:
            admitted = admitted & self.admission.admitted(
                [binding.where], point, self.pipeline.where(step)
            )
        shared = {a: point[a] for a in table.axes if a in point}
        for cell in table.project({**shared, **binding.at}):
            labels = dict(zip(table.axes, cell, strict=True))
            extra = {a: v for a, v in labels.items() if a not in shared and a not in binding.at}
            if several:
                extra = {"from": table.name, **extra}
            for owner, unit in table.cells[cell].items():
                if owner is None:
                    yield extra, unit
                elif owner in admitted and (subject is None or owner == subject):
                    yield (extra if subject is not None else {**extra, "subject": owner}), unit

    def _join_paired(self, step: Step, inputs: dict[str, Unit | ManyInput]) -> None:
        """Inputs declared paired are joined on subject; the missing of one are missing of all."""
        paired = [(n, i) for n in step.stage.paired if isinstance(i := inputs.get(n), ManyInput)]
        if len(paired) < 2:
            return
        present = [{p.get("subject") for p, _ in many.items} for _, many in paired]
        known = [
            have | {p.get("subject") for p in many.missing}
            for have, (_, many) in zip(present, paired, strict=True)
        ]
        both = set.intersection(*known)
        complete = set.intersection(*present)
        for name, many in paired:
            kept = [(p, u) for p, u in many.items if p.get("subject") in complete]
            lost = [{"subject": s} for s in sorted(both - complete, key=str)]
            inputs[name] = gather(kept, lost, many.lost)

    def _inherit(self, unit: Unit) -> None:
        members: list[str] = [unit.subject] if unit.subject is not None else []
        saw: frozenset[str] = frozenset()
        weights: list[str] = []
        for source in unit.inputs.values():
            saw |= source.saw
            if isinstance(source, Unit) and source.kind == "weights":
                weights.append(source.key)
                continue
            weights += source.weights
            if unit.subject is None:
                members += source.members
        unit.members = tuple(dict.fromkeys(members))
        unit.saw = saw
        unit.weights = tuple(dict.fromkeys(weights))

    def _train(
        self, step: Step, unit: Unit, point: Mapping[str, Label], settings: Effective
    ) -> None:
        assert unit.recipe is not None
        question = question_of(self.pipeline, unit, point, settings)
        chosen = self._chosen.get(question)
        if chosen is None:
            described = {"pipeline": self.pipeline.slug, "step": step.id, "point": dict(point)}
            chosen = choose(
                step,
                unit,
                question,
                self.ingested,
                self.selections,
                described,
                refresh=step.id in self.options.refresh,
            )
            self._chosen[question] = chosen
        unit.selection = question
        if isinstance(chosen, ProposedSelection):
            self.plan_.proposed[question] = chosen
        else:
            self.plan_.frozen[question] = chosen
        singles = {name: i.key for name, i in unit.inputs.items() if isinstance(i, Unit)}
        unit.input_digests = {**singles, "selection": chosen.digest}
        unit.columns = ""
        unit.key = unit_key(unit.recipe.digest, None, unit.input_digests, unit.columns)
        unit.members = tuple(row["subject"] for row in chosen.subjects)
        marks = {patient_mark(row["patient"]) for row in chosen.subjects}
        unit.saw = unit.saw | frozenset(unit.members) | marks

    def _columns_digest(self, recipe: Recipe, members: Sequence[str]) -> str:
        if not recipe.columns:
            return ""
        lines = []
        for member in sorted(members):
            subject = self.subjects.get(member)
            for name in recipe.columns:
                value = subject.columns.get(name) if subject is not None else None
                lines.append(f"{member}\t{name}\t{json.dumps(value)}")
        return digest_lines(lines)

    # --- states -----------------------------------------------------------------------------------

    def _settle(self, step: Step, unit: Unit) -> None:
        for name, need in step.stage.reads.items():
            source = unit.inputs.get(name)
            if isinstance(source, Unit) and source.state in SETTLED_BADLY and not need.optional:
                self._block(unit, source)
                return
            if isinstance(source, ManyInput) and not source.items and not unit.selection:
                unit.state = "blocked"
                unit.reason = (
                    f"all {len(source.missing)} inputs failed"
                    if source.missing
                    else "no subject is admitted"
                )
                return
        if unit.selection and unit.selection in self.plan_.proposed:
            empty = not self.plan_.proposed[unit.selection].subjects
            if empty:
                unit.state, unit.reason = "blocked", "no subject is admitted"
                return
        known = self.ledger.look(unit.ref)
        unit.state, unit.error, unit.reason = known.state, known.error, known.note
        if unit.selection and unit.state == "pending" and not self.options.train:
            unit.state, unit.reason = "blocked", "--no-train: this step would have to train"
        elif unit.selection and unit.selection in self.options.held and unit.state == "pending":
            unit.state, unit.reason = "blocked", self.options.held[unit.selection]

    def _block(self, unit: Unit, source: Unit) -> None:
        refused_here = source.recipe is None and str(source.subject) not in self._blamed
        if refused_here:
            # A refused subject is a failed unit of the first step that needs it.
            self._blamed.add(str(source.subject))
            unit.state, unit.error, unit.reason = "failed", source.error, "refused at ingest"
        else:
            unit.state, unit.reason = "blocked", f"{source.step} {source.state}"

    def _refuse_seen(self, step: Step, unit: Unit, settings: Effective) -> None:
        if not unit.saw or any("seen_by" in where for where in settings.wheres):
            return
        for member in unit.members:
            subject = self.subjects.get(member)
            mark = patient_mark(subject.patient) if subject is not None else member
            if member in unit.saw or mark in unit.saw:
                raise SeenSubject(
                    f"step {step.id!r} scores {member!r}, which the weights behind it have seen",
                    where=self.pipeline.where(step),
                    hint="Say where: {unseen_by: <training step>}, or seen_by to ask for it.",
                )
