"""The data block of a page: JSON that no browser runs and that cannot end its element."""

from __future__ import annotations

import json
from typing import Any

ID = "cohortflow-report"
OPENING = f'<script type="application/json" id="{ID}">'
CLOSING = "</script>"


def data_block(document: Any) -> str:
    """The element with the document in it."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return f"{OPENING}{inert(text)}{CLOSING}"


def inert(text: str) -> str:
    """JSON in which no markup begins: ``<`` as its escape."""
    return text.replace("<", "\\u003c")
