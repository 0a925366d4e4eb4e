"""Settings that Prefect, MLflow and the numeric libraries read when they are imported.

``infra/prefect.env`` is their one source; ``flows/prefect.env`` leads there,
and becomes a copy of it in an installed package.
"""

from __future__ import annotations

import os
from pathlib import Path

_SHORT_LIVED = {
    "PREFECT_LOGGING_LEVEL": "WARNING",
    # A server that went away is given up after seconds;
    # the five tries of the default take a minute.
    "PREFECT_CLIENT_MAX_RETRIES": "2",
}
"""Of a command, beside the shared ones: a person waits for it."""


def shared_settings() -> dict[str, str]:
    """The settings of ``infra/prefect.env``: NAME=value lines."""
    text = Path(__file__).with_name("prefect.env").read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def set_defaults() -> None:
    """Set what the user has not set; call before Prefect or MLflow is imported."""
    for name, value in (shared_settings() | _SHORT_LIVED).items():
        os.environ.setdefault(name, value)
