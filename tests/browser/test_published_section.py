"""The section of published numbers in a browser: what it tells, light and dark, on a wide screen
and on a narrow one."""

from __future__ import annotations

from pathlib import Path

import pytest

from cohortflow.report import SECTIONS
from cohortflow.report.page import Page as Around
from cohortflow.report.page import html_page
from tests.browser.chromium import Page, until
from tests.report.test_published import segmented, summary

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
AROUND = Around("report", "Published", "", {"tone": "good", "text": "done"}, [], "foot")


def test_tables_doubts_and_gains_are_read(page: Page, tmp_path: Path) -> None:
    section = SECTIONS["published"](segmented("synergynet", summary(unit_mm=False, lose=True)))
    file = tmp_path / "report.html"
    file.write_text(html_page(AROUND, [section]), encoding="utf-8")
    page.send("Emulation.setDeviceMetricsOverride", **size(1280))
    page.open(file.as_uri())
    assert until(lambda: "Beside the published numbers" in page.text, "the section")
    assert "printed beside obtained" in page.text
    assert "counts empty masks otherwise" in page.text
    folded = page.text
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert "not the mean of the class columns of its row" not in folded
    assert "† R50 UNet, DSC 74.68; DeepLabV3+, DSC 77.63; " in page.text
    assert "DSC 77.33: not the mean of the class columns of its row." in page.text
    for width in (1280, 400):
        page.send("Emulation.setDeviceMetricsOverride", **size(width))
        root = "document.documentElement"
        assert page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth"), "tables scroll alone"
    assert colour(page, "light") != colour(page, "dark")


def size(width: int) -> dict[str, object]:
    return {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}


def colour(page: Page, scheme: str) -> str:
    """Of a table's words under a colour scheme; they stand out from what is behind them."""
    wanted = {"name": "prefers-color-scheme", "value": scheme}
    page.send("Emulation.setEmulatedMedia", features=[wanted])
    ink = page.evaluate("getComputedStyle(document.querySelector('td')).color")
    behind = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ink != behind
    return str(ink)
