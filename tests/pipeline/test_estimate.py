"""Projected memory, disk and time, and the refusal of what cannot fit."""

from __future__ import annotations

import pytest

from cohortflow.errors import DoesNotFit
from cohortflow.pipeline.estimate import Estimator, Projection, project, refuse_what_cannot_fit
from tests.pipeline.world import World, scan, unit_of

TEXT = """
inputs: {image: volume, label: label_map}
axes: {seed: 3}
steps: [resample, regrid_labels, train: {reads: {image: resample}, over: [seed]}]
"""
MIB = 2**20


def world() -> World:
    return World(TEXT, [scan("a", size=100), scan("b", size=300)])


def test_a_unit_costs_by_the_facts_of_the_subjects_behind_it() -> None:
    plan = world().plan()
    estimator = Estimator(plan)
    stage = plan.pipeline.step("resample").stage
    assert estimator.cost(stage, unit_of(plan, "resample", "b")).memory_bytes == 30_000
    train = plan.pipeline.step("train").stage
    assert estimator.cost(train, unit_of(plan, "train", seed=0)).memory_bytes == 40_000


def test_what_is_to_run_is_summed_equal_keys_once() -> None:
    one = world()
    found = project(one.plan())
    # resample 100 + 300, two labels at the default cost, three trainings of 400.
    assert found.units == 2 + 2 + 3
    assert found.seconds == pytest.approx(400 + 2 * 0.01 + 3 * 400)
    assert found.disk_bytes == 4000 + 2 * 4096 + 3 * 4000
    assert (found.memory_bytes, found.memory_step) == (64 * MIB, "regrid_labels")
    one.run()
    assert project(one.plan()) == Projection()


def test_what_is_left_out_of_a_run_costs_nothing() -> None:
    assert project(world().plan(at={"seed": ["1"]})).units == 2 + 2 + 1
    assert project(world().plan(subjects=frozenset({"a"}))).units == 2


def test_what_fits_is_not_refused() -> None:
    need = Projection(1, 10 * MIB, "train", 20 * MIB, 1.0)
    refuse_what_cannot_fit(need, memory_limit_bytes=10 * MIB, disk_free_bytes=20 * MIB)
    refuse_what_cannot_fit(need, memory_limit_bytes=None, disk_free_bytes=None)


def test_what_cannot_fit_is_refused_with_the_numbers() -> None:
    need = Projection(1, 10 * MIB, "train", 20 * MIB, 1.0)
    with pytest.raises(DoesNotFit, match=r"'train'.*at most 9 MiB.*found 10 MiB.*--workers"):
        refuse_what_cannot_fit(need, memory_limit_bytes=9 * MIB, disk_free_bytes=None)
    with pytest.raises(DoesNotFit, match=r"disk.*at most 19 MiB.*found 20 MiB.*gc") as caught:
        refuse_what_cannot_fit(need, memory_limit_bytes=None, disk_free_bytes=19 * MIB)
    assert caught.value.exit_code == 5
