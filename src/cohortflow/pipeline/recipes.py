"""Recipes: what a step does at a point, resolved for its key and as written for its question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cohortflow.errors import UnknownName, nearest
from cohortflow.pipeline.admission import Admission
from cohortflow.pipeline.at_point import AtPoint
from cohortflow.pipeline.bind import Binding
from cohortflow.pipeline.keys import digest
from cohortflow.pipeline.model import Label, Pipeline, Where
from cohortflow.pipeline.stage import Parameters, Stage
from cohortflow.pipeline.unit import Recipe, StepTable
from cohortflow.pipeline.where import split_names, step_names


class Recipes:
    """Makes recipes from the tables above."""

    def __init__(
        self,
        pipeline: Pipeline,
        facts: Mapping[str, Mapping[str, Any]],
        tables: Mapping[str, StepTable],
        admission: Admission,
    ) -> None:
        self.pipeline = pipeline
        self.facts = facts
        self.tables = tables
        self.admission = admission

    def of(self, at: AtPoint, subjects: Iterable[str]) -> Recipe:
        """``subjects``: those the step admits here, whose facts may resolve parameters."""
        stage, written = at.step.stage, at.settings.parameters
        parameters = written
        if stage.resolve is not None:
            facts = {s: self.facts[s] for s in subjects if self.facts[s]}
            parameters = stage.resolve(written, facts)
        above = digest(
            {
                name: [[self._chains(b, at.point), self.conditions(b.where, at.point)] for b in bs]
                for name, bs in at.bound.items()
            }
        )
        conditions = [self.conditions(where, at.point) for where in at.settings.wheres]
        own = self._own(stage, written)
        return Recipe(
            parameters=parameters,
            digest=digest(own if parameters is written else self._own(stage, parameters)),
            above=above,
            chain=digest({"own": own, "above": above, "where": conditions}),
            columns=self._columns(at, parameters),
            seed=int(getattr(parameters, "seed", 0) or 0),
        )

    def question(self, at: AtPoint, recipe: Recipe) -> str:
        """Identity of what a training step reads: never its own parameters, seed or variant."""
        conditions = [self.conditions(where, at.point) for where in at.settings.wheres]
        return digest({"above": recipe.above, "where": conditions, "columns": list(recipe.columns)})

    def conditions(self, where: Where, point: Mapping[str, Label]) -> dict[str, Any]:
        """A ``where`` with all that decides whom it admits: splits and folds,
        weights and theirs."""
        described: dict[str, Any] = dict(where)
        for name in sorted(set(split_names(where))):
            split = self.pipeline.splits[name]
            described[f"split {name}"] = {
                "folds": split.folds,
                "test": split.test,
                "validation": split.validation,
                "column": split.column,
                "by": split.by,
                "stratify": list(split.stratify),
                "where": split.where,
                "seed": split.seed,
                "fold": self.admission.fold(name, point),
            }
        for step in sorted(set(step_names(where))):
            described[f"step {step}"] = self._chains_at(self.tables[step], point)
        return described

    def _own(self, stage: Stage, parameters: Parameters) -> dict[str, Any]:
        own: dict[str, Any] = {
            "stage": stage.name,
            "version": stage.version,
            "parameters": parameters.model_dump(mode="json", exclude_defaults=True),
        }
        if "seed" in stage.parameters.model_fields and self.pipeline.seed:
            own["pipeline_seed"] = self.pipeline.seed
        if stage.threads not in (None, 1):
            own["threads"] = stage.threads
        return own

    def _chains(self, binding: Binding, point: Mapping[str, Label]) -> list[str]:
        return self._chains_at(self.tables[binding.producer.name], {**point, **binding.at})

    def _chains_at(self, table: StepTable, point: Mapping[str, Label]) -> list[str]:
        return sorted({table.chains[cell] for cell in table.project(point)})

    def _columns(self, at: AtPoint, parameters: Parameters) -> tuple[str, ...]:
        stage = at.step.stage
        columns = tuple(stage.columns(parameters)) if stage.columns else ()
        for name in columns:
            if self.admission.subjects and name not in self.admission.columns:
                raise UnknownName(
                    f"step {at.step.id!r} needs the participants column {name!r}",
                    where=at.line,
                    hint=nearest(name, self.admission.columns),
                )
        return columns
