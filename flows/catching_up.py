"""Nights that were missed are made up for by one run, not by one each."""

from __future__ import annotations

import datetime
import logging
from typing import Any
from uuid import UUID

from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State
from prefect.runtime import deployment, flow_run
from prefect.states import Cancelled

from flows.telling import AWAY

log = logging.getLogger(__name__)


def take_over_missed() -> None:
    """Cancel the other runs of this deployment that are due by now:
    the calling one does their work.

    Prefect keeps runs that were due while nothing ran them and starts each. With one run at a time,
    the first to start is alone and finds the others waiting.
    """
    if deployment.id is None or flow_run.id is None:
        return
    now = datetime.datetime.now(datetime.UTC)
    try:
        with get_client(sync_client=True) as client:
            due = {
                "deployment_id": {"any_": [deployment.id]},
                "state": {"type": {"any_": ["SCHEDULED"]}},
                "expected_start_time": {"before_": now},
            }
            waiting = client.read_flow_runs(flow_run_filter=FlowRunFilter.model_validate(due))
            for run in waiting:
                if run.id != UUID(flow_run.id) and _is_scheduled(run):
                    missed: State[Any] = Cancelled(
                        name="Missed", message="made up for by a later run"
                    )
                    client.set_flow_run_state(run.id, missed, force=True)
                    log.info(
                        "the night of %s was missed; this run makes up", run.expected_start_time
                    )
    except AWAY as error:
        log.warning("missed nights could not be looked for: %s", error)


def _is_scheduled(run: FlowRun) -> bool:
    """By the schedule, not by a person."""
    return bool(run.auto_scheduled)
