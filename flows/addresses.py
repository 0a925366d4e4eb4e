"""Where a person finds what a run left: the report's page, the run in MLflow."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import httpx

from tasks.tracking_event import RUN_TAG

log = logging.getLogger(__name__)

REPORTS_URL = "COHORTFLOW_REPORTS_URL"
"""Address of the server of this cohort's reports, where one runs."""
MLFLOW_URL = "COHORTFLOW_MLFLOW_URL"
"""Address of MLflow's pages, where they show what runs write."""

_ASK_S = 5.0


def report_page(report: str, environment: Mapping[str, str]) -> str:
    """The report's address, or its place inside the cohort where no server is known."""
    inside = "/".join(report.replace("\\", "/").split("/")[-3:])
    base = environment.get(REPORTS_URL)
    return f"{base}/{inside}" if base else f"reports/{inside}"


def mlflow_page(slug: str, run_id: str, environment: Mapping[str, str]) -> str | None:
    """The run's page; None where MLflow is not known, away, or has no such run."""
    base = environment.get(MLFLOW_URL)
    if not base:
        return None
    try:
        with httpx.Client(base_url=f"{base}/api/2.0/mlflow", timeout=_ASK_S) as client:
            asked = client.get("/experiments/get-by-name", params={"experiment_name": slug})
            experiment = asked.raise_for_status().json()["experiment"]["experiment_id"]
            wanted = {"experiment_ids": [experiment], "filter": f"tags.`{RUN_TAG}` = '{run_id}'"}
            found = client.post("/runs/search", json=wanted).raise_for_status().json().get("runs")
    except (httpx.HTTPError, ValueError, KeyError) as error:
        log.debug("MLflow was not asked: %s", error)
        return None
    return f"{base}/#/experiments/{experiment}/runs/{found[0]['info']['run_id']}" if found else None
