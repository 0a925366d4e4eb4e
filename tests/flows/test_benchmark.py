"""A benchmark is the run of a system's own pipeline, and its report says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cohortflow.errors import UnknownName, UsageError
from cohortflow.phantoms.ar1 import write_ar1_cohort
from cohortflow.pipeline.load import load_pipeline
from flows import benchmarking
from flows.benchmarking import BenchmarkRequest, benchmark_run, pipelines_by_system
from tests.cli.conftest import CommandLine

SYSTEM = "mci-persistent-homology"


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(capsys, monkeypatch)


def test_it_runs_the_pipeline_of_its_name_with_the_seeds_asked_for() -> None:
    request = benchmark_run(BenchmarkRequest(SYSTEM, "cohort", seeds=3), workers=2)
    assert (request.pipeline, request.cohort, request.workers) == (SYSTEM, "cohort", 2)
    pipeline = load_pipeline(request.pipeline, request.settings)
    assert [value.label for value in pipeline.axes["seed"].values or ()] == [0, 1, 2]
    assert pipeline.report[0] == "benchmark"
    assert {"published", "methods"} <= set(pipeline.report)


def test_without_a_number_the_seeds_are_those_of_the_pipeline() -> None:
    request = benchmark_run(BenchmarkRequest(SYSTEM, "cohort"))
    plain, asked = load_pipeline(SYSTEM), load_pipeline(SYSTEM, request.settings)
    assert asked.axes == plain.axes


def test_what_cannot_be_run_is_told_with_what_can(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownName, match=SYSTEM):
        benchmark_run(BenchmarkRequest("mci-persistant-homology", "cohort"))
    with pytest.raises(UnknownName, match="autism-persistent-homology"):
        benchmark_run(BenchmarkRequest(SYSTEM, "cohort", pipeline="autism-homology"))
    with pytest.raises(UsageError, match="at least one"):
        benchmark_run(BenchmarkRequest(SYSTEM, "cohort", seeds=0))
    monkeypatch.setattr(benchmarking, "pipelines_by_system", lambda: {"another": ["another-one"]})
    with pytest.raises(UnknownName, match="Those that have: another"):
        benchmark_run(BenchmarkRequest(SYSTEM, "cohort"))


def test_the_form_offers_the_systems_that_have_a_pipeline() -> None:
    from flows.benchmark import benchmark

    fields = benchmark.parameters.model_dump()["properties"]
    assert SYSTEM in str(fields["system"])
    assert set(pipelines_by_system()[SYSTEM]) <= set(fields["pipeline"]["enum"])
    assert "cohort" not in fields, "where a cohort lies may say whose study it is"


@pytest.mark.slow
def test_a_benchmark_goes_on_from_a_run_and_reports_every_seed(
    cli: CommandLine, tmp_path: Path
) -> None:
    write_ar1_cohort(tmp_path / "source", subjects=10, regions=4, samples=30, affected=(1,))
    cohort = tmp_path / "cohort"
    assert (
        cli(
            "ingest", tmp_path / "source", cohort, "--atlas", tmp_path / "source" / "atlas.tsv"
        ).code
        == 0
    )
    quick = [
        "--set",
        "diagrams.max_degree=0",
        "--set",
        "axes.degree=[0]",
        "--set",
        "standardise.minimum_length=20",
    ]
    quick += [
        "--set",
        "classify.epochs=1",
        "--set",
        "classify_correlation.epochs=1",
        "--set",
        "peak.epochs=1",
    ]
    plain = cli("run", "demo-persistent-homology", cohort, *quick)
    assert plain.code == 0, plain.err
    asked = ["benchmark", SYSTEM, cohort, "--pipeline", "demo-persistent-homology", *quick]
    asked += ["--cluster", "none", "--no-prefect", "--json"]
    first = cli(*asked).json()
    assert not any(step["units"] for step in first["steps"]), "a benchmark computed what stood"
    assert _section(first)["title"] == "The benchmark"
    more = cli(*asked, "--seeds", "3").json()
    assert {s["step"]: s["units"] for s in more["steps"]}["classify"] == 1
    text = json.dumps(_section(more))
    assert "3 seeds: 0, 1, 2" in text


def _section(result: dict) -> dict:
    report = json.loads(Path(result["report"]).with_suffix(".json").read_text())
    assert "published" in report["sections"]
    return report["sections"]["benchmark"]
