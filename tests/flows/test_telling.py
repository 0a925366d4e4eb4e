"""Work is done once, whatever becomes of telling Prefect about it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from prefect.exceptions import PrefectException

from cohortflow.errors import StoreUnavailable
from flows.telling import AWAY, Telling

Work = Callable[[], int]


class Counter:
    """Work that counts how often it ran."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.times = 0
        self.error = error

    def __call__(self) -> int:
        self.times += 1
        if self.error is not None:
            raise self.error
        return self.times


def never_starts(work: Work) -> None:
    raise RuntimeError("Timed out while attempting to connect")


def fails_afterwards(work: Work) -> None:
    work()
    raise PrefectException("the server is gone")


def swallows(work: Work) -> str:
    try:
        work()
    except ValueError:
        return "Failed"
    return "Completed"


@pytest.mark.parametrize("through", [never_starts, fails_afterwards, swallows])
def test_work_is_done_once(through: Callable[[Work], object]) -> None:
    work = Counter()
    assert Telling()(through, work) == 1
    assert work.times == 1


def test_an_error_of_the_work_comes_out_and_is_not_tried_again() -> None:
    work = Counter(ValueError("mine"))
    with pytest.raises(ValueError, match="mine"):
        Telling()(swallows, work)
    assert work.times == 1


def test_an_error_of_the_work_is_not_taken_for_prefects() -> None:
    """A store that is away looks like a server that is away, by its type."""
    error = StoreUnavailable("the disk is full")
    assert isinstance(error, AWAY)
    told, work = Telling(), Counter(error)
    with pytest.raises(StoreUnavailable):
        told(lambda once: once(), work)
    assert (work.times, told.away) == (1, False)


def test_a_second_ctrl_c_passes_through() -> None:
    with pytest.raises(KeyboardInterrupt):
        Telling()(swallows, Counter(KeyboardInterrupt()))


def test_prefect_is_not_asked_again_once_it_was_away() -> None:
    asked: list[str] = []

    def away(work: Work) -> None:
        asked.append("once")
        raise OSError("connection refused")

    told, work = Telling(), Counter()
    assert [told(away, work), told(away, work)] == [1, 2]
    assert asked == ["once"], "twenty seconds of waiting for a server, once"
