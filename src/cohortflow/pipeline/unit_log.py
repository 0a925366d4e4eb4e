"""The log and the recorder of one unit: lines of its own thread, curves, warnings, progress."""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType

from cohortflow.recorder import MemoryRecorder

ROOT = "cohortflow"


class UnitLog(MemoryRecorder, logging.Handler):
    """Collects what the package logs from this thread between enter and exit."""

    def __init__(self, label: str) -> None:
        MemoryRecorder.__init__(self)
        logging.Handler.__init__(self, logging.INFO)
        self.label = label
        self._lines: list[str] = []
        self._thread = threading.get_ident()

    def __enter__(self) -> UnitLog:
        logger = logging.getLogger(ROOT)
        if logger.level == logging.NOTSET or logger.level > logging.INFO:
            logger.setLevel(logging.INFO)
        logger.addHandler(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        logging.getLogger(ROOT).removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self._add(record.created, record.levelname, record.getMessage())

    def _add(self, created: float, level: str, text: str) -> None:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(created))
        self._lines.append(f"{moment} {level} {self.label}: {text}")

    def note(self, text: str) -> None:
        """A line of the unit's own log that is of no interest elsewhere."""
        self._add(time.time(), "INFO", text)

    def warning(self, code: str, message: str) -> None:
        super().warning(code, message)
        logging.getLogger(__name__).warning("%s: %s", code, message)

    def text(self) -> str:
        return "".join(f"{line}\n" for line in self._lines)
