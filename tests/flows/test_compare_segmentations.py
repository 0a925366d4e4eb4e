"""The pipeline that compares label maps, on real ones, from their files to the summary."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohortflow.cohort.cohort import open_cohort
from flows.ingest import IngestRequest, ingest_source
from flows.process import process_cohort
from tasks.request import RunRequest, RunResult

PIPELINE = "compare-segmentations"
HEART = "score_segmentation.labels={1: right ventricle, 2: myocardium, 3: left ventricle}"


def compare(cohort: Path, *settings: str) -> RunResult:
    return process_cohort(RunRequest(PIPELINE, str(cohort), cluster="none", settings=settings))


def table(cohort: Path, name: str) -> pd.DataFrame:
    view = open_cohort(str(cohort)).run(PIPELINE)
    (row,) = view.select(step="summarise_scores")
    return pd.read_parquet(io.BytesIO(view.open(row).read_file(f"{name}.parquet")))


def test_the_full_model_against_the_fast_one(test_data: Path, tmp_path: Path) -> None:
    source, cohort = tmp_path / "source/s1", tmp_path / "cohort"
    source.mkdir(parents=True)
    folder = test_data / "ct/totalsegmentator"
    shutil.copy(folder / "example_seg.nii.gz", source / "reference_seg.nii.gz")
    shutil.copy(folder / "example_seg_fast.nii.gz", source / "prediction_seg.nii.gz")
    ingest_source(IngestRequest(str(source.parent), str(cohort)))
    named = "score_segmentation.labels=totalsegmentator"
    result = compare(cohort, named, "summarise_scores.undefined=keep")
    assert result.counts == {"done": 2}
    summary = table(cohort, "summary")
    dice = summary[summary["metric"] == "dice"].set_index("label")
    assert dice["n"].sum() == 41
    assert dice["left_out"].sum() == 117 - 41
    missed = dice.loc[13]
    assert (missed["name"], missed["value"], missed["missing"]) == (
        "lung_middle_lobe_right",
        0.0,
        1,
    )
    assert 0.9 < dice.loc[5, "value"] < 1.0


def hearts(test_data: Path, folder: Path) -> None:
    import h5py

    for name in ("patient016_frame01", "patient036_frame01"):
        target = folder / name
        target.mkdir(parents=True)
        with h5py.File(test_data / f"mri/acdc/{name}.h5") as file:
            label = np.asarray(file["label"])
        np.savez(target / "reference_label.npz", label=label)
        np.savez(target / "prediction_label.npz", label=np.roll(label, 1, axis=2))


def test_millimetres_need_a_spacing(test_data: Path, tmp_path: Path) -> None:
    """A label map against its shift by one voxel, of 1.5 mm where that is said."""
    hearts(test_data, tmp_path / "source")
    spaced, index = tmp_path / "spaced", tmp_path / "index"
    ingest_source(
        IngestRequest(str(tmp_path / "source"), str(spaced), {"spacing_mm": (10.0, 1.5, 1.5)})
    )
    ingest_source(IngestRequest(str(tmp_path / "source"), str(index)))
    ids = "score_segmentation.metrics=[dice, hd, nsd@1.5mm]"
    assert compare(spaced, HEART, ids).counts == {"done": 3}
    summary = table(spaced, "summary").set_index(["name", "metric"])
    assert summary.loc[("left ventricle", "nsd@1.5mm"), "value"] == 1.0
    assert summary.loc[("left ventricle", "hd"), ["value", "unit"]].tolist() == [1.5, "mm"]
    refused = compare(index, HEART, ids)
    assert refused.counts == {"failed": 2, "blocked": 1}
    rows = open_cohort(str(index)).run(PIPELINE).select(step="score_segmentation")
    assert {row.error["code"] for row in rows if row.error} == {"no-world-space"}
    assert compare(index, HEART, "score_segmentation.metrics=[hd]").counts == {"done": 3}
    assert table(index, "summary")["unit"].unique().tolist() == ["voxel"]


@pytest.mark.parametrize("lost", [False, True])
def test_lesions_of_the_breast(test_data: Path, tmp_path: Path, lost: bool) -> None:
    """One mask, two masks of one image, and a normal breast; a prediction that is not there."""
    from PIL import Image

    masks = []
    for kind, number in (("benign", 1), ("benign", 25), ("normal", 1)):
        files = sorted((test_data / "ultrasound/busi" / kind).glob(f"{kind} ({number})_mask*.png"))
        mask = np.any([np.asarray(Image.open(file).convert("L")) > 0 for file in files], axis=0)
        masks.append(mask)
        target = tmp_path / "source" / f"{kind}{number}"
        target.mkdir(parents=True)
        Image.fromarray(mask).save(target / "reference_mask.png")
        if not (lost and number == 25):
            Image.fromarray(np.roll(mask, 3, axis=1)).save(target / "prediction_mask.png")
    cohort = tmp_path / "cohort"
    ingest_source(IngestRequest(str(tmp_path / "source"), str(cohort)))
    ids = "score_segmentation.metrics=[dice, lesion-recall@any]"
    counts_too = "score_segmentation.counts=true"
    result = compare(cohort, "score_segmentation.labels={1: lesion}", ids, counts_too)
    assert result.counts == {"done": 4}
    summary = table(cohort, "summary").set_index("metric")
    counts = summary.loc["dice", ["n", "cases", "missing", "left_out"]].tolist()
    assert counts == [2, 3, int(lost), 1]
    assert summary.loc["lesion-recall@any", "value"] == (0.5 if lost else 1.0)
    shifted = [(mask, np.roll(mask, 3, axis=1)) for mask in masks]
    gone = masks[1].size if lost else 0
    hits = sum(np.sum(a & b) for a, b in shifted) - (
        np.sum(np.logical_and(*shifted[1])) if lost else 0
    )
    sizes = sum(2 * np.sum(mask) for mask in masks) - (2 * np.sum(masks[1]) if lost else 0) + gone
    pooled = summary.loc["dice/voxels"]
    assert pooled["value"] == pytest.approx(2 * hits / sizes, rel=1e-12)
    assert pooled[["n", "cases", "missing", "per"]].tolist() == [3, 3, int(lost), "voxel"]


def test_a_lone_prediction_is_measured_against_nothing(test_data: Path, tmp_path: Path) -> None:
    """Names tell the two also below folders of BIDS, and where one of them is missing."""
    hearts(test_data, tmp_path / "heart")
    for side in ("reference", "prediction"):
        (tmp_path / f"source/sub-{side}").mkdir(parents=True)
        file = f"{side}_label.npz"
        shutil.copy(tmp_path / "heart/patient016_frame01" / file, tmp_path / f"source/sub-{side}")
    ingest_source(IngestRequest(str(tmp_path / "source"), str(tmp_path / "cohort")))
    result = compare(tmp_path / "cohort", HEART, "score_segmentation.metrics=[dice, hd]")
    assert result.counts == {"done": 2, "failed": 1}
    rows = open_cohort(str(tmp_path / "cohort")).run(PIPELINE).select(step="score_segmentation")
    assert {row.subject: row.state for row in rows} == {
        "sub-reference": "done",
        "sub-prediction": "failed",
    }
    summary = table(tmp_path / "cohort", "summary").set_index(["name", "metric"])
    lost = summary.loc[("myocardium", "dice"), ["value", "n", "missing"]]
    assert lost.tolist() == [0.0, 2, 2]
