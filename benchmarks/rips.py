"""Rips persistence per cloud, beside gudhi with and without its collapse and ripser; CPU time.

Clouds are delay embeddings of generated region series and, where COHORTFLOW_TEST_DATA names the
folder of real recordings, as many of real ones. The rounds of all peers alternate in one process,
warm. ripser computes in float32 and is left out where it is not installed. ``--large 1000 2000 3000
--large-h0 20000`` adds single larger clouds, which take a minute.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import time
from collections.abc import Callable

import numpy as np

from benchmarks._results import Row, save, say
from benchmarks._series import Floats, real_series, series
from cohortflow.topology import delay_embedding, rips_persistence_many
from cohortflow.topology.rips import few

Solver = Callable[[list[Floats], int], list[list[Floats]]]


def gudhi(collapses: str | int) -> Solver:
    from gudhi.sklearn import RipsPersistence

    def solve(clouds: list[Floats], max_degree: int) -> list[list[Floats]]:
        rips = RipsPersistence(
            homology_dimensions=list(range(max_degree + 1)),
            num_collapses=collapses,
            homology_coeff_field=2,
        )
        return [list(diagrams) for diagrams in rips.fit_transform(clouds)]

    return solve


def ripser(clouds: list[Floats], max_degree: int) -> list[list[Floats]]:
    peer = importlib.import_module("ripser").ripser
    return [peer(cloud, maxdim=max_degree)["dgms"] for cloud in clouds]


def peers() -> dict[str, Solver]:
    found: dict[str, Solver] = {
        "ours": rips_persistence_many,
        "gudhi": gudhi("auto"),
        "gudhi, no collapse": gudhi(0),
    }
    if importlib.util.find_spec("ripser"):
        found["ripser"] = ripser
    return found


def same(ours: list[list[Floats]], theirs: list[list[Floats]], name: str) -> None:
    """gudhi's bars are ours, bit for bit; those of ripser to its float32."""
    for got, expected in zip(ours, theirs, strict=True):
        for a, b in zip(got, expected, strict=True):
            rows = b[b[:, 1] > b[:, 0]].astype(np.float64)
            rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
            if name != "ripser":
                np.testing.assert_array_equal(a, rows)
            elif len(a) == len(rows):
                np.testing.assert_allclose(np.sort(a[:, 1]), np.sort(rows[:, 1]), atol=1e-6)


def case(clouds: list[Floats], max_degree: int, repeat: int) -> dict[str, Row]:
    """CPU seconds of all clouds by peer; bars that differ from ours are an error."""
    solvers = peers()
    ours = rips_persistence_many(clouds, max_degree)
    rows = {name: Row(name, len(clouds), note="CPU seconds") for name in solvers}
    for name, solve in solvers.items():
        same(ours, solve(clouds, max_degree), name)
    for _ in range(repeat):
        for name, solve in solvers.items():
            started = time.process_time()
            solve(clouds, max_degree)
            rows[name].seconds.append(time.process_time() - started)
    return rows


def larger(points: int, max_degree: int) -> list[Row]:
    """CPU seconds of one generated cloud, ours and gudhi's; of H0 alone, which gudhi takes from all
    pairs and ours from none, ours only."""
    cloud = np.random.default_rng(points).normal(size=(points, 3))
    solvers: dict[str, Solver] = {"ours": rips_persistence_many}
    if max_degree:
        solvers["gudhi"] = gudhi("auto")
    rows, found = [], []
    for name, solve in solvers.items():
        solve([cloud[:400]], max_degree)  # warm
        started = time.process_time()
        found.append(solve([cloud], max_degree))
        seconds = time.process_time() - started
        rows.append(Row(f"{points} points H0–H{max_degree} {name}", 1, [seconds], "CPU seconds"))
        say(f"{rows[-1].name}: {seconds:.2f} s")
    for theirs in found[1:]:
        same(found[0], theirs, "gudhi")
    return rows


def first_call() -> Row:
    """CPU seconds to load and compile, paid once by each process."""
    row, started = Row("load and compile", 1, note="CPU seconds"), time.process_time()
    rips_persistence_many([np.eye(4)])
    row.seconds.append(time.process_time() - started)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, nargs="*", default=[140, 197])
    parser.add_argument("--clouds", type=int, default=4, help="of each kind, generated and real")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument(
        "--large", type=int, nargs="*", default=[], help="points of single clouds, H0 and H1"
    )
    parser.add_argument(
        "--large-h0", type=int, nargs="*", default=[], help="points of single clouds, H0 alone"
    )
    options = parser.parse_args()
    few.COMPILING_S = 0.0  # else the first clouds would be gudhi's
    rows = [first_call()]
    say(f"load and compile: {rows[0].best:.1f} s, once per process")
    rng = np.random.default_rng(0)
    for samples in options.samples:
        generated = [series(samples, rng) for _ in range(options.clouds)]
        both = [*generated, *real_series(samples, options.clouds)]
        clouds = [delay_embedding(one) for one in both]
        for max_degree in range(3):
            done = case(clouds, max_degree, options.repeat)
            middle = {name: np.median(row.seconds) / row.items for name, row in done.items()}
            ratios = [
                f"{name} {1000.0 * seconds:.2f} ms ({seconds / middle['ours']:.1f}×)"
                for name, seconds in middle.items()
                if name != "ours"
            ]
            title = f"T={samples} H0–H{max_degree}"
            say(f"{title}: ours {1000.0 * middle['ours']:.3f} ms a cloud; {', '.join(ratios)}")
            for name, row in done.items():
                row.name = f"{title} {name}"
                rows.append(row)
    for points, max_degree in [(n, 0) for n in options.large_h0] + [(n, 1) for n in options.large]:
        rows += larger(points, max_degree)
    save("rips", rows, vars(options))


if __name__ == "__main__":
    main()
