"""Work on runs of planes, shared out among threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_BANDS_PER_THREAD = 8


def in_bands(work: Callable[[int, int], None], count: int, threads: int) -> None:
    """Call ``work(first, last)`` over 0 … count, from ``threads`` threads, in order from one."""
    if threads <= 1 or count < 2:
        work(0, count)
        return
    bands = min(count, threads * _BANDS_PER_THREAD)
    edges = [count * band // bands for band in range(bands + 1)]
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, edges[:-1], edges[1:]):
            pass
