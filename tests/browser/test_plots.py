"""Plots in a browser: every text inside its picture, none on another, both themes and paper."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from cohortflow.report import SECTIONS
from cohortflow.report.blocks import Block, Figure, Section
from cohortflow.report.page import Page as Around
from cohortflow.report.page import html_page
from tests.browser.chromium import Page, until
from tests.report.fake import make_source
from tests.report.plots.gallery import gallery, hard
from tests.report.segmentation_runs import usual

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
LOOK = """(() => {
  const wrong = [], near = 0.75;
  for (const figure of document.querySelectorAll("figure")) {
    const svg = figure.querySelector("svg"), box = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll("text")].filter(t => t.textContent.trim())
      .map(t => ({ name: t.textContent.trim(), at: t.getBoundingClientRect() }));
    if (!texts.length || box.width < 50) wrong.push([figure.id, "empty"]);
    for (const [i, one] of texts.entries()) {
      const a = one.at;
      if (a.left < box.left - near || a.right > box.right + near ||
          a.top < box.top - near || a.bottom > box.bottom + near)
        wrong.push([figure.id, "outside", one.name]);
      for (const other of texts.slice(i + 1)) {
        const b = other.at;
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        // Boxes of lines have leading above and below the letters.
        if (wide > near && high > 0.3 * Math.min(a.height, b.height))
          wrong.push([figure.id, "overlap", one.name, other.name]);
      }
    }
  }
  return wrong;
})()"""
INK = """(() => {
  const svg = document.querySelector("figure svg"), text = svg.querySelector("text");
  return [getComputedStyle(text).fill, getComputedStyle(svg.parentElement).backgroundColor];
})()"""


def blocks() -> list[Block]:
    made = [SECTIONS["classification"](make_source(8)), SECTIONS["segmentation"](usual())]
    drawn = [block for section in made for block in section.blocks]
    return [*gallery(), *hard(), *drawn]


def show(page: Page, width: int, scheme: str, media: str = "") -> None:
    page.send(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=900,
        deviceScaleFactor=1,
        mobile=False,
    )
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.send("Emulation.setEmulatedMedia", media=media, features=features)
    time.sleep(0.2)


def light(colour: str) -> float:
    return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 3.0


def test_every_text_is_inside_its_plot_and_on_no_other(page: Page, tmp_path: Path) -> None:
    shown = blocks()
    names = [block.name for block in shown if isinstance(block, Figure)]
    assert len(names) > 60
    file = tmp_path / "plots.html"
    around = Around("report", "Plots", "", {"tone": "good", "text": ""}, [], "")
    file.write_text(html_page(around, [Section("plots", "Plots", shown)]), encoding="utf-8")
    page.open(file.as_uri())
    count = "document.querySelectorAll('figure svg').length"
    until(lambda: page.evaluate(count) == len(names), "all figures")
    inks: dict[str, Any] = {}
    for width, scheme, media in (
        (1280, "light", ""),
        (1280, "dark", ""),
        (480, "light", ""),
        (760, "light", "print"),
    ):
        show(page, width, scheme, media)
        found = page.evaluate(LOOK)
        assert found == [], (width, scheme, media, found[:20])
        inks[scheme + media] = page.evaluate(INK)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert light(inks["light"][0]) < 90 < 220 < light(inks["light"][1])
    assert light(inks["dark"][1]) < 60 < 180 < light(inks["dark"][0])
    assert light(inks["lightprint"][0]) < 30
