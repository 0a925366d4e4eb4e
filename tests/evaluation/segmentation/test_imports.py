"""The name is there at once, what it needs comes with the first call."""

from __future__ import annotations

import subprocess
import sys

import pytest

import cohortflow.evaluation

HEAVY = "{'numba', 'pandas', 'scipy', 'skimage', 'SimpleITK', 'torch', 'prefect', 'dask'}"
CODE = f"""
import sys
import cohortflow.evaluation
assert not 'numpy' in sys.modules
from cohortflow.evaluation import evaluate_segmentation, summarise_segmentations
found = {HEAVY} & set(sys.modules)
assert not found, found
"""


def test_nothing_heavy_loads_with_the_name() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_names() -> None:
    assert all(getattr(cohortflow.evaluation, name) for name in cohortflow.evaluation.__all__)
    with pytest.raises(AttributeError, match="evaluate_segmentations"):
        _ = cohortflow.evaluation.evaluate_segmentations
