"""Grids for properties: any orientation, any rotation, anisotropic, off-centre,
sheared on request."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from cohortflow.geometry import ORIENTATIONS, Grid
from cohortflow.phantoms.canary import oriented_grid

ANGLES = st.floats(-180.0, 180.0)
SPACINGS = st.floats(0.05, 9.0)


@st.composite
def grids(draw: st.DrawFn, sheared: bool = False) -> Grid:
    grid = oriented_grid(
        draw(st.sampled_from(ORIENTATIONS)),
        shape=draw(st.tuples(*[st.integers(1, 7)] * 3)),
        spacing_mm=draw(st.tuples(*[SPACINGS] * 3)),
        degrees=draw(st.one_of(st.just((0.0, 0.0, 0.0)), st.tuples(*[ANGLES] * 3))),
        centre_mm=draw(st.tuples(*[st.floats(-500.0, 500.0)] * 3)),
    )
    if not sheared:
        return grid
    matrix = np.array(grid.index_to_world)
    matrix[:3, 1] += (
        draw(st.floats(0.1, 0.6))
        * matrix[:3, 0]
        * (np.linalg.norm(matrix[:3, 1]) / np.linalg.norm(matrix[:3, 0]))
    )
    return Grid(grid.shape, matrix)
