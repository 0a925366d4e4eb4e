"""Benchmarks are not timed here; they are only kept from rotting."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import radosgw

FOLDER = Path(__file__).parents[1] / "benchmarks"
SMALL: dict[str, list[str]] = {
    "bottleneck_distance.py": [
        *("--samples", "60", "--diagrams", "4", "--sizes", "20", "--pairs", "2", "--repeat", "1"),
    ],
    "classification_page.py": ["--cases", "60", "--seeds", "2"],
    "cohort_page.py": ["--subjects", "60", "--repeat", "1"],
    "evaluation.py": [
        *("--shape", "12", "40", "44", "--repeat", "1", "--many", "40", "--peers", "SimpleITK"),
    ],
    "ingest.py": ["--shape", "8", "20", "24", "--volumes", "2", "--repeat", "1"],
    "overhead.py": ["--units", "5", "--repeat", "1"],
    "plan.py": ["--subjects", "5", "--repeat", "1"],
    "prefect_runs.py": ["--subjects", "60"],
    "resampling.py": ["--shape", "12", "40", "44", "--repeat", "1"],
    "rips.py": [
        *("--samples", "40", "--clouds", "2", "--repeat", "1", "--large", "50", "--large-h0", "60"),
    ],
    "settling.py": ["--kinds", "hang", "worker-killed", "--steps", "subjects"],
    "s3.py": ["--subjects", "5", "--repeat", "1"],
    "topology.py": [
        *("--samples", "60", "--diagrams", "4", "--pairs", "2", "--repeat", "1", "--matrix", "6"),
    ],
    "throughput.py": ["--units", "20", "--repeat", "1"],
    "workload.py": [
        "--subjects",
        "3",
        "--samples",
        "100",
        "--pairs",
        "2",
        "--block",
        "4",
        "--large",
        "4",
        "--regions",
        "2",
    ],
}


def scripts() -> list[str]:
    return sorted(path.name for path in FOLDER.glob("[a-z]*.py"))


def test_every_script_is_described_and_tried() -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [name for name in scripts() if f"`{name}`" not in page] == []
    assert set(scripts()) == set(SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("script", scripts())
def test_script_runs(script: str) -> None:
    if script == "s3.py":
        radosgw.need()
    done = subprocess.run(
        [sys.executable, FOLDER / script, *SMALL[script]],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    written = Path(done.stdout.split("written: ")[1].strip())
    rows = json.loads(written.read_text())["rows"]
    written.unlink()
    assert len(rows) > 1
    assert all(row["ms_per_item"] > 0 for row in rows)
