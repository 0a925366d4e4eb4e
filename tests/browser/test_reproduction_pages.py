"""A report with its data, and the page of a reproduction, as a browser opens them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.browser.chromium import Page, until
from tests.reproduction.conftest import ran as ran

pytestmark = pytest.mark.slow


def _opened(page: Page, path: Path) -> None:
    page.open(path.as_uri())
    until(lambda: page.evaluate("document.readyState") == "complete", path.name)


def test_the_data_of_a_report_are_inert_and_its_own_script_runs(page: Page, ran: Path) -> None:
    _opened(page, ran / "report.html")
    block = "document.getElementById('cohortflow-report')"
    assert page.evaluate(f"JSON.parse({block}.textContent).manifest.seeds.join()") == "0,1"
    assert page.evaluate(f"getComputedStyle({block}).display") == "none"
    assert "manifest" not in page.text
    before = page.evaluate("document.documentElement.dataset.theme || ''")
    page.click(page.find("button", "light and dark"))
    until(
        lambda: page.evaluate("document.documentElement.dataset.theme || ''") != before, "the theme"
    )


def test_a_reproduction_is_read_as_any_report(page: Page, ran: Path) -> None:
    _opened(page, ran / "out" / "reproduction.html")
    assert re.search(r"28 results were computed in an empty cohort", page.text)
    assert page.find("heading", "What was not compared")
    assert page.find("link", "Number by number")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
