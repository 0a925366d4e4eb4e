"""What is served, as the environment of a flow run's process says it.

Prefect stores the parameters of a run and shows them to all who reach it; where a cohort lies may
say whose study it is. So the place of the cohort travels in the environment, never through Prefect.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from cohortflow.errors import UsageError

PIPELINE = "COHORTFLOW_PIPELINE"
COHORT = "COHORTFLOW_COHORT"


def served_cohort(environment: Mapping[str, str] = os.environ) -> str:
    """The cohort of a deployment whose form says the pipeline."""
    if not environment.get(COHORT):
        raise UsageError(f"{COHORT} must be set where runs of this deployment start")
    return environment[COHORT]


def served(environment: Mapping[str, str] = os.environ) -> tuple[str, str]:
    """The pipeline and the cohort of this deployment."""
    missing = [name for name in (PIPELINE, COHORT) if not environment.get(name)]
    if missing:
        raise UsageError(
            f"{' and '.join(missing)} must be set where runs of this deployment start",
            hint="cohortflow serve sets them; with a work pool its job variables do.",
        )
    return environment[PIPELINE], environment[COHORT]
