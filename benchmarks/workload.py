"""All distances of a cohort through the product: PR and PS, in steps over worker processes.

Region series of generated subjects are ingested and run from files to tiles. Then the tiles alone
with one worker and with two, and the peak memory of a tile in a large cohort. The time of the peers
is that of some pairs of the same diagrams, times the number of pairs, shared by as many cores.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._results import Row, save, say
from benchmarks._series import series
from benchmarks.topology import Diagram, solvers
from cohortflow.cohort.cohort import open_cohort
from cohortflow.phantoms.ar1 import ar1_atlas
from cohortflow.topology.ragged import unpack

NETWORKS = {"DMN": 34, "FP": 21, "OP": 22, "SM": 33, "CO": 32, "CB": 18}
PIPELINE = """
title: Distances between regions and between subjects
inputs: {series: roi_series}
axes: {roi: {from: series}, block: {subjects: 250}, tile: {pairs: block}}
steps:
  - standardise
  - diagrams: {max_degree: 2}
  - pairwise_rois: {order: 1.0, ground_norm: l2}
  - by_roi: {reads: {diagrams: diagrams}, over: [block]}
"""
TILES = "  - pairwise_subjects: {over: [roi, tile], order: 1.0, ground_norm: l2}\n"
WORKERS = 2
Told = Mapping[str, Mapping[str, Any]]


class Folder:
    """A source, a cohort, two pipelines: up to the diagrams by region, and with the tiles."""

    def __init__(self, root: Path, subjects: int, regions: int, samples: int) -> None:
        self.cohort, self.source = root / "cohort", root / "source"
        self.before, self.tiles = root / "before.yaml", root / "tiles.yaml"
        self.source.mkdir(parents=True)
        self.before.write_text(PIPELINE)
        self.tiles.write_text(PIPELINE + TILES)
        rng = np.random.default_rng(0)
        for number in range(subjects):
            table = np.stack([series(samples, rng) for _ in range(regions)], axis=1)
            np.savetxt(self.source / f"sub-{number + 1:04d}.1D", table, fmt="%.10g")
        whole = regions == sum(NETWORKS.values())
        names, sizes = (list(NETWORKS), list(NETWORKS.values())) if whole else (["DMN"], None)
        atlas = ar1_atlas(regions, names, sizes)
        atlas.to_csv(self.source / "atlas.tsv", sep="\t", index=False)
        command("ingest", self.source, self.cohort, "--atlas", self.source / "atlas.tsv")

    def run(self, pipeline: Path, workers: int) -> Told:
        """What each step of the run took."""
        command("run", pipeline, self.cohort, "--no-prefect", "--workers", str(workers))
        told = open_cohort(self.cohort).run(pipeline.stem).index.timings()
        return {str(one["step"]): one for one in told}


def command(*words: object) -> None:
    script = Path(sys.executable).with_name("cohortflow")
    subprocess.run([script, *map(str, words)], check=True, stdout=subprocess.DEVNULL)


def whole(root: Path, subjects: int, samples: int, pairs: int) -> list[Row]:
    """Every step over the whole cohort, and what the peers would take for the distances."""
    folder = Folder(root, subjects, sum(NETWORKS.values()), samples)
    told = folder.run(folder.tiles, WORKERS)
    rows, distances, wall = [], 0, 0.0
    for step, one in told.items():
        work = {name: int(count) for name, count in one["work"].items()}
        note = f"{one['unit_s']:.1f} s in {one['done']} units, {dict(work)}"
        rows.append(Row(step, max(sum(work.values()), 1), [float(one["wall_s"])], note))
        say(f"{step:20} {one['wall_s']:8.1f} s  {note}")
        if "distances" in work:
            distances += work["distances"]
            wall += float(one["wall_s"])
    say(f"{distances:,} distances, {wall:.1f} s with {WORKERS} workers")
    for name, seconds in peers(folder, pairs).items():
        expected = seconds * distances / 3 / WORKERS  # a third of the pairs in each degree
        rows.append(Row(f"{name}, extrapolated", distances, [expected]))
        say(f"{name:20} {expected:10.0f} s expected, {expected / wall:.0f}×")
    return rows


def peers(folder: Folder, pairs: int) -> dict[str, float]:
    """CPU seconds of one pair in each of the three degrees, added up, by solver."""
    run = open_cohort(folder.cohort).run("tiles")["cohort"]["by_roi"]
    dataset = run.sel(block=0)
    count = dataset.sizes["subject"]
    spent: dict[str, float] = {}
    for degree in range(3):
        found = unpack(dataset, degree, 0, min(count, pairs + 1))
        finite: list[Diagram] = [bars[np.isfinite(bars[:, 1])] for bars in found]
        for name, solve in solvers(1.0, "l2").items():
            solve(finite[0], finite[1], 1.0, "l2")  # warm
            started = time.process_time()
            for a, b in itertools.pairwise(finite):
                solve(a, b, 1.0, "l2")
            used = (time.process_time() - started) / (len(finite) - 1)
            spent[name] = spent.get(name, 0.0) + used
    return spent


def scaling(root: Path, subjects: int, regions: int, samples: int) -> list[Row]:
    """The tiles of one cohort with one worker, and of a copy of it with two.

    Each worker compiles for itself, some 6 s that a second worker does not shorten.
    """
    folder = Folder(root, subjects, regions, samples)
    folder.run(folder.before, WORKERS)
    kept, rows = root / "kept", []
    shutil.copytree(folder.cohort, kept)
    for workers in (1, 2):
        told = folder.run(folder.tiles, workers)["pairwise_subjects"]
        count = int(told["work"]["distances"])
        rows.append(Row(f"tiles, {workers} worker(s)", count, [float(told["wall_s"])]))
        shutil.rmtree(folder.cohort)
        shutil.copytree(kept, folder.cohort)
    one, two = rows
    ratio = one.best / two.best
    say(f"{one.items:,} distances: {one.best:.1f} s with one worker, {ratio:.2f}× with two")
    return rows


def memory(root: Path, subjects: int, samples: int) -> Row:
    """Peak memory of the largest process that computed tiles."""
    folder = Folder(root, subjects, 4, samples)
    told = folder.run(folder.tiles, WORKERS)["pairwise_subjects"]
    peak = int(told["peak_memory_bytes"])
    say(f"PS of {subjects} subjects: peak {peak / 1e6:.0f} MB in a worker")
    return Row(f"PS, S={subjects}", 1, [float(told["wall_s"])], note=f"peak {peak} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=200)
    parser.add_argument("--samples", type=int, default=140)
    parser.add_argument("--pairs", type=int, default=12, help="pairs that each peer solves")
    parser.add_argument("--block", type=int, default=250, help="subjects of the tiles that scale")
    parser.add_argument("--regions", type=int, default=64, help="of the tiles that scale")
    parser.add_argument("--large", type=int, default=500, help="subjects where memory is measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cohortflow-bench-") as folder:
        os.environ |= {"COHORTFLOW_HOME": f"{folder}/private", "COHORTFLOW_TRACKING": "off"}
        root = Path(folder)
        rows = whole(root / "whole", options.subjects, options.samples, options.pairs)
        rows += scaling(root / "scaling", options.block, options.regions, options.samples)
        rows.append(memory(root / "memory", options.large, options.samples))
    save("workload", rows, vars(options))


if __name__ == "__main__":
    main()
