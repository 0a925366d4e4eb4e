"""What a run shows in Prefect's UI: progress, units by state, failures by cause,
the report's address.

At most four artifacts and a few lines a run, never one per unit. A thread of their own writes them:
no unit waits for Prefect, and where it is away they are left out. They name study ids and nothing
else of a person, and no place on a disk.
"""

from __future__ import annotations

import contextlib
import contextvars
import datetime
import json
import logging
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from uuid import UUID

from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate, LogCreate
from prefect.client.schemas.objects import Artifact
from prefect.runtime import flow_run

from cohortflow.pipeline.unit import Unit, count_states
from flows.addresses import report_page
from flows.telling import AWAY
from tasks.progress import Progress, StepProgress
from tasks.request import RunResult
from tasks.session import Session

log = logging.getLogger(__name__)

EVERY_S = 5.0
LAST_S = 15.0
FEW = 5
STATES = ("done", "failed", "quarantined", "blocked", "pending")


@dataclass(frozen=True)
class Shown:
    """One artifact. Its key is that of the same artifact of all runs of the pipeline."""

    name: str
    kind: str
    data: Any
    about: str = ""


class NoArtifacts:
    """Of a run that Prefect does not know."""

    def begin(self, session: Session) -> None:
        """Nobody looks."""

    def end(self, session: Session, result: RunResult) -> None:
        """Nobody looks."""


class RunArtifacts(NoArtifacts):
    """The artifacts of one flow run. Use: with it,
    ``begin`` once the run is planned, then ``end``."""

    def __init__(self, slug: str, run: UUID, progress: Progress | None) -> None:
        self._session: Session | None = None
        self._result: RunResult | None = None
        self._planned = 0
        self._slug = slug
        self._run = run
        self._progress = progress
        self._ended = threading.Event()
        self._ids: dict[str, UUID] = {}
        self._told: dict[str, Shown] = {}
        self._lines_told = 0
        # The settings of the flow run's context name the server, which may be this process's own.
        self._thread = threading.Thread(
            target=contextvars.copy_context().run, args=(self._work,), name="artifacts", daemon=True
        )

    def __enter__(self) -> RunArtifacts:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join(LAST_S)

    def begin(self, session: Session) -> None:
        """Note what the run means to do; the first call counts."""
        if self._session is None:
            units = [unit for table in session.plan.steps() for unit in table.unique()]
            self._planned = sum(unit.state == "pending" and unit.asked for unit in units)
            self._session = session

    def end(self, session: Session, result: RunResult) -> None:
        """Note how the run ended."""
        self.begin(session)
        self._result = result

    def _work(self) -> None:
        while not self._ended.wait(EVERY_S):
            self._write(self._while_running(), [])
        self._write(self._while_running(), self._at_the_end())

    def _write(self, running: Sequence[Shown], ended: Sequence[Shown]) -> None:
        changed = [one for one in (*running, *ended) if self._told.get(one.name) != one]
        lines = self._lines(ended)[self._lines_told :]
        if not changed and not lines:
            return
        try:
            with get_client(sync_client=True, httpx_settings={"timeout": 5.0}) as client:
                for shown in changed:
                    self._write_one(client, shown)
                if lines:
                    client.create_logs([self._log(line) for line in lines])
                    self._lines_told += len(lines)
        except AWAY as error:
            log.debug("artifacts could not be written: %s", error)

    def _lines(self, ended: Sequence[Shown]) -> list[str]:
        """All lines of the Logs tab so far: the first thing that a person sees of a run."""
        if self._session is None:
            return []
        steps = self._progress.steps() if self._progress else []
        finished = [str(step) for step in steps if step.done >= step.total]
        return [f"{self._planned:,} units to compute", *finished, *lines_of(ended)]

    def _log(self, line: str) -> LogCreate:
        now = datetime.datetime.now(datetime.UTC)
        return LogCreate(
            name="cohortflow",
            level=logging.INFO,
            message=line,
            timestamp=now,
            flow_run_id=self._run,
        )

    def _write_one(self, client: SyncPrefectClient, shown: Shown) -> None:
        if shown.name in self._ids:
            client.update_artifact(
                self._ids[shown.name], ArtifactUpdate(data=shown.data, description=shown.about)
            )
        else:
            made: Artifact = client.create_artifact(
                ArtifactCreate(
                    key=f"{self._slug}-{shown.name}".replace("_", "-"),
                    type=shown.kind,
                    description=shown.about,
                    data=shown.data,
                    flow_run_id=self._run,
                )
            )
            self._ids[shown.name] = made.id
        self._told[shown.name] = shown

    def _while_running(self) -> list[Shown]:
        steps = self._progress.steps() if self._progress else []
        ended = self._result is not None
        return [progress_of(steps, self._planned, ended=ended)] if steps else []

    def _at_the_end(self) -> list[Shown]:
        if self._session is None:
            return []
        tables = self._session.plan.steps()
        units = [unit for table in tables for unit in table.unique() if unit.asked]
        found = [units_of(units), failures_of(units)]
        if self._result is not None:
            found.append(report_of(self._slug, self._result))
        return [shown for shown in found if shown is not None]


@contextlib.contextmanager
def shown_in_prefect(slug: str, progress: Progress | None) -> Iterator[NoArtifacts]:
    """The artifacts of the flow run that this is called in; nothing outside of one."""
    run = flow_run.id
    if run is None:
        yield NoArtifacts()
        return
    with RunArtifacts(slug, UUID(run), progress) as artifacts:
        yield artifacts


def progress_of(steps: Sequence[StepProgress], planned: int, *, ended: bool) -> Shown:
    """Percent of the units that this run has to settle, and where each step stands."""
    settled = sum(step.done for step in steps)
    percent = 100.0 if ended else min(99.0, 100.0 * settled / max(planned, settled, 1))
    return Shown("progress", "progress", round(percent, 1), "\n".join(f"- {s}" for s in steps))


def units_of(units: Sequence[Unit]) -> Shown | None:
    """Units by state, a row per step."""
    rows = []
    for step in dict.fromkeys(unit.step for unit in units):
        counts = count_states([unit for unit in units if unit.step == step])
        rows.append({"step": step, **{state: counts.get(state, 0) for state in STATES}})
    return Shown("units", "table", json.dumps(rows), "Units by state") if rows else None


def failures_of(units: Sequence[Unit]) -> Shown | None:
    """Failures by step and cause, each with a hint and a command that runs one of them again."""
    causes: dict[tuple[str, str], list[Unit]] = {}
    for unit in units:
        if unit.state in ("failed", "quarantined"):
            code = str((unit.error or {}).get("code", "unknown"))
            causes.setdefault((unit.step, code), []).append(unit)
    if not causes:
        return None
    rows = [_cause(step, code, found) for (step, code), found in causes.items()]
    about = "Failures by cause; put the cohort's place for COHORT"
    return Shown("failures", "table", json.dumps(rows), about)


def lines_of(ended: Sequence[Shown]) -> list[str]:
    """Failures by cause, then how the run ended and where its report is, a line each."""
    lines: list[str] = []
    for shown in ended:
        if shown.name == "failures":
            for row in json.loads(shown.data):
                told = f"{row['step']}: {row['units']} failed by {row['cause']}"
                lines.append(f"{told} ({row['subjects']})" if row["subjects"] else told)
        elif shown.name == "report":
            lines += [
                re.sub(r"\[(.*)\]\((.*)\)", r"\1: \2", part) for part in shown.data.split("\n\n")
            ]
    return lines


def _cause(step: str, code: str, units: Sequence[Unit]) -> Mapping[str, Any]:
    # A message may name a file, and a file may be called after a person: code and hint do not.
    first = units[0]
    subjects = sorted({unit.subject for unit in units if unit.subject})
    more = f" and {len(subjects) - FEW} more" if len(subjects) > FEW else ""
    return {
        "step": step,
        "cause": code,
        "units": len(units),
        "subjects": ", ".join(subjects[:FEW]) + more,
        "hint": str((first.error or {}).get("hint", "")),
        "run one again": f"cohortflow replay COHORT {first.key[:16]}",
    }


def report_of(slug: str, result: RunResult) -> Shown | None:
    """Where the report is, and the run in MLflow; links stand on the artifact's card too."""
    lines = [f"Run {result.run_id}: " + ", ".join(f"{n} {s}" for s, n in result.counts.items())]
    if result.report:
        page = report_page(result.report, os.environ)
        lines.append(f"[Open the report]({page})" if "://" in page else f"Report: `{page}`")
    if result.mlflow_page:
        lines.append(f"[Open the run in MLflow]({result.mlflow_page})")
    links = "\n".join(f"- {line}" for line in lines[1:])
    return Shown("report", "markdown", "\n\n".join(lines), links or "No report")
