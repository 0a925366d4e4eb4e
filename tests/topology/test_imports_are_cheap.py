from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"gudhi", "sklearn", "scipy", "numba", "torch", "matplotlib", "nilearn"}


@pytest.mark.parametrize("module", ["cohortflow.topology", "cohortflow.stages"])
def test_no_heavy_library_is_loaded(module: str):
    code = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert set(done.stdout.split()) & HEAVY == set()
