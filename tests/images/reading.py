"""Reads files as the ingest does, in this process."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cohortflow.sources.images.child import read
from cohortflow.sources.images.decoded import Decoded, ReadOptions, Request, Role


def reading(
    files: Path | Iterable[Path], format_: str, role: Role = "image", **options: Any
) -> list[Decoded]:
    paths = [files] if isinstance(files, Path) else list(files)
    options["accept"] = frozenset(options.get("accept", ()))
    return read(Request(format_, tuple(map(str, paths)), role, "s", ReadOptions(**options)))


def read_one(files: Path | Iterable[Path], format_: str, **options: Any) -> Decoded:
    (decoded,) = reading(files, format_, **options)
    return decoded
