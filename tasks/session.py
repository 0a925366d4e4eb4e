"""One run of a pipeline on a cohort: plan, batches, outcomes, index. Knows no Prefect."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import psutil

from cohortflow.cohort.cohort import Cohort, open_cohort
from cohortflow.cohort.entries import KEY_DIGITS, EntryRef
from cohortflow.cohort.failures import record_failure
from cohortflow.cohort.indexes import IndexWriter
from cohortflow.errors import Cancelled, CohortflowError, EntryMissing, SelectionEmpty, UsageError
from cohortflow.pipeline.estimate import Estimator, Projection, project, refuse_what_cannot_fit
from cohortflow.pipeline.execute import replay_command
from cohortflow.pipeline.ledger import Ledger, read_parts, rows_of
from cohortflow.pipeline.load import load_pipeline
from cohortflow.pipeline.model import Pipeline
from cohortflow.pipeline.parts import part_of, warnings_by_key
from cohortflow.pipeline.plan import Plan, make_plan
from cohortflow.pipeline.reasons import explain
from cohortflow.pipeline.spec import unit_spec
from cohortflow.pipeline.unit import StepTable, Unit, count_states
from tasks.engine import Engine, open_engine
from tasks.progress import Progress
from tasks.request import RunRequest, RunResult, StepTiming

__all__ = ["RunRequest", "RunResult", "Session", "known_parts", "plan_only"]

log = logging.getLogger(__name__)

BATCH_UNITS = 500
MOST_BATCHES = 300
"""Prefect sees batches, never units: at most a few hundred task runs whatever the cohort's size."""


def plan_only(request: RunRequest) -> tuple[Plan, Projection]:
    """What a run would do, with reasons; writes nothing."""
    cohort = open_cohort(request.cohort)
    pipeline = load_pipeline(request.pipeline, request.settings)
    _check_subjects(cohort, request.subjects)
    parts = known_parts(cohort, pipeline.slug)
    ledger = Ledger(cohort, parts, retry_failed=request.retry_failed)
    plan = make_plan(pipeline, cohort.ingested, ledger, cohort.selections, request.options())
    explain(plan, rows_of(parts))
    return plan, project(plan)


def known_parts(cohort: Cohort, slug: str) -> list[dict[str, Any]]:
    """Parts of the newest finished index, then those of later runs that did not finish."""
    book = cohort.indexes(slug)
    newest = book.newest(complete_only=True)
    since = newest.number if newest is not None else 0
    parts = list(read_parts(newest))
    for number in book.numbers():
        if number > since:
            with contextlib.suppress(EntryMissing):  # being removed
                parts += read_parts(book.get(number))
    return [dict(part) for part in parts]


def _check_subjects(cohort: Cohort, wanted: Sequence[str] | None) -> None:
    if wanted is None:
        return
    known = set(cohort.subjects)
    strange = sorted(set(wanted) - known)
    if strange:
        raise SelectionEmpty(
            f"no subject {', '.join(strange)}",
            where="--subjects",
            hint="cohortflow status lists them.",
        )


class Session:
    """A run in progress. Use: ``begin``, for each step ``batches`` and ``run_batch``, ``finish``."""

    def __init__(
        self,
        request: RunRequest,
        *,
        stop: threading.Event | None = None,
        pipeline: Pipeline | None = None,
        catalogue: str | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.request = request
        self.run_id = uuid.uuid4().hex[:12]
        self.stop = stop or threading.Event()
        self.cohort = open_cohort(request.cohort)
        self.pipeline = pipeline or load_pipeline(request.pipeline, request.settings)
        self.catalogue = catalogue
        self.progress = progress
        self.outcomes: dict[str, dict[str, Any]] = {}
        self.timings: dict[str, StepTiming] = {}
        self._held: dict[str, str] = {}
        self._gone: set[str] = set()
        self._open = ExitStack()
        self._engine: Engine | None = None
        _check_subjects(self.cohort, request.subjects)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    # --- planning ---------------------------------------------------------------------------------

    def begin(self) -> Plan:
        """Plan, refuse what cannot fit, and say in a new index what this run means to make."""
        parts = known_parts(self.cohort, self.pipeline.slug)
        self._rows = rows_of(parts)
        self._warnings = warnings_by_key(parts)
        self.ledger = Ledger(self.cohort, parts, retry_failed=self.request.retry_failed)
        self.plan = self._make_plan()
        projection = project(self.plan)
        engine = self._make_engine()
        refuse_what_cannot_fit(
            projection,
            memory_limit_bytes=engine.memory_limit_bytes or None,
            disk_free_bytes=self._disk_free(),
        )
        self._estimator = Estimator(self.plan)
        self.writer: IndexWriter = self.cohort.indexes(self.pipeline.slug).begin(self._claim())
        return self.plan

    def _make_plan(self) -> Plan:
        plan = make_plan(
            self.pipeline,
            self.cohort.ingested,
            self.ledger,
            self.cohort.selections,
            dataclasses.replace(self.request.options(), held=dict(self._held)),
        )
        explain(plan, self._rows)
        return plan

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
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }

    def _disk_free(self) -> int | None:
        local = self.cohort.storage.local_path("")
        return None if local is None else int(psutil.disk_usage(str(local)).free)

    def _make_engine(self) -> Engine:
        if self._engine is None:
            if self.cohort.url.startswith("memory://") and self.request.cluster != "none":
                raise UsageError(
                    "a cohort in memory is this process's own: no worker can open it",
                    where=self.cohort.url,
                    hint="--cluster none",
                )
            self._engine = open_engine(
                self.request.cluster,
                self.request.workers,
                self.request.threads,
                self.request.memory,
            )
            self._entered = False
        return self._engine

    def engine(self) -> Engine:
        """The engine, started when the first batch needs it: a run with nothing to do starts none."""
        engine = self._make_engine()
        if not self._entered:
            self._open.enter_context(engine)
            self._entered = True
            for limit in engine.cannot_enforce:
                log.warning("this engine cannot enforce %s", limit)
        return engine

    # --- steps ------------------------------------------------------------------------------------

    def batches(self, step_id: str) -> Iterator[list[Unit]]:
        """Freeze what the step trains on, then its pending units, cut into batches."""
        if step_id in self.plan.tables and any(
            u.selection for u in self.plan.tables[step_id].units()
        ):
            self._freeze(step_id)
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

    def _freeze(self, step_id: str) -> None:
        """Freeze the selections the step asks for, where every input has settled."""
        held, fresh = len(self._held), 0
        for unit in self.plan.tables[step_id].unique():
            proposed = self.plan.proposed.get(unit.selection or "")
            if proposed is None or unit.state != "pending" or not unit.asked:
                continue
            reason = self._why_not_freeze(proposed.unsettled)
            if reason:
                self._held[proposed.question] = reason
            elif proposed.question not in self.plan.frozen:
                self.plan.frozen[proposed.question] = self.cohort.selections.freeze(
                    proposed.question, proposed.subjects, proposed.described
                )
                fresh += 1
        if fresh:
            log.info("%s: %d training selections frozen", step_id, fresh)
        if len(self._held) > held:
            frozen = self.plan.frozen
            self.plan = self._make_plan()
            self.plan.frozen.update(frozen)

    def _why_not_freeze(self, inputs: Sequence[Unit]) -> str:
        if self.request.subjects is not None:
            return "no selection is frozen by a run with --subjects"
        unsettled = [unit for unit in inputs if unit.state != "done"]
        if unsettled:
            return f"{len(unsettled)} inputs are pending or failed by a transient cause"
        return ""

    def run_batch(self, step_id: str, units: Sequence[Unit]) -> dict[str, int]:
        """Run units of one step; every one is settled when this returns."""
        table = self.plan.tables[step_id]
        specs = [self._spec(table, unit) for unit in units]
        timing = self.timings[step_id]
        started = time.perf_counter()

        def settled(outcome: dict[str, Any]) -> None:
            if _cancelled(outcome):
                return  # it stays pending, as if this run had not asked for it
            self.take(outcome, specs_by_key)
            timing.done += outcome["state"] == "done"
            timing.failed += outcome["state"] != "done"
            if self.progress is not None:
                self.progress.advance(step_id, failed=outcome["state"] != "done")

        specs_by_key = {spec["key"]: spec for spec in specs}
        outcomes = self.engine().run(specs, settled, self.stop.is_set)
        timing.wall_s += time.perf_counter() - started
        states = ["cancelled" if _cancelled(one) else one["state"] for one in outcomes]
        return {state: states.count(state) for state in sorted(set(states))}

    def _spec(self, table: StepTable, unit: Unit) -> dict[str, Any]:
        assert table.step is not None
        cost = self._estimator.cost(table.step.stage, unit)
        spec = unit_spec(
            self.plan, table, unit, cohort_url=self.cohort.url, run_id=self.run_id, cost=cost
        )
        return {**spec, "catalogue": self.catalogue} if self.catalogue else spec

    def take(self, outcome: dict[str, Any], specs: dict[str, dict[str, Any]]) -> None:
        """Note one outcome; ``specs`` by key."""
        key = outcome["key"]
        self.outcomes[key] = outcome
        if outcome.get("by") == "engine" and outcome["state"] != "done":
            self._record_for_engine(outcome, specs[key])
        self.ledger.settle(key, outcome["state"], outcome.get("error"))
        if outcome["state"] != "done":
            error = outcome.get("error") or {}
            if error.get("code") == EntryMissing.code:
                self._note_gone(specs[key])
            log.warning(
                "%s %s failed: %s: %s",
                outcome["step"], outcome["subject"] or "cohort", error.get("code"), error.get("message"),
            )  # fmt: skip

    def _note_gone(self, spec: Mapping[str, Any]) -> None:
        """A reader found an entry gone that the index calls done: it is pending again."""
        for source in spec["inputs"].values():
            rows = [source["one"]] if "one" in source else [row[1:] for row in source["many"]]
            for ref in (EntryRef(*row) for row in rows):
                if not self.cohort.entries.exists(ref):
                    log.warning("%s is gone; it will be made again", ref.path)
                    self.ledger.forget(ref.key)
                    self._gone.add(ref.key)

    def _record_for_engine(self, outcome: dict[str, Any], spec: dict[str, Any]) -> None:
        """A lost or late unit could not write its own failure record: the flow does."""
        ref = EntryRef(spec["subject"], spec["stage"], spec["key"])
        failure = {**outcome["error"], "replay": replay_command(spec), "run": self.run_id,
                   "step": spec["step"], "point": spec["point"]}  # fmt: skip
        outcome["error"] = failure
        try:
            record_failure(self.cohort.storage, ref, failure)
        except CohortflowError as error:
            log.error("the failure record could not be written: %s", error)

    def close_step(self, step_id: str) -> None:
        """Write the step's rows to the index; plan again where a unit did not come out."""
        table = self.plan.tables[step_id]
        for unit in table.units():
            outcome = self.outcomes.get(unit.key)
            if outcome is not None and unit.state == "pending":
                unit.state = outcome["state"]
                unit.error = outcome.get("error")
        units = list(table.units())
        if units:
            self.writer.append(part_of(table, units, self.outcomes, self._warnings))
        if any(unit.state == "failed" and unit.key in self.outcomes for unit in units):
            self.plan = self._make_plan()

    # --- the end ----------------------------------------------------------------------------------

    def finish(self) -> RunResult:
        """Write how the run ended."""
        asked = [u for table in self.plan.steps() for u in table.unique() if u.asked]
        states = count_states(asked)
        previous = {row.key: row.state for row in self._rows.values()}
        now = {u.key: u.state for u in self.plan.units()}
        result = RunResult(
            run_id=self.run_id,
            index=self.writer.number,
            counts=states,
            timings=list(self.timings.values()),
            changed=previous != now,
            cancelled=self.stop.is_set(),
        )
        summary = {
            "run": self.run_id,
            "counts": states,
            "cancelled": result.cancelled,
            "changed": result.changed,
            "steps": [dataclasses.asdict(t) for t in result.timings],
            "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }
        for table in self.plan.steps():
            gone = [unit for unit in table.units() if unit.key in self._gone]
            if gone:
                self.writer.append(part_of(table, gone, self.outcomes, self._warnings))
        if not result.cancelled:
            self.writer.finish(summary)
        return result


def _cancelled(outcome: Mapping[str, Any]) -> bool:
    """Whether the engine gave the unit up because the run was stopped."""
    error = outcome.get("error") or {}
    return outcome.get("by") == "engine" and error.get("code") == Cancelled.code
