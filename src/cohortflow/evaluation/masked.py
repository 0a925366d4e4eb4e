"""Masked arrays are no values: numpy drops the mask, and what lies under it would count."""

from __future__ import annotations

import numpy as np

from cohortflow.errors import NotFinite


def refuse_masked(*given: object, where: str = "") -> None:
    """Raises NotFinite where one of them is a masked array."""
    if any(isinstance(one, np.ma.MaskedArray) for one in given):
        raise NotFinite(
            "values are masked, and a mask says nothing of what lies under it",
            where=where,
            found="a masked array",
            hint="Say what masked values are: array.filled(…).",
        )
