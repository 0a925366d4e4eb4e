"""Small label maps of every awkward kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

LABELS = {1: "one", 2: "two", 7: "seven"}
Array = npt.NDArray[Any]


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Array, Array, tuple[float, ...]]:
    """Reference, prediction, spacing: touching labels, borders, axes of one voxel, empty ones."""
    axes = draw(st.sampled_from([2, 3, 3]))
    shape = tuple(draw(st.lists(st.integers(1, 9), min_size=axes, max_size=axes)))
    dtype = draw(st.sampled_from([np.uint8, np.int16, np.uint16, np.int64]))
    values = st.sampled_from([0, *LABELS])
    reference = draw(hnp.arrays(dtype, shape, elements=values, fill=st.just(dtype(0))))
    prediction = draw(
        st.one_of(
            hnp.arrays(dtype, shape, elements=values, fill=st.just(dtype(0))),
            st.just(np.roll(reference, 1, axis=-1)),
        )
    )
    sampling = st.sampled_from([0.5, 0.78, 1.0, 3.0, 10.0])
    return reference, prediction, tuple(draw(sampling) for _ in shape)
