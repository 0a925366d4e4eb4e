"""Regression, depth, normals and image quality."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as peer

from cohortflow.errors import EmptyInput, NotFinite, ShapeMismatch, UsageError
from cohortflow.evaluation.definitions import definition
from cohortflow.evaluation.depth import NORMAL_METRICS, depth_metrics, normal_metrics
from cohortflow.evaluation.image_quality import image_metrics
from cohortflow.evaluation.regression import REGRESSION_METRICS, regression_metrics


def values(rows: Any) -> dict[str, float]:
    return {row.metric: row.value for row in rows}


def test_regression_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(60, 9, 30)
    told = truth + rng.normal(1, 3, 30)
    rows = regression_metrics(truth.tolist(), told.tolist(), unit="ml")
    found = values(rows)
    assert found["mae"] == pytest.approx(peer.mean_absolute_error(truth, told))
    assert found["rmse"] == pytest.approx(peer.root_mean_squared_error(truth, told))
    assert found["abs_rel"] == pytest.approx(peer.mean_absolute_percentage_error(truth, told))
    assert found["r2"] == pytest.approx(peer.r2_score(truth, told))
    assert found["bias"] == pytest.approx((told - truth).mean())
    assert {row.metric: row.unit for row in rows} == {
        "mae": "ml", "rmse": "ml", "abs_rel": "1", "bias": "ml", "r2": "1",
    }  # fmt: skip


def test_a_missing_case_has_no_error_unless_the_worst_is_stated() -> None:
    rows = regression_metrics([1.0, 2.0, 4.0], [1.5, None, 3.0], unit="ml")
    assert all("1 of 3 cases are missing" in row.reason and row.n == 3 for row in rows)
    stated = values(regression_metrics([1.0, 2.0, 4.0], [1.5, None, 3.0], unit="ml", worst=10))
    assert stated["mae"] == pytest.approx((0.5 + 10 + 1) / 3)
    assert math.isnan(stated["bias"])
    with pytest.raises(UsageError, match="largest error made"):
        regression_metrics([1.0, 2.0, 4.0], [1.5, None, 3.0], unit="ml", worst=0.9)


@given(
    st.lists(st.tuples(st.floats(1, 50), st.floats(-50, 50)), min_size=2, max_size=12), st.data()
)
def test_losing_a_case_never_improves_a_regression(rows: Any, data: Any) -> None:
    truth, told = [list(column) for column in zip(*rows, strict=True)]
    lost = data.draw(st.integers(0, len(truth) - 1))
    gone = [None if i == lost else value for i, value in enumerate(told)]
    then = values(regression_metrics(truth, told, unit="ml", worst=100))
    now = values(regression_metrics(truth, gone, unit="ml", worst=100))
    for metric in REGRESSION_METRICS:
        sign = -1 if definition(metric).better == "lower" else 1
        gain = sign * (now[metric] - then[metric])
        assert not gain > 1e-9 * max(1.0, abs(then[metric]))


def test_regression_without_an_answer() -> None:
    rows = {row.metric: row for row in regression_metrics([3.0, 3.0], [1.0, 2.0], unit="ml")}
    assert rows["r2"].reason == "the truth is constant"
    rows = {row.metric: row for row in regression_metrics([0.0, 3.0], [1.0, 2.0], unit="ml")}
    assert "1 of 2 cases is 0" in rows["abs_rel"].reason
    with pytest.raises(EmptyInput):
        regression_metrics([], [], unit="ml")
    with pytest.raises(ShapeMismatch):
        regression_metrics([1.0], [], unit="ml")
    with pytest.raises(NotFinite):
        regression_metrics([1.0], [math.nan], unit="ml")
    with pytest.raises(UsageError, match="no metric"):
        regression_metrics([1.0], [1.0], unit="ml", metrics=["mse"])


DELTAS = ["mae", "rmse", "abs_rel", "delta@1.25", "delta@1.5625"]


def test_depth_by_hand() -> None:
    truth = np.array([[10.0, 20.0], [40.0, 0.0]])
    told = np.array([[12.0, 15.0], [40.0, 7.0]])
    rows = depth_metrics(truth, told, unit="mm", metrics=DELTAS)
    assert all(row.n == 3 for row in rows)
    found = values(rows)
    assert found["mae"] == pytest.approx(7 / 3)
    assert found["rmse"] == pytest.approx(math.sqrt(29 / 3))
    assert found["abs_rel"] == pytest.approx((0.2 + 0.25 + 0) / 3)
    assert found["delta@1.25"] == pytest.approx(2 / 3)
    assert found["delta@1.5625"] == 1.0
    rows = depth_metrics(truth, 1.25 * truth, unit="mm", metrics=["delta@1.25"])
    assert values(rows)["delta@1.25"] == 0.0, "below the ratio, not at it"


def test_median_scaling_takes_an_unknown_scale_away() -> None:
    truth = np.random.default_rng(0).uniform(20, 80, (6, 7))
    metrics = [f"{name}/median-scaled" for name in DELTAS]
    found = values(depth_metrics(truth, 0.03 * truth, unit="mm", metrics=metrics))
    assert found["rmse/median-scaled"] == pytest.approx(0, abs=1e-12)
    assert found["delta@1.25/median-scaled"] == 1.0
    assert values(depth_metrics(truth, 0.03 * truth, unit="mm"))["delta@1.25"] == 0.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0, -1.0])
def test_a_pixel_without_predicted_depth_is_not_left_out_in_silence(bad: float) -> None:
    told = np.full((2, 2), 5.0)
    told[0, 1] = bad
    with pytest.raises(NotFinite, match="1 of 4 pixels"):
        depth_metrics(np.full((2, 2), 5.0), told, unit="mm")


def test_depth_of_other_shapes_or_nowhere_is_refused() -> None:
    with pytest.raises(ShapeMismatch):
        depth_metrics(np.ones((2, 2)), np.ones((2, 3)), unit="mm")
    with pytest.raises(ShapeMismatch):
        depth_metrics(np.ones((2, 2)), np.ones((2, 2)), unit="mm", valid=np.ones((2, 2)))
    with pytest.raises(EmptyInput):
        depth_metrics(np.zeros((2, 2)), np.ones((2, 2)), unit="mm")
    with pytest.raises(UsageError, match="delta@"):
        depth_metrics(np.ones((2, 2)), np.ones((2, 2)), unit="mm", metrics=["delta@x"])


def test_angles_between_normals() -> None:
    truth = np.zeros((3, 1, 4))
    truth[2] = 1.0
    told = np.zeros((3, 1, 4))
    for i, degrees in enumerate((0.0, 1e-6, 20.0)):
        told[:, 0, i] = 3 * np.array(
            [math.sin(math.radians(degrees)), 0, math.cos(math.radians(degrees))]
        )
    told[:, 0, 3] = np.nan
    rows = normal_metrics(truth, told)
    found = values(rows)
    assert list(found) == list(NORMAL_METRICS)
    assert found["angular_error/mean"] == pytest.approx((1e-6 + 20 + 180) / 4, rel=1e-12)
    assert found["angular_error/median"] == pytest.approx((1e-6 + 20) / 2, rel=1e-12)
    assert found["angular_share@11.25deg"] == 0.5
    assert found["angular_share@22.5deg"] == 0.75
    (small,) = normal_metrics(truth[..., 1:2], told[..., 1:2], metrics=["angular_error/mean"])
    assert small.value == pytest.approx(1e-6, rel=1e-9)
    assert small.unit == "deg"


def test_normals_that_are_none() -> None:
    with pytest.raises(EmptyInput):
        normal_metrics(np.full((3, 2, 2), np.nan), np.ones((3, 2, 2)))
    with pytest.raises(NotFinite):
        normal_metrics(np.zeros((3, 2, 2)), np.ones((3, 2, 2)))
    with pytest.raises(ShapeMismatch):
        normal_metrics(np.ones((2, 2)), np.ones((2, 2)))


@pytest.mark.parametrize("shape", [(33, 40), (12, 15, 13)])
def test_image_quality_equals_scikit_image(shape: tuple[int, ...]) -> None:
    skimage = pytest.importorskip("skimage.metrics")
    rng = np.random.default_rng(1)
    a = rng.normal(0, 300, shape)
    b = a + rng.normal(0, 60, shape)
    metrics = ["psnr", "ssim", "ssim/uniform-7", "rmse"]
    found = values(image_metrics(a, b, data_range=2000, unit="HU", metrics=metrics))
    as_wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = skimage.structural_similarity(a, b, data_range=2000, **as_wang)
    assert found["ssim"] == pytest.approx(expected, abs=1e-10)
    expected = skimage.structural_similarity(a, b, data_range=2000)
    assert found["ssim/uniform-7"] == pytest.approx(expected, abs=1e-10)
    assert found["ssim"] != pytest.approx(found["ssim/uniform-7"], abs=1e-4)
    expected = skimage.peak_signal_noise_ratio(a, b, data_range=2000)
    assert found["psnr"] == pytest.approx(expected, abs=1e-10)
    assert found["rmse"] == pytest.approx(np.sqrt(((a - b) ** 2).mean()))


def test_the_range_is_stated_and_changes_the_number() -> None:
    a = np.random.default_rng(0).uniform(0, 255, (20, 20))
    narrow, wide = (values(image_metrics(a, a + 9, data_range=r, unit="1")) for r in (255, 4095))
    assert narrow["psnr"] == pytest.approx(20 * math.log10(255 / 9))
    assert wide["psnr"] - narrow["psnr"] == pytest.approx(20 * math.log10(4095 / 255))
    for bad in (0.0, -1.0, math.nan):
        with pytest.raises(UsageError, match="data_range"):
            image_metrics(a, a, data_range=bad, unit="1")
    with pytest.raises(TypeError):
        image_metrics(a, a, unit="1")  # type: ignore[call-arg]


def test_images_without_an_answer() -> None:
    a = np.zeros((12, 12))
    rows = {row.metric: row for row in image_metrics(a, a, data_range=1, unit="1")}
    assert rows["psnr"].reason == "the images are equal: the ratio is infinite"
    assert rows["ssim"].value == 1.0
    small = {row.metric: row for row in image_metrics(a[:5], a[:5] + 1, data_range=1, unit="1")}
    assert "window of 11" in small["ssim"].reason
    with pytest.raises(ShapeMismatch):
        image_metrics(a, a[1:], data_range=1, unit="1")
    with pytest.raises(NotFinite):
        image_metrics(a, np.full_like(a, np.nan), data_range=1, unit="1")
    with pytest.raises(EmptyInput):
        image_metrics(a[:0], a[:0], data_range=1, unit="1")
