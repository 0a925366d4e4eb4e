"""clip, normalise, correct_bias, match_histogram."""

from __future__ import annotations

from typing import Any

import numpy as np
import pydantic
import pytest

from cohortflow.errors import GeometryMismatch, NotFinite, UndefinedResult
from cohortflow.geometry import Grid
from cohortflow.phantoms.canary import oriented_grid
from cohortflow.pipeline.stage import Stage
from cohortflow.preprocess import intensity
from cohortflow.stages.clip import STAGE as CLIP
from cohortflow.stages.clip import Clip
from cohortflow.stages.correct_bias import STAGE as CORRECT
from cohortflow.stages.match_histogram import STAGE as MATCH
from cohortflow.stages.normalise import STAGE as NORMALISE
from tests.golden.check import assert_golden
from tests.stages.examples import run
from tests.stages.image_examples import label_map, noise, volume

GRID = oriented_grid("LPS", (6, 9, 8))


def values(output: Any) -> np.ndarray:
    return np.asarray(output.dataset["image"].values)


@pytest.mark.parametrize(
    ("stage", "parameters"),
    [
        (CLIP, {"level": 100.0, "width": 40.0}),
        (NORMALISE, {}),
        (CORRECT, {"shrink": 1, "iterations": 5, "levels": 2}),
        (MATCH, {"bins": 32, "points": 5}),
    ],
    ids=lambda one: one.name if isinstance(one, Stage) else "",
)
def test_golden_intensities(stage: Stage, parameters: dict[str, Any]) -> None:
    inputs = {"image": volume(noise(), GRID, modality="MR")}
    if "reference" in stage.reads:
        inputs["reference"] = volume(3.0 * noise(seed=4) + 1.0, GRID)
    assert_golden(stage, run(stage, parameters, **inputs))


def test_clip_by_bounds_or_by_a_window() -> None:
    whole = np.arange(-5, 67, dtype=np.int16).reshape(2, 6, 6)
    image = volume(whole, Grid((2, 6, 6)))
    bounded = run(CLIP, {"lower": 0, "upper": 40}, image=image)
    np.testing.assert_array_equal(values(bounded), np.clip(whole, 0, 40))
    assert values(bounded).dtype == np.int16
    np.testing.assert_array_equal(
        values(run(CLIP, {"level": 20, "width": 40}, image=image)), values(bounded)
    )
    half = run(CLIP, {"upper": 10.5}, image=image)
    assert values(half).dtype == np.float32
    assert values(half).max() == 10.5
    assert values(run(CLIP, {"upper": 1e9, "lower": -1e9}, image=image)).dtype == np.int16
    for wrong in ({}, {"level": 3.0}, {"lower": 2.0, "upper": 1.0},
                  {"lower": 1.0, "level": 1.0, "width": 1.0}):  # fmt: skip
        with pytest.raises(pydantic.ValidationError):
            Clip(**wrong)


def test_zscore_of_all_above_or_masked() -> None:
    array = noise()
    image = volume(array, GRID)
    chosen = np.zeros(array.shape, np.uint8)
    chosen[2:4] = 3
    for given, part in (
        ({}, array),
        ({"within": "above", "above": 100.0}, array[array > 100.0]),
        ({"within": "mask"}, array[2:4]),
    ):
        found = values(run(NORMALISE, given, image=image, mask=label_map(chosen, GRID)
                           if given.get("within") == "mask" else None))  # fmt: skip
        np.testing.assert_allclose(found, (array - part.mean()) / part.std(), atol=1e-4)
    with pytest.raises(GeometryMismatch, match="the mask"):
        run(NORMALISE, {"within": "mask"}, image=image, mask=label_map(chosen, Grid(array.shape)))
    with pytest.raises(UndefinedResult, match="no voxel"):
        run(NORMALISE, {"within": "mask"}, image=image, mask=label_map(0 * chosen, GRID))


def test_percentiles_and_extremes() -> None:
    array = noise((12, 9, 8))
    image = volume(array, Grid(array.shape))
    found = values(run(NORMALISE, {"method": "percentile", "percentiles": [5, 95]}, image=image))
    np.testing.assert_allclose(np.percentile(found, (5, 95)), (0.0, 1.0), atol=1e-5)
    assert found.min() < 0 < 1 < found.max()
    full = values(run(NORMALISE, {"method": "minmax"}, image=image))
    assert (full.min(), full.max()) == (0.0, 1.0)
    given = values(run(NORMALISE, {"method": "given", "offset": 50.0, "scale": 2.0}, image=image))
    np.testing.assert_allclose(given, (array - 50.0) / 2.0, rtol=1e-6)


def test_each_channel_has_its_own_scale() -> None:
    both = np.stack([noise(), 7.0 * noise(seed=1) + 3.0])
    output = run(NORMALISE, image=volume(both, GRID))
    np.testing.assert_allclose(values(output).mean(axis=(1, 2, 3)), 0.0, atol=1e-4)
    np.testing.assert_allclose(values(output).std(axis=(1, 2, 3)), 1.0, rtol=1e-4)
    (operation,) = output.dataset.attrs["intensity"]
    np.testing.assert_allclose(operation["scale"], both.std(axis=(1, 2, 3)), rtol=1e-5)


def test_what_cannot_be_scaled_is_refused() -> None:
    with pytest.raises(UndefinedResult, match="spread"):
        run(NORMALISE, image=volume(np.full((2, 3, 4), 7, np.int16), Grid((2, 3, 4))))
    holed = noise()
    holed[0, 0, :2] = np.nan
    for stage in (NORMALISE, CORRECT):
        with pytest.raises(NotFinite, match="2 of 432"):
            run(stage, image=volume(holed, GRID))


def test_a_bias_field_is_taken_away() -> None:
    rng = np.random.default_rng(1)
    z, y, x = np.indices((24, 24, 24)) / 23.0
    tissue = np.where((x - 0.5) ** 2 + (y - 0.5) ** 2 + (z - 0.5) ** 2 < 0.2, 100.0, 0.0)
    tissue[8:16, 8:16, 8:16] *= 1.5
    field = np.exp(0.6 * x - 0.4 * y)
    image = volume((tissue * field + rng.random(tissue.shape)).astype(np.float32), GRID_OF_24)
    found = values(run(CORRECT, {"shrink": 2}, image=image))
    shell = tissue == 100.0
    before = (tissue * field)[shell]
    assert found[shell].std() / found[shell].mean() < 0.4 * before.std() / before.mean()
    masked = run(
        CORRECT,
        {"shrink": 2, "masked": True},
        image=image,
        mask=label_map(((tissue > 0) & (x < 0.5)).astype(np.uint8), GRID_OF_24),
    )
    assert not np.array_equal(values(masked), found)
    with pytest.raises(UndefinedResult, match="positive"):
        run(CORRECT, image=volume(np.zeros((6, 9, 8), np.float32), GRID))


GRID_OF_24 = oriented_grid("LPS", (24, 24, 24))


def test_matched_histograms_have_the_quantiles_of_the_reference() -> None:
    reference = 3.0 * noise((12, 12, 12), seed=4) + 50.0
    image = volume(noise((12, 12, 12)), Grid((12, 12, 12)))
    found = values(run(MATCH, image=image, reference=volume(reference, Grid((12, 12, 12)))))
    upper = (60, 75, 90)
    np.testing.assert_allclose(
        np.percentile(found, upper), np.percentile(reference, upper), rtol=0.02
    )
    with pytest.raises(GeometryMismatch, match="channels"):
        run(MATCH, image=image, reference=volume(np.stack([noise()] * 2), GRID))


def test_means_are_those_of_the_whole_however_it_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    array = noise((7, 11, 13)) + 1e4
    whole = intensity.mean_and_deviation(array)
    monkeypatch.setattr(intensity, "_PIECE", 10)
    for found in (whole, intensity.mean_and_deviation(array)):
        exact = array.astype(np.float64)
        np.testing.assert_allclose(found, (exact.mean(), exact.std()), rtol=1e-12)
