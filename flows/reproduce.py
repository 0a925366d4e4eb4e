"""Compute a report again, in an empty cohort, from what the report itself says."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cohortflow.cohort.cohort import Cohort, create_cohort, open_cohort
from cohortflow.cohort.entries import RECORD
from cohortflow.errors import (
    Cancelled,
    ExportTargetTaken,
    OtherCode,
    Refused,
    ReportDamaged,
    UsageError,
)
from cohortflow.pipeline.load import load_pipeline
from cohortflow.pipeline.model import Pipeline
from cohortflow.reproduction.block import Report, read_report, report_in
from cohortflow.reproduction.carry import carry, refuse_other_recordings
from cohortflow.reproduction.comparison import Again, compared, this_code
from cohortflow.reproduction.manifest import Manifest
from cohortflow.reproduction.outcome import Outcome, told
from cohortflow.reproduction.page import render_outcome
from flows.process import process_cohort
from tasks.planning import Planned, look
from tasks.progress import Progress
from tasks.reporting import report_run
from tasks.request import RunRequest
from tasks.scratch import scratch_folder


@dataclass(frozen=True)
class ReproduceRequest:
    """``keep``: a new folder where everything is computed and stays; None: a temporary one.

    ``out``: the folder that gets ``reproduction.html`` and ``reproduction.json``.
    """

    report: Path
    cohort: str
    keep: Path | None = None
    out: Path = Path()
    allow_other_code: bool = False
    cluster: str = "local"
    workers: int | None = None
    memory: str | None = None


def reproduce(
    request: ReproduceRequest,
    *,
    stop: threading.Event | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Compute the report again and compare; ``request.cohort`` is only read.

    Raises a :class:`Refused` where that cannot be done, before anything is computed.
    """
    started = time.monotonic()
    report = read_report(request.report)
    _refuse_other_code(report.manifest, allowed=request.allow_other_code)
    original = open_cohort(request.cohort)
    with _place(request.keep) as folder:
        pipeline = _pipeline(report.manifest, folder)
        scratch = create_cohort(folder / "cohort")
        carried = carry(report.manifest, pipeline, original, scratch)
        before = _entries_in(scratch)
        _compute(request, report.manifest, folder, scratch, stop, progress)
        made = len(_entries_in(scratch) - before)
        again = Again(_report_of(scratch, pipeline), pipeline, scratch, made, carried)
        outcome = compared(report, again, original, seconds=time.monotonic() - started)
    _write(outcome, request.out)
    return outcome


# --- before anything is computed ------------------------------------------------------------------


def _refuse_other_code(manifest: Manifest, *, allowed: bool) -> None:
    here = this_code()
    others = [code for code in (manifest.code, manifest.rendered_by) if code != here]
    if others and not allowed:
        raise OtherCode(
            "this report was computed by other code",
            expected=told(others[0]),
            found=told(here),
            hint="Install that version, or --allow-other-code tries all the same and says so.",
        )


def _pipeline(manifest: Manifest, folder: Path) -> Pipeline:
    """The report's own pipeline, as this version reads it."""
    path = folder / f"{manifest.pipeline.slug}.yaml"
    path.write_text(manifest.pipeline.text, encoding="utf-8")
    with _its_own_fault():
        return load_pipeline(str(path), manifest.pipeline.settings)


@contextlib.contextmanager
def _its_own_fault() -> Iterator[None]:
    """A faulty pipeline is no wrong usage here: it is the report's."""
    try:
        yield
    except UsageError as error:
        raise ReportDamaged(
            "its pipeline cannot be run by this version",
            found=str(error)[:400],
            hint="The version of cohortflow that computed it can.",
        ) from error


@contextlib.contextmanager
def _place(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with scratch_folder() as folder:
            yield Path(folder)
        return
    if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise ExportTargetTaken(
            "what is computed again needs a new folder", where=str(keep), hint="Name another."
        )
    keep.mkdir(parents=True, exist_ok=True)
    try:
        yield keep
    except Refused:
        shutil.rmtree(keep, ignore_errors=True)
        raise


# --- computing ------------------------------------------------------------------------------------


def _compute(
    request: ReproduceRequest,
    manifest: Manifest,
    folder: Path,
    scratch: Cohort,
    stop: threading.Event | None,
    progress: Progress | None,
) -> None:
    untried = [(u.step, u.subject, tuple(u.point)) for u in manifest.undone if u.untried]
    run = RunRequest(
        str(folder / f"{manifest.pipeline.slug}.yaml"),
        scratch.url,
        settings=tuple(manifest.pipeline.settings),
        untried=frozenset(untried),
        cluster=request.cluster,
        workers=request.workers,
        threads=manifest.engine.threads,
        memory=request.memory,
    )
    with _its_own_fault():
        planned = look(run)
    _refuse_what_changed(planned)
    result = process_cohort(run, stop=stop, progress=progress, planned=planned)
    if result.cancelled:
        raise Cancelled("stopped before everything was computed; nothing was compared")


def _refuse_what_changed(planned: Planned) -> None:
    plan = planned.plan
    keys = {unit.key for table in plan.tables.values() for unit in table.units()}
    refuse_other_recordings(plan.frozen.values(), keys)


def _entries_in(cohort: Cohort) -> set[str]:
    """Paths of all entries that are there, ingested ones among them."""
    storage = cohort.storage
    owners = [f"subjects/{name}" for name in storage.list("subjects")]
    found = (f"{at}/{name}" for at in (*owners, "cohort") for name in storage.list(at))
    return {path for path in found if storage.exists(f"{path}/{RECORD}")}


def _report_of(scratch: Cohort, pipeline: Pipeline) -> Report:
    page = Path(report_run(scratch, pipeline, ""))
    return report_in(page.read_text("utf-8"), page.name)


def _write(outcome: Outcome, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    data = json.dumps(outcome.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
    (out / "reproduction.json").write_text(data + "\n", encoding="utf-8")
    (out / "reproduction.html").write_text(render_outcome(outcome), encoding="utf-8")
