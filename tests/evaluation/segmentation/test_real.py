"""Real label maps: a full model and a fast one, a heart and its shifted copy, ultrasound."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cohortflow.errors import NoWorldSpace
from cohortflow.evaluation import evaluate_segmentation, summarise_segmentations
from cohortflow.evaluation.segmentation.slow import slow_metric
from cohortflow.geometry import Grid, array_from_nifti, grid_from_nifti

IDS = ["dice", "iou", "hd", "hd95/pooled", "hd95/max-directed", "assd", "masd", "nsd@3mm"]


def label_map(path: Path) -> tuple[Any, Grid]:
    import nibabel

    image: Any = nibabel.load(path)
    grid = grid_from_nifti(image.shape, image.affine)
    return array_from_nifti(np.asarray(image.dataobj)), grid


def test_full_against_fast_model(test_data: Path) -> None:
    """40 labels are in both; 13, which the fast model missed, counts as 0 and not as nothing."""
    folder = test_data / "ct/totalsegmentator"
    reference, first = label_map(folder / "example_seg.nii.gz")
    prediction, second = label_map(folder / "example_seg_fast.nii.gz")
    table = evaluate_segmentation(
        reference,
        prediction,
        labels={label: str(label) for label in range(1, 118)},
        metrics=IDS,
        grids=(first, second),
    )
    dice: Any = table[table["metric"] == "dice"].set_index("label")
    assert dice["state"].value_counts().to_dict() == {"absent": 76, "measured": 40, "missed": 1}
    assert dice.loc[13, ["value", "n", "state"]].tolist() == [0.0, 1, "missed"]
    far = table[(table["label"] == 13) & (table["metric"] == "hd95/pooled")]
    diagonal = 3.0 * math.hypot(*reference.shape)
    assert far["value"].tolist() == [pytest.approx(diagonal, rel=1e-6)]
    voxels = np.bincount(reference.ravel(), minlength=118)
    small = [label for label in range(1, 118) if 0 < voxels[label] < 400 and label != 13]
    assert len(small) > 3
    for row in table[table["label"].isin(small)].itertuples():
        masks = reference == row.label, prediction == row.label
        expected = slow_metric(str(row.metric), *masks, first.spacing_mm)
        assert row.value == pytest.approx(expected, rel=1e-12)
    without = dice[dice["state"] == "measured"]["value"].mean()
    summary = summarise_segmentations({"ct": table}, undefined="keep").set_index("label")
    ours = summary[(summary["metric"] == "dice") & (summary["n"] > 0)]["value"]
    assert len(ours) == 41
    assert ours.mean() == pytest.approx(without * 40 / 41)


@pytest.mark.parametrize("name", ["patient016_frame01", "patient091_frame09"])
def test_heart_against_its_shifted_copy(name: str, test_data: Path) -> None:
    import h5py

    with h5py.File(test_data / "mri/acdc" / f"{name}.h5") as file:
        reference = file["label"][()]
    shifted = np.roll(reference, 2, axis=2)
    labels = {1: "right ventricle", 2: "myocardium", 3: "left ventricle"}
    table = evaluate_segmentation(
        reference, shifted, (10.0, 1.5, 1.5), labels=labels, metrics=["hd", "nsd@3mm", "assd"]
    )
    assert set(table["unit"]) == {"mm", "1"}
    assert (table["value"] <= 3.0).all()
    assert table[table["metric"] == "nsd@3mm"]["value"].tolist() == [1.0, 1.0, 1.0]
    assert table[table["metric"] == "hd"]["value"].tolist() == [3.0, 3.0, 3.0]
    with pytest.raises(NoWorldSpace):
        evaluate_segmentation(reference, shifted, labels=labels, metrics=["nsd@3mm"])
    voxels = evaluate_segmentation(reference, shifted, labels=labels, metrics=["hd"])
    assert voxels[["value", "unit"]].to_numpy().tolist() == [[2.0, "voxel"]] * 3


def ultrasound_mask(folder: Path, name: str) -> Any:
    """All masks of an image as one; there are pictures with two lesions in two files."""
    from PIL import Image

    files = sorted(folder.glob(f"{name}_mask*.png"))
    masks = [np.asarray(Image.open(file).convert("L")) > 127 for file in files]
    return np.logical_or.reduce(masks)


def test_ultrasound_with_one_two_and_no_masks(test_data: Path) -> None:
    folder = test_data / "ultrasound/busi"
    two = ultrasound_mask(folder / "benign", "benign (25)")
    one = ultrasound_mask(folder / "benign", "benign (1)")
    none = ultrasound_mask(folder / "normal", "normal (1)")
    ids = ["dice", "hd95/pooled", "lesion-recall@any", "betti-error/0"]
    tables = {
        name: evaluate_segmentation(mask, np.roll(mask, 5, axis=1), labels={1: "l"}, metrics=ids)
        for name, mask in {"two": two, "one": one, "none": none}.items()
    }
    assert tables["none"]["value"].isna().all()
    assert not none.any()
    assert tables["one"]["value"].tolist()[2:] == [1.0, 0.0]
    assert tables["two"]["value"].tolist()[2:] == [1.0, 0.0]
    half = two.copy()
    half[:, : half.shape[1] // 2] = False
    tables["half"] = evaluate_segmentation(two, half, labels={1: "l"}, metrics=ids)
    summary: Any = summarise_segmentations(tables).set_index("metric")
    counts = summary.loc["dice", ["n", "cases", "left_out", "missing"]].tolist()
    assert counts == [3, 4, 1, int(not half.any())]
