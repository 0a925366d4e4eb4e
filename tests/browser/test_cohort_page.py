"""The page of a cohort in a browser: many subjects, few rows, found by id, step and state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cohortflow.report.cohort_page import render_cohort_page
from tests.browser.chromium import Page, until
from tests.report.test_cohort_page import CREATED, SHORT, status, unit

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SUBJECTS = 10_000


def test_ten_thousand_subjects_are_searched_and_scrolled(page: Page, tmp_path: Path) -> None:
    names = [f"sub-{n:02d}" for n in range(1, SUBJECTS + 1)]
    units = [unit(step, name) for step in ("one", "two") for name in names]
    units[6_541] = unit("one", names[6_541], "failed", error=SHORT)
    file = tmp_path / "reports" / "cohort.html"
    file.parent.mkdir()
    file.write_text(render_cohort_page(status(units, subjects=SUBJECTS), CREATED))
    page.open(file.as_uri())
    assert shows(page, "10,000 of 10,000 subjects")
    assert rows(page) < 60
    assert page.evaluate("document.querySelector('.links a').textContent") == "Runs of small"

    view = "document.querySelector('.window')"
    page.evaluate(f"{view}.scrollTop = {view}.scrollHeight")
    assert until(lambda: "sub-10000" in page.text, "the last subject")
    assert rows(page) < 60

    page.fill(page.find("searchbox", "Subject"), "sub-6542")
    assert shows(page, "1 of 10,000 subjects")
    assert "failed · series-too-short" in page.text
    page.fill(page.find("searchbox", "Subject"), "")
    choose(page, "state", "failed")
    assert shows(page, "2 of 10,000 subjects"), "one of them was refused at ingest"
    choose(page, "step", "0")
    assert shows(page, "1 of 10,000 subjects")


def rows(page: Page) -> int:
    return int(page.evaluate("document.querySelectorAll('.window tr').length"))


def shows(page: Page, count: str) -> bool:
    told = "(document.querySelector('.filters output') || {}).textContent"
    return bool(until(lambda: page.evaluate(told) == count, f"{count!r}"))


def choose(page: Page, name: str, value: str) -> None:
    field: Any = f"document.querySelector('.filters').{name}"
    page.evaluate(
        f"{field}.value = {value!r}; {field}.dispatchEvent(new Event('input', {{bubbles: true}}))"
    )


@pytest.mark.parametrize("width", [480, 1280])
def test_causes_with_many_subjects_are_no_tall_rows(page: Page, tmp_path: Path, width: int) -> None:
    names = [f"sub-{n:05d}" for n in range(1, 31)]
    row = {"pipeline": "small", "step": "one", "state": "failed", "units": 30, "replay": ""}
    cause = {**row, **SHORT, "subjects": names[:25]}
    file = tmp_path / "cohort.html"
    file.write_text(render_cohort_page(status([], subjects=30, failures=[cause]), CREATED))
    page.send(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=900,
        deviceScaleFactor=1,
        mobile=False,
    )
    page.open(file.as_uri())
    until(lambda: "sub-00008" in page.text, "the causes")
    tallest = "Math.max(...[...document.querySelectorAll('#failures tbody tr')]"
    tall = page.evaluate(f"{tallest}.map(row => row.getBoundingClientRect().height))")
    assert tall < 130, "nine names need five lines, not nine"
