"""Which code computes, with which packages, on what machine: never which host, nor whose."""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

COMPUTING = (
    "numpy",
    "scipy",
    "numba",
    "torch",
    "scikit-learn",
    "gudhi",
    "SimpleITK",
    "nibabel",
    "pydicom",
    "pandas",
    "pyarrow",
    "xarray",
    "zarr",
    "safetensors",
)
"""The packages whose version can change a number."""


@functools.cache
def code_version() -> dict[str, str]:
    """``version`` of the package and ``digest`` (sha256) of its own source as it is installed.

    The digest covers names and bytes of every ``.py`` and ``.yaml`` file of :mod:`cohortflow`, all
    that a number of a result or of a report comes from.
    """
    return {"version": _version("cohortflow") or "", "digest": source_digest(_folder())}


def source_digest(folder: Path) -> str:
    """sha256 over the relative names and contents of the source files in ``folder``."""
    total = hashlib.sha256()
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if _counts(p)}
    for name in sorted(files):
        total.update(f"{name}\0{hashlib.sha256(files[name].read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


@functools.cache
def environment() -> dict[str, Any]:
    """Versions of Python and of the packages that compute; system, machine, processor."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processor": _processor(),
        "packages": {name: found for name in COMPUTING if (found := _version(name))},
    }


def _folder() -> Path:
    return Path(str(importlib.resources.files("cohortflow")))


def _counts(path: Path) -> bool:
    return path.suffix in (".py", ".yaml") and "__pycache__" not in path.parts and path.is_file()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    """The model's name; empty where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    found = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(found, platform.processor())
