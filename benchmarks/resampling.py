"""A change of spacing, beside SimpleITK and what nnU-Net, SciPy and torch do; wall, CPU, memory.

A CT-like volume of whole numbers and a label map of nine classes are generated, 3 × 0.78 × 0.78 mm,
and brought to 1.5 mm. The rounds of all peers alternate in one process, warm. What is not installed
(nnU-Net, scikit-image) is left out and said. ``oblique`` is a target turned by 10°, where SimpleITK
does the work.
"""

from __future__ import annotations

import argparse
import ctypes
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import _resamplers
from benchmarks._resamplers import Call, Case
from benchmarks._results import Row, save, say
from cohortflow.geometry import Grid, spaced_grid
from cohortflow.phantoms.canary import oriented_grid

SPACING_MM = (3.0, 0.78, 0.78)
TARGET_MM = 1.5
MIB = 2**20


def phantom(
    grid: Grid, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8]]:
    """A body of nine organs that overlap, and noise everywhere."""
    z, y, x = (np.linspace(-1, 1, size, dtype=np.float32) for size in grid.shape)
    far = z[:, None, None] ** 2 * 0.3 + y[:, None] ** 2 + x**2
    image = np.where(far < 0.8, np.float32(40), np.float32(-900))
    labels = np.zeros(grid.shape, np.uint8)
    for label in range(1, 9):
        middle, half = rng.uniform(-0.5, 0.5, 3), rng.uniform(0.15, 0.35, 3)
        parts = [((axis - c) / r) ** 2 for axis, c, r in zip((z, y, x), middle, half, strict=True)]
        organ = parts[0][:, None, None] + parts[1][:, None] + parts[2] < 1
        labels[organ] = label
        image[organ] = 15 * label
    image += rng.normal(0, 20, grid.shape).astype(np.float32)
    return image.astype(np.int16), labels


def peak_of(call: Callable[[], object]) -> float:
    """MiB that a call needs at its peak beside what stood before; NaN where it is not told."""
    try:
        ctypes.CDLL(None).malloc_trim(0)  # what peers left free is not there to be used again
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins again at what stands
    except (AttributeError, OSError):
        return float("nan")
    before = _status("VmRSS")
    found = call()
    del found
    return (_status("VmHWM") - before) / 1024


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def check(case: Case, ours: npt.NDArray[Any], theirs: npt.NDArray[Any]) -> None:
    """Our answers beside SimpleITK's; the other peers have other rules at edges and for labels."""
    off = np.abs(ours.astype(np.float64) - theirs)
    other = np.count_nonzero(off > 0.01)
    say(f"{case.name}: {off.max():.2g} from SimpleITK at most, {other} voxels by more than 0.01")


def compare(case: Case, calls: dict[str, Call], repeat: int) -> list[Row]:
    """Wall and CPU seconds of each peer, a warm round before; the ratio is to ours."""
    found = {name: call() for name, call in calls.items()}  # warm
    check(case, found["ours"], found.pop("SimpleITK"))
    found.clear()
    peaks = {name: peak_of(call) for name, call in calls.items()}
    wall = {name: Row(f"{case.name} {name}", 1, note="wall seconds") for name in calls}
    cpu = {name: Row(f"{case.name} {name}", 1, note="CPU seconds") for name in calls}
    for _ in range(repeat):
        for name, call in calls.items():
            started, spent = time.perf_counter(), time.process_time()
            call()
            wall[name].seconds.append(time.perf_counter() - started)
            cpu[name].seconds.append(time.process_time() - spent)
    ours = float(np.median(wall["ours"].seconds))
    ours_cpu = float(np.median(cpu["ours"].seconds))
    for name in calls:
        middle, spent = np.median(wall[name].seconds), np.median(cpu[name].seconds)
        say(
            f"{case.name:8} {name:30} {1000 * middle:8.1f} ms ({middle / ours:5.1f}×) "
            f"CPU {1000 * spent:8.1f} ms ({spent / ours_cpu:5.1f}×) peak {peaks[name]:6.0f} MiB"
        )
        wall[name].note += f", peak {peaks[name]:.0f} MiB"
    return [*wall.values(), *cpu.values()]


def first_calls(image: Case, labels: Case) -> list[Row]:
    """Seconds of the first call in this process, compiling among them."""
    rows = []
    for case, rule in ((image, "linear"), (labels, "labels")):
        started = time.perf_counter()
        case.ours(rule)()
        rows.append(Row(f"first {rule}", 1, [time.perf_counter() - started], "wall seconds"))
        say(f"first {rule}: {rows[-1].best:.1f} s, once per process")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=int, nargs=3, default=(150, 512, 512))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    grid = oriented_grid("LPS", options.shape, SPACING_MM)
    target = spaced_grid(grid, TARGET_MM)
    image, labels = phantom(grid, np.random.default_rng(0))
    say(f"{grid.shape} to {target.shape}; image {image.nbytes / MIB:.0f} MiB")
    for name in ("nnunetv2", "skimage"):
        if not _resamplers.installed(name):
            say(f"{name} is not installed")
    turned = oriented_grid("LPS", target.shape, [TARGET_MM] * 3, degrees=(0.0, 0.0, 10.0))
    cases: list[tuple[Case, Callable[[Case], dict[str, Call]]]] = [
        (Case("linear", image, grid, target, options.threads), _resamplers.linear),
        (Case("cubic", image, grid, target, options.threads), _resamplers.cubic),
        (Case("labels", labels, grid, target, options.threads), _resamplers.labels),
        (Case("nearest", labels, grid, target, options.threads), _resamplers.nearest),
        (Case("oblique", image, grid, turned, options.threads), _resamplers.oblique),
    ]
    rows = first_calls(cases[0][0], cases[2][0])
    for case, peers in cases:
        rows += compare(case, peers(case), options.repeat)
    save("resampling", rows, vars(options))


if __name__ == "__main__":
    main()
