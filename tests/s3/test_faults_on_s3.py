"""What befalls a store during a run: wrong keys, a bucket gone, a server dead, silent or slow."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cohortflow.cohort.open_storage import open_storage
from cohortflow.errors import AccessDenied, AlreadyExists, StoreUnavailable
from tests.cohort import own_processes
from tests.s3 import runs
from tests.s3.runs import World
from tests.servers.radosgw import RadosGateway

LIGHT = "light.yaml"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def world(s3_server: RadosGateway, tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("s3"), s3_server.environment)


@pytest.fixture(scope="module")
def undisturbed(world: World) -> dict[str, dict[str, Any]]:
    cohort = str(world.folder / "undisturbed")
    world.ingest(cohort)
    world.run(cohort, LIGHT)
    return runs.committed(cohort)


@pytest.fixture
def cohort(world: World, bucket: str) -> str:
    """An ingested cohort on S3."""
    url = f"s3://{bucket}/cohort"
    world.ingest(url)
    return url


def wait_until(process: subprocess.Popen[str], ready: Callable[[], bool]) -> None:
    while not ready():
        assert process.poll() is None, f"the run ended too early: {process.communicate()[0]}"
        time.sleep(0.1)


def at_work(cohort: str) -> Callable[[], bool]:
    """Whether a run has committed something, and more is to come."""
    return lambda: len(runs.records(cohort)) > runs.SUBJECTS + 3


def nobody_left(process: subprocess.Popen[str]) -> bool:
    """Whether every process of the run's group ends: none of ours outlives a run by 30 s."""
    until = time.monotonic() + 30
    while alive := runs.alive_in(process.pid):
        if time.monotonic() > until:
            raise AssertionError(alive)
        time.sleep(0.1)
    return True


# --- who is let in --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong", [{"AWS_SECRET_ACCESS_KEY": "wrong"}, {"AWS_ACCESS_KEY_ID": "nobody"}]
)
def test_wrong_keys_end_at_once_by_name(
    world: World, bucket: str, server: RadosGateway, wrong: dict[str, str]
) -> None:
    url = f"s3://{bucket}/cohort"
    arguments = ("ingest", "source", url, "--atlas", "source/atlas.tsv")
    with server.counted() as requests:
        said = world.call(*arguments, code=5, **wrong)
    assert "access-denied" in said
    assert "AWS_SECRET_ACCESS_KEY" in said
    assert len(requests) == 1, "not asked again and again"
    assert list(open_storage(f"s3://{bucket}").walk("")) == [], "nothing is written"

    world.ingest(url)
    before = dict(open_storage(url).walk(""))
    assert "access-denied" in world.run(url, LIGHT, code=5, **wrong)
    assert "access-denied" in world.call("status", url, code=5, **wrong)
    assert dict(open_storage(url).walk("")) == before


def test_keys_of_somebody_else(
    bucket: str, server: RadosGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    from s3fs import S3FileSystem

    open_storage(f"s3://{bucket}").create("record", b"1")
    server.create_user(f"other-{bucket}", f"other-{bucket}", "other-secret")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", f"other-{bucket}")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "other-secret")
    S3FileSystem.clear_instance_cache()
    storage = open_storage(f"s3://{bucket}")
    for ask in (
        lambda: storage.read("record"),
        lambda: storage.exists("record"),
        lambda: storage.list(""),
        lambda: storage.create("mine", b""),
    ):
        with pytest.raises(AccessDenied):
            ask()


def test_a_bucket_that_is_not_there_is_no_empty_cohort(world: World, server: RadosGateway) -> None:
    storage = open_storage("s3://no-such-bucket/cohort")
    for ask in (storage.read, storage.exists, storage.list):
        with pytest.raises(StoreUnavailable, match="bucket is not there"):
            ask("cohort.json")
    said = world.call("ingest", "source", storage.url, "--atlas", "source/atlas.tsv", code=1)
    assert "the bucket is not there" in said


# --- during a run ---------------------------------------------------------------------------------


def test_a_bucket_that_vanishes_ends_the_run(
    world: World, cohort: str, bucket: str, server: RadosGateway
) -> None:
    process = world.start_run(cohort, LIGHT)
    wait_until(process, at_work(cohort))
    server.remove_bucket(bucket)
    said = world.end_of(process)
    assert process.returncode == 1, said
    assert "the bucket is not there" in said
    assert nobody_left(process)


def test_a_server_that_dies_and_comes_back_costs_nothing(
    world: World, cohort: str, server: RadosGateway, undisturbed: dict[str, dict[str, Any]]
) -> None:
    process = world.start_run(cohort, LIGHT)
    for wanted in (runs.SUBJECTS + 3, runs.SUBJECTS + 25):
        wait_until(process, lambda wanted=wanted: len(runs.records(cohort)) > wanted)  # type: ignore[misc]
        server.kill_gateway()
        time.sleep(3)
        server.start_gateway()
    said = world.end_of(process)
    assert process.returncode == 0, said
    assert runs.committed(cohort) == undisturbed


def test_a_server_that_stays_away_ends_the_run_and_loses_nothing(
    world: World, cohort: str, server: RadosGateway, undisturbed: dict[str, dict[str, Any]]
) -> None:
    process = world.start_run(cohort, LIGHT, COHORTFLOW_STORE_PATIENCE_S="2")
    wait_until(process, at_work(cohort))
    before = runs.committed(cohort)
    server.kill_gateway()
    try:
        said = world.end_of(process)
        assert process.returncode == 1, said
        assert "store-unavailable" in said
        assert "cannot be reached" in said
        assert nobody_left(process)
        assert "store-unavailable" in world.call(
            "status", cohort, code=1, COHORTFLOW_STORE_PATIENCE_S="1"
        )
    finally:
        server.start_gateway()
    assert before.items() <= runs.committed(cohort).items() <= undisturbed.items()
    world.run(cohort, LIGHT)
    assert runs.committed(cohort) == undisturbed


def test_a_silent_server_is_waited_for_so_long(
    world: World, cohort: str, server: RadosGateway, undisturbed: dict[str, dict[str, Any]]
) -> None:
    """It accepts connections and answers nothing: the time limit of an attempt ends the wait."""
    process = world.start_run(cohort, LIGHT, COHORTFLOW_STORE_PATIENCE_S="2")
    wait_until(process, at_work(cohort))
    with server.frozen():
        said = world.end_of(process)
    assert process.returncode == 1, said
    assert "store-unavailable" in said
    assert nobody_left(process)
    world.run(cohort, LIGHT)
    assert runs.committed(cohort) == undisturbed


def test_a_slow_server_is_only_slow(
    world: World, cohort: str, server: RadosGateway, undisturbed: dict[str, dict[str, Any]]
) -> None:
    with stuttering(server):
        world.run(cohort, LIGHT)
    assert runs.committed(cohort) == undisturbed


@contextmanager
def stuttering(server: RadosGateway) -> Iterator[None]:
    """Four fifths of the time it does nothing."""
    over = threading.Event()

    def stutter() -> None:
        while not over.wait(0.1):
            with server.frozen():
                over.wait(0.4)

    thread = threading.Thread(target=stutter)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


# --- creating -------------------------------------------------------------------------------------


def test_of_64_writers_in_8_processes_one_wins(bucket: str) -> None:
    url = f"s3://{bucket}/cohort"
    context = own_processes.context()
    with context.Pool(8) as pool:
        won = pool.starmap(_create, [(url, i) for i in range(64)], chunksize=1)
    assert sum(won) == 1
    assert open_storage(url).read("contested") == str(won.index(True)).encode()


def _create(url: str, number: int) -> bool:
    try:
        open_storage(url).create("contested", str(number).encode())
    except AlreadyExists:
        return False
    return True


def test_a_large_record_is_created_exclusively_too(bucket: str) -> None:
    """Where S3 joins parts, this server heeds no condition:
    a record is one PUT whatever its size."""
    storage = open_storage(f"s3://{bucket}")
    storage.create("large", b"first" * 2**20)
    with pytest.raises(AlreadyExists):
        storage.create("large", b"secnd" * 25 * 2**20)
    assert storage.read("large")[:5] == b"first"


def test_half_an_upload_is_never_seen(bucket: str, server: RadosGateway, tmp_path: Path) -> None:
    storage = open_storage(f"s3://{bucket}")
    size = 8 * 2**20
    url = urlsplit(server.presigned_put(bucket, "half"))
    with socket.create_connection((url.hostname, url.port)) as connection:
        first = f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\n"
        head = f"{first}Content-Length: {size}\r\n\r\n"
        connection.sendall(head.encode() + b"\0" * (size // 2))
        time.sleep(0.5)
        assert not storage.exists("half")
    assert storage.list("") == []
    storage.create("half", b"whole")
    assert storage.read("half") == b"whole"
