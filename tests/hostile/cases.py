"""A case: a subject's files that must be refused, and the code they are refused by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

Write = Callable[[Path], object]
"""Writes what is wrong into the folder of its subject."""


@dataclass(frozen=True)
class Case:
    """``name``: of the subject's folder. ``code``: of the error that must refuse it."""

    name: str
    code: str
    write: Write


def file(case: str, code: str, name: str, data: bytes, **others: bytes) -> Case:
    """A case of one file, and others beside it by their names."""

    def write(folder: Path) -> None:
        (folder / name).write_bytes(data)
        for other, more in others.items():
            (folder / other).write_bytes(more)

    return Case(case, code, write)


def cut(case: str, code: str, name: str, data: bytes, places: Mapping[str, int]) -> Iterator[Case]:
    """One case for each place: the file ends there."""
    for place, length in places.items():
        expected = "empty-input" if length == 0 else code
        yield file(f"{case}-cut-at-{place}", expected, name, data[:length])
