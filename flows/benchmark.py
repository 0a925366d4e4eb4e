"""A benchmark as a Prefect flow that a deployment serves, with a form of typed fields."""

from __future__ import annotations

from typing import Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Failed

from cohortflow.errors import CohortflowError
from cohortflow.systems import SYSTEMS
from flows.benchmarking import (
    BenchmarkRequest,
    after_benchmark,
    benchmark_run,
    pipelines_by_system,
)
from flows.cohort import PLAIN
from flows.deployments import Count, run_deployed
from flows.served import served_cohort


def _make_benchmark(pipelines: dict[str, list[str]]) -> Any:
    """The flow behind the form, whose fields offer the systems that have a pipeline."""
    slugs = [slug for own in pipelines.values() for slug in own]

    def benchmark(
        system: Any,
        pipeline: Any = "",
        seeds: Count | None = None,
        wait: bool = False,
        cluster: str = "local",
        workers: Count | None = None,
        threads: Count | None = None,
        memory: str | None = None,
        settings: list[str] = [],  # noqa: B006 - nothing changes the default
    ) -> State[Any]:
        """Train, test and report a published system on the cohort; what stands is kept.

        Args:
            system: Whose numbers stand beside those that are obtained.
            pipeline: Which of its pipelines; none chosen: the one of its name.
            seeds: How many, counted from 0; as the pipeline says, unless given.
            wait: Wait for another run of this pipeline; otherwise this one is refused.
            cluster: local, tcp://scheduler or none.
            workers: Worker processes.
            threads: Threads of each worker.
            memory: Of each worker, such as 4GiB.
            settings: Further settings, such as classify.epochs=20.
        """
        try:
            asked = BenchmarkRequest(
                system, served_cohort(), pipeline or None, seeds, tuple(settings)
            )
            request = benchmark_run(
                asked, wait=wait, cluster=cluster, workers=workers, threads=threads, memory=memory
            )
        except CohortflowError as error:
            return Failed(message=f"{error.code}: {error.message}")
        return run_deployed(request, after_benchmark)

    benchmark.__annotations__ |= {
        "system": Literal[tuple(name for name in SYSTEMS if name in pipelines)],
        "pipeline": Literal[("", *slugs)],
    }
    return flow(name="benchmark", **PLAIN)(benchmark)


benchmark = _make_benchmark(pipelines_by_system())
