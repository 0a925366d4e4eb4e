"""How long a run bears with what may pass: pauses between tries, a store that is away, a silence.

Settings of the environment; nobody should need them but tests and unusual storage.
"""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from cohortflow.cohort.cohort import Cohort
from cohortflow.cohort.patient_storage import PatientStorage
from cohortflow.errors import Cancelled, DiskFull, StoreUnavailable, UsageError

log = logging.getLogger(__name__)

AWAY = frozenset({StoreUnavailable.code, DiskFull.code})


def _setting(name: str, default: float) -> Any:
    return field(default=default, metadata={"name": name})


@dataclass(frozen=True)
class Patience:
    """Seconds. ``pause_s``: before a transient failure is tried again the first time; it doubles.

    ``store_s``: how long the store may be away before a run gives up. ``silence_s``: after how long
    without a heartbeat the lease of another run is void.
    """

    pause_s: float = _setting("COHORTFLOW_PAUSE_S", 1.0)
    store_s: float = _setting("COHORTFLOW_STORE_PATIENCE_S", 30.0)
    silence_s: float = _setting("COHORTFLOW_SILENCE_S", 60.0)

    def pause(self, attempts: int) -> float:
        """Seconds to wait after so many attempts."""
        return self.pause_s * 2.0 ** (attempts - 1)

    def again(self, outcome: Mapping[str, Any], attempts: int, retries: int) -> bool:
        """Whether a unit that ended so after ``attempts`` is worth another try in this run.

        A store that is away is no unit's fault: then it is time that counts.
        """
        error = outcome.get("error") or {}
        if outcome["state"] == "done" or not error.get("transient"):
            return False
        if error.get("code") in AWAY:
            paused = self.pause_s * (2.0**attempts - 1)
            return paused + attempts * float(outcome.get("seconds") or 0.0) <= self.store_s
        return attempts <= retries


def patience() -> Patience:
    """As the environment sets it."""
    values = {}
    for one in fields(Patience):
        name = one.metadata["name"]
        if os.environ.get(name):
            values[one.name] = _positive(name, os.environ[name])
    return Patience(**values)


def _positive(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise UsageError("no number of seconds", where=name, expected="like 30", found=repr(text))
    return value


def patiently(cohort: Cohort, patience: Patience, stop: threading.Event) -> Cohort:
    """The cohort, its store waited for where it is away; that ends when the run is stopped."""
    if cohort.storage.patience_s:
        return cohort

    def sleep(seconds: float) -> None:
        if stop.wait(seconds):
            raise Cancelled("stopped while the store was away")

    storage = PatientStorage(
        cohort.storage,
        pause_s=patience.pause_s,
        away_s=patience.store_s,
        sleep=sleep,
        on_wait=lambda error: log.warning("%s; waiting for it", error),
    )
    return Cohort(storage, {"id": cohort.id, "title": cohort.title})
