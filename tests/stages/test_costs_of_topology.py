"""Measured ≤ projected, in a process of its own: a plan that is too small ends at hour six."""

from __future__ import annotations

import json
import subprocess
import sys

MEASURE = """
import json, sys
from pathlib import Path
import numpy as np
from cohortflow.stages import diagrams, pairwise_rois
from tests.stages.examples import as_entry, run, series_entry

facts = {"rois": 8, "samples": 200, "networks": {"A": 8}}
entry = series_entry(np.random.default_rng(0).normal(size=(8, 200)))
bars = run(diagrams.STAGE, series=entry)
matrix = run(pairwise_rois.STAGE, diagrams=as_entry(diagrams.STAGE, bars))
costs = [m.STAGE.cost(m.STAGE.parameters(), [facts]) for m in (diagrams, pairwise_rois)]
json.dump(
    {
        # Not ru_maxrss: that of a child begins at its parent's peak.
        "peak": int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024,
        "memory": max(c.memory_bytes for c in costs),
        "arrays": [o.dataset.nbytes for o in (bars, matrix)],
        "disk": [c.disk_bytes for c in costs],
    },
    sys.stdout,
)
"""


def test_memory_and_disk_stay_within_the_projection():
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True, timeout=120
    )
    measured = json.loads(done.stdout)
    assert measured["peak"] <= measured["memory"]
    for found, projected in zip(measured["arrays"], measured["disk"], strict=True):
        assert found <= projected
