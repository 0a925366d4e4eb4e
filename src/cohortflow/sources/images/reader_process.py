"""Our side of the process that reads untrusted files: kept warm, replaced when it dies."""

from __future__ import annotations

import contextlib
import os
import queue
import select
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from types import TracebackType
from typing import Self, TypeVar

from cohortflow.errors import CohortflowError, ReaderDied, ReaderTimeout
from cohortflow.sources.images import wire
from cohortflow.sources.images.decoded import Decoded, Request

NO_ANSWER = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
_KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "TMPDIR", "TZ")
MEMORY_BYTES = 6 * 2**30
TIMEOUT_S = 300.0
T = TypeVar("T")


class _Closing(ABC):
    """What is closed at the end of a ``with``."""

    @abstractmethod
    def close(self) -> None:
        """Stop what runs."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class ReaderProcess(_Closing):
    """One process that reads files in turn; started at the first, stopped by ``close``.

    ``memory_bytes``: what it may take beyond the libraries of the format that comes first.
    ``timeout_s``: for one request; beyond it the process is killed and the request refused.
    """

    def __init__(self, memory_bytes: int = MEMORY_BYTES, timeout_s: float = TIMEOUT_S) -> None:
        self.memory_bytes = memory_bytes
        self.timeout_s = timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None

    def read(self, request: Request) -> list[Decoded]:
        """What the files hold; the arrays are read-only.

        Raises the named error of what is wrong, :class:`ReaderDied`, :class:`ReaderTimeout`.
        """
        link = self._start(request.format)
        try:
            link.settimeout(self.timeout_s)  # of a message that was begun and does not end
            wire.send(link, wire.request_to_json(request))
            self._await(link, request.where)
            document, files = wire.receive(link)
        except CohortflowError:
            raise
        except TimeoutError as error:
            self.close()
            raise self._too_long(request.where) from error
        except (EOFError, ConnectionError) as error:
            raise self._died(request.where) from error
        except NO_ANSWER as error:
            raise self._no_answer(request.where) from error
        try:
            if "error" in document:
                fault = wire.error_from_json(document["error"])
            else:
                return wire.results_from_wire(document["results"], files[0])
        except NO_ANSWER as error:
            raise self._no_answer(request.where) from error
        finally:
            for handle in files:
                os.close(handle)
        raise fault

    def close(self) -> None:
        """Stop the process; the next ``read`` starts another."""
        if self._link is not None:
            self._link.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = self._link = None

    def _start(self, format_: str) -> socket.socket:
        if self._link is not None and self._process is not None and self._process.poll() is None:
            return self._link
        self.close()
        ours, theirs = socket.socketpair()
        arguments = [str(theirs.fileno()), str(self.memory_bytes), format_]
        with theirs:
            # What libraries write to the terminal may quote a header: nobody gets to see it.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cohortflow.sources.images.child", *arguments],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,
            )
        self._link = ours
        return ours

    def _await(self, link: socket.socket, where: str) -> None:
        deadline = time.monotonic() + self.timeout_s
        while not select.select([link], [], [], max(0.0, deadline - time.monotonic()))[0]:
            if time.monotonic() >= deadline:
                self.close()
                raise self._too_long(where)

    def _too_long(self, where: str) -> ReaderTimeout:
        return ReaderTimeout(
            "reading took longer than it may",
            where=where,
            expected=f"at most {self.timeout_s:g} s",
            hint="Is the file whole, and its disk there?",
        )

    def _no_answer(self, where: str) -> ReaderDied:
        """A reader that answers what no reader says is not asked again."""
        self.close()
        return ReaderDied(
            "the process that reads untrusted files gave no answer that is one",
            where=where,
            hint="Take the file away: it may have been made to take the reader over.",
        )

    def _died(self, where: str) -> CohortflowError:
        code = None
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self._process.wait(timeout=5)
        self.close()
        return ReaderDied(
            "the process that reads untrusted files ended while it read this one",
            where=where,
            found=f"signal {-code}" if code is not None and code < 0 else f"exit {code}",
            hint="Its library does not survive how the file is damaged, or memory was short.",
        )


class ReaderPool(_Closing):
    """Threads that take recordings in turn, each with a reader process of its own where it reads.

    ``read``: as of :class:`ReaderProcess`, by whichever process is free.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._free: queue.LifoQueue[ReaderProcess] = queue.LifoQueue()
        self._all: list[ReaderProcess] = []

    def read(self, request: Request) -> list[Decoded]:
        """What the files hold; the arrays are read-only."""
        try:
            reader = self._free.get_nowait()
        except queue.Empty:
            reader = ReaderProcess()
            self._all.append(reader)
        try:
            return reader.read(request)
        finally:
            self._free.put(reader)

    def each(self, take: Callable[[T], None], items: Iterable[T]) -> Iterator[None]:
        """Take every item, several at a time; the first that raises ends it."""
        with ThreadPoolExecutor(self._threads) as pool:
            futures = [pool.submit(take, item) for item in items]
            try:
                for future in as_completed(futures):
                    yield future.result()
            finally:
                for future in futures:
                    future.cancel()

    def close(self) -> None:
        """Stop all processes."""
        for reader in self._all:
            reader.close()


def _environment() -> dict[str, str]:
    """What Python and the libraries need; no credential of the user, no place of theirs."""
    kept = {name: value for name, value in os.environ.items() if name in _KEPT}
    kept |= {name: value for name, value in os.environ.items() if name.startswith(("LANG", "LC_"))}
    return {**kept, "OMP_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"}
