"""Both image pipelines on real CT and MR: what comes out, and what the report shows of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cohortflow.cohort.cohort import Cohort, open_cohort
from cohortflow.preprocess.inverse import to_source
from flows.finish import after_run
from flows.ingest import IngestRequest, ingest_source
from flows.process import process_cohort
from tasks.request import RunRequest


def run(pipeline: str, tmp_path: Path, files: dict[str, Path]) -> tuple[Cohort, dict[str, object]]:
    """Cohort and report of one subject whose files are these."""
    for name, path in files.items():
        target = tmp_path / "source/s1" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    url = str(tmp_path / "cohort")
    assert ingest_source(IngestRequest(str(tmp_path / "source"), url)).new == ("s1",)
    result = process_cohort(
        RunRequest(pipeline, url, cluster="none"), after_run=after_run("cohortflow run")
    )
    assert set(result.counts) == {"done"}
    assert result.report is not None
    report = Path(result.report).with_suffix(".json")
    return open_cohort(url), json.loads(report.read_text())


def quality(report: dict) -> list[dict]:
    return report["sections"]["quality"]["blocks"]


@pytest.fixture(autouse=True)
def _untracked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COHORTFLOW_TRACKING", "off")


def test_ct_resample(test_data: Path, tmp_path: Path) -> None:
    folder = test_data / "ct/totalsegmentator"
    files = {
        "ct.nii.gz": folder / "example_ct_sm.nii.gz",
        "seg.nii.gz": folder / "example_seg.nii.gz",
    }
    cohort, report = run("ct-resample", tmp_path, files)
    view = cohort.run("ct-resample")["s1"]
    image, labels = view["window"].sel(), view["labels"].sel()
    assert image["image"].shape == labels["label"].shape == (60, 202, 244)
    assert image.attrs["index_to_world"] == labels.attrs["index_to_world"]
    assert -1024 <= float(image["image"].min()) <= float(image["image"].max()) <= 1500
    back = to_source(labels)
    truth = cohort["s1"]["label"]["label"].values
    found = back["label"].values
    assert back.attrs["index_to_world"] == cohort["s1"]["label"].attrs["index_to_world"]
    dice = 2 * np.sum((found == truth) & (truth > 0)) / (np.sum(found > 0) + np.sum(truth > 0))
    assert dice > 0.98
    _, said, table, figure = quality(report)
    assert "not sought" in said["text"]
    assert table["rows"][0]["orientation"] == "RAS"
    # Resampling moves no organ: the labels hold as many ml as they came with, a few voxels' worth.
    assert table["rows"][0]["labelled"] == pytest.approx(np.sum(truth > 0) * 27 / 1000, rel=0.01)
    assert len(figure["data"]["labels"]) > 20


def test_mr_normalise(test_data: Path, tmp_path: Path) -> None:
    folder = test_data / "ct/totalsegmentator"
    files = {
        "mr.nii.gz": folder / "example_mr_sm.nii.gz",
        "seg.nii.gz": folder / "example_seg_mr.nii.gz",
    }
    cohort, report = run("mr-normalise", tmp_path, files)
    view = cohort.run("mr-normalise")["s1"]
    corrected, scored = (
        view["resample"].sel()["image"].values,
        view["normalise"].sel()["image"].values,
    )
    assert scored.shape == (60, 273, 351)
    body = corrected > 0
    assert scored[body].mean() == pytest.approx(0, abs=1e-3)
    assert scored[body].std() == pytest.approx(1, abs=1e-3)
    *_, figure = quality(report)
    assert figure["data"]["labels"]
