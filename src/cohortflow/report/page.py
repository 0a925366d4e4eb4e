"""A self-contained page: one file without a network, light and dark,
readable without its script."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cohortflow.report.blocks import Section
from cohortflow.report.formats import TEXTUAL, cell


@dataclass(frozen=True)
class Page:
    """What stands around the sections. ``kind``: the word beside the name of the program.

    ``verdict``: ``tone`` good, open or bad, and ``text``. ``links``: what is beside the page: its
    name and where it is, seen from here; ``home``: how the page's own address ends there (a
    pattern), as a copy of it elsewhere has nothing beside it. ``elsewhere``: name and whole address
    of other pages. ``data``: the element with what the page was made from, which no browser runs.
    """

    kind: str
    title: str
    subtitle: str
    verdict: Mapping[str, Any]
    tiles: Sequence[tuple[str, str]]
    foot: str
    links: Sequence[tuple[str, str]] = ()
    home: str = ""
    elsewhere: Sequence[tuple[str, str]] = ()
    pipeline_text: str = ""
    data: str = ""


def html_page(page: Page, sections: Sequence[Section], *scripts: str) -> str:
    """The page as HTML; ``scripts`` are files of the package that run after its own."""
    import jinja2

    loader = jinja2.PackageLoader("cohortflow.report", "templates")
    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    code = [_packaged(name) for name in ("report.js", *scripts)]
    return environment.get_template("report.html.j2").render(
        page=page,
        sections=sections,
        css=_packaged("report.css"),
        scripts=code,
        policy=_policy(code),
        cell=cell,
        textual=TEXTUAL,
    )


def _policy(scripts: Sequence[str]) -> str:
    """Nothing is loaded from anywhere, and no script runs but those that the page came with."""
    digests = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {allowed}"


def _packaged(name: str) -> str:
    folder = importlib.resources.files("cohortflow.report") / "templates"
    return (folder / name).read_text(encoding="utf-8")
