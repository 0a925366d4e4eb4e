"""How long planning takes is printed, not asserted: ``pytest -s tests/pipeline/test_speed.py``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from cohortflow.pipeline.estimate import project
from cohortflow.pipeline.ledger import Ledger, rows_of
from cohortflow.pipeline.parts import part_of
from cohortflow.pipeline.plan import make_plan
from cohortflow.pipeline.reasons import explain
from tests.pipeline.world import World, scan

SUBJECTS = 10_000
TEXT = """
inputs: {image: volume}
steps: [resample, smooth, smooth: {id: twice}, hint, test]
"""


@contextmanager
def told(what: str) -> Iterator[None]:
    started = time.process_time()
    yield
    print(f"{what}: {time.process_time() - started:.2f} s of CPU")  # noqa: T201 - what it is for


def test_planning_ten_thousand_subjects() -> None:
    world = World(TEXT, [scan(f"sub-{i:05d}", group="HC") for i in range(SUBJECTS)])
    ingested, parts = world.cohort.ingested, []
    for night in ("first", "unchanged"):
        with told(f"{night} plan"):
            ledger = Ledger(world.cohort, parts, retry_failed=False)
            plan = make_plan(world.pipeline, ingested, ledger, world.cohort.selections)
        with told(f"{night} reasons"):
            explain(plan, rows_of(parts))
        with told(f"{night} index"):
            parts = [part_of(table, list(table.units()), {}, {}) for table in plan.steps()]
        with told(f"{night} projection"):
            units = project(plan).units
        assert units == (4 * SUBJECTS + 1 if night == "first" else 0)
        for part in parts:
            part["state"] = ["done"] * len(part["key"])
