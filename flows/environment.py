"""Settings that Prefect, MLflow and the numeric libraries read when they are imported."""

from __future__ import annotations

import os

_DEFAULTS = {
    "DO_NOT_TRACK": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
    # A server that went away is given up after seconds; the five tries of the default take a minute.
    "PREFECT_CLIENT_MAX_RETRIES": "2",
    # Without these a server drops the events of thousands of task runs.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def set_defaults() -> None:
    """Set what the user has not set; call before Prefect or MLflow is imported."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
