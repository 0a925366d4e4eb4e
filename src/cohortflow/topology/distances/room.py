"""The refusal of tables of costs that no memory holds."""

from __future__ import annotations

from cohortflow.errors import DoesNotFit

MOST_BYTES = 4 * 2**30


def fits(rows: int, columns: int) -> bool:
    """Whether a table of costs (row, column) in float64 stays within ``MOST_BYTES``."""
    return 8 * int(rows) * int(columns) <= MOST_BYTES


def refuse_beyond_memory(rows: int, columns: int) -> None:
    """DoesNotFit where it does not."""
    if not fits(rows, columns):
        needed = 8 * int(rows) * int(columns)
        raise DoesNotFit(
            f"a matching of these diagrams needs a table of {rows:,} × {columns:,} costs",
            expected=f"at most {MOST_BYTES / 2**20:,.0f} MiB",
            found=f"{needed / 2**20:,.0f} MiB",
            hint="Leave out the shortest bars, or take bottleneck_distance.",
        )
