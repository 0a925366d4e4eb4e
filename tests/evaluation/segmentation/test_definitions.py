"""Each id is its own formula: exact cases, and pairs on which every two of them differ."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from cohortflow.evaluation import evaluate_segmentation
from cohortflow.evaluation.metric_names import mlflow_metric_name
from cohortflow.evaluation.segmentation.metrics import EXAMPLES, parse_metric
from cohortflow.evaluation.segmentation.shapes import betti_numbers
from cohortflow.topology import cubical_persistence

SPACING = (3.0, 0.8, 1.1)
MORE = ("lesion-f1@any/faces", "lesion-recall@iou0.2", "hd90/pooled", "nsd@3mm", "nsd@3mm/surfels")
# Of identical and of unlike masks alike, two ids of one value each.
VOXELS = [text for text in EXAMPLES if "voxel" in text]


def values(
    reference: Any, prediction: Any, metrics: list[str], spacing: Any = SPACING
) -> dict[str, float]:
    table = evaluate_segmentation(reference, prediction, spacing, labels={1: "it"}, metrics=metrics)
    return dict(zip(table["metric"], table["value"], strict=True))


def blobs(seed: int, shape: tuple[int, ...] = (12, 24, 26)) -> Any:
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    return gaussian_filter(rng.normal(size=shape), 1.6) > 0.12


def test_every_two_ids_differ_somewhere() -> None:
    pytest.importorskip("skimage", reason="skeletons need scikit-image")
    ids = [*(text for text in EXAMPLES if text not in VOXELS), *MORE]
    pairs = [(blobs(seed), blobs(seed) ^ (blobs(seed + 50) & blobs(seed + 90))) for seed in (1, 2)]
    pairs += [(blobs(7), blobs(8)), (blobs(9), np.roll(blobs(9), 2, axis=1))]
    block, hollow = np.zeros((2, 12, 24, 26), bool)
    block[2:10, 4:20, 4:22] = hollow[2:10, 4:20, 4:22] = True
    hollow[6, 12, 13] = False  # a surface deep inside the other mask, which holds its voxels
    pairs.append((block, hollow))
    tables = [values(*pair, ids) for pair in pairs]
    same = [
        (one, other)
        for one, other in itertools.combinations(ids, 2)
        if max(abs(table[one] - table[other]) for table in tables) < 1e-6
    ]
    assert same == []


@pytest.mark.parametrize("text", EXAMPLES)
def test_ids_have_names_of_their_own_in_mlflow(text: str) -> None:
    names = [mlflow_metric_name(other, "it") for other in EXAMPLES]
    assert names.count(mlflow_metric_name(text, "it")) == 1
    assert parse_metric(text).id == text


def test_one_voxel_beside_another() -> None:
    """Two voxels 2 apart along y, by hand."""
    reference, prediction = np.zeros((2, 3, 6, 4), bool)
    reference[1, 1, 1] = prediction[1, 3, 1] = True
    found = values(reference, prediction, ["dice", "hd", "assd", "hd/filled", "nsd@1.6mm"])
    assert found == {"dice": 0.0, "hd": 1.6, "assd": 1.6, "hd/filled": 1.6, "nsd@1.6mm": 1.0}
    assert values(reference, prediction, ["nsd@1.5mm"])["nsd@1.5mm"] == 0.0


def test_a_cube_shifted_by_one() -> None:
    """4 × 4 × 4 along x, spacing 1: 48 of 64 voxels in both; surfaces have 56 voxels, of which the
    16 of the face left behind and the 16 of the new one are 1 away, and 4 inside ones below it."""
    cube = np.zeros((8, 8, 8), bool)
    cube[2:6, 2:6, 2:6] = True
    moved = np.roll(cube, 1, axis=2)
    ids = ["dice", "iou", "hd", "assd", "nsd@0.5mm", "volume-similarity", "boundary-iou@1mm"]
    found = values(cube, moved, ids, (1, 1, 1))
    assert found["dice"] == 0.75
    assert found["iou"] == 48 / 80
    assert found["hd"] == 1.0
    assert found["assd"] == found["nsd@0.5mm"] * 0 + 20 / 56
    assert found["nsd@0.5mm"] == 36 / 56
    assert found["volume-similarity"] == 1.0
    assert found["boundary-iou@1mm"] == (56 - 20) / (56 + 20)


def test_boundary_iou_is_as_deep_as_the_image_is_large() -> None:
    """2 % of a diagonal of 141 is 3 pixels, of one of 28 is 1."""
    for size, depth in ((100, 3), (20, 1)):
        square = np.zeros((size, size), bool)
        square[2:18, 2:18] = True
        inner = np.zeros_like(square)
        inner[2 + depth : 18 - depth, 2 + depth : 18 - depth] = True
        found = values(square, square ^ inner, ["boundary-iou", "iou"], None)
        assert found["boundary-iou"] == 1.0 > found["iou"]
        found = values(square, inner, ["boundary-iou"], None)
        assert found["boundary-iou"] == 0.0


@pytest.mark.parametrize("seed", range(6))
def test_betti_numbers_are_those_of_the_cubical_complex(seed: int) -> None:
    for shape in ((7, 9, 8), (15, 14), (1, 9, 9)):
        mask = np.random.default_rng(seed).random(shape) < 0.15 + 0.12 * seed
        if not mask.any():
            continue
        bars = cubical_persistence(np.where(mask, 0.0, np.inf))
        expected = [len(degree) for degree in bars]
        assert list(betti_numbers(mask))[: len(expected)] == expected


def test_betti_numbers_of_what_everybody_knows() -> None:
    block = np.ones((5, 5, 5), bool)
    hollow, ring = block.copy(), block[:1].copy()
    hollow[2, 2, 2] = False
    ring[0, 2, 2] = False
    assert betti_numbers(block) == (1, 0, 0)
    assert betti_numbers(hollow) == (1, 0, 1)
    assert betti_numbers(ring) == betti_numbers(ring[0]) == (1, 1, 0)
    found = values(block, hollow, ["betti-error/0", "betti-error/1", "betti-error/2"])
    assert list(found.values()) == [0, 0, 1]


def test_lesions() -> None:
    """Three lesions: one found well, one touched, one missed; and one that is none."""
    reference, prediction = np.zeros((2, 20, 40), np.uint8)
    reference[2:8, 2:8] = reference[2:8, 12:18] = reference[2:8, 22:28] = 1
    prediction[2:8, 3:8] = prediction[7:9, 12:18] = prediction[14:18, 30:34] = 1
    found = values(
        reference,
        prediction,
        [
            *(
                f"lesion-{part}@{rule}"
                for part in ("recall", "precision")
                for rule in ("any", "iou0.5")
            ),
            "lesion-f1@iou0.5",
        ],
        None,
    )
    assert found["lesion-recall@any"] == 2 / 3
    assert found["lesion-precision@any"] == 2 / 3
    assert found["lesion-recall@iou0.5"] == found["lesion-precision@iou0.5"] == 1 / 3
    assert found["lesion-f1@iou0.5"] == pytest.approx(1 / 3)


def test_a_lesion_belongs_to_one_other_at_most() -> None:
    """One prediction over two lesions: both are found where any voxel counts, one of a pair."""
    reference = np.zeros((5, 9), bool)
    reference[1:4, 1:4] = reference[1:4, 5:8] = True
    prediction = np.zeros_like(reference)
    prediction[1:4, 1:8] = True
    ids = ["lesion-recall@any", "lesion-recall@iou0.3", "lesion-precision@iou0.3"]
    assert list(values(reference, prediction, ids, None).values()) == [1.0, 0.5, 1.0]
    corners = np.eye(5, dtype=bool)
    ids = ["lesion-precision@iou0.1", "lesion-precision@iou0.1/faces"]
    assert list(values(corners, corners, ids, None).values()) == [1.0, 1.0]
    line = np.zeros_like(corners)
    line[2] = True
    found = values(line, corners, ids, None)
    assert found == {ids[0]: 1.0, ids[1]: 0.2}


def test_skeletons() -> None:
    pytest.importorskip("skimage", reason="skeletons need scikit-image")
    tube = np.zeros((9, 9, 30), bool)
    tube[2:7, 2:7, 2:28] = True
    thin = np.zeros_like(tube)
    thin[4, 4, 4:26] = True
    assert values(tube, tube, ["cldice", "pseudo-f-measure"]) == {
        "cldice": 1.0,
        "pseudo-f-measure": 1.0,
    }
    found = values(tube, thin, ["dice", "cldice", "pseudo-f-measure"])
    assert found["cldice"] > 0.9
    assert found["pseudo-f-measure"] > 0.9
    assert found["dice"] < 0.1
    broken = tube.copy()
    broken[:, :, 10:16] = False
    assert values(tube, broken, ["cldice"])["cldice"] < found["cldice"]


def test_slices_are_images_of_their_own() -> None:
    reference, prediction = blobs(3).astype(np.uint8), blobs(4).astype(np.uint8)
    reference[2] = 0
    ids = ["dice", "hd95/pooled", "assd", "nsd@2mm/surfels", "betti-error/1", "boundary-iou"]
    slices = evaluate_segmentation(
        reference, prediction, SPACING, labels={1: "it"}, metrics=ids, per="slice"
    )
    assert slices["slice"].tolist() == [z for z in range(12) for _ in ids]
    for z in range(12):
        alone = evaluate_segmentation(
            reference[z], prediction[z], SPACING[1:], labels={1: "it"}, metrics=ids
        )
        part = slices[slices["slice"] == z].drop(columns="slice").reset_index(drop=True)
        assert part.equals(alone)
    assert set(slices[slices["slice"] == 2]["state"]) == {"invented"}


def test_index_space_is_in_voxels() -> None:
    reference, prediction = blobs(3), blobs(4)
    table = evaluate_segmentation(
        reference, prediction, labels={1: "it"}, metrics=["dice", "hd", "nsd@2voxel"]
    )
    assert table["unit"].tolist() == ["1", "voxel", "1"]
    same = values(reference, prediction, ["hd", "nsd@2mm"], (1, 1, 1))
    assert table["value"].tolist()[1:] == list(same.values())


def test_bool_and_numbers_are_one() -> None:
    reference, prediction = blobs(5), blobs(6)
    ids = ["dice", "hd95/pooled", "hd95/surface-weighted"]
    first = values(reference, prediction, ids)
    for dtype in (np.uint8, np.int8, np.int16, np.uint16, np.int32, np.uint64):
        assert values(reference.astype(dtype), prediction.astype(dtype), ids) == first
    assert values(reference, prediction.astype(np.int64), ids) == first
    assert all(math.isfinite(value) for value in first.values())
