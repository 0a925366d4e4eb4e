"""Names from data as HTML ids."""

from __future__ import annotations

from typing import Any


def slug(name: Any) -> str:
    """ASCII letters and digits stay; every other character is written as its number."""
    return "".join(c if c.isascii() and c.isalnum() else f"-{ord(c):x}" for c in str(name))
