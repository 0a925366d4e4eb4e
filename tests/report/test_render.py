"""The report as a whole: one file, the same content as JSON, nothing fetched, all escaped."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from cohortflow.errors import UnknownName
from cohortflow.report import SECTIONS, check_sections, render_report
from cohortflow.report.blocks import Column, Section, Table
from cohortflow.report.formats import cell
from tests.report.fake import FakeSource, make_source


class Page(HTMLParser):
    """Tables by id as lists of rows of cell texts; every attribute; visible text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.attributes: list[tuple[str, str, str]] = []
        self.tags: list[str] = []
        self._table = ""
        self._cell = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "table":
            self._table = str(dict(attrs)["id"]).removeprefix("table-")
            self.tables[self._table] = []
        elif tag == "tr" and self._table:
            self.tables[self._table].append([])
        elif tag == "td" and self._table:
            self.tables[self._table][-1].append("")
            self._cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self._table = ""
        elif tag == "td":
            self._cell = False

    def handle_data(self, data: str) -> None:
        if self._cell and self._table:
            self.tables[self._table][-1][-1] += data


@pytest.fixture(scope="module")
def source() -> FakeSource:
    return make_source()


@pytest.fixture(scope="module")
def rendered(source: FakeSource, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any]:
    return render(source, tmp_path_factory.mktemp("report"))


def render(source: FakeSource, out: Path) -> tuple[str, Any]:
    page = render_report(source, out)
    assert page == out / "report.html"
    return page.read_text("utf-8"), json.loads((out / "report.json").read_text("utf-8"))


def json_tables(document: Any) -> dict[str, Any]:
    blocks = [b for section in document["sections"].values() for b in section["blocks"]]
    return {block["name"]: block for block in blocks if block["type"] == "table"}


def test_every_table_of_the_page_shows_the_rows_of_the_json(rendered: tuple[str, Any]) -> None:
    html, document = rendered
    page, tables = Page(html), json_tables(document)
    assert set(page.tables) == set(tables)
    for name, table in tables.items():
        shown = [row for row in page.tables[name] if row]
        expected = [
            [cell(row[column["name"]], column["format"]) for column in table["columns"]]
            for row in table["rows"]
        ]
        assert shown == expected[: len(shown)]
        assert len(shown) == min(len(expected), 120)


def test_nothing_is_fetched_and_the_file_is_small(rendered: tuple[str, Any]) -> None:
    html, _ = rendered
    loading = [
        (tag, name, value)
        for tag, name, value in Page(html).attributes
        if name in ("src", "srcset", "data", "action", "xlink:href", "poster")
        or (name == "href" and tag in ("link", "image", "use"))
    ]
    assert [item for item in loading if not item[2].startswith(("#", "data:"))] == []
    assert not re.search(r"url\(\s*['\"]?(?!#|data:)", html)
    assert "@import" not in html
    assert len(html.encode()) < 5_000_000


def test_equal_input_gives_equal_bytes(rendered: tuple[str, Any], tmp_path: Path) -> None:
    html, document = rendered
    again, document_again = render(make_source(), tmp_path)
    assert again == html
    assert document_again == document


def test_hostile_names_are_shown_and_never_interpreted(tmp_path: Path) -> None:
    hostile = "<script>alert('sub')</script> & $x_{1$"
    source = make_source(subjects=4)
    people = source.participants
    source.participants = people.rename(index={people.index[0]: hostile}).assign(site=hostile)
    source.refused = [{"subject": hostile, "error": {"code": "x", "message": hostile}}]
    source.pipeline["title"] = hostile
    source.pipeline["text"] = hostile
    source.ingested[0]["facts"]["constant_regions"] = [hostile]
    html, document = render(source, tmp_path)
    assert "<script>alert" not in html
    assert Page(html).tags.count("script") == 1
    assert document["verdict"]["refused"] == 1
    assert Page(html).tables["constant_regions"][1][2] == hostile


def test_an_unknown_section_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    source = make_source(subjects=4)
    source.pipeline["report"] = ["accurracy"]
    with pytest.raises(UnknownName, match="accuracy"):
        render_report(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    check_sections(SECTIONS)


def test_a_section_that_fails_shows_its_error_and_the_rest_is_rendered(tmp_path: Path) -> None:
    source = make_source(subjects=4)
    source.pipeline["report"] = ["accuracy"]
    unit = source.units(step="score")[0]
    broken = source.entries[unit.key]
    broken.file_names = ()
    html, document = render(source, tmp_path)
    blocks = document["sections"]["accuracy"]["blocks"]
    assert [(b["type"], b["tone"], b["code"]) for b in blocks] == [
        ("note", "error", "entry-missing")
    ]
    assert document["sections"]["methods"]["blocks"][0]["type"] == "text"
    assert "entry-missing" in html


def test_a_value_that_cannot_be_printed_is_its_sections_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unprintable(source: FakeSource) -> Section:
        table = Table("odd", "odd", [Column("n", "n", "integer")], [{"n": "many"}])
        return Section("accuracy", "Accuracy", [table])

    monkeypatch.setitem(SECTIONS, "accuracy", unprintable)
    source = make_source(subjects=4)
    source.pipeline["report"] = ["accuracy", "pair_maps"]
    html, document = render(source, tmp_path)
    (block,) = document["sections"]["accuracy"]["blocks"]
    assert block["code"] == "report-section-failed"
    assert "ValueError" in block["text"]
    assert document["sections"]["pair_maps"]["blocks"][0]["type"] != "note"
    assert "report-section-failed" in html
