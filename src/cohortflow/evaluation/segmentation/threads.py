"""Work shared out among threads; compiled functions hold no lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_PARTS_PER_THREAD = 4
_WORTH_THREADS = 2**17


def shared_out(work: Callable[[int, int], None], count: int, threads: int) -> None:
    """Call ``work(first, last)`` over 0 … count, in parts from ``threads`` threads."""
    if threads <= 1 or count < 2 * threads * _PARTS_PER_THREAD:
        if count:
            work(0, count)
        return
    edges = [
        count * k // (threads * _PARTS_PER_THREAD) for k in range(threads * _PARTS_PER_THREAD + 1)
    ]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, edges[:-1], edges[1:]))


def each(work: Callable[[Item], Result], items: Iterable[Item], threads: int) -> list[Result]:
    """``work`` of every item, in their order."""
    if threads <= 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, items))


def cores(threads: int | None, voxels: int) -> int:
    """As many as asked for, all where None; one for an image that starting others would outlast."""
    return 1 if voxels < _WORTH_THREADS else threads or os.cpu_count() or 1
