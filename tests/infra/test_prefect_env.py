"""A setting that Prefect does not know is ignored in silence, so the file is held against it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

FILE = Path(__file__).parents[2] / "infra" / "prefect.env"
READ_BACK = """
import json, sys
from prefect.settings import get_current_settings
print(json.dumps(get_current_settings().to_environment_variables()))
"""


def settings() -> dict[str, str]:
    lines = [line for line in FILE.read_text(encoding="utf-8").splitlines() if line.strip()]
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def test_prefect_understands_every_setting() -> None:
    ours = {name: value for name, value in settings().items() if name.startswith("PREFECT_")}
    done = subprocess.run(
        [sys.executable, "-c", READ_BACK],
        env={**os.environ, **ours},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    understood = json.loads(done.stdout.splitlines()[-1])
    found = {name: understood.get(name, "unknown").lower() for name in ours}
    assert {name: _number(value) for name, value in found.items()} == {
        name: _number(value) for name, value in ours.items()
    }


def _number(text: str) -> float | str:
    """``1`` and ``1.0`` are one setting."""
    return float(text) if text.replace(".", "", 1).isdigit() else text


def test_file_is_plain_enough_for_every_reader() -> None:
    """Shell, systemd and Docker agree on NAME=value without quotes, spaces or expansions."""
    assert settings()
    for name, value in settings().items():
        assert name.isupper()
        assert not set(value) & set("\"'$` "), f"{name}={value}"
