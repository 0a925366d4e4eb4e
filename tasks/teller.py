"""What a worker tells the flow: outcomes of quick units a few at a time, of slow ones at once."""

from __future__ import annotations

import threading
import time
from typing import Any

TELL_S = 0.05
"""Within so long the flow knows of a unit. Each event costs it as much as committing a small
unit."""

Word = tuple[str, int, str]
"""Flight, position of a unit in it (-1: it has begun), outcome as JSON."""


class Teller:
    """Tells what happens to the units of one flight.

    Where the worker dies, what it had not told yet is found committed by whoever tries it next.
    """

    def __init__(self, worker: Any, topic: str) -> None:
        self._worker = worker
        self._topic = topic
        self._lock = threading.Lock()
        self._words: list[Word] = []
        self._told = time.monotonic()
        self._waits = False

    def tell(self, *word: Any, at_once: bool = False) -> None:
        """Take a word; it leaves now, or with those that follow within ``TELL_S``."""
        with self._lock:
            self._words.append(word)
            if not at_once and time.monotonic() - self._told < TELL_S:
                if not self._waits:
                    self._waits = True
                    # In the loop's thread: the next unit may hang in this one.
                    self._worker.loop.add_callback(self._worker.loop.call_later, TELL_S, self.flush)
                return
        self.flush()

    def flush(self) -> None:
        """Tell all that was taken; in order, whichever thread calls."""
        with self._lock:
            words, self._words, self._waits = self._words, [], False
            self._told = time.monotonic()
            if words:  # by the loop's queue from either thread, which keeps the order
                self._worker.loop.add_callback(self._worker.log_event, self._topic, words)
