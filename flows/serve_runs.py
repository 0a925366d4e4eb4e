"""The deployments of one cohort in Prefect, and the runner that starts what they ask for."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any
from uuid import UUID

import prefect.context
import psutil
from prefect.deployments.runner import RunnerDeployment
from prefect.runner import Runner
from prefect.schedules import Cron
from prefect.types.entrypoint import EntrypointType

from cohortflow.cohort.cohort import Cohort
from cohortflow.errors import ServerAway
from cohortflow.pipeline.model import Pipeline
from flows.addresses import prefect_pages
from flows.serve_processes import end_all
from flows.serve_request import ServeRequest
from flows.silence import watch_for_silence
from flows.telling import AWAY

log = logging.getLogger(__name__)

ON_DEMAND, NIGHTLY = "on demand", "nightly"
START_S = 60.0
END_S = 20.0
AT_ONCE = 4
"""Flow runs: a nightly one, one on demand, and such as wait for them."""


@contextlib.contextmanager
def published(request: ServeRequest, pipeline: Pipeline, cohort: Cohort) -> Iterator[Runs]:
    """Both deployments in Prefect, their runs started by this process until the end of the
    block."""
    prefect.context.refresh_global_settings_context()  # the server's address is known by now
    watch_for_silence(datetime.timedelta(seconds=request.silence_s))
    with Runs(deployments(request, pipeline, cohort)) as runs:
        yield runs


def deployments(
    request: ServeRequest, pipeline: Pipeline, cohort: Cohort
) -> dict[str, RunnerDeployment]:
    """*On demand*, and *nightly*, which has a schedule where one was asked for."""
    from flows.deployments import make_on_demand, nightly

    run = request.run
    name = f"{pipeline.slug} {request.label or cohort.id[:8]}"
    every: dict[str, Any] = {
        "cluster": run.cluster,
        "workers": run.workers,
        "threads": run.threads,
        "memory": run.memory,
        "settings": list(run.settings),
        "retry_failed": run.retry_failed,
    }
    said = {k: v for k, v in every.items() if v not in (None, [], False)}
    common: dict[str, Any] = {
        "name": name,
        "parameters": said,
        "concurrency_limit": 1,
        "tags": ["cohortflow"],
        "entrypoint_type": EntrypointType.MODULE_PATH,
        "description": pipeline.title,
    }
    schedule = Cron(request.cron, timezone=request.timezone) if request.cron else None
    form = make_on_demand(pipeline).to_deployment(**common)
    form.entrypoint = "flows.deployments.on_demand"
    return {ON_DEMAND: form, NIGHTLY: nightly.to_deployment(**common, schedule=schedule)}


class Runs:
    """A runner of Prefect's in a thread of this process. A context manager:
    published once entered."""

    def __init__(self, deployments: dict[str, RunnerDeployment]) -> None:
        self._deployments = deployments
        self._ids: dict[str, UUID] = {}
        # Schedules go on while nothing is served: the nights missed are made up for.
        self._runner = Runner(name="cohortflow", pause_on_shutdown=False, limit=AT_ONCE)
        self._loop = asyncio.new_event_loop()
        self._published: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="runner", daemon=True)
        self._error: BaseException | None = None

    def lines(self) -> list[str]:
        """Where a person finds the form and the nights."""
        ui = prefect_pages()
        pages = {name: f"{ui}/deployments/deployment/{i}" for name, i in self._ids.items()}
        pages[ON_DEMAND] += "/run"
        return [f"{name:<12}{page}" for name, page in {"Prefect": ui, **pages}.items()]

    def check(self) -> None:
        """Raise where the runner ended by itself."""
        if not self._thread.is_alive():
            raise ServerAway(
                "the runner of deployments ended", where="Prefect", found=repr(self._error)
            )

    def __enter__(self) -> Runs:
        self._thread.start()
        try:
            self._published.result(START_S)
        except (*AWAY, TimeoutError) as error:
            raise ServerAway(
                "the deployments could not be published", where="Prefect", found=repr(error)
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        runs = _flow_runs()
        with contextlib.suppress(RuntimeError):  # it ended by itself
            asyncio.run_coroutine_threadsafe(self._runner.astop(), self._loop)
        end_all(runs, END_S)
        self._thread.join(END_S)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._publish_and_run())
        except BaseException as error:
            self._error = error
            if not self._published.done():
                self._published.set_exception(error)
            raise

    async def _publish_and_run(self) -> None:
        for name, deployment in self._deployments.items():
            self._ids[name] = await self._runner.aadd_deployment(deployment)
        self._published.set_result(None)
        await self._runner.start()


def _flow_runs() -> list[psutil.Process]:
    """The processes that the runner started: servers have a session of their own."""
    me = psutil.Process()
    found = []
    for child in me.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if "prefect.engine" in child.cmdline():
                found.append(child)
    return found
