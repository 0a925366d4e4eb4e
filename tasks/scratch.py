"""A folder for the workers' own files; what a killed run left is removed by the next one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX = "cohortflow-scratch-"
_LOCK = "lock"


@contextlib.contextmanager
def scratch_folder() -> Iterator[str]:
    """A folder that is gone at the end; while its maker lives its lock is held."""
    remove_abandoned(Path(tempfile.gettempdir()))
    making = Path(tempfile.mkdtemp(prefix=f".{PREFIX}"))
    handle = os.open(making / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    folder = making.rename(making.with_name(making.name[1:]))  # seen by others once it is locked
    try:
        yield str(folder)
    finally:
        os.close(handle)
        shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned(parent: Path) -> None:
    """Remove our scratch folders whose makers are gone: nobody holds their locks."""
    for folder in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # another user's, held, or being made or removed
            if folder.stat().st_uid != os.getuid():
                continue
            handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(handle)
