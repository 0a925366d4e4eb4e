"""To which grid a stage resamples: a spacing, a size, or the grid of another entry."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import pydantic

from cohortflow.cohort.entry import Entry, Output
from cohortflow.errors import MissingInput
from cohortflow.geometry.grid import Grid
from cohortflow.geometry.matrices import Floats
from cohortflow.geometry.shared_axes import SharedAxes
from cohortflow.geometry.target_grids import sized_grid, spaced_grid
from cohortflow.geometry.through_plane import through_plane_axis
from cohortflow.pipeline.stage import Facts, Parameters
from cohortflow.stages._images import Array, Image, Millimetres, Size, grid_of, voxels


class Target(Parameters):
    """Where to: one of the two, else the grid of the input ``reference``."""

    spacing_mm: Millimetres | None = pydantic.Field(
        None, description="mm along z, y, x, or one for all; around the middle of the image"
    )
    size: Size | None = pydantic.Field(None, description="voxels along z, y, x; the same extent")
    through_plane: Literal["off", "auto"] = pydantic.Field(
        "off",
        description="auto: across slices more than 3 times as thick as a voxel is wide, of the "
        "image or else of the target, the nearest slice is taken (nnU-Net's rule)",
    )

    @pydantic.model_validator(mode="after")
    def _one_target(self) -> Target:
        if self.spacing_mm is not None and self.size is not None:
            raise ValueError("a spacing or a size, not both")
        return self


def to_reference(parameters: Target) -> bool:
    """Whether the target is the grid of the input ``reference``."""
    return parameters.spacing_mm is None and parameters.size is None


def resampled(
    parameters: Target, image: Image, reference: Entry | None, compute: Callable[..., Array]
) -> Output:
    """``compute(channel, grid, target, nearest_along)`` of each channel, on the target's grid."""
    target = target_grid(parameters, image.grid, reference)
    here, there, way = image.grid, target, None
    if image.grid.index_to_world is None and target.index_to_world is None:
        # Any spacing will do in index space: only how the two sizes relate counts.
        here = Grid(image.grid.shape, np.eye(4))
        there = sized_grid(here, target.shape)
        way = there.matrix
    thick = None
    if parameters.through_plane == "auto" and way is None and SharedAxes.of(here, there):
        thick = through_plane_axis(here.spacing_mm, _spacing_along(here, there))
    channels = image.each(lambda channel: compute(channel, here, there, thick))
    return image.moved(channels, target, way)


def target_grid(parameters: Target, grid: Grid, reference: Entry | None) -> Grid:
    """Raises :class:`NoWorldSpace` for a spacing in index space, :class:`MissingInput`."""
    if parameters.spacing_mm is not None:
        return spaced_grid(grid, parameters.spacing_mm)
    if parameters.size is not None:
        return sized_grid(grid, parameters.size)
    if reference is None:
        raise MissingInput(
            "no target to resample to", expected="spacing_mm, size, or the input reference"
        )
    target = grid_of(reference)
    if grid.index_to_world is None and target.index_to_world is None:
        return target
    _ = grid.matrix, target.matrix  # one of them in index space: refused
    return target


def target_voxels(parameters: Target, facts: Facts) -> int:
    """Of all channels of the target, as far as facts tell."""
    shape: Sequence[int] = facts.get("shape") or ()
    spacing = facts.get("spacing_mm")
    channels = math.prod(shape[:-3])
    if parameters.size is not None:
        return channels * math.prod(parameters.size)
    if parameters.spacing_mm is None or len(shape) < 3 or not spacing:
        return voxels(facts)
    z, y, x = shape[-3:]
    here = Grid((z, y, x), np.diag([*spacing, 1.0]))
    return channels * math.prod(spaced_grid(here, parameters.spacing_mm).shape)


def _spacing_along(here: Grid, there: Grid) -> list[float]:
    """Spacing of the target along each axis of the image, whose axes it shares."""
    way: Floats = np.linalg.inv(here.matrix[:3, :3]) @ there.matrix[:3, :3]
    steps = np.abs(way).max(axis=1) * here.spacing_mm
    return [float(step) for step in steps]
