"""Volumes and label maps for tests of stages: the canary, in any orientation, or in index space."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from cohortflow.cohort.entry import Entry, Output
from cohortflow.geometry import Grid
from cohortflow.phantoms.canary import Canary, oriented_grid
from cohortflow.stages._images import facts_of


def volume(array: np.ndarray, grid: Grid, **attributes: Any) -> Entry:
    """(z, y, x) or (channel, z, y, x)."""
    dims = ("channel", "z", "y", "x")[-array.ndim :]
    dataset = xr.Dataset({"image": (dims, array)}, attrs={**grid.attributes(), **attributes})
    return Entry.in_memory("volume", Output(dataset, facts=facts_of(grid)), subject="sub-01")


def label_map(array: np.ndarray, grid: Grid, **attributes: Any) -> Entry:
    dims = ("z", "y", "x")[-array.ndim :]
    dataset = xr.Dataset({"label": (dims, array)}, attrs={**grid.attributes(), **attributes})
    return Entry.in_memory("label_map", Output(dataset, facts=facts_of(grid)), subject="sub-01")


def canary(code: str = "LPS", **where: Any) -> tuple[Entry, Entry, Grid]:
    """Image and labels of the canary, and their grid."""
    grid = oriented_grid(code, **where)
    body = Canary.within(grid)
    return volume(body.image(grid), grid, modality="CT"), label_map(body.labels(grid), grid), grid


def noise(shape: tuple[int, ...] = (6, 9, 8), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(100.0, 20.0, shape).astype(np.float32)


def grid_of(output: Output) -> Grid:
    assert output.dataset is not None
    name = "image" if "image" in output.dataset else "label"
    return Grid.from_attributes(output.dataset[name].shape, output.dataset.attrs)
