"""Where work runs: worker processes of this machine, a Dask scheduler,
or the flow's own process."""

from __future__ import annotations

import contextlib
import itertools
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import dask.utils
import psutil
from dask.system import CPU_COUNT
from distributed import Client
from distributed.system import MEMORY_LIMIT
from threadpoolctl import threadpool_limits

from cohortflow.errors import Cancelled, Refused, UsageError
from tasks.dask_pool import DaskPool
from tasks.local_cluster import LocalPool, local_cluster
from tasks.patience import Patience
from tasks.units import OnOutcome, ShouldStop, settle
from tasks.worker import Outcome, failed_outcome, run_one

EXECUTE_UNIT = "cohortflow.pipeline.execute:execute_unit"
MEMORY_SHARE = 0.8
CONNECT_S = 20

Specs = Sequence[dict[str, Any]]


class Engine(ABC):
    """Runs units with a number of workers, each with its threads and memory; a context manager.

    ``workers``: how many units run at a time; ``threads_per_worker`` and ``memory_limit_bytes`` are
    what each of them may use (0: not known). ``cannot_enforce`` names the limits that this
    engine only states. ``patience``: the pauses before a transient failure is tried again.
    """

    cannot_enforce: tuple[str, ...] = ()
    address: str | None = None

    def __init__(
        self, workers: int, threads: int, memory_bytes: int, patience: Patience | None = None
    ) -> None:
        self.workers = workers
        self.threads_per_worker = threads
        self.memory_limit_bytes = memory_bytes
        self.patience = patience or Patience()
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Engine:
        with contextlib.ExitStack() as stack:
            self._start(stack)
            self._open = stack.pop_all()
        return self

    def _start(self, stack: contextlib.ExitStack) -> None:  # noqa: B027 - inline starts nothing
        """Start what units run on; the stack ends it, also when starting fails half-way."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def run(
        self,
        specs: Specs,
        on_outcome: OnOutcome = lambda outcome: None,
        should_stop: ShouldStop = lambda: False,
        function: str = EXECUTE_UNIT,
    ) -> list[Outcome]:
        """Settle every unit; outcomes in the order of the specs.

        ``on_outcome`` gets each outcome once, as soon as it is there, in the calling thread.
        Outcomes made here rather than by the unit itself (lost worker, time-out, stopped run) carry
        ``by: engine``: their failures are not recorded in the store yet.
        """
        return self._run(specs, on_outcome, should_stop, function)

    @abstractmethod
    def _run(
        self, specs: Specs, on_outcome: OnOutcome, should_stop: ShouldStop, function: str
    ) -> list[Outcome]: ...


class InlineEngine(Engine):
    """The flow's own process, one unit after the other: for debugging."""

    cannot_enforce = (
        "time-outs: a unit that hangs hangs the run",
        "memory: a unit may take all there is",
        "crashes: a unit that kills its process ends the run",
    )

    def _run(
        self, specs: Specs, on_outcome: OnOutcome, should_stop: ShouldStop, function: str
    ) -> list[Outcome]:
        outcomes = []
        with threadpool_limits(limits=self.threads_per_worker):
            for spec in specs:
                outcome = self._settle(spec, should_stop, function)
                outcomes.append(outcome)
                on_outcome(outcome)
        return outcomes

    def _settle(self, spec: dict[str, Any], should_stop: ShouldStop, function: str) -> Outcome:
        retries = int(spec.get("retries") or 0)
        for attempt in itertools.count(1):
            if should_stop():
                break
            outcome = run_one(function, spec)
            outcome["attempts"] = attempt
            if not self.patience.again(outcome, attempt, retries):
                return outcome
            _pause(self.patience.pause(attempt), should_stop)
        return failed_outcome(spec, Cancelled("the run was stopped before this unit ended"))


def _pause(seconds: float, should_stop: ShouldStop) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not should_stop():
        time.sleep(min(0.1, seconds))


class DaskEngine(Engine):
    """Worker processes behind a Dask scheduler."""

    _pool: DaskPool

    def _run(
        self, specs: Specs, on_outcome: OnOutcome, should_stop: ShouldStop, function: str
    ) -> list[Outcome]:
        self._pool.open_batch(function)
        return settle(self._pool, specs, on_outcome, should_stop, self.patience)


class LocalEngine(DaskEngine):
    """Worker processes of this machine, one unit at a time in each."""

    def _start(self, stack: contextlib.ExitStack) -> None:
        limits = (self.workers, self.threads_per_worker, self.memory_limit_bytes)
        cluster = stack.enter_context(local_cluster(*limits))
        client = stack.enter_context(Client(cluster, set_as_default=False))
        self._pool = stack.enter_context(contextlib.closing(LocalPool(client, cluster)))
        self.address = cluster.scheduler_address


class RemoteEngine(DaskEngine):
    """The workers of a Dask scheduler somewhere else; they must have this package installed."""

    cannot_enforce = (
        "memory and threads: the workers keep the limits they were started with",
        "time-outs on workers started without a nanny",
    )

    def __init__(self, address: str, patience: Patience | None = None) -> None:
        super().__init__(workers=0, threads=1, memory_bytes=0, patience=patience)
        self.address = address

    def _start(self, stack: contextlib.ExitStack) -> None:
        client = stack.enter_context(_connect(self.address or ""))
        self._pool = stack.enter_context(contextlib.closing(DaskPool(client)))
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        self.workers = sum(int(info["nthreads"]) for info in workers)
        shares = [int(info["memory_limit"]) // int(info["nthreads"]) for info in workers]
        self.memory_limit_bytes = min(shares, default=0)


def _connect(address: str) -> Client:
    try:
        return Client(address, set_as_default=False, timeout=CONNECT_S)
    except (OSError, TimeoutError) as error:
        raise Refused(
            "no Dask scheduler answers",
            where=address,
            found=str(error),
            hint="Start one (dask scheduler; dask worker), or use --cluster local.",
        ) from error


def memory_bytes(memory: str | int) -> int:
    """Bytes from a number or a text such as ``4GiB``."""
    try:
        size = int(dask.utils.parse_bytes(memory))
    except ValueError as error:
        raise UsageError(
            "not an amount of memory", where="--memory", expected="like 4GiB", found=repr(memory)
        ) from error
    if size <= 0:
        raise UsageError("memory must be positive", where="--memory", found=repr(memory))
    return size


def available_memory_bytes() -> int:
    """Memory that is free now, within the limit this process itself runs under."""
    return int(min(psutil.virtual_memory().available, MEMORY_LIMIT))


def open_engine(
    cluster: str = "local",
    workers: int | None = None,
    threads: int | None = None,
    memory: str | int | None = None,
    *,
    patience: Patience | None = None,
) -> Engine:
    """An engine by name: ``local``, ``none``, or the address of a Dask scheduler.

    ``threads`` and ``memory`` are per worker. By default: one thread each, as many workers as there
    are cores for them, and 80 % of the free memory shared out evenly. To be used in a ``with``.
    """
    for name, count in (("--workers", workers), ("--threads", threads)):
        if count is not None and count < 1:
            raise UsageError("must be at least 1", where=name, found=str(count))
    if "://" in cluster:
        return RemoteEngine(cluster, patience)
    kinds = {"local": LocalEngine, "none": InlineEngine}
    if cluster not in kinds:
        raise UsageError(
            "no such place to run",
            where="--cluster",
            expected="local, none, or a scheduler address such as tcp://host:8786",
            found=repr(cluster),
        )
    threads = threads or 1
    count = 1 if cluster == "none" else workers or max(1, CPU_COUNT // threads)
    share = int(available_memory_bytes() * MEMORY_SHARE / count)
    return kinds[cluster](count, threads, memory_bytes(memory) if memory else share, patience)
