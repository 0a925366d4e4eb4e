"""Worker processes of this machine: their limits, their environment, what they may import.

A worker starts with a fresh interpreter that neither imports the flow's main script (it would load
Prefect, the command line and the user's own files) nor looks for modules in the current folder.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing.spawn
import os
import signal
from collections.abc import Iterator, Sequence
from typing import Any

import dask.config
from distributed import Client, LocalCluster, Nanny

from tasks.dask_pool import DaskPool
from tasks.scratch import scratch_folder
from tasks.worker import FLOW_PID

log = logging.getLogger(__name__)

_WORKER_PROCESS = "Dask Worker process"
_plain_preparation = multiprocessing.spawn.get_preparation_data


def thread_environment(threads: int) -> dict[str, str]:
    """Environment that gives every numerical library its share of threads, read at import."""
    names = (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMBA_NUM_THREADS",
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
        "BLOSC_NTHREADS",
    )
    return dict.fromkeys(names, str(threads))


def _preparation_for_workers(name: str) -> dict[str, Any]:
    """What a spawned process is told of its parent: for workers, no main script, folder last."""
    prepared = _plain_preparation(name)
    if name.startswith(_WORKER_PROCESS):
        prepared.pop("init_main_from_name", None)
        prepared.pop("init_main_from_path", None)
        prepared["sys_path"] = current_folder_last(prepared["sys_path"])
    return prepared


def current_folder_last(paths: Sequence[str]) -> list[str]:
    """The import path with the current folder at its end, so that nothing there shadows ours.

    It stays at all because a checkout may be both the current folder and where we are installed.
    """
    here = os.path.realpath(os.getcwd())
    is_here = [os.path.realpath(path or here) == here for path in paths]
    ours = [path for path, here_too in zip(paths, is_here, strict=True) if not here_too]
    return [*ours, here] if any(is_here) else ours


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _dask_silent(quiet: bool) -> Iterator[None]:
    """Keep Dask's own lines off the terminal: what went wrong is told by unit, in our words."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    before = [logger.level for logger in loggers]
    for logger in loggers if quiet else []:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def local_cluster(workers: int, threads: int, memory_bytes: int) -> Iterator[LocalCluster]:
    """A scheduler and worker processes on 127.0.0.1, gone at the end or with this process."""
    multiprocessing.spawn.get_preparation_data = _preparation_for_workers
    environment = {**thread_environment(threads), "PYTHONSAFEPATH": "1"}
    settings: dict[str, Any] = {
        "distributed.nanny.pre-spawn-environ": {"MALLOC_TRIM_THRESHOLD_": 65536, **environment},
        "distributed.scheduler.allowed-failures": 0,  # units.py knows better whom to charge
        "distributed.scheduler.worker-ttl": None,  # a unit that holds the GIL is no dead worker
        # Dask looks once, this long after each loss, and ends the supervisor of a worker that is
        # away just then, for ever: also one that is being replaced for a second time
        "distributed.deploy.lost-worker-timeout": "1000 days",
        "distributed.worker.memory.target": False,  # workers hold no data: nothing to spill
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False,
        "distributed.worker.memory.terminate": 0.95,
        "distributed.worker.preload": ["tasks.worker"],
        "distributed.worker.profile.enabled": False,
        "distributed.scheduler.http.routes": [],
        "distributed.admin.low-level-log-length": 100,  # past outcomes the scheduler would keep
    }
    quiet = not log.isEnabledFor(logging.DEBUG)
    with contextlib.ExitStack() as stack:
        settings["temporary-directory"] = stack.enter_context(scratch_folder())
        stack.enter_context(_environment(environment))
        stack.enter_context(dask.config.set(settings))
        stack.enter_context(_dask_silent(quiet))
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=memory_bytes,
            host="127.0.0.1",
            dashboard_address=None,
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            silence_logs=logging.CRITICAL if quiet else False,
            env={**environment, FLOW_PID: str(os.getpid())},
        )
        yield stack.enter_context(cluster)


class LocalPool(DaskPool):
    """Workers nobody else uses, on the machine of the flow: hung ones are killed outright."""

    start_grace_s = 10.0

    def __init__(self, client: Client, cluster: LocalCluster) -> None:
        super().__init__(client)
        self.cluster = cluster

    def _restart(self, workers: list[str]) -> None:
        for nanny in list(self.cluster.workers.values()):
            if nanny.worker_address in workers:
                _kill(nanny)

    def close(self) -> None:
        """End every worker at once: what they committed is whole, and a hung one would not heed."""
        super().close()
        for nanny in list(self.cluster.workers.values()):
            self.cluster.loop.add_callback(nanny.close_gracefully)  # start no other in its place
            self.cluster.loop.add_callback(_kill, nanny)


def _kill(nanny: Nanny) -> None:
    pid = nanny.pid
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
