"""The run that heals a cohort, in this process: what a sample of cells takes to be quick."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

from cohortflow.cohort.leases import Lease
from cohortflow.pipeline.load import load_pipeline
from tasks.request import RunRequest
from tasks.session import Session
from tests.faults.matrix import stages
from tests.faults.matrix.misbehave import TRACE

_one_at_a_time = threading.Lock()


def heal_here(cohort: Path, pipeline: Path, trace: Path, options: Sequence[str]) -> int:
    """Its exit code. ``options``: of ``--retry-failed`` and ``--refresh STEP``."""
    request = RunRequest(
        str(pipeline),
        str(cohort),
        retry_failed="--retry-failed" in options,
        refresh=tuple(step for step in options if not step.startswith("--")),
        cluster="none",
    )
    declared = load_pipeline(request.pipeline, (), stages.CATALOGUE)
    catalogue = f"{stages.__name__}:CATALOGUE"
    with _one_at_a_time, Session(request, pipeline=declared, catalogue=catalogue) as session:
        os.environ[TRACE] = str(trace)
        try:
            with Lease.acquire(session.cohort.storage, declared.slug, run_id=session.run_id):
                session.begin()
                for step in declared.steps:
                    for units in session.batches(step.id):
                        session.run_batch(step.id, units)
                    session.close_step(step.id)
                return session.finish().exit_code
        finally:
            del os.environ[TRACE]
