"""Who this process is, and whether another one of this machine still lives."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def identity() -> dict[str, Any]:
    """Host name, boot id, pid namespace, pid and start time of this process.

    Containers repeat host names and pids: only boot id, namespace, pid and start time together
    name a process. They are empty where the system does not tell.
    """
    pid = os.getpid()
    return {
        "host": socket.gethostname(),
        "machine": machine(),
        "pid": pid,
        "started": _started(pid),
    }


def machine() -> str:
    """Boot id and pid namespace; empty where unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
    return f"{boot} {namespace}"


def is_dead(holder: Mapping[str, Any]) -> bool | None:
    """True: it ran here and is gone. False: it lives here. None: not for this machine to say."""
    here = machine()
    if not here or holder.get("machine") != here:
        return None
    return bool(_started(int(holder["pid"])) != holder["started"])


def _started(pid: int) -> str:
    """Start time in clock ticks since boot; empty when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return ""
    fields = text.rpartition(")")[2].split()
    if fields[0] in "ZX":  # killed, and not yet waited for by its parent
        return ""
    return fields[19]
