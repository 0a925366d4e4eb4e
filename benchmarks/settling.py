"""Seconds from a fault to the record that settles its unit, for each kind of fault.

Plays cells of the fault matrix, one after the other: a real run, one fault at a seeded moment.
Where a fault ends the run itself, it is the time to the end of its last process.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from benchmarks._results import Row, save, say, show
from tests.faults.matrix.kinds import KINDS
from tests.faults.matrix.playing import play
from tests.faults.matrix.study import STEPS

LIMIT_S = 60.0


def settled(kind: str, steps: Sequence[str], seeds: Sequence[int]) -> Row:
    """One kind of fault at kinds of step; red cells are an error."""
    row = Row(kind, 1)
    for step in steps:
        for seed in seeds:
            result = play(kind, step, seed)
            if result["problems"]:
                raise RuntimeError(f"{kind} {step} {seed}: {result['problems']}")
            if result["settled_s"] is not None:
                row.seconds.append(float(result["settled_s"]))
    row.note = f"n = {len(row.seconds)}, longest {max(row.seconds, default=0.0):.1f} s"
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--steps", nargs="*", default=["subjects", "training"], choices=list(STEPS))
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    rows = [settled(kind, options.steps, range(options.seeds)) for kind in options.kinds]
    timed = [row for row in rows if row.seconds]
    show(timed, peer=timed[0])
    late = [row.name for row in timed if max(row.seconds) > LIMIT_S]
    say(f"later than {LIMIT_S:.0f} s: {', '.join(late) or 'none'}; a time-out is 6 s here")
    save("settling", timed, vars(options))


if __name__ == "__main__":
    main()
