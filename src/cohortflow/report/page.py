"""A self-contained page: one file without a network, light and dark,
readable without its script."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from cohortflow.report.blocks import Section
from cohortflow.report.formats import TEXTUAL, cell

if TYPE_CHECKING:
    import jinja2

TOKEN_PLACE = '<meta name="cohortflow-save" content="">'
"""Where a server of ours writes its token; it stands once in a page that saves."""


@dataclass(frozen=True)
class Page:
    """What stands around the sections. ``kind``: the word beside the name of the program.

    ``verdict``: ``tone`` good, open or bad, and ``text``. ``links``: what is beside the page: its
    name and where it is, seen from here; ``home``: how the page's own address ends there (a
    pattern), as a copy of it elsewhere has nothing beside it. ``elsewhere``: name and whole address
    of other pages. ``saves``: a server of ours may put a token into it, with which it saves there.
    ``data``: the element with what the page was made from, which no browser runs.
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
    saves: bool = False
    data: str = ""


def html_page(page: Page, sections: Sequence[Section], *scripts: str) -> str:
    """The page as HTML; ``scripts`` are files of the package that run after its own."""
    code = [_packaged(name) for name in ("report.js", *scripts)]
    return _template().render(
        page=page,
        sections=sections,
        css=_packaged("report.css"),
        scripts=code,
        policy=_policy(code, saves=page.saves),
        token=TOKEN_PLACE if page.saves else "",
        cell=cell,
        textual=TEXTUAL,
    )


@cache
def _template() -> jinja2.Template:
    """Compiled once: a cohort has thousands of pages."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cohortflow.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


def _policy(scripts: Sequence[str], *, saves: bool) -> str:
    """Nothing is loaded from anywhere, and no script runs but those that the page came with.

    A page that ``saves`` may talk to the server it came from; a file came from none.
    """
    digests = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {allowed}"
    return f"{policy}; connect-src 'self'" if saves else policy


@cache
def _packaged(name: str) -> str:
    folder = importlib.resources.files("cohortflow.report") / "templates"
    return (folder / name).read_text(encoding="utf-8")
