"""What every statistic asks of its columns, and reasons that several share."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cohortflow.errors import EmptyInput, NotFinite, ShapeMismatch
from cohortflow.evaluation.masked import refuse_masked

Floats = NDArray[np.float64]
FEWEST = 3
NO_VARIANCE = "the values do not vary"


def too_few(n: int, what: str = "cases") -> str:
    """A reason where nothing can be said of so few; empty where there are enough."""
    return f"{n} {what}, and {FEWEST} are the least" if n < FEWEST else ""


def columns_of(*given: ArrayLike) -> list[Floats]:
    """Columns (case) of one length, finite.

    Raises EmptyInput, ShapeMismatch, NotFinite: a missing case has to be given its worst value
    first, because leaving it out here could better the result.
    """
    refuse_masked(*given)
    columns = [np.asarray(one, dtype=np.float64) for one in given]
    for column in columns:
        if column.ndim != 1 or column.shape != columns[0].shape:
            raise ShapeMismatch(
                "columns are not (case) of one length",
                expected=str(columns[0].shape),
                found=str(column.shape),
            )
        if column.size == 0:
            raise EmptyInput("there is no case")
        if not np.isfinite(column).all():
            raise NotFinite(
                "a value is NaN or infinite",
                found=f"{int((~np.isfinite(column)).sum())} of {column.size}",
                hint="Give a missing case its worst value first: cohortflow.evaluation.aggregate.",
            )
    return columns
