"""``python -m tests.faults.matrix``: play cells of the fault matrix, or write its table."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.faults.matrix.kinds import KINDS
from tests.faults.matrix.patches import MUTANTS
from tests.faults.matrix.playing import Name, all_cells, append, kept, play
from tests.faults.matrix.study import STEPS
from tests.faults.matrix.table import write_table


def main() -> int:
    options = _arguments()
    if options.table:
        write_table(options.results, options.table)
        return 0
    red = 0
    for name in _asked(options):
        result = play(*name, mutant=options.mutant, keep=options.keep)
        append(options.results, result)
        red += result["verdict"] == "red"
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()
    return 1 if red else 0


def _asked(options: argparse.Namespace) -> list[Name]:
    """The cells that were asked for; of all, those that have no result yet."""
    part, parts = (int(number) for number in options.part.split("/"))
    known = kept(options.results)
    found = [
        cell
        for number, cell in enumerate(all_cells())
        if (options.kind in (None, cell[0]))
        and (options.step in (None, cell[1]))
        and (options.seed in (None, cell[2]))
        and number % parts == part - 1
    ]
    if not options.all:
        return found
    again = {cell for cell, row in known.items() if options.red_again and row["verdict"] == "red"}
    return [cell for cell in found if cell not in known or cell in again]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.matrix", description=__doc__)
    parser.add_argument("--kind", choices=list(KINDS))
    parser.add_argument("--step", choices=list(STEPS))
    parser.add_argument("--seed", type=int)
    parser.add_argument("--all", action="store_true", help="only cells without a result so far")
    parser.add_argument("--red-again", action="store_true", help="with --all: red ones too")
    parser.add_argument("--part", default="1/1", help="such as 2/5")
    parser.add_argument("--mutant", choices=list(MUTANTS), help="a build broken on purpose")
    parser.add_argument("--keep", action="store_true", help="leave the cell's folder to look at")
    parser.add_argument("--results", type=Path, default=Path("fault-results.jsonl"))
    parser.add_argument("--table", type=Path, help="write the table of the results to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
