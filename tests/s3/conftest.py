"""One S3 server for all of these tests, a bucket for each."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.servers import radosgw
from tests.servers.radosgw import RadosGateway


@pytest.fixture(scope="session")
def s3_server() -> Iterator[RadosGateway]:
    with radosgw.running() as server:
        yield server


@pytest.fixture
def server(s3_server: RadosGateway, monkeypatch: pytest.MonkeyPatch) -> RadosGateway:
    """The server, and this process set up to reach it."""
    from s3fs import S3FileSystem

    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()  # a client keeps the settings it was made with
    return s3_server


@pytest.fixture
def bucket(server: RadosGateway) -> str:
    name = f"b-{uuid.uuid4().hex[:12]}"
    server.create_bucket(name)
    return name
