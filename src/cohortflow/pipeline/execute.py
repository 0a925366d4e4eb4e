"""One unit, in this process: open what it reads, run the stage, commit what it wrote.

A stage's error never leaves this module as an exception: it becomes a failure record with log,
traceback and a command that replays just that unit.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import json
import logging
import os
import shutil
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.entries import EntryRef
from cohortflow.cohort.entry import Entry, Item, Many, Output
from cohortflow.cohort.failures import record_failure
from cohortflow.cohort.source_map import home
from cohortflow.errors import CohortflowError, EntryMissing, StoreUnavailable
from cohortflow.pipeline import blame
from cohortflow.pipeline.stage import Context, Stage
from cohortflow.pipeline.unit_log import UnitLog

DEFAULT_CATALOGUE = "cohortflow.stages:CATALOGUE"
TRACE = "COHORTFLOW_TRACE"
"""Environment variable: a file to which every computation appends a line (step, subject, key)."""

MOST_INPUTS_NAMED = 20

Spec = Mapping[str, Any]
Outcome = dict[str, Any]

log = logging.getLogger(__name__)


def execute_unit(spec: Spec) -> Outcome:
    """Run and commit one unit; returns its outcome and never raises for a stage's error."""
    started = time.perf_counter()
    ref = EntryRef(spec["subject"], spec["stage"], spec["key"])
    with UnitLog(label(spec)) as unit_log:
        try:
            cohort = _open(spec["cohort"])
            done = _standing(cohort, ref) or _compute(cohort, ref, spec, unit_log)
            outcome = _outcome(spec, "done", started, **done)
        except Exception as error:  # noqa: BLE001 - the boundary of a unit
            named = _named(error, spec)
            failure = _failure(spec, named, error)
            outcome = _outcome(spec, "failed", started, error=failure)
            unit_log.note(f"failed: {named.code}: {named}")
            if not isinstance(named, StoreUnavailable):
                _record(spec, ref, {**failure, "log": unit_log.text()})
    _write_log(spec, unit_log.text())
    return outcome


def label(spec: Spec) -> str:
    """Step, subject and point of a unit, for logs."""
    point = ",".join(f"{k}={v}" for k, v in spec["point"].items())
    return f"{spec['step']} {spec['subject'] or 'cohort'} {point}".strip()


def replay_command(spec: Spec) -> str:
    """The command that runs just this unit again."""
    return f"cohortflow replay {spec['cohort']} {spec['key'][:16]}"


# --- computing ------------------------------------------------------------------------------------


def _compute(cohort: Cohort, ref: EntryRef, spec: Spec, unit_log: UnitLog) -> dict[str, Any]:
    stage = _stage(spec)
    parameters = stage.parameters.model_validate(spec["parameters"])
    opened = {name: _open_input(cohort, source) for name, source in spec["inputs"].items()}
    inputs = {name: opened.get(name) for name in stage.reads}
    _trace(spec)
    unit_log.note("started")
    work = _work_folder(cohort, spec, stage)
    context = Context(
        subject=spec["subject"],
        columns=spec["columns"],
        seed=spec["seed"],
        threads=spec["threads"],
        recorder=unit_log,
        work=work,
    )
    output = stage.function(parameters, context, **inputs)
    output = _with_recorded(output, unit_log, stage, spec)
    record = cohort.entries.commit(
        ref,
        stage.writes,
        output,
        subjects=spec["members"],
        weights=spec["weights"],
        recipe={
            "stage": stage.name,
            "version": stage.version,
            "parameters": spec["parameters"],
            "selection": spec["selection"],
        },
    )
    if work is not None:
        shutil.rmtree(work, ignore_errors=True)
    unit_log.note("committed")
    return {"warnings": record.warnings, "work": output.work}


def _with_recorded(output: Output, unit_log: UnitLog, stage: Stage, spec: Spec) -> Output:
    """Warnings told to the recorder join those of the output; weights say whom they saw."""
    facts = dict(output.facts)
    if stage.trains:
        facts["subjects_seen"] = len(spec["members"])
    if unit_log.curves:
        facts["curves"] = unit_log.curves
    warnings = [*output.warnings, *unit_log.warnings]
    return dataclasses.replace(output, facts=facts, warnings=warnings)


def _standing(cohort: Cohort, ref: EntryRef) -> dict[str, Any] | None:
    """Another attempt has committed already: nothing to do."""
    if not cohort.entries.exists(ref):
        return None
    record = cohort.entries.record(ref)
    return None if record is None else {"warnings": record.warnings}


def _open_input(cohort: Cohort, source: Mapping[str, Any]) -> Entry | Many:
    if "one" in source:
        return cohort.entries.open(EntryRef(*source["one"]))
    rows = sorted(source["many"], key=lambda row: (json.dumps(row[0], sort_keys=True), row[3]))
    items = [Item(row[0], _LazyEntry(cohort, EntryRef(*row[1:]))) for row in rows]
    return Many(items, tuple(source["missing"]))


class _LazyEntry(Entry):
    """An entry whose record is read when something of it is asked for."""

    def __init__(self, cohort: Cohort, ref: EntryRef) -> None:
        self._cohort = cohort
        self._ref = ref

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("_cohort", "_ref"):
            raise AttributeError(name)
        entry = self._cohort.entries.open(self._ref)
        self.__dict__.update(entry.__dict__)
        return self.__dict__[name]


@functools.lru_cache(maxsize=8)
def _open(url: str) -> Cohort:
    return blame.open_known(url)


def _stage(spec: Spec) -> Stage:
    module, _, attribute = spec.get("catalogue", DEFAULT_CATALOGUE).partition(":")
    catalogue: Mapping[str, Stage] = getattr(importlib.import_module(module), attribute)
    return catalogue[spec["stage"]]


def _work_folder(cohort: Cohort, spec: Spec, stage: Stage) -> Path | None:
    """Where a long unit keeps its checkpoints;
    in this user's own folder where the store is remote."""
    if not stage.trains:
        return None
    root = cohort.storage.local_path("")
    if root is None:
        root = home()
        root.mkdir(parents=True, exist_ok=True)
    work = root / "work" / str(spec["key"])
    # One by one: where the store is away, no folder must take its place.
    work.parent.mkdir(exist_ok=True)
    work.mkdir(exist_ok=True)
    return work


def _trace(spec: Spec) -> None:
    path = os.environ.get(TRACE)
    if path:
        line = f"{spec['step']}\t{spec['subject']}\t{spec['key']}\n"
        with open(path, "a", encoding="utf-8") as file:
            file.write(line)


# --- what came of it ------------------------------------------------------------------------------


def _named(error: Exception, spec: Spec) -> CohortflowError:
    if isinstance(error, CohortflowError):
        return error
    return blame.named(error, _open(spec["cohort"]), _inputs(spec), label(spec))


def _failure(spec: Spec, named: CohortflowError, error: Exception) -> dict[str, Any]:
    return {
        **named.to_json(),
        "transient": named.transient or isinstance(error, EntryMissing),
        "traceback": "".join(traceback.format_exception(error)),
        "inputs": [ref.path for ref in _inputs(spec)[:MOST_INPUTS_NAMED]],
        "replay": replay_command(spec),
        "run": spec["run"],
        "step": spec["step"],
        "point": spec["point"],
    }


def _inputs(spec: Spec) -> list[EntryRef]:
    refs = [s["one"] for s in spec["inputs"].values() if "one" in s]
    refs += [row[1:] for s in spec["inputs"].values() for row in s.get("many", [])]
    return [EntryRef(*ref) for ref in refs]


def _outcome(
    spec: Spec,
    state: str,
    started: float,
    *,
    error: dict[str, Any] | None = None,
    warnings: Sequence[Mapping[str, str]] = (),
    work: Mapping[str, int] | None = None,
) -> Outcome:
    return {
        "key": spec["key"],
        "step": spec["step"],
        "subject": spec["subject"],
        "state": state,
        "error": error,
        "seconds": time.perf_counter() - started,
        "work": dict(work or {}),
        "warnings": [dict(warning) for warning in warnings],
    }


def _record(spec: Spec, ref: EntryRef, failure: Mapping[str, Any]) -> None:
    try:
        record_failure(_open(spec["cohort"]).storage, ref, failure)
    except CohortflowError as failed:
        # The outcome still carries it to the flow, which keeps it in the index.
        log.error("the failure record could not be written: %s", failed)


def _write_log(spec: Spec, text: str) -> None:
    name = f"{spec['subject'] or 'cohort'}-{spec['key'][:16]}.log"
    try:
        storage = _open(spec["cohort"]).storage
        storage.write(f"logs/{spec['run']}/{spec['step']}/{name}", text.encode())
    except CohortflowError as failed:
        log.error("the unit's log could not be written: %s", failed)
