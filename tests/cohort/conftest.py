"""A fresh store on a disk and one in memory: every contract holds on both."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from cohortflow.cohort.cohort import Cohort, create_cohort


@pytest.fixture(params=["local", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "cohort") if request.param == "local" else f"memory://{uuid.uuid4()}"


@pytest.fixture
def cohort(url: str) -> Cohort:
    return create_cohort(url, title="a test")
