"""The two deployments: *on demand*, from a form, and *nightly*, what is new in the source.

Prefect imports this module by its name in the process of each run; the fields of the form are those
of the pipeline that ``COHORTFLOW_PIPELINE`` names.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import pydantic
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Failed

from cohortflow.errors import CohortflowError
from cohortflow.pipeline.load import load_pipeline
from cohortflow.pipeline.model import Pipeline
from flows.catching_up import take_over_missed
from flows.cohort import PLAIN, run_in_flow
from flows.environment import set_defaults
from flows.finish import after_run
from flows.form import at_of, points_model, settings_of, steps_model
from flows.night import run_night
from flows.process import AfterRun
from flows.served import PIPELINE, served
from tasks.progress import Progress
from tasks.request import RunRequest

set_defaults()

Count = Annotated[int, pydantic.Field(gt=0)]


def make_on_demand(pipeline: Pipeline | None) -> Any:
    """The flow behind the form; ``steps`` and ``points`` are typed where a pipeline is known."""
    steps_type: Any = steps_model(pipeline) if pipeline else dict[str, Any]
    points_type: Any = points_model(pipeline) if pipeline else dict[str, Any]
    trained = [step.id for step in pipeline.steps if step.stage.trains] if pipeline else []

    def on_demand(
        # Empty, not None, which is no value of these types: a form refuses to send it.
        steps: Any = {},  # noqa: B006 - nothing changes the defaults
        points: Any = {},  # noqa: B006
        subjects: list[str] = [],  # noqa: B006
        retry_failed: bool = False,
        train: bool = True,
        refresh: list[str] = [],  # noqa: B006
        wait: bool = False,
        cluster: str = "local",
        workers: Count | None = None,
        threads: Count | None = None,
        memory: str | None = None,
        settings: list[str] = [],  # noqa: B006
    ) -> State[Any]:
        """Run the pipeline over the cohort; what stands is not computed again.

        Args:
            steps: Parameters of each step; as the pipeline says, unless changed. Of this run alone.
            points: Only these points of the axes; nothing chosen: all of them.
            subjects: Only these study ids; none: all.
            retry_failed: Try again what failed by a cause that does not pass by itself.
            train: Train where weights are missing; otherwise what needs them is blocked.
            refresh: Training steps whose selection of subjects is made anew.
            wait: Wait for another run of this pipeline; otherwise this one is refused.
            cluster: local, tcp://scheduler or none.
            workers: Worker processes.
            threads: Threads of each worker.
            memory: Of each worker, such as 4GiB.
            settings: Further settings, such as axes.seed=[0, 1, 2].
        """
        name, cohort = served()
        try:
            changed = settings_of(load_pipeline(name), _plain(steps))
        except CohortflowError as error:
            return Failed(message=f"{error.code}: {error.message}")
        request = RunRequest(
            pipeline=name,
            cohort=cohort,
            settings=(*changed, *settings),
            at=at_of(_plain(points)),
            subjects=tuple(subjects) if subjects else None,
            retry_failed=retry_failed,
            refresh=tuple(refresh),
            train=train,
            wait=wait,
            cluster=cluster,
            workers=workers,
            threads=threads,
            memory=memory,
        )
        return run_deployed(request)

    on_demand.__annotations__ |= {"steps": steps_type, "points": points_type}
    if trained:
        on_demand.__annotations__["refresh"] = list[Literal[tuple(trained)]]  # type: ignore[misc]
    return flow(name="on-demand", **PLAIN)(on_demand)  # named in the form


def _night() -> str:
    slug = os.environ.get(PIPELINE, "cohort").rpartition("/")[2].removesuffix(".yaml")
    return f"{slug} {flow_run.scheduled_start_time:%Y-%m-%d %H:%M}"


@flow(name="nightly", flow_run_name=_night, **PLAIN)
def nightly(
    settings: list[str] = [],  # noqa: B006
    retry_failed: bool = False,
    cluster: str = "local",
    workers: Count | None = None,
    threads: Count | None = None,
    memory: str | None = None,
) -> State[Any]:
    """Read what is new in the remembered source, then run the pipeline, training nothing.

    One run stands for all nights that were missed. It waits for another run of the pipeline.

    Args:
        settings: Settings of every night, as --set takes them.
        retry_failed: Try again what failed by a cause that does not pass by itself.
        cluster: local, tcp://scheduler or none.
        workers: Worker processes.
        threads: Threads of each worker.
        memory: Of each worker, such as 4GiB.
    """
    name, cohort = served()
    take_over_missed()
    request = RunRequest(
        pipeline=name,
        cohort=cohort,
        settings=tuple(settings),
        retry_failed=retry_failed,
        cluster=cluster,
        workers=workers,
        threads=threads,
        memory=memory,
    )
    ended, problem = run_night(request, run_deployed)
    if problem is not None and ended.is_completed():
        return Failed(message=f"ingest, {problem.code}: {problem.message}; run: {ended.message}")
    return ended


def run_deployed(request: RunRequest, after: Callable[[str], AfterRun] = after_run) -> State[Any]:
    """Run inside the flow run that Prefect has started; how it ended."""
    command = f"cohortflow serve {request.pipeline} {request.cohort}"
    with _ended_by_sigterm() as stop, Progress() as progress:
        return run_in_flow(request, stop=stop, progress=progress, after_run=after(command))


@contextmanager
def _ended_by_sigterm() -> Iterator[threading.Event]:
    """SIGTERM ends the run cleanly, also the second one; Ctrl-C is for the server to act on."""
    stop = threading.Event()
    handlers: dict[signal.Signals, Any] = {
        signal.SIGTERM: lambda number, frame: stop.set(),
        signal.SIGINT: signal.SIG_IGN,
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _plain(group: Any) -> Mapping[str, Any]:
    """A group of the form as plain values."""
    return group.model_dump(mode="json") if isinstance(group, pydantic.BaseModel) else group or {}


def _pipeline() -> Pipeline | None:
    name = os.environ.get(PIPELINE)
    return load_pipeline(name) if name else None


on_demand = make_on_demand(_pipeline())
