"""What a newcomer, a correction, a changed parameter and a withdrawal compute again, and why."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cohortflow.cohort.cohort import open_cohort
from cohortflow.evaluation.cases import read_cases
from cohortflow.phantoms.ar1 import write_ar1_cohort
from tests.cli.conftest import CommandLine, prepare
from tests.faults.killing import PIPELINE

SUBJECTS = 12


class Cohort:
    """A cohort, with its source and its pipeline beside it."""

    def __init__(self, cli: CommandLine, folder: Path) -> None:
        self.cli = cli
        self.folder = folder
        self.cohort = folder / "cohort"
        self.pipeline = folder / "small.yaml"

    def ingest(self) -> None:
        source = self.folder / "source"
        assert self.cli("ingest", source, self.cohort, "--atlas", source / "atlas.tsv").code == 0

    def to_run(self, *options: str) -> dict[str, tuple[int, str]]:
        """Step → units to run and the reason, as ``plan`` says."""
        said = self.cli("plan", self.pipeline, self.cohort, *options, "--json").json()
        rows = [row for row in said["steps"] if row["action"] == "run"]
        assert len({row["step"] for row in rows}) == len(rows), rows
        return {row["step"]: (row["units"], row["reason"]) for row in rows}


def generate(folder: Path, subjects: int = SUBJECTS) -> None:
    """The source, and the pipeline."""
    write_ar1_cohort(folder / "source", subjects=subjects, regions=6, samples=40, affected=(1, 3))
    (folder / "small.yaml").write_text(PIPELINE.replace("epochs: 30", "epochs: 2"))


@pytest.fixture(scope="module")
def finished_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "study"
    generate(folder)
    source, cohort = folder / "source", folder / "cohort"
    assert prepare("ingest", source, cohort, "--atlas", source / "atlas.tsv") == 0
    assert prepare("run", folder / "small.yaml", cohort) == 0
    return folder


@pytest.fixture
def finished(cli: CommandLine, finished_once: Path, tmp_path: Path) -> Cohort:
    """A cohort that stands finished."""
    shutil.copytree(finished_once, tmp_path / "study")
    return Cohort(cli, tmp_path / "study")


@pytest.fixture
def fresh(cli: CommandLine, tmp_path: Path) -> Cohort:
    """One of which nothing was taken in yet."""
    generate(tmp_path)
    return Cohort(cli, tmp_path)


def test_an_unchanged_cohort_runs_nothing(finished: Cohort) -> None:
    assert finished.to_run() == {}
    again = finished.cli("run", finished.pipeline, finished.cohort)
    assert (again.code, "nothing to do" in again.out) == (0, True)


def test_one_more_subject_costs_itself_and_the_reductions_never_a_training(
    finished: Cohort,
) -> None:
    generate(finished.folder, SUBJECTS + 1)
    finished.ingest()
    assert finished.to_run() == {
        "standardise": (1, "new"),
        "diagrams": (1, "new"),
        "pairwise_rois": (1, "new"),
        "rank_sum_map": (1, "input matrices changed (12→13 subjects)"),
        "score": (4, "input matrices changed (3→4 subjects)"),
    }


def test_a_corrected_diagnosis_runs_what_reads_the_column(finished: Cohort) -> None:
    table = finished.folder / "source" / "participants.tsv"
    table.write_text(table.read_text().replace("sub-01\tHC", "sub-01\tMCI"))
    finished.ingest()
    reason = "participants column group changed"
    to_run = finished.to_run()
    assert to_run["rank_sum_map"] == (1, reason)
    assert set(to_run) <= {"rank_sum_map", "score"}, "nothing is trained again at night"


def test_a_changed_parameter_in_the_middle_runs_what_stands_below(finished: Cohort) -> None:
    to_run = finished.to_run("--set", "pairwise_rois.order=2.0")
    assert to_run["pairwise_rois"] == (12, "parameter order changed 1.0→2.0")
    assert "input matrices changed" in to_run["rank_sum_map"][1]
    assert to_run["classify"][0] == 4, "another recipe above is another training question"
    assert not {"standardise", "diagrams"} & set(to_run)


def test_a_run_for_one_subject_hides_no_changed_parameter(finished: Cohort) -> None:
    changed = ("--set", "pairwise_rois.order=2.0")
    finished.cli("run", finished.pipeline, finished.cohort, *changed, "--subjects", "sub-01")
    to_run = finished.to_run(*changed)
    assert to_run["pairwise_rois"] == (11, "parameter order changed 1.0→2.0")
    assert "input matrices changed" in to_run["rank_sum_map"][1]


def test_a_changed_parameter_of_the_training_keeps_its_selection(finished: Cohort) -> None:
    to_run = finished.to_run("--set", "classify.epochs=3")
    assert to_run == {
        "classify": (4, "parameter epochs changed 2→3"),
        "score": (4, "input weights changed"),
    }


def test_a_withdrawn_subject_leaves_the_reductions_and_retrains_nothing(finished: Cohort) -> None:
    assert finished.cli("forget", finished.cohort, "sub-02").code == 0
    to_run = finished.to_run()
    assert "rank_sum_map" in to_run
    assert not {"standardise", "diagrams", "pairwise_rois", "classify"} & set(to_run)
    assert finished.cli("run", finished.pipeline, finished.cohort).code == 0
    left = [p for p in finished.cohort.rglob("*") if "sub-02" in p.name and "logs" not in p.parts]
    assert left == []


def test_a_failed_subject_counts_as_wrong_in_the_score(fresh: Cohort) -> None:
    """A subject that fails on the way is missing where it should have been scored."""
    recording = fresh.folder / "source" / "sub-07.1D"
    recording.write_text("\n".join(recording.read_text().splitlines()[:15]) + "\n")
    fresh.ingest()
    assert fresh.cli("run", fresh.pipeline, fresh.cohort).code == 3
    states = {
        (u["step"], u["state"])
        for u in fresh.cli("status", fresh.cohort, "--json").json()["units"]
        if u["step"] in ("classify", "score")
    }
    assert states == {("classify", "done"), ("score", "done")}
    cases = [
        open_cohort(fresh.cohort).run("small")["cohort"]["score"].entry(degree=d, seed=0)
        for d in (0, 1)
    ]
    counted = {
        row.subject: row.counted
        for e in cases
        for row in read_cases(e.read_file("cases.parquet")).cases
    }
    assert counted["sub-07"] == "missing"


def test_a_run_of_some_subjects_freezes_no_selection(fresh: Cohort) -> None:
    fresh.ingest()
    some = ("--subjects", "sub-01,sub-02,sub-03")
    result = fresh.cli("run", fresh.pipeline, fresh.cohort, *some)
    assert result.code == 3
    status = fresh.cli("status", fresh.cohort, "--json").json()
    states = {u["state"] for u in status["units"] if u["step"] == "classify"}
    assert states <= {"blocked", "pending"}
    assert not (fresh.cohort / "selections").exists()


def test_a_report_that_was_never_rendered_is_made_up(finished: Cohort) -> None:
    reports = finished.cohort / "reports" / "small"
    assert [p.name for p in reports.iterdir() if p.name.isdigit()] == ["000001"]
    shutil.rmtree(reports)
    again = finished.cli("run", finished.pipeline, finished.cohort)
    assert again.code == 0
    assert (reports / "000002" / "report.html").is_file()
    third = finished.cli("run", finished.pipeline, finished.cohort)
    assert "000002/report.html" in third.out, "nothing changed since: the report stands"
    assert not (reports / "000003").exists()
