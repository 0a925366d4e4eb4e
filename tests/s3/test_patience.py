"""What S3Storage does about failures, with a scripted client in the server's place."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import fsspec.asyn
import pytest

from cohortflow.cohort import s3_storage
from cohortflow.cohort.cohort import create_cohort
from cohortflow.cohort.entries import Entries, EntryRef
from cohortflow.cohort.entry import Output
from cohortflow.cohort.local_storage import LocalStorage
from cohortflow.cohort.s3_storage import Outage, S3Storage
from cohortflow.errors import (
    AccessDenied,
    AlreadyExists,
    EntryMissing,
    StoreError,
    StoreUnavailable,
    UsageError,
)

pytest.importorskip("s3fs")


def answer(code: str, status: int) -> Exception:
    """An error as s3fs raises it: its own, with the service's answer behind it."""
    from botocore.exceptions import ClientError

    said = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error: Exception = OSError(code)
    error.__cause__ = ClientError(said, "PutObject")
    return error


def no_answer() -> Exception:
    from botocore.exceptions import EndpointConnectionError

    error: Exception = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
    return error


class Scripted:
    """A client: each call does the next thing of the script, then what a store does."""

    def __init__(self, *script: Exception | None) -> None:
        self.script = list(script)
        self.objects: dict[str, bytes] = {}
        self.calls = 0
        self.loop = fsspec.asyn.get_loop()

    def _next(self) -> None:
        self.calls += 1
        error = self.script.pop(0) if self.script else None
        if error is not None:
            raise error

    async def _pipe_file(self, path: str, data: bytes, mode: str = "overwrite", **_: Any) -> None:
        lost = self.script and self.script[0] is ANSWER_LOST
        if lost:
            self.script[0] = no_answer()
        if lost or not self.script:
            if mode == "create" and path in self.objects:
                raise answer("PreconditionFailed", 412)
            self.objects[path] = data
        self._next()

    async def _cat_file(self, path: str, **_: Any) -> bytes:
        self._next()
        if path not in self.objects:
            raise answer("NoSuchKey", 404)
        return self.objects[path]

    async def _call_s3(self, method: str, **_: Any) -> dict[str, Any]:
        self._next()
        return {}


ANSWER_LOST = RuntimeError("the request is served, its answer is lost")


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> S3Storage:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return S3Storage("s3://bucket/cohort")


def script(storage: S3Storage, *errors: Exception | None) -> Scripted:
    client = Scripted(*errors)
    storage._fs = client
    return client


def test_what_may_pass_is_tried_again(storage: S3Storage) -> None:
    busy = [no_answer(), answer("SlowDown", 503), answer("InternalError", 500), TimeoutError()]
    client = script(storage, *busy)
    storage.write("log", b"1")
    assert client.calls == 5
    assert client.objects == {"bucket/cohort/log": b"1"}


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (answer("InvalidAccessKeyId", 403), AccessDenied),
        (answer("SignatureDoesNotMatch", 403), AccessDenied),
        (answer("NoSuchBucket", 404), StoreUnavailable),
        (answer("NoSuchKey", 404), EntryMissing),
        (answer("NotImplemented", 501), StoreError),
        (answer("InvalidBucketName", 400), StoreError),
        (ValueError("Invalid endpoint: x"), UsageError),
    ],
)
def test_what_cannot_pass_is_asked_once(
    storage: S3Storage, error: Exception, named: type[Exception]
) -> None:
    client = script(storage, error)
    with pytest.raises(named, match="s3://bucket/cohort/record"):
        storage.read("record")
    assert client.calls == 1


def test_no_credentials_are_named_with_a_hint(storage: S3Storage) -> None:
    from botocore.exceptions import NoCredentialsError

    script(storage, NoCredentialsError())
    with pytest.raises(AccessDenied, match="AWS_ACCESS_KEY_ID") as raised:
        storage.list("")
    assert (raised.value.exit_code, raised.value.transient) == (5, False)


def test_a_creation_whose_answer_was_lost_is_ours(storage: S3Storage) -> None:
    client = script(storage, ANSWER_LOST)
    storage.create("record", b"mine")
    assert client.objects == {"bucket/cohort/record": b"mine"}
    with pytest.raises(AlreadyExists):
        storage.create("record", b"mine")


def test_a_creation_that_somebody_else_won_meanwhile_is_lost(storage: S3Storage) -> None:
    client = script(storage, no_answer())
    client.objects["bucket/cohort/record"] = b"theirs"
    with pytest.raises(AlreadyExists):
        storage.create("record", b"mine")
    assert client.objects["bucket/cohort/record"] == b"theirs"


def test_patience_is_spent_once_for_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("random.uniform", lambda low, high: 1.0)

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr("time.sleep", sleep)
    storage = S3Storage("s3://bucket/cohort")
    storage._outage = Outage(30, clock=lambda: now)
    client = script(storage, *[no_answer() for _ in range(100)])
    with pytest.raises(StoreUnavailable, match="tried for 30 s"):
        storage.read("record")
    assert 25 < now <= 30
    assert client.calls < 15, "with growing pauses"
    for _ in range(5):
        with pytest.raises(StoreUnavailable):
            storage.read("another")
    assert now <= 30, "the store is known to be away"
    now += 3600
    with pytest.raises(StoreUnavailable):
        storage.read("record")
    assert now > 3600 + 50, "an hour later it is another outage"
    client.script = []
    with pytest.raises(EntryMissing):
        storage.read("record")


def test_a_silent_server_is_given_up_when_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes connections and answers nothing; an attempt lasts longer than the patience."""
    from s3fs import S3FileSystem

    monkeypatch.setattr(s3_storage, "CONNECT_S", 1)
    monkeypatch.setattr(s3_storage, "READ_S", 0.4)
    monkeypatch.setenv(s3_storage.PATIENCE, "0.2")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        S3FileSystem.clear_instance_cache()
        storage = S3Storage("s3://bucket/cohort")
        sent: list[str] = []
        hooks = storage._fs.s3.meta.events
        hooks.register("before-send.s3", lambda request, **_: sent.append(request.method))
        with pytest.raises(StoreUnavailable, match="Timeout"):
            storage.read("record")
        with pytest.raises(StoreUnavailable):
            storage.write("beat", b"1")
    assert sent == ["GET", "PUT"]
    S3FileSystem.clear_instance_cache()


def test_a_bucket_must_be_named() -> None:
    with pytest.raises(UsageError, match="no bucket"):
        S3Storage("s3://")


@pytest.mark.parametrize("text", ["soon", "-1", "0", "inf", "nan"])
def test_patience_is_a_number_of_seconds(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(s3_storage.PATIENCE, text)
    with pytest.raises(UsageError, match=s3_storage.PATIENCE):
        S3Storage("s3://bucket/cohort")


def test_settings_of_the_user_have_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {"s3": {"addressing_style": "virtual"}}
    monkeypatch.setitem(fsspec.config.conf, "s3", {"config_kwargs": chosen})
    options = s3_storage._file_system().config_kwargs
    assert options["s3"] == chosen["s3"]
    assert options["retries"]["total_max_attempts"] == 1


class LosesAnswers(LocalStorage):
    """A store that creates a record and says that it was there already."""

    def create(self, path: str, data: bytes) -> None:
        super().create(path, data)
        raise AlreadyExists("already there", where=path)


def test_a_commit_whose_answer_was_lost_keeps_its_arrays(tmp_path: Path) -> None:
    plain = create_cohort(tmp_path / "cohort")
    ref = EntryRef("sub-01", "table", "ab" * 32)
    output = Output(files={"table.parquet": b"rows"})
    record = Entries(LosesAnswers(plain.url)).commit(ref, "table", output)
    assert record.attempt
    assert plain.entries.verify(ref) == []


def test_nobody_else_waits_for_a_store_that_waits_itself(storage: S3Storage) -> None:
    """A run wraps what has no patience of its own; two waits would multiply."""
    assert storage.patience_s == s3_storage.PATIENCE_S
