"""One run of a pipeline on a cohort: plan, batches, outcomes, index. Knows no Prefect."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import psutil

from cohortflow.cohort.cohort import open_cohort
from cohortflow.cohort.entries import KEY_DIGITS
from cohortflow.cohort.indexes import IndexWriter
from cohortflow.errors import AccessDenied, CohortflowError, StoreUnavailable, UsageError
from cohortflow.pipeline.estimate import Estimator, project, refuse_what_cannot_fit
from cohortflow.pipeline.load import load_pipeline
from cohortflow.pipeline.model import Pipeline
from cohortflow.pipeline.parts import part_of
from cohortflow.pipeline.plan import Plan
from cohortflow.pipeline.spec import unit_spec
from cohortflow.pipeline.unit import StepTable, Unit, count_states
from cohortflow.reproduction.code import code_version, environment
from tasks.engine import Engine, open_engine
from tasks.freezing import Freezing
from tasks.outcomes import Outcomes, was_cancelled
from tasks.patience import patience, patiently
from tasks.planning import Known, Planned, check_subjects
from tasks.progress import Progress
from tasks.request import RunRequest, RunResult, StepTiming
from tasks.status import failures_of

log = logging.getLogger(__name__)

_OF_THE_STORE = (StoreUnavailable.code, AccessDenied.code)
BATCH_UNITS = 500
MOST_BATCHES = 300
"""Prefect sees batches, never units: at most a few hundred task runs whatever the cohort's size."""


class Session:
    """A run in progress. Use: ``begin``, for each step ``batches`` and ``run_batch``,
    ``finish``."""

    plan: Plan
    writer: IndexWriter

    def __init__(
        self,
        request: RunRequest,
        *,
        stop: threading.Event | None = None,
        pipeline: Pipeline | None = None,
        catalogue: str | None = None,
        progress: Progress | None = None,
        planned: Planned | None = None,
    ) -> None:
        self.request = request
        self._planned = planned
        self.run_id = uuid.uuid4().hex[:12]
        self.started = time.time()
        self.stop = stop or threading.Event()
        self.patience = patience()
        cohort = planned.known.cohort if planned else open_cohort(request.cohort)
        self.cohort = patiently(cohort, self.patience, self.stop)
        self.pipeline = pipeline or load_pipeline(request.pipeline, request.settings)
        self.catalogue = catalogue
        self.progress = progress
        self.timings: dict[str, StepTiming] = {}
        self._open = ExitStack()
        self._engine: Engine | None = None
        check_subjects(self.cohort, request.subjects)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    # --- the start --------------------------------------------------------------------------------

    def begin(self) -> Plan:
        """Plan, refuse what cannot fit, and say in a new index what this run means to make."""
        planned = self._planned if self._planned is not None and self._planned.stands() else None
        self.known = planned.known if planned else Known(self.request, self.cohort, self.pipeline)
        self.freezing = Freezing(self.request, self.cohort.selections)
        self.outcomes = Outcomes(self.cohort, self.known.ledger)
        self.plan = planned.plan if planned else self.known.plan()
        self.configured = self._configure()
        refuse_what_cannot_fit(
            project(self.plan),
            memory_limit_bytes=self.configured.memory_limit_bytes or None,
            disk_free_bytes=self._disk_free(),
        )
        self._estimator = Estimator(self.plan)
        self.writer = self.cohort.indexes(self.pipeline.slug).begin(
            self._claim(), after=max(self.known.numbers, default=0)
        )
        return self.plan

    def _configure(self) -> Engine:
        if self.cohort.url.startswith("memory://") and self.request.cluster != "none":
            raise UsageError(
                "a cohort in memory is this process's own: no worker can open it",
                where=self.cohort.url,
                hint="--cluster none",
            )
        asked = self.request
        return open_engine(
            asked.cluster, asked.workers, asked.threads, asked.memory, patience=self.patience
        )

    def engine(self) -> Engine:
        """The engine, started when the first batch needs it:
        a run with nothing to do starts none."""
        if self._engine is None:
            self._engine = self._open.enter_context(self.configured)
            for limit in self._engine.cannot_enforce:
                log.warning("this engine cannot enforce %s", limit)
        return self._engine

    def _disk_free(self) -> int | None:
        local = self.cohort.storage.local_path("")
        return None if local is None else int(psutil.disk_usage(str(local)).free)

    def _claim(self) -> dict[str, Any]:
        # All of them, also what stands: gc must see what a live run will share.
        keys = [unit.key[:KEY_DIGITS] for unit in self.plan.units()]
        return {
            "run": self.run_id,
            "pipeline": self.pipeline.slug,
            "text": self.pipeline.document.text,
            "settings": list(self.request.settings),
            "at": {axis: list(labels) for axis, labels in self.request.at.items()},
            # How many, not who: a forgotten subject must not stand here.
            "subjects": None if self.request.subjects is None else len(self.request.subjects),
            "ingest": self.plan.ingested.number,
            "keys": list(dict.fromkeys(keys)),
            "code": code_version(),
            "environment": environment(),
            "engine": {
                "workers": self.configured.workers,
                "threads": self.configured.threads_per_worker,
            },
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }

    # --- steps ------------------------------------------------------------------------------------

    def batches(self, step_id: str) -> Iterator[list[Unit]]:
        """Freeze what the step trains on, then its pending units, cut into batches."""
        if self.freezing.freeze(self.plan, step_id):
            self._plan_again(keep=self.plan)
        pending = [
            u for u in self.plan.tables[step_id].unique() if u.state == "pending" and u.asked
        ]
        self.timings[step_id] = StepTiming(step_id, len(pending))
        if self.progress is not None and pending:
            self.progress.begin(step_id, len(pending))
        size = max(BATCH_UNITS, -(-len(pending) // MOST_BATCHES))
        for start in range(0, len(pending), size):
            if self.stop.is_set():
                return
            yield pending[start : start + size]

    def _plan_again(self, keep: Plan | None = None) -> None:
        self.plan = self.known.plan(self.freezing.held)
        if keep is not None:
            self.plan.frozen.update(keep.frozen)

    def run_batch(self, step_id: str, units: Sequence[Unit]) -> dict[str, int]:
        """Run units of one step; every one is settled when this returns.

        Raises :class:`StoreUnavailable` or :class:`AccessDenied` where the store itself is gone:
        no other unit could do better, and what has not ended stays pending.
        """
        table = self.plan.tables[step_id]
        specs = {unit.key: self._spec(table, unit) for unit in units}
        timing = self.timings[step_id]
        engine = self.engine()  # starting it is no time of the step, and tells how many workers
        timing.workers, timing.threads = engine.workers, engine.threads_per_worker
        started = time.perf_counter()
        gone: list[CohortflowError] = []

        def settled(outcome: dict[str, Any]) -> None:
            if was_cancelled(outcome):
                return  # it stays pending, as if this run had not asked for it
            self.outcomes.take(outcome, specs[outcome["key"]])
            timing.take(outcome)
            if self.progress is not None:
                self.progress.advance(step_id, failed=outcome["state"] != "done")
            if (outcome.get("error") or {}).get("code") in _OF_THE_STORE and not gone:
                gone.extend(self._store_gone())

        def should_stop() -> bool:
            return self.stop.is_set() or bool(gone)

        outcomes = engine.run(list(specs.values()), settled, should_stop)
        timing.wall_s += time.perf_counter() - started
        if gone:
            raise gone[0]
        states = ["cancelled" if was_cancelled(one) else one["state"] for one in outcomes]
        return {state: states.count(state) for state in sorted(set(states))}

    def _store_gone(self) -> list[CohortflowError]:
        try:
            self.cohort.storage.exists("cohort.json")
        except (StoreUnavailable, AccessDenied) as error:
            log.error("the run ends: %s", error)
            return [error]
        return []

    def _spec(self, table: StepTable, unit: Unit) -> dict[str, Any]:
        assert table.step is not None
        cost = self._estimator.cost(table.step.stage, unit)
        spec = unit_spec(
            self.plan, table, unit, cohort_url=self.cohort.url, run_id=self.run_id, cost=cost
        )
        return {**spec, "catalogue": self.catalogue} if self.catalogue else spec

    def close_step(self, step_id: str) -> None:
        """Write the step's rows to the index; plan again where a unit did not come out."""
        table = self.plan.tables[step_id]
        outcomes = self.outcomes.by_key
        for unit in table.units():
            outcome = outcomes.get(unit.key)
            if outcome is not None and unit.state == "pending":
                unit.state = outcome["state"]
                unit.error = outcome.get("error")
        units = list(table.units())
        if units:
            self._write(table, units)
        self.outcomes.close_step(step_id)
        if any(unit.state == "failed" and unit.key in outcomes for unit in units):
            self._plan_again()

    def _write(self, table: StepTable, units: Sequence[Unit]) -> None:
        timing = self.timings.get(table.name)
        part = part_of(
            table,
            units,
            self.outcomes.by_key,
            self.known.warnings,
            made_in=self.known.made_in,
            index=self.writer.number,
            timing=dataclasses.asdict(timing) if timing is not None else None,
        )
        self.writer.append(part, news=timing is not None and timing.units > 0)

    # --- the end ----------------------------------------------------------------------------------

    def finish(self) -> RunResult:
        """Write how the run ended."""
        asked = [u for table in self.plan.steps() for u in table.unique() if u.asked]
        previous = {row.key: row.state for row in self.known.rows.values()}
        now = {u.key: u.state for u in self.plan.units()}
        result = RunResult(
            run_id=self.run_id,
            index=self.writer.number,
            counts=count_states(asked),
            timings=list(self.timings.values()),
            changed=previous != now,
            cancelled=self.stop.is_set(),
            failures=failures_of(self.pipeline.slug, self.plan, self.cohort.url),
        )
        for table in self.plan.steps():
            gone = [unit for unit in table.units() if unit.key in self.outcomes.gone]
            if gone:
                self._write(table, gone)
        if not result.cancelled:
            self.writer.finish(self._summary(result))
        return result

    def changed_in(self, result: RunResult) -> int:
        """Number of the newest run that changed a state, as far as is known."""
        return self.writer.number if result.changed else self.known.changed_in or result.index

    def _summary(self, result: RunResult) -> dict[str, Any]:
        return {
            "run": self.run_id,
            "counts": result.counts,
            "cancelled": result.cancelled,
            "changed": result.changed,
            "changed_in": self.changed_in(result),
            "steps": [dataclasses.asdict(timing) for timing in result.timings],
            "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }
