"""Who is there, as the scheduler tells: a slow answer is not a loss."""

from __future__ import annotations

from typing import Any

import pytest

from tasks import dask_pool
from tasks.dask_pool import DaskPool
from tasks.pool import Joined, Left, Message


class Client:
    """A client whose scheduler answers, is slow, or is gone."""

    id = "fake"
    scheduler = type("Scheduler", (), {"identity": None})

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.workers = {"tcp://one": {"nthreads": 2}}

    def subscribe_topic(self, *_: Any) -> None: ...

    def sync(self, *_: Any, **__: Any) -> Any:
        if self.fault is not None:
            raise self.fault
        return {"workers": self.workers}


def heard(pool: DaskPool) -> list[Message]:
    pool._polled = float("-inf")
    return list(pool.messages(0.0))


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def pool(client: Client) -> DaskPool:
    made = DaskPool(client)  # type: ignore[arg-type]
    assert heard(made) == [Joined("tcp://one", 2)]
    return made


def test_a_scheduler_that_is_slow_to_answer_has_lost_nobody(
    client: Client, pool: DaskPool, caplog: pytest.LogCaptureFixture
) -> None:
    client.fault = TimeoutError("timed out after 5 s")
    assert heard(pool) == []
    assert "does not answer" in caplog.text
    client.fault = None
    assert heard(pool) == [], "and nobody joins anew"


def test_a_scheduler_silent_for_long_has_lost_all(
    client: Client, pool: DaskPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.fault = TimeoutError("timed out after 5 s")
    monkeypatch.setattr(dask_pool, "SILENCE_S", -1.0)
    assert heard(pool) == [Left("tcp://one")]


def test_a_scheduler_that_is_gone_has_lost_all_at_once(client: Client, pool: DaskPool) -> None:
    client.fault = OSError("connection closed")
    assert heard(pool) == [Left("tcp://one")]
