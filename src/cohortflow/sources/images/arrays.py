"""Named arrays as Synapse and ACDC are distributed: volumes (z, y, x), or a file for every slice.

Image, label and scribble stand side by side in one file; which is which is told by their names. No
spacing is told at all.
"""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.errors import (
    BadHeader,
    DuplicateSlice,
    EmptyInput,
    GeometryMismatch,
    MissingSlice,
    MixedPixels,
    MixedSize,
    UnsupportedData,
)
from cohortflow.sources.images.assumed import assumed_matrix
from cohortflow.sources.images.decoded import Decoded, Request, Role, finished, refuse_size

_PARTS = {"image": ("image", "img", "data", "volume"), "scribble": ("scribble",)}
_PARTS["label"] = ("label", "labels", "mask", "seg", "gt")
_PART_OF = {name: part for part, names in _PARTS.items() for name in names}
_NUMBER = re.compile(r"slice[ _-]?(\d{1,9})(?!.*slice[ _-]?\d)|(\d{1,9})\D*$", re.I | re.S)


@dataclass(frozen=True)
class Stored:
    """An array of a file before it is read."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[], npt.NDArray[Any]]


Opened = Callable[[str, Request], AbstractContextManager[Mapping[str, Stored]]]
"""Opens a file; its arrays by part."""


def read_arrays(request: Request, opened: Opened) -> list[Decoded]:
    """Image, label, scribble as (z, y, x), whichever there are; ``part`` says which.

    ``request.files``: one file of volumes, or the slices of one subject, whose numbers follow one
    another. Index space unless a spacing is given. Raises the InputError of what is wrong.
    """
    files, where = _in_order(request.files, request.where), request.where
    first: Mapping[str, Stored] = {}
    volumes: dict[str, npt.NDArray[Any]] = {}
    for at, path in enumerate(files):
        if not os.path.getsize(path):
            raise EmptyInput("the file is empty", where=where, found="0 bytes")
        with opened(path, request) as parts:
            if not at:
                first = parts
                _check(parts, len(files), request)
            _refuse_mixture(first, parts, where)
            for part, stored in parts.items():
                if len(files) == 1:
                    volumes[part] = stored.read()
                    continue
                if not at:
                    volumes[part] = np.empty((len(files), *stored.shape), stored.dtype)
                volumes[part][at] = stored.read()
    return [_decoded(part, volumes[part], len(files), request) for part in sorted(volumes)]


def part_names(names: Sequence[str], request: Request) -> dict[str, str]:
    """The name in the file of each part; an array alone is what the request takes it for.

    Raises :class:`BadHeader` where none is known, or two are the same part.
    """
    found: dict[str, str] = {}
    for name in names:
        part = _PART_OF.get(name.lower())
        if part in found:
            raise BadHeader(
                "two arrays that are one thing by their names",
                where=request.where,
                expected=f"one of {', '.join(_PARTS[part])}",
            )
        if part is not None:
            found[part] = name
    if not found and len(names) == 1:
        return {request.role: names[0]}
    if not found:
        raise BadHeader(
            "no array has a name that is known",
            where=request.where,
            expected=", ".join(_PART_OF),
            found=f"{len(names)} others",
        )
    return found


def refuse_array(shape: Sequence[int], dtype: np.dtype[Any], request: Request) -> None:
    """Raises for what is no volume or slice of real numbers, or too many, before any is read."""
    where = request.where
    if dtype.kind not in "fiub":
        raise UnsupportedData(
            "an array of something else than real numbers",
            where=where,
            expected="whole numbers or floating point",
        )
    if len(shape) not in (2, 3):
        raise UnsupportedData(
            "an array that is no volume and no slice",
            where=where,
            expected="(z, y, x) or (y, x)",
            found=str(tuple(shape)),
        )
    if min(shape) < 1:
        raise EmptyInput("an array without voxels", where=where, found=str(tuple(shape)))
    refuse_size(math.prod(shape), request.options, where)


def _in_order(files: Sequence[str], where: str) -> list[str]:
    """By slice number, which must follow one another."""
    if len(files) == 1:
        return list(files)
    numbered = sorted((_number(path, where), path) for path in files)
    for (before, _), (after, _) in itertools.pairwise(numbered):
        if after == before:
            raise DuplicateSlice("two files of one slice", where=where, found=f"slice {after}")
        if after > before + 1:
            raise MissingSlice(
                "slices are missing",
                where=where,
                expected=f"{numbered[0][0]} to {numbered[-1][0]}",
                found=f"none between {before} and {after}",
            )
    return [path for _, path in numbered]


def _number(path: str, where: str) -> int:
    stem = re.sub(r"(\.npy)?\.(h5|hdf5|npz)$", "", os.path.basename(path), flags=re.I)
    match = _NUMBER.search(stem)
    if match is None:
        raise MissingSlice(
            "a slice whose file has no number", where=where, expected="a name such as slice_012.h5"
        )
    return int(match[1] or match[2])


def _volume_shape(stored: Stored, slices: int) -> tuple[int, ...]:
    return stored.shape if len(stored.shape) == 3 else (slices, *stored.shape)


def _check(parts: Mapping[str, Stored], slices: int, request: Request) -> None:
    shapes = {part: _volume_shape(stored, slices) for part, stored in parts.items()}
    for stored, shape in zip(parts.values(), shapes.values(), strict=True):
        if slices > 1 and len(stored.shape) == 3:
            raise UnsupportedData(
                "several files of volumes where one, or slices, are expected",
                where=request.where,
                expected="(y, x)",
                found=str(stored.shape),
            )
        refuse_size(math.prod(shape), request.options, request.where)
    if len(set(shapes.values())) > 1:
        raise GeometryMismatch(
            "arrays of one file that differ in size",
            where=request.where,
            found=", ".join(f"{part} {shape}" for part, shape in shapes.items()),
        )


def _refuse_mixture(first: Mapping[str, Stored], parts: Mapping[str, Stored], where: str) -> None:
    if set(first) != set(parts):
        lacking = ", ".join(sorted(set(first) ^ set(parts)))
        raise MissingSlice("an array that not every slice has", where=where, found=lacking)
    for part, stored in parts.items():
        if stored.shape != first[part].shape:
            raise MixedSize(
                "slices of different sizes",
                where=where,
                expected=str(first[part].shape),
                found=str(stored.shape),
            )
        if stored.dtype != first[part].dtype:
            raise MixedPixels(
                "slices of different types of pixel",
                where=where,
                expected=str(first[part].dtype),
                found=str(stored.dtype),
            )


def _decoded(part: str, array: npt.NDArray[Any], files: int, request: Request) -> Decoded:
    role: Role = "image" if part == "image" else "label"
    decoded = Decoded(role, array if array.ndim == 3 else array[None], part=part)
    if files > 1:
        decoded.facts["slice_files"] = files
    if request.options.spacing_mm is not None:
        decoded.matrix = assumed_matrix(
            decoded.array.shape, request.options.spacing_mm, decoded, request
        )
    return finished(decoded, request.options, request.where)
