"""``prefect deploy`` takes the file as it is, and what it publishes is what ``serve`` publishes."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.cli.deploy._config import _load_deploy_configs_and_actions
from prefect.flows import load_flow_from_entrypoint
from rich.console import Console

from tests.faults.killing import BIN
from tests.flows.serving import prefect_server

FILE = Path(__file__).parents[2] / "infra" / "prefect.yaml"


def deployments() -> list[dict[str, Any]]:
    """As Prefect's own command reads the file; it says what it cannot read, and goes on without."""
    console = Console(record=True, quiet=True)
    found, actions = _load_deploy_configs_and_actions(FILE, console=console)
    assert console.export_text() == ""
    assert actions["pull"] == [], "nothing is fetched, and no folder is stored"
    return found


def test_all_deployments_are_read_and_lead_to_flows() -> None:
    flows = {load_flow_from_entrypoint(d["entrypoint"], False).name: d for d in deployments()}
    assert set(flows) == {"on-demand", "nightly", "benchmark"}
    assert flows["nightly"]["schedules"] == [{"cron": "0 2 * * *", "timezone": "Europe/Berlin"}]
    assert all(one["concurrency_limit"] == 1 for one in flows.values())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_prefect_deploys_them_with_the_form_of_the_pipeline(tmp_path: Path) -> None:
    with prefect_server(tmp_path) as url:
        environment = {
            **os.environ,
            "PREFECT_HOME": str(tmp_path / "prefect"),
            "PREFECT_API_URL": url,
            "COHORTFLOW_PIPELINE": "demo-persistent-homology",
        }
        pool = ["work-pool", "create", "cohortflow", "--type", "process"]
        for command in (pool, ["--no-prompt", "deploy", "--all", "--prefect-file", str(FILE)]):
            subprocess.run(
                [BIN.with_name("prefect"), *command],
                cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=300,
            )  # fmt: skip
        published = httpx.post(f"{url}/deployments/filter", json={}, timeout=30).json()
    assert len(published) == 3
    (form,) = [d for d in published if d["entrypoint"] == "flows.deployments.on_demand"]
    steps = form["parameter_openapi_schema"]["definitions"]
    assert steps["standardise"]["properties"]["mixed_tr"]["enum"] == ["refuse", "allow"]
    assert str(tmp_path) not in json.dumps(published)
