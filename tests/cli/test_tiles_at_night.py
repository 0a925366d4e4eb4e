"""Two subjects join a full block: the night computes the distances they need, and no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from cohortflow.cohort.cohort import open_cohort
from cohortflow.phantoms.ar1 import write_ar1_cohort
from tests.cli.conftest import CommandLine

PIPELINE = """
title: Distances between subjects, in tiles
inputs: {series: roi_series}
axes: {roi: {from: series}, block: {subjects: STANDING}, tile: {pairs: block}}
steps:
  - standardise: {minimum_length: 10}
  - diagrams: {max_degree: 1}
  - by_roi: {over: [block]}
  - pairwise_subjects: {over: [roi, tile]}
report: []
"""
REGIONS, DEGREES = 2, 2


class Nights:
    def __init__(self, cli: CommandLine, folder: Path, block: int) -> None:
        self.cli, self.source, self.cohort = cli, folder / "source", folder / "cohort"
        self.pipeline = folder / "tiles.yaml"
        self.pipeline.write_text(PIPELINE.replace("STANDING", str(block)))

    def night(self, subjects: int, *options: str) -> int:
        """Ingest and run; how many distances the run computed."""
        write_ar1_cohort(self.source, subjects=subjects, regions=REGIONS, samples=14, affected=())
        atlas = self.source / "atlas.tsv"
        assert self.cli("ingest", self.source, self.cohort, "--atlas", atlas).code == 0
        ended = self.cli("run", self.pipeline, self.cohort, *options)
        assert ended.code == 0, ended.err
        told = {one["step"]: one for one in self._timings()}
        return int(told["pairwise_subjects"]["work"].get("distances", 0))

    def _timings(self) -> list[dict[str, Any]]:
        return [dict(one) for one in open_cohort(self.cohort).run("tiles").index.timings()]

    def matrix(self, roi: int) -> xr.Dataset:
        return open_cohort(self.cohort).run("tiles")["cohort"]["pairwise_subjects"].sel(roi=roi)


@pytest.mark.parametrize(
    "standing", [pytest.param(20, id="20"), pytest.param(250, id="250", marks=pytest.mark.slow)]
)
def test_two_subjects_join(cli: CommandLine, tmp_path: Path, standing: int) -> None:
    nights = Nights(cli, tmp_path, standing)
    each, everybody = REGIONS * DEGREES, standing + 2
    assert nights.night(standing) == each * standing * (standing - 1) // 2
    first = nights.matrix(0)["distance"].values
    assert nights.night(everybody) == each * (2 * standing + 1), "with all, and with each other"
    grown = [nights.matrix(roi) for roi in range(REGIONS)]
    values = [part["distance"].values for part in grown]
    assert values[0].shape == (DEGREES, everybody, everybody)
    np.testing.assert_array_equal(values[0][:, :standing, :standing], first)
    assert nights.night(everybody) == 0
    # Computed whole, from no tile that stood.
    pairs = everybody * (everybody - 1) // 2
    assert nights.night(everybody, "--set", "axes.block.subjects=1000") == each * pairs
    for roi in range(REGIONS):
        fresh = nights.matrix(roi)
        # Tiles stand in the order of their blocks: newcomers come last.
        names = grown[roi]["subject"].values.tolist()
        order = [names.index(name) for name in fresh["subject"].values.tolist()]
        again = values[roi][:, order][:, :, order]
        np.testing.assert_array_equal(fresh["distance"].values, again)


def test_a_block_of_which_nobody_came_through_is_left_out(cli: CommandLine, tmp_path: Path) -> None:
    nights = Nights(cli, tmp_path, 3)
    write_ar1_cohort(nights.source, subjects=4, regions=REGIONS, samples=14, affected=())
    short = nights.source / "sub-04.1D"
    short.write_text("".join(short.read_text().splitlines(keepends=True)[:6]))
    atlas = nights.source / "atlas.tsv"
    assert cli("ingest", nights.source, nights.cohort, "--atlas", atlas).code == 0
    nights.pipeline.write_text(
        nights.pipeline.read_text().replace("report: []", "report: [pair_maps]")
    )
    assert cli("run", nights.pipeline, nights.cohort).code == 3
    matrix = nights.matrix(0)
    assert matrix["subject"].values.tolist() == ["sub-01", "sub-02", "sub-03"]
    assert np.isfinite(matrix["distance"].values).all()
    (report,) = nights.cohort.glob("reports/tiles/*/report.json")
    notes = [
        block["text"]
        for block in json.loads(report.read_text())["sections"]["pair_maps"]["blocks"]
        if block["type"] == "note"
    ]
    assert any("2 tiles of a matrix are left out" in note for note in notes)
