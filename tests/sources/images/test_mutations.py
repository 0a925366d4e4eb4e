"""Files with bytes changed at random: an image or a named error, whatever the format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cohortflow import errors
from cohortflow.sources.images.decoded import Request
from cohortflow.sources.images.reader_process import ReaderProcess
from tests.sources.images.test_formats_in_the_child import FILES, write

MEANT = (errors.InputError, errors.ReaderTimeout)


def mutated(whole: bytes, rng: np.random.Generator) -> bytes:
    """Bits flipped, a piece cut out, doubled or filled."""
    data = bytearray(whole)
    at, length = int(rng.integers(len(data))), int(rng.integers(1, 40))
    match int(rng.integers(5)):
        case 0:
            del data[at : at + length]
        case 1:
            data[at:at] = data[at : at + length]
        case 2:
            data[at : at + length] = bytes([int(rng.integers(256))]) * length
        case _:
            for place in rng.integers(0, len(data), 3):
                data[place] ^= 1 << int(rng.integers(8))
    return bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize("format_", FILES)
def test_mutated_files(format_: str, tmp_path: Path) -> None:
    path = tmp_path / FILES[format_]
    write(format_, path)
    whole, rng = path.read_bytes(), np.random.default_rng(len(format_))
    with ReaderProcess(memory_bytes=2**30, timeout_s=20) as reader:
        for _ in range(500):
            path.write_bytes(mutated(whole, rng))
            try:
                found = reader.read(Request(format_, (str(path),), "image", "S1"))
            except MEANT as error:
                assert not isinstance(error, errors.ReaderTimeout), path.read_bytes()  # noqa: PT017
            else:
                assert all(np.isfinite(decoded.array).all() for decoded in found)
