"""Which units are tried again, for how long; settings of the environment."""

from __future__ import annotations

from typing import Any

import pytest

from cohortflow.errors import UsageError
from tasks.patience import Patience, patience


def failed(code: str, *, transient: bool = True, seconds: float = 0.0) -> dict[str, Any]:
    error = {"code": code, "transient": transient}
    return {"state": "failed", "error": error, "seconds": seconds}


def tries(outcome: dict[str, Any], retries: int) -> int:
    """How often a unit that always ends so is started."""
    attempts = 1
    while Patience().again(outcome, attempts, retries):
        attempts += 1
    return attempts


def test_a_unit_is_tried_as_often_as_its_stage_says() -> None:
    assert tries(failed("worker-lost"), 2) == 3
    assert tries(failed("stage-failed", transient=False), 2) == 1
    assert not Patience().again({"state": "done", "error": None}, 1, 2)


@pytest.mark.parametrize("code", ["store-unavailable", "disk-full"])
def test_a_store_that_is_away_is_waited_for(code: str) -> None:
    assert tries(failed(code), 0) == 5, "after 1, 3, 7 and 15 s"
    assert tries(failed(code, seconds=12), 0) == 3, "tries that took their time count"


def test_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert patience() == Patience(1.0, 30.0, 60.0)
    monkeypatch.setenv("COHORTFLOW_SILENCE_S", "3")
    assert patience().silence_s == 3.0
    monkeypatch.setenv("COHORTFLOW_PAUSE_S", "soon")
    with pytest.raises(UsageError, match="COHORTFLOW_PAUSE_S"):
        patience()
