"""Storage on S3: one request an operation, patient with a store that is away, exact about errors.

Endpoint and credentials are the user's, by the standard AWS variables, files and fsspec's settings.
Every attempt has time limits; an operation is tried again, with growing pauses, until the store has
been away for as long as ``COHORTFLOW_STORE_PATIENCE_S`` says. It is the only place that tries
again: botocore and s3fs, left to themselves, would multiply their tries, and a creation could lose
against its own first try.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from cohortflow.cohort.s3_errors import LostRace, named, raised_by_requests, worth_another_try
from cohortflow.cohort.storage import Storage
from cohortflow.errors import AlreadyExists, StoreError, UsageError

log = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE = "COHORTFLOW_STORE_PATIENCE_S"
"""Environment variable: seconds for which the store may be away; 30 where it is not set."""
PATIENCE_S = 30.0
CONNECT_S = 5
READ_S = 15
"""Of one attempt: silence after which it is given up. The last one starts within the patience."""
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
SLOWEST_BYTES_S = 2**18
"""An upload that is slower is given up."""
CONNECTIONS = 32
LARGEST_PUT = 5 * 2**30
BULK = 1000
"""What S3 deletes by one request."""


class S3Storage(Storage):
    """A bucket and prefix: ``s3://bucket/cohort``."""

    lists_in_pages = True

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.bucket, _, self._prefix = url.split("://", 1)[1].strip("/").partition("/")
        if not self.bucket:
            raise UsageError("no bucket is named", where=url, expected="s3://bucket/cohort")
        self._fs = _file_system()
        self.patience_s = _patience_s()
        self._outage = Outage(self.patience_s)

    # --- the storage ------------------------------------------------------------------------------

    def read(self, path: str) -> bytes:
        # Left to choose, s3fs asks for the size first.
        get = functools.partial(self._fs._cat_file, self._object(path), max_concurrency=1)
        return bytes(self._patiently(get, path))

    def exists(self, path: str) -> bool:
        # Not HEAD: its answer of a vanished bucket is that of a missing object.
        for prefix in (path, f"{path}/"):
            first = self._page(prefix, most=1).get("Contents", [])
            if not first:
                return False
            name = self._relative(first[0]["Key"])
            if name == path or name.startswith(f"{path}/"):
                return True
        return False

    def list(self, path: str) -> list[str]:
        folder = f"{path}/" if path else ""
        names: set[str] = set()
        for page in self._pages(folder, delimiter="/"):
            names |= {self._relative(row["Key"]) for row in page.get("Contents", [])}
            names |= {self._relative(row["Prefix"]) for row in page.get("CommonPrefixes", [])}
        return sorted({name.removeprefix(folder).rstrip("/") for name in names} - {""})

    def walk(self, path: str) -> Iterator[tuple[str, int]]:
        for page in self._pages(f"{path}/" if path else ""):
            for row in page.get("Contents", []):
                yield self._relative(row["Key"]), int(row["Size"])

    def page_after(self, path: str) -> tuple[Sequence[str], bool]:
        page = self._page("", StartAfter=self._key(path))
        names = [self._relative(row["Key"]) for row in page.get("Contents", [])]
        return names, not page.get("IsTruncated")

    def create(self, path: str, data: bytes) -> None:
        # One PUT: a service may heed If-None-Match there and not where parts are joined.
        put = functools.partial(
            self._fs._pipe_file, self._object(path), data, mode="create", chunksize=LARGEST_PUT
        )
        tries = 0

        async def once() -> None:
            nonlocal tries
            tries += 1
            await put()

        try:
            self._patiently(once, path, _upload_s(data))
        except LostRace:
            # The answer to an earlier try may have been lost after it had won.
            if tries > 1 and self.read(path) == data:
                return
            raise AlreadyExists("already there", where=f"{self.url}/{path}") from None

    def write(self, path: str, data: bytes) -> None:
        put = functools.partial(self._fs._pipe_file, self._object(path), data)
        self._patiently(put, path, _upload_s(data))

    def write_tree(self, path: str, files: Mapping[str, bytes]) -> None:
        objects = {self._object(f"{path}/{name}"): data for name, data in files.items()}
        put = functools.partial(self._fs._pipe, objects)
        self._patiently(put, path, sum(map(_upload_s, files.values())))

    def delete(self, path: str) -> None:
        self.delete_files([path] * bool(path) + [name for name, _ in self.walk(path)])

    def delete_files(self, paths: Sequence[str]) -> None:
        keys = [self._key(path) for path in paths]
        for start in range(0, len(keys), BULK):
            self._delete_keys(keys[start : start + BULK])

    # --- requests ---------------------------------------------------------------------------------

    def _delete_keys(self, keys: Sequence[str]) -> None:
        objects = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        answer = self._call("delete_objects", self._relative(keys[0]), Delete=objects)
        for error in answer.get("Errors", []):
            raise StoreError(
                "the store did not delete it",
                where=f"s3://{self.bucket}/{error.get('Key')}",
                found=f"{error.get('Code')}: {error.get('Message')}",
            )

    def _pages(self, prefix: str, *, delimiter: str = "") -> Iterator[Mapping[str, Any]]:
        page = self._page(prefix, delimiter=delimiter)
        yield page
        while page.get("IsTruncated"):
            following = page["NextContinuationToken"]
            page = self._page(prefix, delimiter=delimiter, ContinuationToken=following)
            yield page

    def _page(
        self, prefix: str, *, delimiter: str = "", most: int = BULK, **more: Any
    ) -> Mapping[str, Any]:
        full = self._key(prefix) if prefix else f"{self._prefix}/" if self._prefix else ""
        if delimiter:
            more["Delimiter"] = delimiter
        return self._call("list_objects_v2", prefix, Prefix=full, MaxKeys=most, **more)

    def _call(self, method: str, path: str, **arguments: Any) -> Mapping[str, Any]:
        call = functools.partial(self._fs._call_s3, method, Bucket=self.bucket, **arguments)
        answer: Mapping[str, Any] = self._patiently(call, path, CONNECT_S + READ_S)
        return answer

    def _patiently(
        self, work: Callable[[], Awaitable[T]], path: str, limit_s: float | None = None
    ) -> T:
        """``work``, tried again with growing pauses while that may help.

        ``limit_s``: of one attempt as a whole. The client limits only the silence it waits for an
        answer in, not how long it stands before a server that does not take what it sends.
        """
        from fsspec.asyn import sync

        where = f"{self.url}/{path}"
        pause = FIRST_PAUSE_S
        while True:
            started = self._outage.now()
            try:
                result: T = sync(self._fs.loop, _within, limit_s, work)
            except raised_by_requests() as error:
                wait = pause * random.uniform(0.75, 1.25)
                again = worth_another_try(error)
                if not again:
                    self._outage.over()
                if not again or self._outage.left_s(started) < wait:
                    raise named(error, where, self._outage.patience_s) from error
                log.info("%s: %s; trying again in %.1f s", where, type(error).__name__, wait)
            else:
                self._outage.over()
                return result
            time.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    # --- names ------------------------------------------------------------------------------------

    def _key(self, path: str) -> str:
        return f"{self._prefix}/{path}" if self._prefix else path

    def _object(self, path: str) -> str:
        return f"{self.bucket}/{self._key(path)}"

    def _relative(self, key: str) -> str:
        return key.removeprefix(f"{self._prefix}/") if self._prefix else key


async def _within(limit_s: float | None, work: Callable[[], Awaitable[T]]) -> T:
    return await asyncio.wait_for(work(), limit_s)


def _upload_s(data: bytes) -> float:
    return CONNECT_S + READ_S + len(data) / SLOWEST_BYTES_S


class Outage:
    """For how long a store has been away: patience is spent once, not by each operation anew."""

    def __init__(self, patience_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.patience_s = patience_s
        self.now = clock
        self._since: float | None = None
        self._last = 0.0

    def left_s(self, started: float) -> float:
        """Note a failed attempt, begun when ``started``; the patience that is left."""
        now = self.now()
        if self._since is None or started - self._last > self.patience_s:
            self._since = started  # nothing was asked for long: another outage, for all one knows
        self._last = now
        return self._since + self.patience_s - now

    def over(self) -> None:
        """The store answered."""
        self._since = None


def _file_system() -> Any:
    """One client a process, shared by its threads; what the user set for fsspec has precedence."""
    try:
        import fsspec
        from s3fs import S3FileSystem
    except ImportError as error:
        raise UsageError(
            f"s3:// cannot be opened: {error}",
            hint="Install the extra: pip install 'cohortflow[s3]'.",
        ) from error
    chosen = fsspec.config.conf.get("s3", {}).get("config_kwargs", {})
    file_system = S3FileSystem(
        config_kwargs={
            # No region: a service that is not Amazon's refuses a wrong one.
            "s3": {"addressing_style": "path"},
            "connect_timeout": CONNECT_S,
            "read_timeout": READ_S,
            "max_pool_connections": CONNECTIONS,
            "retries": {"mode": "standard", "total_max_attempts": 1},
            **chosen,
        },
        use_listings_cache=False,  # other processes write too
    )
    file_system.retries = 1
    return file_system


def _patience_s() -> float:
    text = os.environ.get(PATIENCE, "")
    try:
        seconds = float(text) if text else PATIENCE_S
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise UsageError("not a number of seconds", where=PATIENCE, found=repr(text))
    return seconds
