"""Figures follow the page's theme, repeat bit by bit, and do not clash inside one page."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np

from cohortflow.report.figures import ONE, draw, heat_map, name_rows


def paint(canvas):  # type: ignore[no-untyped-def]
    axes = canvas.add_subplot()
    matrix = np.arange(9.0).reshape(3, 3)
    matrix[0, 1] = np.nan
    heat_map(axes, matrix, bar="distance")
    name_rows(axes, ["a & b", "<c>", "$x_{1$"])
    axes.plot([0, 2], [0, 2], color=ONE)


def test_inks_are_the_pages_own() -> None:
    svg = draw("one", (3, 3), paint)
    assert "var(--one)" in svg
    assert "currentColor" in svg
    assert not re.search(r"#0[1-7]a2b3", svg)


def test_no_white_plate_and_no_address_is_left() -> None:
    svg = draw("one", (3, 3), paint)
    assert "http" not in re.sub(r'xmlns(:xlink)?="[^"]*"', "", svg)
    assert "fill: #ffffff" not in svg


def test_ids_are_prefixed_and_resolve() -> None:
    svg = draw("one", (3, 3), paint)
    ids = set(re.findall(r'\bid="([^"]+)"', svg))
    assert all(name.startswith("one-") for name in ids)
    used = re.findall(r"url\(#([^)]+)\)", svg) + re.findall(r'href="#([^"]+)"', svg)
    assert used
    assert set(used) <= ids


def test_text_from_data_is_text() -> None:
    root = ElementTree.fromstring(draw("one", (3, 3), paint))
    texts = {"".join(node.itertext()) for node in root.iter() if node.tag.endswith("text")}
    assert {"a & b", "<c>", "$x_{1$"} <= texts


def test_equal_figures_have_equal_bytes() -> None:
    assert draw("one", (3, 3), paint) == draw("one", (3, 3), paint)
