"""Mutated files through the reader's process: a named error or a whole image, and no end of it.

``COHORTFLOW_TEST_FUZZ=20000 pytest -m slow tests/hostile/test_fuzz.py`` plays more of them, and
``COHORTFLOW_TEST_FUZZ_FIRST`` others.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from cohortflow.errors import CohortflowError, ReaderDied, ReaderTimeout
from cohortflow.sources.images.decoded import Decoded, ReadOptions, Request, Role
from cohortflow.sources.images.names import format_of
from cohortflow.sources.images.reader_process import ReaderProcess
from tests.hostile.measuring import peak_bytes
from tests.hostile.mutations import mutated
from tests.hostile.seeds import small_files

SEEDS = small_files()
COUNT = int(os.environ.get("COHORTFLOW_TEST_FUZZ", "400"))
FIRST = int(os.environ.get("COHORTFLOW_TEST_FUZZ_FIRST", "0"))
LIMIT = 2**22
"""Voxels: what a mutation makes of a small file is small, or refused."""
DEATHS = 0.01
"""Share of files that may end the process: libraries of others abort now and then."""


def check(decoded: Decoded) -> None:
    array = decoded.array
    assert array.dtype.kind in "iuf"
    assert 0 < array.size <= LIMIT
    assert array.ndim in (2, 3, 4)
    assert np.isfinite(array).all()
    if decoded.role == "label":
        assert array.dtype.kind in "iu"
    if decoded.matrix is not None:
        assert decoded.matrix.shape == (4, 4)
        assert np.isfinite(decoded.matrix).all()
        assert abs(np.linalg.det(decoded.matrix[:3, :3])) > 0


def play(reader: ReaderProcess, folder: Path, name: str, seed: str) -> str:
    """The code of the error that a mutated file leads to, or ``read``."""
    ending, data = SEEDS[name]
    others = [data for suffix, data in SEEDS.values() if suffix == ending]
    path = folder / f"a{ending}"
    path.write_bytes(mutated(seed, data, others[hash_of(seed) % len(others)]))
    role: Role = "label" if hash_of(seed) % 4 == 0 else "image"
    options = ReadOptions(max_voxels=LIMIT, accept=frozenset({"unknown-orientation"}))
    format_ = format_of(path) or "dicom"
    request = Request(format_, (str(path),), role, "s", options, str(folder))
    try:
        results = reader.read(request)
    except CohortflowError as error:
        fault = error
    else:
        for decoded in results:
            check(decoded)
        return "read"
    assert fault.where == "s"
    assert str(folder) not in str(fault)
    return fault.code


def hash_of(seed: str) -> int:
    return sum(seed.encode())


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", SEEDS)
def test_mutations(name: str, tmp_path: Path) -> None:
    ended: list[str] = []
    with ReaderProcess(memory_bytes=2**30, timeout_s=5) as reader:
        for number in range(FIRST, FIRST + COUNT):
            seed = f"{name}-{number}"
            try:
                code = play(reader, tmp_path, name, seed)
            except Exception as error:
                raise AssertionError(f"the mutation {seed!r}") from error
            assert code != ReaderTimeout.code, f"the mutation {seed!r} hangs"
            if code == ReaderDied.code:
                ended.append(seed)
            elif number % 100 == 0 and reader._process is not None:
                assert peak_bytes(reader._process.pid) < 2**30, f"the mutation {seed!r} is large"
    assert len(ended) <= max(1, DEATHS * COUNT), ended


def test_a_few_mutations_of_each(tmp_path: Path) -> None:
    with ReaderProcess(timeout_s=20) as reader:
        codes = {play(reader, tmp_path, name, f"{name}-{n}") for name in SEEDS for n in range(12)}
    assert {"read", "truncated-file", "bad-header"} <= codes
    assert not codes & {ReaderTimeout.code}
