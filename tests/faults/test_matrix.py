"""A sample of the fault matrix, mutants that must turn cells red, and the table."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.matrix import study
from tests.faults.matrix.kinds import KINDS
from tests.faults.matrix.playing import Result, all_cells, append, kept, play
from tests.faults.matrix.table import write_table

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="processes are followed through /proc"
)

SAMPLE = [
    ("hang", "reduction", 0),
    ("hang-holding-the-gil", "subjects", 0),
    ("worker-stopped", "training", 0),
    ("worker-exits", "scoring", 1),
    ("worker-killed", "training", 0),
    ("out-of-memory", "subjects", 0),
    ("stage-raises", "scoring", 0),
    ("damaged-input", "subjects", 0),
    ("damaged-input", "scoring", 0),
    ("flow-killed", "training", 0),
    ("flow-killed", "subjects", 0),
    ("group-killed", "reduction", 0),
    ("terminated", "scoring", 0),
    ("interrupted", "training", 0),
    ("store-vanished", "subjects", 0),
    ("disk-full", "reduction", 0),
    ("run-wakes", "scoring", 0),
    ("two-pipelines", "subjects", 0),
    ("second-run", "reduction", 0),
    ("clock-jumps", "training", 0),
]
MUST_TURN_RED = [
    ("commit-not-exclusive", "run-wakes", "subjects", "took the place of the first"),
    ("commit-not-exclusive", "two-pipelines", "scoring", "took the place of the first"),
    ("lease-never-expires", "flow-killed", "reduction", "lease-held"),
    ("lease-never-expires", "group-killed", "training", "lease-held"),
]
"""Mutant, the cell that notices it, and by what."""

Cell = tuple[str, str, int]


@pytest.fixture(scope="module")
def played() -> Iterator[dict[Cell, Future[Result]]]:
    """The sample, two cells at a time: most of a cell is waiting."""
    study.undisturbed()
    with ThreadPoolExecutor(2) as pool:
        yield {cell: pool.submit(play, *cell, quick=True) for cell in SAMPLE}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("cell", SAMPLE, ids=lambda cell: " ".join(map(str, cell)))
def test_what_is_promised_holds(played: dict[Cell, Future[Result]], cell: Cell) -> None:
    result = played[cell].result()
    assert not result["problems"], json.dumps(result, indent=1)


@pytest.mark.slow
@pytest.mark.parametrize(("mutant", "kind", "step", "by"), MUST_TURN_RED)
def test_a_broken_build_turns_cells_red(mutant: str, kind: str, step: str, by: str) -> None:
    result = play(kind, step, 0, mutant=mutant)
    assert result["verdict"] == "red"
    assert by in "\n".join(result["problems"])


def test_the_matrix_is_as_large_as_promised() -> None:
    cells = list(all_cells())
    assert len(cells) == len(set(cells)) == len(KINDS) * 4 * 5
    assert len(KINDS) >= 12
    assert len(SAMPLE) == 20
    assert set(SAMPLE) <= set(cells)


def test_the_table_is_made_of_results(tmp_path: Path) -> None:
    results, page = tmp_path / "results.jsonl", tmp_path / "reliability.md"
    row = {"kind": "hang", "step": "reduction", "mutant": None, "code": "c", "problems": []}
    append(results, {**row, "seed": 0, "verdict": "red", "settled_s": 3.0, "problems": ["early"]})
    append(results, {**row, "seed": 0, "verdict": "green", "settled_s": 2.0})
    append(results, {**row, "seed": 1, "verdict": "green", "settled_s": 4.0})
    append(results, {**row, "seed": 2, "verdict": "red", "settled_s": None, "problems": ["torn"]})
    append(results, {**row, "seed": 3, "mutant": "m", "verdict": "red", "settled_s": None})
    assert sorted(kept(results)) == [("hang", "reduction", seed) for seed in (0, 1, 2)]
    write_table(results, page)
    text = page.read_text()
    assert "| hang | `.....` | `++!..` | `.....` | `.....` | 3.0 (4.0) |" in text
    assert "- hang, reduction, seed 2: torn" in text
    assert f"3 of {len(KINDS) * 20} cells were played: 2 green, 1 red. Versions" in text
