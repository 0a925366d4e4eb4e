"""Worker processes behind a Dask scheduler, as a Pool."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import queue
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Any

from distributed import Client, Future, KilledWorker

from tasks.pool import Broken, Joined, Left, Message, OverMemory, Settled, Started
from tasks.worker import run_chunk

log = logging.getLogger(__name__)

POLL_S = 2.0
POLL_LIMIT_S = 5.0
SILENCE_S = 60.0
"""A scheduler that is slow to answer, on a machine with too much to do, has lost nobody yet."""


class DaskPool:
    """Sends flights to named workers and turns Dask's events into messages."""

    start_grace_s = math.inf

    def __init__(self, client: Client) -> None:
        self.client = client
        self.topic = f"cohortflow-{client.id}"
        self._restarting: set[str] = set()
        self._abandoned: set[str] = set()
        self.open_batch("")
        client.subscribe_topic(self.topic, self._on_unit_event)
        client.subscribe_topic("all", self._on_cluster_event)
        client.subscribe_topic("worker-restart-memory", self._on_memory_event)

    def open_batch(self, function: str) -> None:
        """Start from nothing: units are runs of ``function``,
        what earlier ones still say is lost."""
        self._function = function
        self._mark = uuid.uuid4().hex[:12]
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._futures: dict[str, Future[Any]] = {}
        self._last: dict[str, int] = {}
        self._known: set[str] = set()
        self._polled = -math.inf
        self._heard = time.monotonic()
        if self._abandoned:
            self.restart(list(self._abandoned))
            self._abandoned.clear()

    def close(self) -> None:
        if self._abandoned:
            self._restart(list(self._abandoned))
        for topic in (self.topic, "all", "worker-restart-memory"):
            self.client.unsubscribe_topic(topic)
        for flight in list(self._futures):
            self.forget(flight)

    # --- what Dask tells (on its event loop) ------------------------------------------------------

    def _on_unit_event(self, event: tuple[float, Any]) -> None:
        for name, position, text in event[1]:
            self._take(name, position, text)

    def _take(self, name: str, position: int, text: str) -> None:
        mark, _, flight = name.partition("/")
        if mark != self._mark:
            return  # of an earlier batch, given up since
        if position < 0:
            self._inbox.put(Started(flight))
        else:
            if position == self._last.get(flight):
                del self._last[flight]
            self._inbox.put(Settled(flight, position, json.loads(text)))

    def _on_cluster_event(self, event: tuple[float, Any]) -> None:
        message = event[1]
        if message.get("action") == "remove-worker":
            self._restarting.discard(message["worker"])
            self._inbox.put(Left(message["worker"], bool(message.get("expected"))))
        elif message.get("action") == "add-worker":
            self._polled = -math.inf

    def _on_memory_event(self, event: tuple[float, Any]) -> None:
        self._inbox.put(OverMemory(event[1]["worker"]))

    def _on_done(self, flight: str, future: Future[Any]) -> None:
        if self._futures.get(flight) is not future:
            return  # given up, or of an earlier batch
        del self._futures[flight]
        if flight not in self._last:
            return
        if future.status != "error":
            self._inbox.put(Broken(flight, str(future.status), transient=True))
            return
        error = future.exception()
        if not isinstance(error, KilledWorker):  # its worker's departure tells the same, and who
            self._inbox.put(Broken(flight, f"{type(error).__name__}: {error}"))

    # --- Pool -------------------------------------------------------------------------------------

    def messages(self, timeout_s: float) -> list[Message]:
        found = self._poll()
        with contextlib.suppress(queue.Empty):
            found.append(self._inbox.get(timeout=0.0 if found else timeout_s))
            while True:
                found.append(self._inbox.get_nowait())
        for message in found:
            if isinstance(message, Left):
                self._known.discard(message.worker)
        return found

    def submit(self, worker: str, flight: str, specs: Sequence[dict[str, Any]]) -> None:
        future = self.client.submit(
            run_chunk,
            self._function,
            f"{self._mark}/{flight}",
            self.topic,
            list(specs),
            key=f"units-{self._mark}-{flight}",
            workers=[worker],
            allow_other_workers=False,
            pure=False,
            fifo_timeout="0 ms",
        )
        self._futures[flight] = future
        self._last[flight] = len(specs) - 1
        future.add_done_callback(lambda done: self._on_done(flight, done))

    def forget(self, flight: str) -> None:
        if self._last.pop(flight, None) is None:
            return  # all its units are settled; its future goes when it is done
        future = self._futures.pop(flight, None)
        if future is not None:
            future.cancel(reason="given up", msg="settled elsewhere")

    def restart(self, workers: Sequence[str]) -> None:
        self._restarting.update(workers)
        self._known.difference_update(workers)
        threading.Thread(target=self._restart, args=(list(workers),), daemon=True).start()

    def abandon(self, workers: Sequence[str]) -> None:
        self._abandoned.update(workers)
        self._known.difference_update(workers)

    def _restart(self, workers: list[str]) -> None:
        try:
            self.client.restart_workers(workers, timeout=30, raise_for_error=False)
        except (OSError, TimeoutError, RuntimeError) as error:
            log.debug("Workers %s could not be restarted: %s", workers, error)

    def _poll(self) -> list[Message]:
        """Compare who is there with who was: events tell sooner, but may be missed."""
        if time.monotonic() - self._polled < POLL_S:
            return []
        self._polled = time.monotonic()
        present = self._present()
        if present is None:
            return []
        found: list[Message] = [Left(name) for name in self._known - set(present)]
        for name, slots in present.items():
            if name not in self._known and name not in self._restarting:
                self._known.add(name)
                found.append(Joined(name, slots))
        return found

    def _present(self) -> dict[str, int] | None:
        """Workers and their threads; None while the scheduler may only be slow to answer."""
        try:
            scheduler: Any = self.client.scheduler
            identity = self.client.sync(
                scheduler.identity, n_workers=-1, callback_timeout=POLL_LIMIT_S
            )
        except TimeoutError as error:
            log.warning("The scheduler does not answer: %s", error)
            return {} if time.monotonic() - self._heard > SILENCE_S else None
        except OSError as error:
            log.warning("The scheduler cannot be reached: %s", error)
            return {}
        self._heard = time.monotonic()
        return {name: int(info["nthreads"]) for name, info in identity["workers"].items()}
