"""The wall clock of every process of the run jumps; clocks that only go forward do not."""

from __future__ import annotations

from tests.faults.matrix.cell import Cell
from tests.faults.matrix.misbehave import CLOCK

DAY_S = 86400


def jumps(cell: Cell) -> None:
    """By a day, forwards (odd seeds) or back."""
    by = DAY_S if cell.lasting else -DAY_S
    plan = cell.plan("jump")
    run = cell.start("fault", plan=plan, environment={CLOCK: f"{by} {cell.folder}"})
    cell.reached(run)
    cell.ends_with(run, 0)
    cell.others_are_done(None)
    cell.costs_little(apart=False)
    cell.heals(exactly=True)
