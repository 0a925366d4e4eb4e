"""The high-water mark of a process: its own, in bytes, whatever was given back since."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

from tasks.peak_memory import _from_getrusage, peak_memory_bytes

MIB = 2**20
HOLD_AND_TELL = """
import subprocess, sys
from tasks.peak_memory import peak_memory_bytes
before = peak_memory_bytes()
held = bytearray(b"x") * (300 * 2**20)
with_it = peak_memory_bytes()
del held
after = peak_memory_bytes()
held = bytearray(b"x") * (250 * 2**20)
child = "from tasks.peak_memory import peak_memory_bytes; print(peak_memory_bytes())"
told = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True)
print(before, with_it, after, told.stdout.strip())
"""


def test_it_is_the_most_that_was_held_and_no_parents() -> None:
    told = subprocess.run(
        [sys.executable, "-c", HOLD_AND_TELL],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    before, with_it, after, child = map(int, told.stdout.split())
    assert before < 100 * MIB
    assert before + 290 * MIB < with_it < before + 330 * MIB, "bytes, not KiB"
    assert after > with_it - 10 * MIB, "what was given back counts still"
    assert child < 100 * MIB, "the mark of the process that started it is not its own"


def test_where_the_system_tells_no_mark_of_its_own_getrusage_is_asked() -> None:
    resident = psutil.Process().memory_info().rss
    assert peak_memory_bytes() >= resident * 0.9
    assert resident * 0.9 <= _from_getrusage() < 100 * 2**30
