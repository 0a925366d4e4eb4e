"""Loaded by every Python process of a run under test, and by nothing else.

The catalogue of the tests stands in for ours; a unit may misbehave between its arrays and its
record; ``FAULTS_MUTANT`` breaks the build on purpose. Nothing in the product knows of this.
"""

import importlib.abc
import importlib.util
import os
import sys
from pathlib import Path

STAGES = Path(__file__).parents[1] / "stages.py"


class TestCatalogue(importlib.abc.MetaPathFinder):
    """Finds ``cohortflow.stages`` in the tests."""

    def find_spec(self, name, path, target=None):
        if name == "cohortflow.stages":
            return importlib.util.spec_from_file_location(name, STAGES)
        return None


class AfterImport(importlib.abc.MetaPathFinder):
    """Calls a function with a module once that is loaded."""

    def __init__(self, name, patch):
        self.name, self.patch = name, patch

    def find_spec(self, name, path, target=None):
        if name != self.name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            self.patch(module)

        spec.loader.exec_module = exec_module
        return spec


if "FAULTS_CELL" in os.environ:
    from tests.faults.matrix import patches

    sys.meta_path.insert(0, TestCatalogue())
    for _name, _patch in patches.wanted():
        sys.meta_path.insert(0, AfterImport(_name, _patch))
