"""Log lines that many units have in common: the first few of a kind, then how many more."""

from __future__ import annotations

import logging
from collections import Counter

FIRST = 3


class Sparingly:
    """Warnings by kind: the first few are told, the rest counted; ``close`` tells the counts."""

    def __init__(self, log: logging.Logger, first: int = FIRST) -> None:
        self._log = log
        self._first = first
        self._seen: Counter[tuple[str, str]] = Counter()

    def warning(self, topic: str, kind: str, text: str) -> None:
        """``topic``: what is closed together, such as a step. ``kind``: what counts as the same."""
        self._seen[(topic, kind)] += 1
        told = self._seen[(topic, kind)] <= self._first
        self._log.log(logging.WARNING if told else logging.DEBUG, "%s", text)

    def close(self, topic: str) -> None:
        """Tell how many lines of each kind were left out, and forget them."""
        for found in [found for found in self._seen if found[0] == topic]:
            left = self._seen.pop(found) - self._first
            if left > 0:
                self._log.warning("%s: %s, %s more times", topic, found[1], f"{left:,}")
