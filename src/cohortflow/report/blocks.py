"""What a section is made of: texts, notes, tables and figures, each as HTML and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Tone = Literal["info", "absent", "warning", "error"]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Text:
    """A paragraph of prose."""

    text: str
    type: str = "text"

    def to_json(self) -> dict[str, Any]:
        return {"type": self.type, "text": self.text}


@dataclass(frozen=True)
class Note:
    """A remark that must not be overlooked: what is absent, doubtful or failed."""

    text: str
    tone: Tone = "info"
    hint: str = ""
    code: str = ""
    type: str = "note"

    def to_json(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in ("type", "tone", "text", "hint", "code")}


@dataclass(frozen=True)
class Column:
    """``format`` is a name of :data:`cohortflow.report.formats.FORMATS`; ``unit`` is printed.

    ``link``: the member of a row that holds the address of a page beside this one.
    """

    name: str
    title: str
    format: str = "text"
    unit: str = ""
    about: str = ""
    link: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of JSON values under typed columns. ``shown`` caps the HTML only, and it says so."""

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    shown: int = 120
    folded: bool = False
    notes: Sequence[str] = ()
    type: str = "table"

    @property
    def visible(self) -> Sequence[Row]:
        return self.rows[: self.shown]

    def to_json(self) -> dict[str, Any]:
        columns = [
            {"name": c.name, "title": c.title, "format": c.format, "unit": c.unit}
            for c in self.columns
        ]
        return {
            "type": self.type,
            "name": self.name,
            "caption": self.caption,
            "columns": columns,
            "rows": [{c.name: row.get(c.name) for c in self.columns} for row in self.rows],
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Figure:
    """An inline SVG whose colours follow the page; ``data`` holds the numbers it shows.

    ``half``: narrow enough for two side by side where the page has room.
    """

    name: str
    svg: str
    alt: str
    caption: str
    data: Mapping[str, Any] = field(default_factory=dict)
    wide: bool = False
    half: bool = False
    type: str = "figure"

    def to_json(self) -> dict[str, Any]:
        return {
            "type": self.type,
            "name": self.name,
            "alt": self.alt,
            "caption": self.caption,
            "data": dict(self.data),
        }


@dataclass(frozen=True)
class Heading:
    text: str
    type: str = "heading"

    def to_json(self) -> dict[str, Any]:
        return {"type": self.type, "text": self.text}


@dataclass(frozen=True)
class Roster:
    """Subjects by step, of which the page shows the rows that are looked at.

    ``data``: what ``roster.js`` reads; without a script there is nothing to see.
    """

    name: str
    caption: str
    data: Mapping[str, Any]
    type: str = "roster"

    def to_json(self) -> dict[str, Any]:
        return {"type": self.type, "name": self.name, "caption": self.caption}

    @property
    def text(self) -> str:
        return _json_inside(self.data)


@dataclass(frozen=True)
class Verdict:
    """A form for a verdict by keyboard. ``data``: what ``subject.js`` reads."""

    name: str
    data: Mapping[str, Any]
    type: str = "verdict"

    def to_json(self) -> dict[str, Any]:
        return {"type": self.type, "name": self.name}

    @property
    def text(self) -> str:
        return _json_inside(self.data)


def _json_inside(data: Any) -> str:
    """JSON that cannot end the element it stands in."""
    written = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return written.replace("<", "\\u003c")


Block = Text | Note | Table | Figure | Heading | Roster | Verdict


@dataclass(frozen=True)
class Highlight:
    """A result that the page opens with, as printed; the section has it whole."""

    label: str
    value: str
    detail: str


@dataclass(frozen=True)
class Section:
    """One part of the report, under its name in the pipeline's ``report`` list."""

    name: str
    title: str
    blocks: Sequence[Block]
    highlights: Sequence[Highlight] = ()

    def to_json(self) -> dict[str, Any]:
        blocks = [block.to_json() for block in self.blocks]
        told = [asdict(one) for one in self.highlights]
        return {"title": self.title, **({"highlights": told} if told else {}), "blocks": blocks}


def not_run(name: str, title: str, what: str, hint: str = "") -> Section:
    """A section whose material was never computed says so, in place."""
    return Section(name, title, [Note(f"Not shown: {what}", tone="absent", hint=hint)])
