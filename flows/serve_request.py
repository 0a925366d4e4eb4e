"""What is served, and where."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.request import RunRequest


@dataclass(frozen=True)
class ServeRequest:
    """``run``: pipeline, cohort, and the settings of every run. Port 0 of reports: a free one.

    ``silence_s``: after so long without a sign of life a run counts as crashed;
    signs come each 30 s.
    """

    run: RunRequest
    cron: str | None = None
    timezone: str | None = None
    label: str | None = None
    silence_s: float = 90.0
    prefect_port: int = 4200
    mlflow_port: int = 5000
    report_port: int = 4280
