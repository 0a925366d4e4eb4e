"""Nothing that leads back to a person leaves: forty planted names, every format, every byte."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from cohortflow.cohort.entry import Output
from cohortflow.cohort.source_map import SourceFile
from cohortflow.exports.export import export
from cohortflow.exports.formats import FORMATS
from cohortflow.exports.selection import Asked
from cohortflow.exports.writer import ExportOptions
from tests.exports.dicom_series import PERSON, write_series
from tests.exports.samples import GRIDS, Row, labels, run_of, segmented
from tests.exports.test_tables import parquet

PLANTED = [f"Planted{number:02d}Name" for number in range(40)]


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_no_name_of_the_source_leaves(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    grid = GRIDS["LPS-oblique"]
    cohort = segmented(tmp_path / "cohort", {"a": grid, "b": grid})
    rows: list[Row] = [("a", {}, labels(grid)), ("b", {}, labels(grid))]
    sizes: list[Row] = [("a", {}, Output(files={"table.parquet": parquet(ml=[1.0])}))]
    run_of(cohort, "organs", {"segment": ("label_map", rows), "sizes": ("table", sizes)})
    source = tmp_path / PLANTED[0]
    write_series(source / PLANTED[1], np.zeros(grid.shape), np.asarray(grid.index_to_world))
    known = [
        SourceFile(str(path), 1, 0.0, planted)
        for path, planted in zip((source / PLANTED[1]).iterdir(), PLANTED[2:], strict=False)
    ]
    cohort.source_map.update({"a": known}, {"source": str(source), "participants": PLANTED[39]})
    report = export(cohort, tmp_path / "out", name, Asked(), ExportOptions())
    assert report.results >= 1
    said = capfd.readouterr()
    sinks = [said.out, said.err, caplog.text, repr(report)]
    for path in (tmp_path / "out").rglob("*"):
        sinks.append(str(path.relative_to(tmp_path / "out")))
        if path.is_file():
            data = path.read_bytes()
            sinks.append(data.decode("latin-1"))
            if path.suffix == ".gz":
                sinks.append(gzip.decompress(data).decode("latin-1"))
    for planted in (*PLANTED, *(value for value in PERSON.values() if len(value) > 3)):
        assert not any(planted in sink for sink in sinks), planted
