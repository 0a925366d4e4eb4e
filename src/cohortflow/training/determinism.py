"""Torch made repeatable: one seed, a stated number of threads, deterministic algorithms."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Torch's random state, thread count and determinism flag belong to the process, so two units in
# two threads of one worker must take turns.
_PROCESS_STATE = threading.RLock()


@contextmanager
def deterministic(seed: int, threads: int = 1) -> Iterator[None]:
    """Everything inside draws from ``seed`` alone; the state outside is put back afterwards."""
    import torch

    with _PROCESS_STATE, torch.random.fork_rng(devices=[]):
        threads_before = torch.get_num_threads()
        flag_before = torch.are_deterministic_algorithms_enabled()
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(True)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            torch.set_num_threads(threads_before)
            torch.use_deterministic_algorithms(flag_before)
