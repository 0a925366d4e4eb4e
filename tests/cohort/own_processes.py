"""Processes of a test's own that inherit no thread and no lock of the test process."""

from __future__ import annotations

import multiprocessing
from multiprocessing.context import ForkServerContext


def context() -> ForkServerContext:
    """A plain fork of a process that already has threads can wait for ever for one of their
    locks."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["cohortflow.cohort.cohort", "tests.cohort.samples"])
    return server
