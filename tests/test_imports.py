"""Notebooks import cohortflow without the machinery: no Prefect, Dask,
MLflow or torch is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = (
    "prefect",
    "dask",
    "distributed",
    "mlflow",
    "torch",
    "gudhi",
    "sklearn",
    "matplotlib",
    "SimpleITK",
)
LOADED = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


def stage_modules() -> list[str]:
    folder = ROOT / "src" / "cohortflow" / "stages"
    return [
        f"cohortflow.stages.{path.stem}"
        for path in sorted(folder.glob("*.py"))
        if path.stem != "__init__"
    ]


@pytest.mark.parametrize(
    "modules",
    [
        ["cohortflow"],
        ["cohortflow.stages", *stage_modules()],
        ["cohortflow.topology"],
        ["cohortflow.geometry"],
        ["cohortflow.evaluation"],
        ["cohortflow.systems"],
    ],
    ids=lambda modules: modules[0],
)
def test_import_stays_light(modules: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *modules],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) & set(HEAVY) == set()
