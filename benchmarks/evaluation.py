"""Segmentation metrics of a pair of label maps beside the peers; wall, CPU time and peak memory.

A label map of eight organs, 3 × 0.78 × 0.78 mm, against a copy that waves by up to 4 voxels and has
islands far away. The rounds of all alternate in one process, warm; every peer's answers are
compared with ours of the same definition. ``--many``: 117 labels at that size on a side, ours
alone: displaced likewise, and all over the place, where surfaces are far apart. Peers
that are not installed are left out and said; the slow ones take minutes (``--peers``).
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import numpy.typing as npt

from benchmarks._results import Row, save, say
from benchmarks._segmentation_peers import EVERYTHING, PACKAGES, Call, Pair, peers
from benchmarks.resampling import SPACING_MM, peak_of, phantom
from cohortflow.geometry import Grid

Labels = npt.NDArray[np.uint8]


def waved(reference: Labels) -> Labels:
    """A prediction: the reference, its voxels taken from up to 4 away, and two islands."""
    z, y, x = np.ogrid[tuple(slice(size) for size in reference.shape)]
    wave = np.sin(x / 20 + 1) * np.cos(y / 25) * np.cos(z / 10)
    steps = [np.rint(far * wave).astype(np.int32) for far in (0.9, 4.0, 4.0)]
    places = [
        np.clip(axis + step, 0, size - 1)
        for axis, step, size in zip((z, y, x), steps, reference.shape, strict=True)
    ]
    prediction = np.ascontiguousarray(reference[tuple(places)])
    prediction[1:3, :8, :8], prediction[-3:, -8:, :8] = 3, 5
    return prediction


def many(size: int, labels: int, rng: np.random.Generator) -> Labels:
    """Blocks of so many labels, touching each other."""
    edge = -(-size // 8)
    coarse = rng.integers(0, labels + 1, (8, 8, 8)).astype(np.uint8)
    fine = coarse.repeat(edge, 0).repeat(edge, 1).repeat(edge, 2)
    return np.ascontiguousarray(fine[:size, :size, :size])


def compare(pair: Pair, calls: dict[str, Call], repeat: int) -> list[Row]:
    """Wall and CPU seconds, ratios to ours of everything; a warm round of ours before."""
    ours = pair.ours(EVERYTHING)()
    calls = {"ours": pair.ours(EVERYTHING), **calls}
    wall = {name: Row(name, 1, note="wall seconds") for name in calls}
    cpu = {name: Row(name, 1, note="CPU seconds") for name in calls}
    peaks: dict[str, float] = {}
    for _ in range(repeat):
        for name, call in calls.items():
            found: dict[str, float] = {}

            def timed(name: str = name, call: Call = call, found: dict[str, float] = found) -> None:
                started, spent = time.perf_counter(), time.process_time()
                found |= call()
                wall[name].seconds.append(time.perf_counter() - started)
                cpu[name].seconds.append(time.process_time() - spent)

            # Ours takes no time, so that it can be asked more often than the slow ones.
            for _ in range(5 if name == "ours" else 1):
                peaks[name] = max(peaks.get(name, 0.0), peak_of(timed))
            ours |= pair.ours([metric for metric in found if metric not in ours] or ["dice"])()
            off = max(abs(value - ours[metric]) for metric, value in found.items())
            wall[
                name
            ].note = f"wall seconds, {off:.1g} from ours, {peaks[name]:.0f} MiB above the maps"
            say(f"{name}: {wall[name].seconds[-1]:.2f} s, CPU {cpu[name].seconds[-1]:.2f} s")
    for name in calls:
        middle, spent = np.median(wall[name].seconds), np.median(cpu[name].seconds)
        ratios = middle / np.median(wall["ours"].seconds), spent / np.median(cpu["ours"].seconds)
        say(
            f"{name:18} {1000 * middle:10.1f} ms ({ratios[0]:6.1f}×) CPU {1000 * spent:10.1f} ms "
            f"({ratios[1]:6.1f}×), {wall[name].note}"
        )
    return [*wall.values(), *cpu.values()]


def alone(name: str, pair: Pair) -> list[Row]:
    """Everything of one pair, once."""
    wall, cpu = Row(name, 1, note="wall seconds"), Row(name, 1, note="CPU seconds")

    def timed() -> None:
        started, spent = time.perf_counter(), time.process_time()
        pair.ours(EVERYTHING)()
        wall.seconds.append(time.perf_counter() - started)
        cpu.seconds.append(time.process_time() - spent)

    peak = peak_of(timed)
    wall.note = f"wall seconds, {peak:.0f} MiB above the maps"
    say(f"{name}: {wall.best:.2f} s, CPU {cpu.best:.2f} s, peak {peak:.0f} MiB")
    return [wall, cpu]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=int, nargs=3, default=(150, 512, 512))
    parser.add_argument("--many", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--peers", nargs="*", default=PACKAGES, choices=PACKAGES)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    _, reference = phantom(Grid(tuple(options.shape)), rng)
    labels = sorted(set(np.unique(reference).tolist()) - {0})
    pair = Pair(reference, waved(reference), SPACING_MM, labels, options.threads)
    started = time.perf_counter()
    pair.ours(EVERYTHING)()
    first = Row("first call", 1, [time.perf_counter() - started], "wall seconds, compiling")
    say(f"{pair.reference.shape}, {len(labels)} labels; first call {first.best:.1f} s")
    calls = peers(pair, options.peers)
    for package in options.peers:
        if not any(name.split()[0] == package for name in calls):
            say(f"{package} is not installed")
    rows = [first, *compare(pair, calls, options.repeat)]
    if options.many:
        blocks, others = many(options.many, 117, rng), many(options.many, 117, rng)
        for where, prediction in (("displaced", waved(blocks)), ("far apart", others)):
            large = Pair(blocks, prediction, (1.5, 1.5, 1.5), range(1, 118), options.threads)
            rows += alone(f"117 labels at {options.many}³, {where}", large)
    save("evaluation", rows, vars(options))


if __name__ == "__main__":
    main()
