"""What is known of the file system that a folder lies on."""

from __future__ import annotations

import os
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_ORDERED = frozenset({"ext4", "xfs"})
"""One ordered log of names: a new file's ``fsync`` writes it up to the file, and so every folder on
the way to it (Mohan et al., OSDI 2018: "strictly ordered metadata consistency")."""


def names_follow(folder: str) -> bool:
    """Whether syncing a new file also makes the names durable that lead to it.

    Where that is not known, no: every folder is then synced by itself.
    """
    return file_system(folder) in _ORDERED


def file_system(folder: str) -> str | None:
    """The type of the file system, as Linux calls it; None where it is not known."""
    try:
        device = os.stat(folder).st_dev
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for mount in mounts:
        fields, _, kind = mount.partition(" - ")
        if fields.split()[2:3] == [wanted]:
            return kind.split()[0]
    return None
