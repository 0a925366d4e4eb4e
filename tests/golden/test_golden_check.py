"""The helper itself: what it notices, what it lets pass, what it refuses to rewrite."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from cohortflow.cohort.entry import Output
from cohortflow.pipeline.stage import Parameters, Stage
from tests.golden.check import REWRITE, assert_golden


def stage(version: int = 1, tolerance: float = 0.0) -> Stage:
    return Stage(
        name="example",
        version=version,
        about="",
        parameters=Parameters,
        reads={},
        writes="table",
        scope="cohort",
        function=lambda: Output(),
        tolerance=tolerance,
    )


def output(values: np.ndarray) -> Output:
    return Output(dataset=xr.Dataset({"x": (("i",), values)}), facts={"n": 3})


@pytest.fixture
def rewrite(monkeypatch: pytest.MonkeyPatch):
    def run(*args: object, **options: object) -> None:
        with monkeypatch.context() as patch:
            patch.setenv(REWRITE, "1")
            assert_golden(*args, **options)

    return run


@pytest.fixture(autouse=True)
def _compare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REWRITE, raising=False)


@pytest.mark.parametrize("size", [5, 500])
def test_changed_numbers_under_one_version_fail(tmp_path: Path, rewrite, size: int):
    values = np.random.default_rng(0).random(size)
    rewrite(stage(), output(values), folder=tmp_path)
    assert_golden(stage(), output(values), folder=tmp_path)
    changed = values.copy()
    changed[1] += 1e-9
    with pytest.raises(AssertionError, match="other numbers"):
        assert_golden(stage(), output(changed), folder=tmp_path)
    assert_golden(stage(tolerance=1e-6), output(changed), folder=tmp_path)


def test_a_permutation_of_a_large_array_is_noticed(tmp_path: Path, rewrite):
    values = np.random.default_rng(0).random(500)
    swapped = values.copy()
    swapped[[1, 2]] = values[[2, 1]]
    rewrite(stage(), output(values), folder=tmp_path)
    with pytest.raises(AssertionError, match="other numbers"):
        assert_golden(stage(), output(swapped), folder=tmp_path)


def test_changed_facts_fail(tmp_path: Path, rewrite):
    values = np.ones(2)
    rewrite(stage(), output(values), folder=tmp_path)
    other = Output(dataset=output(values).dataset, facts={"n": 4})
    with pytest.raises(AssertionError, match=r"facts\.n"):
        assert_golden(stage(tolerance=1.0), other, folder=tmp_path)


def test_a_new_version_must_be_written_and_then_passes(tmp_path: Path, rewrite):
    rewrite(stage(), output(np.ones(2)), folder=tmp_path)
    with pytest.raises(AssertionError, match="holds version 1"):
        assert_golden(stage(version=2), output(np.zeros(2)), folder=tmp_path)
    rewrite(stage(version=2), output(np.zeros(2)), folder=tmp_path)
    assert_golden(stage(version=2), output(np.zeros(2)), folder=tmp_path)


def test_rewriting_changed_numbers_under_the_old_version_is_refused(tmp_path: Path, rewrite):
    rewrite(stage(), output(np.ones(2)), folder=tmp_path)
    with pytest.raises(AssertionError, match="raise the version"):
        rewrite(stage(), output(np.zeros(2)), folder=tmp_path)


def test_nothing_kept_fails(tmp_path: Path):
    with pytest.raises(AssertionError, match="missing"):
        assert_golden(stage(), output(np.ones(2)), folder=tmp_path)


def test_the_switch_that_rewrites_reaches_the_tests():
    """The suite clears our variables before it starts; this one must stay."""
    from tests.conftest import KEPT

    assert REWRITE in KEPT
