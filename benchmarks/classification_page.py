"""The report section of classification on a large cohort: to make it, its size, and to open it."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks._results import Row, save, say, show
from benchmarks.cohort_page import opening_ms
from cohortflow.report.render import render_report
from tests.browser.chromium import executable
from tests.report.plots.gallery import classified
from tests.report.test_classification_section import one_score

CLASSES = ("CN", "SMC", "EMCI", "LMCI", "AD")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, nargs="+", default=[5_000, 20_000])
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="cohortflow-bench-") as home:
        for cases in options.cases:
            rows += run(Path(home) / str(cases), cases, options.seeds)
    show(rows, peer=rows[0])
    save("classification_page", rows, vars(options))


def run(folder: Path, cases: int, seeds: int) -> list[Row]:
    """An item is a case of five classes; the report holds no other section that was asked for."""
    source = one_score(*(classified(cases, CLASSES, seed=seed) for seed in range(seeds)))
    source.pipeline["report"] = ["classification"]
    started = time.process_time()
    page = render_report(source, folder, {"slug": "benchmark"})
    taken = time.process_time() - started
    sizes = {file.name: file.stat().st_size / 2**10 for file in sorted(folder.iterdir())}
    note = "CPU seconds; " + ", ".join(f"{name} {size:.0f} KiB" for name, size in sizes.items())
    rows = [Row(f"report of {cases:,} cases", cases, [taken], note)]
    if executable():
        load = opening_ms(page, folder / "profile")[1]
        rows.append(Row(f"browser: load, {cases:,}", cases, [load / 1000]))
    else:
        say("no chromium here: the page is not opened")
    return rows


if __name__ == "__main__":
    main()
