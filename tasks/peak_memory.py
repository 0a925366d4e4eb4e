"""The most memory this process has held since it started."""

from __future__ import annotations

import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_memory_bytes() -> int:
    """High-water mark of this process's resident memory, in bytes, to about a hundred KiB.

    It includes the libraries it has loaded and what earlier units left, so it is no single unit's.
    """
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    # getrusage's mark is handed on from the process that started this one; Linux keeps our own.
    return _high_water_mark() or _from_getrusage()


def _high_water_mark() -> int | None:
    try:
        status = _STATUS.read_bytes()
    except OSError:
        return None
    _, found, rest = status.partition(b"VmHWM:")
    return int(rest.split(None, 1)[0]) * 1024 if found else None


def _from_getrusage() -> int:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
