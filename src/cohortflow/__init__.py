"""Resumable batch workflows for cohorts of medical recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cohortflow.cohort.cohort import create_cohort, open_cohort

__version__ = "0.1.0"
__all__ = ["__version__", "create_cohort", "open_cohort"]


def __getattr__(name: str) -> Any:
    # On first use, so that `import cohortflow` costs nothing.
    if name in ("create_cohort", "open_cohort"):
        from cohortflow.cohort import cohort

        return getattr(cohort, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
