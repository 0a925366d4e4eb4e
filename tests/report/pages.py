"""What a person reads on a page."""

from __future__ import annotations

import re


def text_of(page: str) -> str:
    """Its words in one line; no style, no script."""
    body = re.sub(r"<(style|script)\b.*?</\1>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))
