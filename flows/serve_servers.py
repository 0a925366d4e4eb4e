"""The servers that runs report to: Prefect's and MLflow's."""

from __future__ import annotations

import os
import sys

from flows.finish import TRACKING_URI
from flows.serve_processes import Server, says
from tasks.tracking import home

HOST = "127.0.0.1"


def prefect_server(port: int) -> Server:
    """The one that ``PREFECT_API_URL`` or the profile names; else one of this machine."""
    from prefect.settings import PREFECT_API_URL

    named = PREFECT_API_URL.value()
    if named:
        return Server("Prefect", named.rstrip("/").removesuffix("/api"), _is_prefect)
    return Server(
        "Prefect",
        f"http://{HOST}:{port}",
        _is_prefect,
        [sys.executable, "-m", "prefect", "server", "start"],
        home() / "logs" / "prefect-server.log",
        # Not as options: the pages would ask for data at the default port.
        {"PREFECT_SERVER_API_HOST": HOST, "PREFECT_SERVER_API_PORT": str(port)},
    )


def mlflow_server(port: int) -> Server | None:
    """The one that runs write to, or one that shows the file they write to;
    none where it is off."""
    named = os.environ.get(TRACKING_URI)
    if named == "off":
        return None
    if named and named.startswith("http"):
        return Server("MLflow", named.rstrip("/"), _is_mlflow)
    store = named or f"sqlite:///{home() / 'mlflow.db'}"
    home().mkdir(parents=True, exist_ok=True, mode=0o700)
    return Server(
        "MLflow",
        f"http://{HOST}:{port}",
        _is_mlflow,
        [
            *(sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)),
            *("--backend-store-uri", store, "--workers", "1"),
        ],
        home() / "logs" / "mlflow-server.log",
        {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},  # further processes that nobody needs
    )


def _is_prefect(address: str) -> bool:
    return says(address, "/api/health", "true")


def _is_mlflow(address: str) -> bool:
    return says(address, "/health", "OK")
