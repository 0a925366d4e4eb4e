"""``python -m tests.golden.rewrite``: keep the numbers of stages that are new or of a new
version."""

from __future__ import annotations

import os
import sys

import pytest

from tests.golden.check import REWRITE


def main() -> int:
    os.environ[REWRITE] = "1"
    return int(pytest.main(["-q", "-k", "golden", "-p", "no:cacheprovider", "tests"]))


if __name__ == "__main__":
    sys.exit(main())
