"""One unit in this process: what its outcome tells, and what of it reaches the store."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from cohortflow.cohort.cohort import Cohort, create_cohort
from cohortflow.cohort.entries import RECORD, EntryRef
from cohortflow.cohort.entry import Entry, Output
from cohortflow.pipeline.execute import execute_unit
from cohortflow.pipeline.stage import Context
from tests.pipeline import running
from tests.pipeline.world import digest


def counting(parameters: running.Said, context: Context, table: Entry) -> Output:
    context.recorder.warning("loud", "it was loud")
    output = running.shout(parameters, context, table)
    return dataclasses.replace(output, work={"letters": 3})


CATALOGUE = {
    **running.CATALOGUE,
    "counting": dataclasses.replace(running.CATALOGUE["shout"], function=counting),
}


def unit(cohort: Cohort, text: str, stage: str) -> dict[str, Any]:
    running.ingest_texts(cohort, {"a": text})
    return {
        "cohort": cohort.url, "catalogue": f"{__name__}:CATALOGUE", "run": "r", "step": "shout",
        "stage": stage, "subject": "a", "point": {}, "key": digest("unit", text), "parameters": {},
        "inputs": {"table": {"one": ["a", "text", digest("a", text)]}}, "columns": {}, "seed": 0,
        "threads": 1, "members": ["a"], "weights": [], "selection": None,
    }  # fmt: skip


def record(cohort: Cohort, spec: dict[str, Any]) -> bytes:
    ref = EntryRef("a", spec["stage"], spec["key"])
    return cohort.storage.read(f"{ref.path}/{RECORD}")


def test_an_outcome_tells_the_work_and_the_warnings_and_the_record_only_the_warnings(
    tmp_path: Path,
) -> None:
    cohort = create_cohort(tmp_path / "cohort")
    spec = unit(cohort, "one", "counting")
    outcome = execute_unit(spec)
    assert (outcome["state"], outcome["error"], outcome["work"]) == ("done", None, {"letters": 3})
    assert [warning["code"] for warning in outcome["warnings"]] == ["loud"]
    assert outcome["seconds"] > 0
    kept = record(cohort, spec)
    assert b"loud" in kept
    assert b"letters" not in kept
    again = execute_unit(spec)
    assert again["work"] == {}, "what stands is not computed again"
    assert again["warnings"] == outcome["warnings"]
    assert record(cohort, spec) == kept


def test_a_failed_unit_did_no_work(tmp_path: Path) -> None:
    cohort = create_cohort(tmp_path / "cohort")
    outcome = execute_unit(unit(cohort, "broken", "counting"))
    assert (outcome["state"], outcome["work"]) == ("failed", {})
    assert outcome["error"]["code"] == "undefined-result"
