"""What the stages on images need stays within what they say, and a unit within three volumes."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from typing import Any

import numpy as np
import pytest

from cohortflow.geometry import spaced_grid
from cohortflow.geometry.resample import resample_to_grid
from cohortflow.phantoms.canary import oriented_grid
from cohortflow.preprocess import by_operators, separable
from cohortflow.stages._targets import target_voxels
from cohortflow.stages.resample import Resample

MEASURE = """
import json, sys
from pathlib import Path
import numpy as np
from cohortflow.phantoms.canary import oriented_grid
from cohortflow.stages import CATALOGUE
from tests.stages.examples import as_entry, run
from tests.stages.image_examples import label_map, volume

grid = oriented_grid("LPS", (60, 256, 256), (3.0, 0.8, 0.8))
rng = np.random.default_rng(0)
array = rng.normal(100.0, 30.0, grid.shape).astype(np.int16)
labels = label_map((array > 100).astype(np.uint8), grid)
image = volume(array, grid)
made, costs = [], []
for name, given in json.loads(sys.argv[1]):
    stage = CATALOGUE[name]
    chosen = {"label": labels} if "label" in stage.reads else {"image": image}
    if name == "crop_to_label":
        chosen["image"] = image
    if name == "match_histogram":
        chosen["reference"] = image
    made.append(run(stage, given, **chosen).dataset.nbytes)
    costs.append(stage.cost(stage.parameters(**given), [image.facts]))
json.dump(
    {
        "peak": int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024,
        "memory": min(c.memory_bytes for c in costs),
        "written": made,
        "disk": [c.disk_bytes for c in costs],
    },
    sys.stdout,
)
"""
STAGES: list[tuple[str, dict[str, Any]]] = [
    ("resample", {"spacing_mm": 1.5, "interpolation": "bspline"}),
    ("regrid_labels", {"spacing_mm": 1.5}),
    ("reorient", {}),
    ("crop_to_body", {"above": 0}),
    ("crop_to_label", {}),
    ("clip", {"upper": 10}),
    ("normalise", {}),
    ("match_histogram", {}),
]


@pytest.mark.parametrize("part", [STAGES[:2], STAGES[2:]], ids=lambda p: p[0][0])
def test_memory_and_disk_stay_within_the_projection(part: list[tuple[str, Any]]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, json.dumps(part)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    measured = json.loads(done.stdout)
    assert measured["peak"] <= measured["memory"]
    for found, projected in zip(measured["written"], measured["disk"], strict=True):
        assert found <= projected


@pytest.mark.parametrize("how", [
    {"interpolation": "linear"}, {"interpolation": "linear", "antialias": True},
    {"interpolation": "bspline"}, {"interpolation": "labels"}, {"interpolation": "nearest"},
], ids=str)  # fmt: skip
def test_a_unit_stays_within_three_volumes(
    how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(separable, "COMPILED_FROM", 0)
    monkeypatch.setattr(by_operators, "_ROWS_BYTES", 2**14)
    grid = oriented_grid("LPS", (50, 128, 128), (3.0, 0.78, 0.78))
    array = np.random.default_rng(0).integers(-1000, 1000, grid.shape).astype(np.int16)
    target = spaced_grid(grid, 1.5)
    resample_to_grid(array, grid, target, threads=1, **how)  # libraries loaded, compiled
    tracemalloc.start()
    resample_to_grid(array, grid, target, threads=1, **how)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert array.nbytes + peak <= 3 * array.nbytes


def test_the_target_is_counted_as_far_as_facts_tell() -> None:
    spaced, sized = Resample(spacing_mm=(3.0, 1.5, 1.5)), Resample(size=(4, 5, 6))
    known = {"shape": [10, 20, 20], "spacing_mm": [3.0, 0.75, 0.75]}
    assert target_voxels(spaced, known) == 10 * 10 * 10
    assert target_voxels(spaced, {**known, "shape": [2, 10, 20, 20]}) == 2 * 10 * 10 * 10
    assert target_voxels(sized, known) == 4 * 5 * 6
    assert target_voxels(spaced, {"shape": [10, 20, 20]}) == 10 * 20 * 20
    assert target_voxels(spaced, {"shape": [20, 20]}) == 400
    assert target_voxels(spaced, {}) == target_voxels(Resample(), {}) > 10**6
