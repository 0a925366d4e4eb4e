"""What the processes of a run under test have patched: moments inside a commit, and mutants."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from tests.faults.matrix import misbehave

MUTANT = "FAULTS_MUTANT"
DISK = "FAULTS_DISK"
"""A file: while it is there, the disk is full. Where no small disk can be mounted."""
STORAGE = "cohortflow.cohort.local_storage"
LEASES = "cohortflow.cohort.leases"

Patch = Callable[[ModuleType], None]


def wanted() -> Iterator[tuple[str, Patch]]:
    """Modules to patch, and how, in this process."""
    planned = misbehave.plan()
    if planned is not None and planned["phase"] in ("files", "record"):
        yield STORAGE, moments_of_a_commit
    if misbehave.CLOCK in os.environ:
        misbehave.jump_the_clock()
    if DISK in os.environ:
        yield STORAGE, no_room
    yield "tasks.worker", everything_imported_early
    mutant = os.environ.get(MUTANT)
    if mutant:
        yield MUTANTS[mutant]


def moments_of_a_commit(module: ModuleType) -> None:
    """``files``: half of an attempt is written. ``record``: all of it, and no record yet."""
    storage: Any = module.__dict__["LocalStorage"]
    write_tree, create = storage.write_tree, storage.create

    def write_tree_in_halves(self: Any, path: str, files: dict[str, bytes]) -> None:
        names = sorted(files)
        write_tree(self, path, {name: files[name] for name in names[: len(names) // 2]})
        misbehave.moment("files")
        write_tree(self, path, files)

    def create_later(self: Any, path: str, data: bytes) -> None:
        if path.endswith("/entry.json"):
            misbehave.moment("record")
        create(self, path, data)

    storage.write_tree, storage.create = write_tree_in_halves, create_later


def everything_imported_early(module: ModuleType) -> None:
    """The first array a process writes takes seconds on a busy machine:
    time-outs here are short."""
    setup = module.__dict__["dask_setup"]

    def dask_setup(worker: Any) -> None:
        setup(worker)
        import numpy as np
        import xarray as xr

        from cohortflow.cohort.arrays import encode_arrays

        encode_arrays(xr.Dataset({"warm": (("item", "feature"), np.zeros((8, 8)))}))

    module.__dict__["dask_setup"] = dask_setup


def no_room(module: ModuleType) -> None:
    """Writing fails while the file that stands for a full disk is there."""
    storage: Any = module.__dict__["LocalStorage"]
    full: Any = module.__dict__["DiskFull"]

    def refusing(write: Any) -> Any:
        def refused(self: Any, *given: Any, **named: Any) -> Any:
            if os.path.exists(os.environ[DISK]):
                raise full("the disk is full", where=self.url)
            return write(self, *given, **named)

        return refused

    for name in ("create", "write", "write_tree"):
        setattr(storage, name, refusing(getattr(storage, name)))


def commit_not_exclusively(module: ModuleType) -> None:
    """A record replaces the one that is there."""
    storage: Any = module.__dict__["LocalStorage"]
    create = storage.create

    def create_over(self: Any, path: str, data: bytes) -> None:
        if path.endswith("/entry.json"):
            self.write(path, data)
        else:
            create(self, path, data)

    storage.create = create_over


def leases_without_end(module: ModuleType) -> None:
    """A lease that was not given back is held for ever, whatever became of its holder."""
    watch: Any = module.__dict__["_Watch"]
    module.__dict__["is_dead"] = lambda holder: None

    def held(self: Any, silence_s: float) -> bool:
        return not self._storage.exists(f"{self._path}.end")

    watch.held = held


MUTANTS: dict[str, tuple[str, Patch]] = {
    "commit-not-exclusive": (STORAGE, commit_not_exclusively),
    "lease-never-expires": (LEASES, leases_without_end),
}
