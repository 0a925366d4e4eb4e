"""Bottleneck distances per pair of diagrams, beside those of others; CPU time.

Diagrams H0, H1, H2 of generated region series, then larger generated ones. Ours is the matrix of
all pairs with everything that belongs to it; a peer is called for some of these pairs, warm. The
rounds of all solvers alternate in one process. All are exact but for the last digits of gudhi's;
persim is left out where it is not installed, and of larger diagrams.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from benchmarks._results import Row, beside_ours, save
from benchmarks._series import finite_diagrams, series
from cohortflow.topology import bottleneck_matrix

Diagram = npt.NDArray[np.float64]
Solver = Callable[[Diagram, Diagram], float]
LARGE = 300


def gudhi_cgal(a: Diagram, b: Diagram) -> float:
    return float(importlib.import_module("gudhi").bottleneck_distance(a, b))


def gudhi_hera(a: Diagram, b: Diagram) -> float:
    return float(importlib.import_module("gudhi.hera").bottleneck_distance(a, b, delta=0.0))


def persim(a: Diagram, b: Diagram) -> float:
    return float(importlib.import_module("persim").bottleneck(a, b))


def generated(kind: str, size: int, rng: np.random.Generator) -> Diagram:
    births = rng.random(size)
    lengths = rng.random(size) if kind == "uniform" else rng.exponential(0.05, size)
    return np.column_stack([births, births + lengths])


def case(diagrams: list[Diagram], pairs: int, repeat: int) -> dict[str, Row]:
    """Seconds of every solver; all must agree."""
    peers: dict[str, Solver] = {"gudhi (CGAL)": gudhi_cgal, "gudhi (hera)": gudhi_hera}
    if importlib.util.find_spec("persim") and max(map(len, diagrams)) < LARGE:
        peers["persim"] = persim
    upper = np.argwhere(np.triu(np.ones((len(diagrams),) * 2), 1))
    chosen = upper[np.linspace(0, len(upper) - 1, min(pairs, len(upper))).astype(int)]
    matrix = bottleneck_matrix(diagrams)
    for name, solve in peers.items():
        i, j = chosen[0]
        answer = solve(diagrams[i], diagrams[j])
        assert np.isclose(matrix[i, j], answer, rtol=1e-9), f"{name} answers {answer}"
    rows = {name: Row(name, len(chosen)) for name in peers}
    rows["ours"] = Row("ours", len(upper))
    for _ in range(repeat):
        started = time.process_time()
        bottleneck_matrix(diagrams)
        rows["ours"].seconds.append(time.process_time() - started)
        for name, solve in peers.items():
            started = time.process_time()
            for i, j in chosen:
                solve(diagrams[i], diagrams[j])
            rows[name].seconds.append(time.process_time() - started)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=197)
    parser.add_argument("--diagrams", type=int, default=40)
    parser.add_argument("--sizes", type=int, nargs="*", default=[300, 1000])
    parser.add_argument("--pairs", type=int, default=6, help="pairs that each peer solves")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    rows: list[Row] = []
    by_degree = finite_diagrams([series(options.samples, rng) for _ in range(options.diagrams)])
    cases = {f"T={options.samples} H{k}": diagrams for k, diagrams in enumerate(by_degree)}
    for size in options.sizes:
        for kind in ("exponential", "uniform"):
            cases[f"{size} {kind}"] = [generated(kind, size, rng) for _ in range(4)]
    for title, diagrams in cases.items():
        done = case(diagrams, options.pairs, options.repeat)
        rows += beside_ours(f"{title:16}", done)
    save("bottleneck", rows, vars(options))


if __name__ == "__main__":
    main()
