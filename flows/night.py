"""A night: what is new in the remembered source, then a run that trains nothing."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from typing import TypeVar

from cohortflow.errors import CohortflowError
from flows.ingest import IngestRequest, ingest_source
from tasks.request import RunRequest

log = logging.getLogger(__name__)

Ended = TypeVar("Ended")


def run_night(
    request: RunRequest, run: Callable[[RunRequest], Ended]
) -> tuple[Ended, CohortflowError | None]:
    """Ingest, then ``run`` the request, which waits for another run; how that ended.

    Also why nothing was read from the source, where that is so: what stands in the cohort is run
    all the same.
    """
    problem = _ingest(request.cohort)
    return run(dataclasses.replace(request, train=False, wait=True)), problem


def _ingest(cohort: str) -> CohortflowError | None:
    try:
        report = ingest_source(IngestRequest(source=None, cohort=cohort))
    except CohortflowError as error:
        log.error("nothing was read from the source: %s", error)
        return error
    log.info(
        "%d new, %d changed, %d refused",
        *map(len, (report.new, report.changed, report.refused)),
    )
    return None
