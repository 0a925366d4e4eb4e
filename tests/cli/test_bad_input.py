"""Each bad input ends with its named error and exit code, and every other subject is done."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import CommandLine, Result

BAD = "sub-03"


def _rewrite(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    def break_it(path: Path) -> None:
        np.savetxt(path, change(np.loadtxt(path)))

    return break_it


def _nan(values: np.ndarray) -> np.ndarray:
    values[7, 2] = np.nan
    return values


def _text_line(path: Path) -> None:
    lines = path.read_text().splitlines()
    lines[9] = "scanner paused"
    path.write_text("\n".join(lines) + "\n")


def _truncated_gzip(path: Path) -> None:
    data = gzip.compress(path.read_bytes())
    path.with_name(path.name + ".gz").write_bytes(data[: len(data) // 2])
    path.unlink()


RECORDINGS = {
    "missing-values": _rewrite(_nan),
    "series-too-short": _rewrite(lambda values: values[:2]),
    "not-a-number": _text_line,
    "region-count-mismatch": _rewrite(lambda values: values[:, :4]),
    "empty-input": lambda path: path.write_text(""),
    "truncated-file": _truncated_gzip,
}


def _row(table: Path, subject: str) -> str:
    return next(line for line in table.read_text().splitlines() if line.startswith(subject))


def _lacks(table: Path) -> None:
    table.write_text(table.read_text().replace(_row(table, BAD) + "\n", ""))


def _twice(table: Path) -> None:
    table.write_text(table.read_text() + _row(table, BAD) + "\n")


TABLES = {"participant-missing": _lacks, "participant-duplicate": _twice}


def _refused(cli: CommandLine, source: Path, pipeline: Path, code: str) -> None:
    cohort = source.parent / "cohort"
    ingested = cli(
        "ingest", source, cohort, "--participants", source / "participants.tsv",
        "--atlas", source / "atlas.tsv",
    )  # fmt: skip
    assert ingested.code == 3
    assert f"refused {BAD} [{code}]" in ingested.err
    run = cli("run", pipeline, cohort)
    assert run.code == 3, "a refused subject stands failed"
    status = cli("status", cohort, "--json").json()
    assert _errors(status, "ingest") == {BAD: code}
    assert _errors(status, "standardise") == {BAD: code}
    assert _states(status, "pairwise_rois") == {"done": 7, "blocked": 1}


def _errors(status: dict, step: str) -> dict[str, str]:
    return {
        unit["subject"]: unit["error"]["code"]
        for unit in status["units"]
        if unit["step"] == step and unit["error"]
    }


def _states(status: dict, step: str) -> dict[str, int]:
    states = [unit["state"] for unit in status["units"] if unit["step"] == step]
    return {state: states.count(state) for state in set(states)}


@pytest.mark.parametrize("code", RECORDINGS)
def test_a_bad_recording_costs_one_subject(
    cli: CommandLine, source: Path, pipeline: Path, code: str
) -> None:
    RECORDINGS[code](source / f"{BAD}.1D")
    _refused(cli, source, pipeline, code)


@pytest.mark.parametrize("code", TABLES)
def test_a_faulty_participants_table_costs_one_subject(
    cli: CommandLine, source: Path, pipeline: Path, code: str
) -> None:
    TABLES[code](source / "participants.tsv")
    _refused(cli, source, pipeline, code)


def test_a_group_with_one_member_fails_the_comparison_alone(
    cli: CommandLine, source: Path, pipeline: Path
) -> None:
    table = source / "participants.tsv"
    first, *rows = table.read_text().splitlines()
    rows = [row if i == 1 else row.replace("MCI", "HC") for i, row in enumerate(rows)]
    table.write_text("\n".join([first, *rows]) + "\n")
    cohort = source.parent / "cohort"
    assert cli("ingest", source, cohort, "--atlas", source / "atlas.tsv").code == 0
    assert cli("run", pipeline, cohort).code == 3
    status = cli("status", cohort, "--json").json()
    assert _errors(status, "rank_sum_map") == {None: "group-too-small"}
    assert _states(status, "pairwise_rois") == {"done": 8}


# --- pipelines ------------------------------------------------------------------------------------


def _ingested(cli: CommandLine, source: Path) -> Path:
    cohort = source.parent / "cohort"
    assert cli("ingest", source, cohort, "--atlas", source / "atlas.tsv").code == 0
    return cohort


FAULTS = {
    "unknown-name": (
        "diagrams: {max_degree: 0}",
        "diagram: {max_degree: 0}",
        "Did you mean 'diagrams'?",
    ),
    "bad-parameter": ("max_degree: 0", "max_degree: many", "max_degree"),
    "reads-below": (
        "diagrams: {max_degree: 0}",
        "diagrams: {max_degree: 0, reads: {series: pairwise_rois}}",
        "stands below it",
    ),
}


@pytest.mark.parametrize("code", FAULTS)
def test_a_faulty_pipeline_runs_nothing(
    cli: CommandLine, source: Path, pipeline: Path, code: str
) -> None:
    cohort = _ingested(cli, source)
    good, bad, said = FAULTS[code]
    pipeline.write_text(pipeline.read_text().replace(good, bad))
    before = _contents(cohort)
    result = cli("run", pipeline, cohort)
    assert result.code == 2
    assert f"error [{code}]" in result.err
    assert "three-steps.yaml:7" in result.err, "the line at fault is named"
    assert said in result.err
    assert _contents(cohort) == before


def _contents(cohort: Path) -> list[Path]:
    """Every file of a cohort; that somebody held a lease for a moment is no content."""
    return sorted(path for path in cohort.rglob("*") if "leases" not in path.parts)


# --- stores ---------------------------------------------------------------------------------------


def _told(result: Result, code: str, exit_code: int) -> None:
    assert f"error [{code}]" in result.err
    assert result.code == exit_code


def test_a_cohort_that_is_a_file_is_refused(cli: CommandLine, source: Path, pipeline: Path) -> None:
    path = source.parent / "file"
    path.write_text("not a cohort")
    _told(cli("run", pipeline, path), "not-a-cohort", 5)
    _told(cli("ingest", source, path), "not-a-cohort", 5)
    assert path.read_text() == "not a cohort"


def test_a_store_of_a_newer_version_is_refused(
    cli: CommandLine, source: Path, pipeline: Path
) -> None:
    cohort = _ingested(cli, source)
    card = json.loads((cohort / "cohort.json").read_text())
    (cohort / "cohort.json").write_text(json.dumps({**card, "schema": 99}))
    _told(cli("run", pipeline, cohort), "store-too-new", 5)


def test_no_such_source_writes_nothing(cli: CommandLine, tmp_path: Path) -> None:
    _told(cli("ingest", tmp_path / "nowhere", tmp_path / "cohort"), "no-such-source", 5)
    assert not (tmp_path / "cohort").exists()


def test_an_empty_selection_is_told_apart(cli: CommandLine, source: Path, pipeline: Path) -> None:
    cohort = _ingested(cli, source)
    _told(cli("run", pipeline, cohort, "--subjects", "sub-99"), "selection-empty", 4)


def test_a_cohort_of_nobody_is_no_run(cli: CommandLine, pipeline: Path, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    cohort = tmp_path / "empty"
    _told(cli("ingest", tmp_path / "nothing", cohort), "selection-empty", 4)
    for command in ("plan", "run"):
        _told(cli(command, pipeline, cohort), "selection-empty", 4)
    assert not (cohort / "reports").exists()


def test_wrong_usage(cli: CommandLine, source: Path, pipeline: Path) -> None:
    cohort = _ingested(cli, source)
    assert cli("run", pipeline, cohort, "--set", "diagrams.max_degree").code == 2
    assert cli("run", pipeline, cohort, "--at", "comparison=nobody").code == 2
    assert cli("run", "no-such-pipeline", cohort).code == 2
