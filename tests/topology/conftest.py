from __future__ import annotations

import pytest

from cohortflow.topology.rips import few


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiled way from the first cloud on: gudhi is what it is compared with."""
    monkeypatch.setattr(few, "COMPILING_S", 0.0)
