"""Wasserstein distances per pair of diagrams, beside the exact solvers of others; CPU time.

Diagrams H0, H1, H2 of generated region series (band-passed, standardised). Ours is the matrix of
all pairs with everything that belongs to it; a peer is called for some of these pairs, warm,
without its preparations. The rounds of all solvers alternate in one process. gudhi's own distance
needs POT, and persim knows one convention; both are left out where they are not installed.

Then the matrix of 100 diagrams, real ones first where COHORTFLOW_TEST_DATA names the folder of real
recordings: how much of its time passes outside compiled code.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import itertools
import time
from collections.abc import Callable
from unittest import mock

import numpy as np
import numpy.typing as npt

from benchmarks._results import Row, beside_ours, save, say
from benchmarks._series import finite_diagrams, real_series, series
from cohortflow.topology import wasserstein_matrix
from cohortflow.topology.bars import GroundNorm, between, to_diagonal
from cohortflow.topology.distances import tile
from cohortflow.topology.distances.augmented import augmented_matching
from cohortflow.topology.distances.prepared import prepare
from cohortflow.topology.ragged import pack

Diagram = npt.NDArray[np.float64]
Solver = Callable[[Diagram, Diagram, float, GroundNorm], float]
COMPILED = ("sweep_tile", "kept_tile", "line_tile", "square_tile", "plane_tile")


def reduced(a: Diagram, b: Diagram, order: float, norm: GroundNorm) -> float:
    """scipy's assignment on the m × n gains."""
    from scipy.optimize import linear_sum_assignment

    alone_a, alone_b = (to_diagonal(x, norm) ** order for x in (a, b))
    cost = between(a, b, norm) ** order
    gain = np.minimum(cost - alone_a[:, None] - alone_b, 0.0)
    total = alone_a.sum() + alone_b.sum() + gain[linear_sum_assignment(gain)].sum()
    return float(total ** (1.0 / order))


def augmented(a: Diagram, b: Diagram, order: float, norm: GroundNorm) -> float:
    """scipy's assignment on all (m + n)² cells."""
    x, y = (prepare(*pack([diagram]), order, norm, "refuse").bars for diagram in (a, b))
    return float(augmented_matching(x, y, order, norm)[0] ** (1.0 / order))


def gudhi_pot(a: Diagram, b: Diagram, order: float, norm: GroundNorm) -> float:
    from gudhi.wasserstein import wasserstein_distance

    power = np.inf if norm == "linf" else 2.0
    return float(wasserstein_distance(a, b, order=order, internal_p=power))


def persim_l2(a: Diagram, b: Diagram, order: float, norm: GroundNorm) -> float:
    return float(importlib.import_module("persim").wasserstein(a, b))


def solvers(order: float, norm: GroundNorm) -> dict[str, Solver]:
    found: dict[str, Solver] = {"scipy m × n": reduced, "scipy (m + n)²": augmented}
    if importlib.util.find_spec("ot"):
        found["gudhi, POT"] = gudhi_pot
    if importlib.util.find_spec("persim") and (order, norm) == (1.0, "l2"):
        found["persim"] = persim_l2
    return found


def case(
    diagrams: list[Diagram], order: float, norm: GroundNorm, pairs: int, repeat: int
) -> dict[str, Row]:
    """Rows by solver; an answer that differs from ours is an error."""
    ours = wasserstein_matrix(diagrams, order, norm)
    chosen = list(itertools.combinations(range(len(diagrams)), 2))[:pairs]
    rows = {"ours": Row("ours", len(diagrams) * (len(diagrams) - 1) // 2)}
    peers = solvers(order, norm)
    for name, solve in peers.items():
        rows[name] = Row(name, len(chosen))
        found = [solve(diagrams[i], diagrams[j], order, norm) for i, j in chosen]
        # 1e-6: persim takes distances from dot products.
        np.testing.assert_allclose(found, [ours[pair] for pair in chosen], rtol=1e-6)
    for _ in range(repeat):
        started = time.process_time()
        wasserstein_matrix(diagrams, order, norm)
        rows["ours"].seconds.append(time.process_time() - started)
        for name, solve in peers.items():
            started = time.process_time()
            for i, j in chosen:
                solve(diagrams[i], diagrams[j], order, norm)
            rows[name].seconds.append(time.process_time() - started)
    return rows


def outside_compiled(diagrams: list[Diagram], title: str, repeat: int) -> Row:
    """Wall time of a matrix of order 1 in L2, and the share of it outside the compiled tiles."""
    inside: list[float] = []

    def timed(name: str) -> Callable[..., None]:
        compiled = getattr(tile, name)

        def call(*arguments: object) -> None:
            started = time.perf_counter()
            compiled(*arguments)
            inside.append(time.perf_counter() - started)

        return call

    wasserstein_matrix(diagrams, 1.0, "l2")  # warm
    row, shares = Row(f"{title} matrix", len(diagrams) * (len(diagrams) - 1) // 2), []
    with mock.patch.multiple(tile, **{name: timed(name) for name in COMPILED}):
        for _ in range(10 * repeat):
            inside.clear()
            started = time.perf_counter()
            wasserstein_matrix(diagrams, 1.0, "l2")
            row.seconds.append(time.perf_counter() - started)
            shares.append(1.0 - sum(inside) / row.seconds[-1])
    middle = 1000.0 * np.median(row.seconds)
    row.note = f"{100.0 * np.median(shares):.1f} % outside compiled code"
    say(f"{title}: matrix of {len(diagrams)} diagrams {middle:.2f} ms, {row.note}")
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, nargs="*", default=[140, 197])
    parser.add_argument("--diagrams", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=12, help="pairs that each peer solves")
    parser.add_argument("--matrix", type=int, default=100, help="diagrams of the profiled matrix")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    rows: list[Row] = []
    norms: tuple[GroundNorm, ...] = ("linf", "l2")
    for samples in options.samples:
        by_degree = finite_diagrams([series(samples, rng) for _ in range(options.diagrams)])
        for degree, order, norm in itertools.product(range(3), (1.0, 2.0), norms):
            diagrams = by_degree[degree]
            done = case(diagrams, order, norm, options.pairs, options.repeat)
            mean = np.mean([len(diagram) for diagram in diagrams])
            title = f"T={samples} H{degree} q={order:g} {norm:4} {mean:4.0f} bars"
            rows += beside_ours(title, done)
        real = real_series(samples, options.matrix)
        generated = [series(samples, rng) for _ in range(options.matrix - len(real))]
        for degree, diagrams in enumerate(finite_diagrams([*real, *generated])):
            rows.append(outside_compiled(diagrams, f"T={samples} H{degree}", options.repeat))
    save("topology", rows, vars(options))


if __name__ == "__main__":
    main()
