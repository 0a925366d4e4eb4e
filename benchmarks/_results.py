"""A table on the terminal and a JSON file for each benchmark."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).with_name("results")
PACKAGES = ("prefect", "distributed", "xarray", "zarr", "numpy", "torch")


@dataclass
class Row:
    """One case: the seconds of each repetition, and how many items one repetition handled."""

    name: str
    items: int
    seconds: list[float] = field(default_factory=list)
    note: str = ""

    @property
    def best(self) -> float:
        return min(self.seconds)

    @property
    def ms_per_item(self) -> float:
        return 1000 * self.best / self.items


def measure(name: str, items: int, work: Callable[[], object], repeat: int = 1) -> Row:
    """Time ``work`` ``repeat`` times."""
    row = Row(name, items)
    for _ in range(repeat):
        started = time.perf_counter()
        work()
        row.seconds.append(time.perf_counter() - started)
    return row


def show(rows: Sequence[Row], peer: Row) -> None:
    """One line a case, the ratio is to the peer (below 1: faster than it)."""
    width = max(len(row.name) for row in rows)
    say(f"{'':{width}}  {'items':>8} {'seconds':>9} {'ms/item':>9} {'ratio':>7}")
    for row in rows:
        ratio = row.ms_per_item / peer.ms_per_item
        figures = f"{row.items:>8} {row.best:>9.3f} {row.ms_per_item:>9.3f} {ratio:>7.2f}"
        say(f"{row.name:{width}}  {figures}  {row.note}".rstrip())


def beside_ours(title: str, rows: Mapping[str, Row]) -> list[Row]:
    """One line: what ours takes for a pair, and how many times that each peer takes; the rows to
    save.

    The rows, of CPU seconds, are those of the solvers by name, "ours" among them.
    """
    ours = rows["ours"].ms_per_item
    ratios = [f"{k} {row.ms_per_item / ours:.0f}×" for k, row in rows.items() if k != "ours"]
    say(f"{title} ours {1000.0 * ours:9.2f} µs a pair; {', '.join(ratios)}")
    return [replace(row, name=f"{title} {k}", note="CPU seconds") for k, row in rows.items()]


def save(name: str, rows: Sequence[Row], options: dict[str, object]) -> Path:
    """Write ``results/<name>-<time>.json``: options, machine, versions, all repetitions."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}-{time.strftime('%Y%m%dT%H%M%S')}.json"
    document = {
        "benchmark": name,
        "options": options,
        "machine": {
            "cores": os.cpu_count(),
            "load_at_end": os.getloadavg(),
            "processor": platform.machine(),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
        "versions": {package: version(package) for package in PACKAGES},
        "rows": [asdict(row) | {"ms_per_item": row.ms_per_item} for row in rows],
    }
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    say(f"written: {path}")
    return path


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
