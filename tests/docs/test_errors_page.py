"""The page of errors is the error tree, and the tree keeps its own rules."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from cohortflow.errors import CohortflowError

ROOT = Path(__file__).parents[2]
EXIT_CODES = {1, 2, 3, 4, 5, 130}


@pytest.fixture(scope="module")
def make_errors() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / "make_errors.py"))


def test_page_is_up_to_date(make_errors: dict[str, Any]) -> None:
    written = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert written == make_errors["render"](), "run: python docs/make_errors.py"


def test_codes_are_stable_handles(make_errors: dict[str, Any]) -> None:
    classes = list(make_errors["tree"](CohortflowError))
    codes = [cls.code for cls in classes]
    assert sorted(codes) == sorted(set(codes)), "two classes share a code"
    assert all(code == code.lower() and " " not in code and "_" not in code for code in codes)
    assert {cls.exit_code for cls in classes} <= EXIT_CODES


def test_every_code_is_on_the_page(make_errors: dict[str, Any]) -> None:
    page = make_errors["render"]()
    missing = [c.code for c in make_errors["tree"](CohortflowError)][1:]
    assert [code for code in missing if f"| `{code}` |" not in page] == []
