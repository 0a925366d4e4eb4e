"""A table and weights from elsewhere, taken in, read by steps and changed,
from the command line."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from safetensors.numpy import load, save

from cohortflow.cohort.cohort import open_cohort
from cohortflow.cohort.entry import Entry, Many, Output
from cohortflow.phantoms.ar1 import write_ar1_cohort
from cohortflow.pipeline.stage import Context, Parameters, Reads, Stage
from cohortflow.stages import CATALOGUE
from tests.cli.conftest import CommandLine

PIPELINE = """
title: Regions weighed by a table, projected by weights from elsewhere
inputs: {series: roi_series}
files: {sam: weights, atlas: {kind: table}}
steps:
  - weigh_regions
  - project_regions
  - fine_tune: {reads: {init: sam}}
report: [methods]
"""
REGIONS = 5
SERIES = Reads(("roi_series",))


class Plain(Parameters):
    pass


def features(values: np.ndarray) -> Output:
    return Output(dataset=xr.Dataset({"features": (("roi", "feature"), values[:, None])}))


def weigh(parameters: Plain, context: Context, series: Entry, atlas: Entry) -> Output:
    table = pd.read_parquet(io.BytesIO(atlas.read_file("table.parquet")))
    return features(series.dataset["series"].std("time").values * table["weight"].values)


def project(parameters: Plain, context: Context, series: Entry, weights: Entry) -> Output:
    arrays = load(weights.read_file("weights.safetensors"))
    return features(arrays["layer"] @ series.dataset["series"].values[:, 0])


def fine_tune(parameters: Plain, context: Context, features: Many, init: Entry) -> Output:
    start = load(init.read_file("weights.safetensors"))["layer"]
    mean = np.mean([item.entry.dataset["features"].values for item in features], axis=0)
    return Output(files={"weights.safetensors": save({"layer": start + mean}), "card.json": b"{}"})


STAGES: Mapping[str, Stage] = {
    "weigh_regions": Stage(
        name="weigh_regions", version=1, about="Weighed spread", parameters=Plain,
        reads={"series": SERIES, "atlas": Reads(("table",))},
        writes="features", scope="subject", function=weigh,
    ),
    "project_regions": Stage(
        name="project_regions", version=1, about="Projection", parameters=Plain,
        reads={"series": SERIES, "weights": Reads(("weights",))},
        writes="features", scope="subject", function=project,
    ),
    "fine_tune": Stage(
        name="fine_tune", version=1, about="Weights moved on", parameters=Plain,
        reads={"features": Reads(("features",), many=True), "init": Reads(("weights",))},
        writes="weights", scope="cohort", function=fine_tune, trains=True, threads=1,
    ),
}  # fmt: skip


@dataclass
class Study:
    cli: CommandLine
    folder: Path

    @property
    def cohort(self) -> Path:
        return self.folder / "cohort"

    @property
    def pipeline(self) -> Path:
        return self.folder / "elsewhere.yaml"

    def write(self, *, weight: float = 1.0, layer: float = 1.0) -> None:
        rows = "".join(f"{n + 1},{weight + n}\n" for n in range(REGIONS))
        (self.folder / "labels.csv").write_text("region,weight\n" + rows)
        data = save({"layer": layer * np.eye(REGIONS)})
        (self.folder / "vit.safetensors").write_bytes(data)

    def to_run(self) -> dict[str, tuple[int, str]]:
        """Step → units to run and the reason, as ``plan`` says."""
        said = self.cli("plan", self.pipeline, self.cohort, "--json").json()
        rows = [row for row in said["steps"] if row["action"] == "run"]
        assert len({row["step"] for row in rows}) == len(rows), rows
        return {row["step"]: (row["units"], row["reason"]) for row in rows}

    def run(self) -> int:
        return self.cli("run", self.pipeline, self.cohort).code

    def files(self) -> tuple[str, ...]:
        sam, atlas = self.folder / "vit.safetensors", self.folder / "labels.csv"
        return ("--file", f"sam={sam}", "--file", f"atlas={atlas}")


@pytest.fixture
def study(cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    for name, stage in STAGES.items():
        monkeypatch.setitem(CATALOGUE, name, stage)
    study = Study(cli, tmp_path)
    write_ar1_cohort(tmp_path / "source", subjects=4, regions=REGIONS, samples=30, affected=(1, 3))
    study.write()
    study.pipeline.write_text(PIPELINE)
    return study


def test_from_the_file_to_the_result_and_a_changed_file_runs_exactly_its_readers(
    study: Study,
) -> None:
    cli, cohort = study.cli, study.cohort
    assert cli("ingest", study.folder / "source", cohort).code == 0
    missing = cli("plan", study.pipeline, cohort)
    assert (missing.code, "file-missing" in missing.err) == (5, True)
    assert "cohortflow ingest - COHORT --file sam=PATH" in missing.err
    assert study.run() == 5
    assert not (cohort / "indexes").exists(), "nothing ran"

    taken = cli("ingest", "-", cohort, *study.files())
    assert (taken.code, "file atlas: new" in taken.out) == (0, True)
    assert study.run() == 0
    assert study.to_run() == {}
    results = open_cohort(cohort).run("elsewhere")
    series = open_cohort(cohort)["sub-02"]["series"]["series"]
    found = results["sub-02"]["weigh_regions"].sel()["features"].values[:, 0]
    np.testing.assert_allclose(found, series.std("time").values * np.arange(1, REGIONS + 1))
    record = open_cohort(cohort).entries.record(results["cohort"]["fine_tune"].rows[0].ref)
    assert record is not None
    assert record.facts["subjects_seen"] == 4
    assert record.weights == [open_cohort(cohort).ingested.files["sam"].key]

    study.write(weight=2.0)
    assert "file atlas: changed" in cli("ingest", "-", cohort).out, "as at night"
    assert study.to_run() == {"weigh_regions": (4, "file atlas changed")}
    assert study.run() == 0
    study.write(weight=2.0, layer=3.0)
    assert cli("ingest", "-", cohort, "--json").json()["files"] == {
        "atlas": "unchanged",
        "sam": "changed",
    }
    assert study.to_run() == {
        "project_regions": (4, "file sam changed"),
        "fine_tune": (1, "file sam changed; selection renewed"),
    }
    assert study.run() == 0
    assert study.to_run() == {}


def test_what_is_said_of_files(study: Study) -> None:
    cli, cohort = study.cli, study.cohort
    assert cli("ingest", study.folder / "source", cohort, *study.files()).code == 0
    described = cli("describe", study.pipeline).out
    assert "file atlas: table, of no subject" in described
    assert "file sam: weights, of no subject, what it was trained on is not known" in described
    assert study.run() == 0
    digest = open_cohort(cohort).ingested.files["sam"].digest
    report = next((cohort / "reports").rglob("report.html")).read_text(encoding="utf-8")
    assert f"SHA-256 {digest}" in report
    assert "What these weights were trained on is not known" in report
    assert cli("fsck", cohort).code == 0
    assert cli("gc", cohort, "--dry-run").code == 0
    assert {u["state"] for u in cli("status", cohort, "--json").json()["units"]} == {"done"}
    key = results_key(cohort)
    assert cli("replay", cohort, key).code == 0


def results_key(cohort: Path) -> str:
    return open_cohort(cohort).run("elsewhere")["sub-01"]["project_regions"].rows[0].key


def test_status_goes_on_where_a_pipeline_now_declares_another_kind(study: Study) -> None:
    cli, cohort = study.cli, study.cohort
    assert cli("ingest", study.folder / "source", cohort, *study.files()).code == 0
    assert study.run() == 0
    sam = study.folder / "labels.csv"
    assert cli("ingest", "-", cohort, "--file", f"sam={sam}").code == 0
    refused = cli("run", study.pipeline, cohort)
    assert (refused.code, "kind-mismatch" in refused.err) == (2, True)
    assert "expected weights; found table" in refused.err
    status = cli("status", cohort, "--json")
    assert (status.code, status.json()["runs"][0]["problem"]["code"]) == (0, "kind-mismatch")


@pytest.mark.parametrize(
    ("option", "code", "word"),
    [
        ("sam", 2, "expected NAME=PATH"),
        ("=x.csv", 2, "expected NAME=PATH"),
        ("sam=", 2, "expected NAME=PATH"),
        ("my sam=labels.csv", 2, "option files.my sam"),
        ("sam=gone.safetensors", 5, "no-such-source"),
        ("sam=model.pt", 1, ".safetensors, .parquet, .csv, .tsv"),
        ("sam=cut.safetensors", 1, "truncated-file"),
    ],
)
def test_a_file_that_cannot_be_used_ends_the_command_and_adds_nothing(
    study: Study, monkeypatch: pytest.MonkeyPatch, option: str, code: int, word: str
) -> None:
    monkeypatch.chdir(study.folder)
    Path("model.pt").write_bytes(b"pickle")
    Path("cut.safetensors").write_bytes(Path("vit.safetensors").read_bytes()[:-1])
    ended = study.cli("ingest", "source", "cohort", "--file", option)
    assert (ended.code, word in ended.err) == (code, True), ended.err
    assert not list(study.folder.glob("cohort/subjects")), "no subject either"


def test_a_remembered_file_that_broke_costs_no_subject(study: Study) -> None:
    cli, cohort = study.cli, study.cohort
    assert cli("ingest", study.folder / "source", cohort, *study.files()).code == 0
    before = open_cohort(cohort).ingested.files
    (study.folder / "vit.safetensors").write_bytes(b"half a download")
    ended = cli("ingest", "-", cohort)
    assert (ended.code, "file sam stays as it was taken in" in ended.err) == (3, True)
    assert "4 unchanged" in ended.out
    assert open_cohort(cohort).ingested.files == before
    assert json.loads(cli("ingest", "-", cohort, "--json").out)["refused_files"].keys() == {"sam"}
