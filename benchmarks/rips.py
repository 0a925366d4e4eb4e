"""Rips persistence per cloud, beside gudhi with and without its collapse and ripser; CPU time.

Clouds are delay embeddings of generated region series and, where COHORTFLOW_TEST_DATA names the
folder of real recordings, as many of real ones. The rounds of all peers alternate in one process,
warm. ripser computes in float32 and is left out where it is not installed.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks._results import Row, save, say
from benchmarks.topology import series
from cohortflow.topology import delay_embedding, rips_persistence_many
from cohortflow.topology.rips import few

Floats = npt.NDArray[np.float64]
Solver = Callable[[list[Floats], int], list[list[Floats]]]


def real_series(samples: int, count: int) -> list[Floats]:
    """Regions of a real recording, zero mean, unit variance; none where there are no data."""
    folder = os.environ.get("COHORTFLOW_TEST_DATA")
    if not folder:
        return []
    path = Path(folder) / "fmri" / "fmri_timeseries.csv"
    table = np.genfromtxt(path, delimiter=",", skip_header=1)[:samples]
    columns = np.linspace(3, table.shape[1] - 1, count).astype(int)
    return [(one - one.mean()) / one.std() for one in table[:, columns].T]


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
    save("rips", rows, vars(options))


if __name__ == "__main__":
    main()
