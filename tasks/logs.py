"""Log lines of a run: the standard logging module, to standard error."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

OURS = ("cohortflow", "tasks", "flows")


class StandardError(logging.StreamHandler[TextIO]):
    """Writes to whatever ``sys.stderr`` is now: progress bars replace it while they are drawn."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, value: TextIO) -> None:
        raise AttributeError("the stream is always sys.stderr")


def setup_logging(verbosity: int = 0) -> None:
    """Send log lines to standard error; may be called again.

    ``verbosity``: -1 only warnings · 0 what happens · 1 our details · 2 everybody's details.
    """
    root = logging.getLogger()
    for handler in [found for found in root.handlers if isinstance(found, StandardError)]:
        root.removeHandler(handler)
    handler = StandardError()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if verbosity > 1 else logging.WARNING)
    level = logging.WARNING if verbosity < 0 else logging.INFO if not verbosity else logging.DEBUG
    for name in OURS:
        logging.getLogger(name).setLevel(level)
