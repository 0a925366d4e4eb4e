"""The outcomes of a run: what the ledger learns of them, and what must be recorded for them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.entries import EntryRef
from cohortflow.cohort.failures import record_failure
from cohortflow.errors import Cancelled, CohortflowError, EntryMissing
from cohortflow.pipeline.execute import replay_command
from cohortflow.pipeline.ledger import Ledger
from tasks.sparingly import Sparingly

log = logging.getLogger(__name__)

Outcome = dict[str, Any]
Spec = Mapping[str, Any]


class Outcomes:
    """By key. ``gone``: entries that a reader missed and the index called done."""

    def __init__(self, cohort: Cohort, ledger: Ledger) -> None:
        self.cohort = cohort
        self.ledger = ledger
        self.by_key: dict[str, Outcome] = {}
        self.gone: set[str] = set()
        self._lines = Sparingly(log)

    def take(self, outcome: Outcome, spec: Spec) -> None:
        """Note how a unit ended."""
        key = outcome["key"]
        self.by_key[key] = outcome
        if outcome.get("by") == "engine" and outcome["state"] != "done":
            self._record_for_engine(outcome, spec)
        self.ledger.settle(key, outcome["state"], outcome.get("error"))
        if outcome["state"] != "done":
            error = outcome.get("error") or {}
            if error.get("code") == EntryMissing.code:
                self._note_gone(spec)
            who = outcome["subject"] or "cohort"
            text = f"{outcome['step']} {who} failed: {error.get('code')}: {error.get('message')}"
            self._lines.warning(outcome["step"], str(error.get("code")), text)

    def close_step(self, step_id: str) -> None:
        """Say how many more failed, and of what."""
        self._lines.close(step_id)

    def _note_gone(self, spec: Spec) -> None:
        """A reader found an entry gone that the index calls done: it is pending again."""
        for source in spec["inputs"].values():
            rows = [source["one"]] if "one" in source else [row[1:] for row in source["many"]]
            for ref in (EntryRef(*row) for row in rows):
                if not self.cohort.entries.exists(ref):
                    log.warning("%s is gone; it will be made again", ref.path)
                    self.ledger.forget(ref.key)
                    self.gone.add(ref.key)

    def _record_for_engine(self, outcome: Outcome, spec: Spec) -> None:
        """A lost or late unit could not write its own failure record: the flow does."""
        ref = EntryRef(spec["subject"], spec["stage"], spec["key"])
        failure = {
            **outcome["error"],
            "replay": replay_command(spec),
            "run": spec["run"],
            "step": spec["step"],
            "point": spec["point"],
        }
        outcome["error"] = failure
        try:
            record_failure(self.cohort.storage, ref, failure)
        except CohortflowError as error:
            log.error("the failure record could not be written: %s", error)


def was_cancelled(outcome: Mapping[str, Any]) -> bool:
    """Whether the engine gave the unit up because the run was stopped."""
    error = outcome.get("error") or {}
    return outcome.get("by") == "engine" and error.get("code") == Cancelled.code
