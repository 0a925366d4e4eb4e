"""Reading in this process, as the child does: what a reader raises has its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cohortflow.errors import CohortflowError
from cohortflow.sources.images import child
from cohortflow.sources.images.decoded import Decoded, ReadOptions, Request, Role


def read(
    format_: str, files: Path | list[Path], role: Role = "image", root: str = "", **options: Any
) -> list[Decoded]:
    paths = [files] if isinstance(files, Path) else files
    names = tuple(str(path) for path in paths)
    return child.read(Request(format_, names, role, "S1", ReadOptions(**options), root))


def one(
    format_: str, files: Path | list[Path], role: Role = "image", root: str = "", **options: Any
) -> Decoded:
    (decoded,) = read(format_, files, role, root, **options)
    return decoded


def refused(
    error: type[CohortflowError],
    format_: str,
    files: Path | list[Path],
    role: Role = "image",
    **options: Any,
) -> CohortflowError:
    """By exactly that class, with the study id and without the path."""
    with pytest.raises(CohortflowError) as caught:
        read(format_, files, role, **options)
    assert type(caught.value) is error, f"{type(caught.value).__name__}: {caught.value}"
    assert caught.value.where == "S1"
    paths = [files] if isinstance(files, Path) else files
    assert str(paths[0].parent) not in str(caught.value)
    return caught.value


def ramp(shape: tuple[int, ...], dtype: str = "i2") -> np.ndarray:
    """Every voxel another number."""
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)
