"""A published system on a cohort: trained, tested, reported, beside what its paper printed.

It is a run of the system's own pipeline, so what stands is not computed again; the report names
every seed and says what its numbers vary over.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from cohortflow.cohort.documents import numbers, read_document
from cohortflow.errors import StoreError, UnknownName, UsageError, nearest
from cohortflow.pipeline.load import load_pipeline, packaged_pipelines
from cohortflow.systems import system_named
from flows.finish import after_run
from flows.process import AfterRun
from tasks.reporting import report_run
from tasks.request import RunRequest, RunResult
from tasks.session import Session

SECTION = "benchmark"


@dataclass(frozen=True)
class BenchmarkRequest:
    """``pipeline``: which of the system's; None: the one of its name, or its only one.

    ``seeds``: 0 to n - 1; None: those of the pipeline.
    """

    system: str
    cohort: str
    pipeline: str | None = None
    seeds: int | None = None
    settings: tuple[str, ...] = ()


def benchmark_run(request: BenchmarkRequest, **more: Any) -> RunRequest:
    """The run that a benchmark is; ``more``: other members of it, such as ``workers``.

    Raises :class:`UnknownName` for a system that is none or has no pipeline, with those that have.
    """
    slug = _pipeline_of(request.system, request.pipeline)
    pipeline = load_pipeline(slug, request.settings)
    names = [name for name in pipeline.report if name != SECTION]
    names += [name for name in ("published", "methods") if name not in names]
    settings = [*request.settings, f"report=[{', '.join([SECTION, *names])}]"]
    if request.seeds is not None:
        if "seed" not in pipeline.axes:
            raise UsageError(f"pipeline {slug} has no axis of seeds", where="--seeds")
        if request.seeds < 1:
            raise UsageError("at least one seed", where="--seeds", found=str(request.seeds))
        settings.append(f"axes.seed={list(range(request.seeds))}")
    return RunRequest(slug, request.cohort, settings=tuple(settings), **more)


def after_benchmark(command: str) -> AfterRun:
    """What follows any run; where nothing changed, the report that stands may be a plain run's."""
    usual = after_run(command)

    def finish(session: Session, result: RunResult) -> RunResult:
        result = usual(session, result)
        if not result.counts or _shows_a_benchmark(session):
            return result
        report = report_run(session.cohort, session.pipeline, command)
        return dataclasses.replace(result, report=report)

    return finish


def pipelines_by_system() -> dict[str, list[str]]:
    """System → slugs of the packaged pipelines that say they are its own."""
    found: dict[str, list[str]] = {}
    for slug in packaged_pipelines():
        system = load_pipeline(slug).system
        if system is not None:
            found.setdefault(system, []).append(slug)
    return found


def _pipeline_of(system: str, asked: str | None) -> str:
    system_named(system)
    known = pipelines_by_system()
    own = known.get(system, [])
    if not own:
        raise UnknownName(
            f"system {system!r} has no pipeline",
            found=", ".join(own) or "none",
            hint=f"Those that have: {', '.join(sorted(known)) or 'none'}.",
        )
    if asked is not None:
        if asked not in own:
            raise UnknownName(
                f"pipeline {asked!r} is none of {system!r}",
                where="--pipeline",
                hint=nearest(asked, own),
            )
        return asked
    if system in own or len(own) == 1:
        return system if system in own else own[0]
    raise UsageError(
        f"{len(own)} pipelines are of {system!r}", found=", ".join(own), hint="Say --pipeline."
    )


def _shows_a_benchmark(session: Session) -> bool:
    """Whether the newest report has the section; one of a plain run has not."""
    storage, folder = session.cohort.storage, f"reports/{session.pipeline.slug}"
    newest = max(numbers(storage, folder), default=0)
    try:
        report = read_document(storage, f"{folder}/{newest:06d}/report.json")
    except StoreError:
        return False
    return SECTION in (report.get("pipeline", {}).get("report") or ())
