"""Every command and option once, as a person would type it,
on a small cohort that stands finished."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cohortflow.cohort.cohort import open_cohort
from cohortflow.cohort.source_map import home
from cohortflow.errors import EntryMissing, UsageError
from cohortflow.phantoms.ar1 import write_ar1_cohort
from flows.ingest import IngestRequest, ingest_source
from flows.process import process_cohort
from tasks.request import RunRequest
from tests.cli.conftest import CommandLine, Result, prepare
from tests.faults.killing import PIPELINE

SUBJECTS = [f"sub-{n:02d}" for n in range(1, 13)]


@dataclass
class Study:
    """A source, a cohort and a pipeline, and the command line to use them."""

    cli: CommandLine
    source: Path
    cohort: Path
    pipeline: Path

    def run(self, *options: object) -> Result:
        return self.cli("run", self.pipeline, self.cohort, *options)

    def plan(self, *options: object) -> dict[str, Any]:
        return self.cli("plan", self.pipeline, self.cohort, "--json", *options).json()

    def actions(self, *options: object) -> dict[tuple[str, str], int]:
        """(step, action) → units, as the plan says."""
        found: dict[tuple[str, str], int] = {}
        for row in self.plan(*options)["steps"]:
            where = (row["step"], row["action"])
            found[where] = found.get(where, 0) + row["units"]
        return found

    def units(self, **wanted: object) -> list[dict[str, Any]]:
        status = self.cli("status", self.cohort, "--json").json()
        return [u for u in status["units"] if all(u[k] == v for k, v in wanted.items())]


@pytest.fixture(scope="module")
def ingested_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    write_ar1_cohort(folder / "source", subjects=12, regions=6, samples=40, affected=(1, 3))
    atlas = {"atlas": str(folder / "source" / "atlas.tsv")}
    ingest_source(IngestRequest(str(folder / "source"), str(folder / "cohort"), atlas))
    (folder / "small.yaml").write_text(PIPELINE.replace("epochs: 30", "epochs: 1"))
    return folder


@pytest.fixture(scope="module")
def finished_once(ingested_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "study"
    shutil.copytree(ingested_once, folder)
    request = RunRequest(str(folder / "small.yaml"), str(folder / "cohort"), cluster="none")
    assert process_cohort(request).exit_code == 0
    return folder


def _copy(cli: CommandLine, of: Path, to: Path) -> Study:
    shutil.copytree(of, to)
    return Study(cli, to / "source", to / "cohort", to / "small.yaml")


@pytest.fixture
def ingested(cli: CommandLine, ingested_once: Path, tmp_path: Path) -> Study:
    return _copy(cli, ingested_once, tmp_path / "study")


@pytest.fixture
def finished(cli: CommandLine, finished_once: Path, tmp_path: Path) -> Study:
    return _copy(cli, finished_once, tmp_path / "study")


# --- what there is --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "one"),
    [
        ("pipelines", "mci-persistent-homology"),
        ("stages", "pairwise_rois"),
        ("systems", "mci-persistent-homology"),
        ("metrics", "hd<percent>/pooled"),
    ],
)
def test_list(cli: CommandLine, what: str, one: str) -> None:
    names = {row["name"] for row in cli("list", what, "--json").json()}
    assert one in names
    said = cli("list", what)
    assert said.code == 0
    assert all(name in said.out for name in names)


def test_list_of_something_else_is_wrong_usage(cli: CommandLine) -> None:
    result = cli("list", "stage")
    assert result.code == 2
    assert "Did you mean 'stages'?" in result.err


def test_describe_a_stage_and_a_pipeline(cli: CommandLine) -> None:
    stage = cli("describe", "diagrams")
    assert "reads series: one roi_series" in stage.out
    assert "parameter max_degree" in stage.out
    assert "max_degree" in cli("describe", "diagrams", "--json").json()["parameters"]["properties"]
    pipeline = cli("describe", "mci-persistent-homology")
    assert "axis network: " in pipeline.out
    assert "step classify (classify) over " in pipeline.out
    assert cli("describe", "diagramms").code == 2


def test_info_says_versions_and_where_things_are_kept(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COHORTFLOW_TRACKING", "https://user:secret@tracking.example")
    found = cli("info", "--json").json()
    assert {"cohortflow", "torch", "zarr"} <= found["versions"].keys()
    assert found["kept"]["MLflow runs"] == "https://tracking.example"
    said = cli("info")
    assert "source maps" in said.out
    assert "secret" not in said.out


# --- ingest ---------------------------------------------------------------------------------------


def test_ingest_of_the_remembered_source_takes_what_is_given_over_what_is_remembered(
    finished: Study, tmp_path: Path
) -> None:
    first = finished.cli("ingest", finished.source, finished.cohort, "--json",
                         "--atlas", finished.source / "atlas.tsv")  # fmt: skip
    assert first.json()["unchanged"] == SUBJECTS
    again = finished.cli("ingest", "-", finished.cohort, "--json")
    assert (again.code, again.json()["unchanged"]) == (0, SUBJECTS)
    corrected = tmp_path / "corrected.tsv"
    table = (finished.source / "participants.tsv").read_text()
    corrected.write_text(table.replace("sub-01\tHC", "sub-01\tMCI"))
    given = finished.cli("ingest", "-", finished.cohort, "--json", "--participants", corrected)
    assert given.json()["columns_changed"] == ["sub-01"]
    assert given.json()["unchanged"] == SUBJECTS, "the remembered atlas is still the atlas"


def test_ingest_of_nothing_remembered_makes_no_cohort(cli: CommandLine, tmp_path: Path) -> None:
    assert cli("ingest", "-", tmp_path / "nowhere").code == 5
    assert not (tmp_path / "nowhere").exists()


# --- plan -----------------------------------------------------------------------------------------


def test_plan_says_what_would_run_by_step_and_by_unit(ingested: Study) -> None:
    plan = ingested.plan("--units")
    assert plan["projection"]["units"] == 45
    by_step = {row["step"]: (row["action"], row["units"]) for row in plan["steps"]}
    assert by_step["standardise"] == ("run", 12)
    assert by_step["classify"] == ("run", 4)
    assert len(plan["units"]) == 45
    assert {unit["state"] for unit in plan["units"]} == {"pending"}
    said = ingested.cli("plan", ingested.pipeline, ingested.cohort, "--units").out
    assert "45 units to run" in said
    assert not (ingested.cohort / "indexes").exists(), "a plan writes nothing"


def test_at_narrows_to_points(ingested: Study) -> None:
    actions = ingested.actions("--at", "degree=0", "--at", "seed=1")
    assert actions[("classify", "run")] == 1
    assert actions[("classify", "leave")] == 3
    result = ingested.run("--at", "degree=0", "--at", "seed=1")
    assert result.code == 0, result.err
    done = [u["point"] for u in ingested.units(step="score", state="done")]
    assert done == [{"degree": 0, "seed": 1}]
    told = ingested.cli("status", ingested.cohort)
    assert "asked for --at degree=0, --at seed=1" in told.out
    assert ingested.run("--at", "degree=7").code == 2


def test_subjects_narrows_to_some_and_says_so(ingested: Study) -> None:
    actions = ingested.actions("--subjects", "sub-01,sub-02")
    assert actions[("standardise", "run")] == 2
    assert actions[("standardise", "leave")] == 10
    assert ingested.run("--subjects", "sub-01,sub-02").code == 3, "training is blocked"
    assert len(ingested.units(step="pairwise_rois", state="done")) == 2
    assert len(ingested.units(step="pairwise_rois", state="pending")) == 10
    status = ingested.cli("status", ingested.cohort, "--json").json()
    assert status["runs"][0]["subjects"] == 2
    assert "asked for 2 subjects only" in ingested.cli("status", ingested.cohort).out


def test_set_changes_axes_and_parameters_and_status_follows(finished: Study) -> None:
    settings = ["--set", "axes.seed=[0]", "--set", "rank_sum_map.alpha=0.05"]
    assert finished.actions(*settings)[("classify", "skip")] == 2
    assert finished.run(*settings).code == 0
    assert len(finished.units(step="classify")) == 2
    told = finished.cli("status", finished.cohort).out
    assert "asked for --set axes.seed=[0], --set rank_sum_map.alpha=0.05" in told
    assert finished.run().code == 0
    assert len(finished.units(step="classify")) == 4
    assert "asked for" not in finished.cli("status", finished.cohort).out


def test_no_train_blocks_instead_of_training(ingested: Study) -> None:
    result = ingested.run("--no-train")
    assert result.code == 3
    assert len(ingested.units(step="rank_sum_map", state="done")) == 1
    assert ("classify", "blocked") in ingested.actions("--no-train")
    assert not (ingested.cohort / "selections").exists()


def test_refresh_trains_on_those_who_came_since_and_status_counts_them(finished: Study) -> None:
    write_ar1_cohort(finished.source, subjects=16, regions=6, samples=40, affected=(1, 3))
    table = finished.source / "participants.tsv"
    trained = _trained_on(finished)
    table.write_text(table.read_text().replace(f"{trained[0]}\tHC", f"{trained[0]}\tMCI"))
    finished.cli(
        "ingest", finished.source, finished.cohort, "--atlas", finished.source / "atlas.tsv"
    )
    assert finished.run().code == 0
    (row,) = finished.cli("status", finished.cohort, "--json").json()["selections"]
    assert (row["step"], row["selections"], row["corrected"]) == ("classify", 1, 1)
    assert row["new"] > 0
    told = finished.cli("status", finished.cohort).out
    assert f"classify was trained before {row['new']} new, 1 corrected subjects" in told

    assert finished.actions("--refresh", "classify")[("classify", "run")] == 4
    assert finished.run("--refresh", "classify").code == 0
    assert len(_trained_on(finished)) > len(trained)
    (row,) = finished.cli("status", finished.cohort, "--json").json()["selections"]
    assert (row["new"], row["corrected"], row["withdrawn"]) == (0, 0, 0)
    assert finished.run("--refresh", "standardise").code == 2


def _trained_on(study: Study) -> list[str]:
    newest = max(open_cohort(study.cohort).selections.all(), key=lambda s: s.number)
    return [row["subject"] for row in newest.subjects]


def test_what_cannot_fit_is_refused_with_the_numbers_before_anything_ran(ingested: Study) -> None:
    result = ingested.run("--memory", "1MiB")
    assert result.code == 5
    assert "error [does-not-fit]" in result.err
    assert "MiB" in result.err
    assert not (ingested.cohort / "indexes").exists()
    assert ingested.run("--memory", "lots").code == 2
    assert ingested.run("--workers", "0").code == 2


# --- failures -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def failed_once(ingested_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of its subjects hold too few samples for what the pipeline asks."""
    folder = tmp_path_factory.mktemp("failing") / "study"
    shutil.copytree(ingested_once, folder)
    source = folder / "source"
    for subject in ("sub-03", "sub-04"):
        recording = source / f"{subject}.1D"
        recording.write_text("".join(recording.read_text().splitlines(True)[:15]))
    cohort = folder / "cohort"
    prepare("ingest", source, cohort, "--atlas", source / "atlas.tsv")
    assert prepare("run", folder / "small.yaml", cohort, "--at", "seed=0") == 3
    return folder


@pytest.fixture
def failing(cli: CommandLine, failed_once: Path, tmp_path: Path) -> Study:
    return _copy(cli, failed_once, tmp_path / "study")


def test_retry_failed_tries_standing_failures_again(failing: Study) -> None:
    again = failing.run("--at", "seed=0")
    assert again.code == 3
    assert "nothing to try again" in again.out, "what failed for good stands failed"
    assert "series-too-short: " in again.out, "a run says why without being asked"
    assert "(2: sub-03, sub-04)" in again.out
    assert failing.actions("--retry-failed", "--at", "seed=0")[("standardise", "run")] == 2
    tried = failing.run("--retry-failed", "--at", "seed=0")
    assert tried.code == 3
    assert "standardise" in tried.out
    told = failing.cli("status", failing.cohort).out
    assert "series-too-short: " in told
    assert "(2: sub-03, sub-04)" in told


def test_replay_runs_just_that_unit(failing: Study) -> None:
    (unit,) = failing.units(step="standardise", subject="sub-03")
    result = failing.cli("replay", failing.cohort, unit["key"][:16])
    assert result.code == 3
    assert "standardise sub-03: failed" in result.out
    assert result.err.startswith("series-too-short") or "\nseries-too-short" in result.err
    records = list(failing.cohort.glob("subjects/sub-03/standardise@*/failures/*.json"))
    assert len(records) == 2
    record = json.loads(max(records).read_text())
    assert record["replay"] == f"cohortflow replay {failing.cohort} {unit['key'][:16]}"
    assert "standardise sub-03: failed: series-too-short" in record["log"]


def test_replay_of_what_cannot_run_is_refused_and_recorded_nowhere(failing: Study) -> None:
    (blocked,) = failing.units(step="diagrams", subject="sub-03")
    result = failing.cli("replay", failing.cohort, blocked["key"])
    assert result.code == 5
    assert "an input is not there: standardise is failed" in result.err
    assert not list(failing.cohort.glob("subjects/sub-03/diagrams@*"))


def test_replay_of_what_stands_done_computes_nothing(finished: Study) -> None:
    (unit,) = finished.units(step="rank_sum_map")
    result = finished.cli("replay", finished.cohort, unit["key"])
    assert (result.code, result.out) == (0, "rank_sum_map cohort: done\n")


def test_replay_wants_one_unit(finished: Study) -> None:
    assert finished.cli("replay", finished.cohort, "").code == 1
    assert finished.cli("replay", finished.cohort, "0" * 16).code == 1
    keys = [unit["key"] for unit in finished.units() if unit["step"] != "ingest"]
    shared = next(k[0] for k in keys if sum(other[0] == k[0] for other in set(keys)) > 1)
    several = finished.cli("replay", finished.cohort, shared)
    assert several.code == 2
    assert "units have a key that starts with" in several.err


def test_a_result_that_failed_says_why_when_it_is_asked_for(failing: Study) -> None:
    view = open_cohort(failing.cohort).run("small")
    with pytest.raises(EntryMissing, match="standardise of sub-03 is failed") as told:
        view["sub-03"]["standardise"].sel()
    assert "samples" in told.value.found


def test_no_source_path_is_in_logs_records_and_failures(
    failing: Study, ingested_once: Path, failed_once: Path
) -> None:
    """Subjects go by their id: what a file was called may name a person."""
    places = [str(folder / "source") for folder in (ingested_once, failed_once)]
    documents = [*failing.cohort.glob("logs/**/*.log"), *failing.cohort.glob("**/*.json")]
    assert len(documents) > 50
    for path in documents:
        assert not [place for place in places if place.encode() in path.read_bytes()], path
    for number in open_cohort(failing.cohort).ingests.numbers():
        ingested = open_cohort(failing.cohort).ingests.get(number)
        assert not [place for place in places if place in json.dumps(ingested.to_json())]


# --- looking --------------------------------------------------------------------------------------


def test_status_has_the_promised_shape(failing: Study) -> None:
    recording = failing.source / "sub-05.1D"
    recording.write_text("")
    failing.cli("ingest", failing.source, failing.cohort, "--atlas", failing.source / "atlas.tsv")
    status = failing.cli("status", failing.cohort, "--json").json()
    states = [unit["state"] for unit in status["units"]]
    assert status["counts"] == {state: states.count(state) for state in set(states)}
    for unit in status["units"]:
        assert {"subject", "step", "point", "state", "error"} <= unit.keys()
        assert unit["error"] is None or set(unit["error"]) == {"code", "message", "hint"}
    ingest = {u["subject"]: u["error"] for u in status["units"] if u["step"] == "ingest"}
    assert sorted(ingest) == SUBJECTS
    assert [s for s, error in ingest.items() if error] == ["sub-05"]
    assert ingest["sub-05"]["code"] == "empty-input"
    score = next(u for u in status["units"] if u["step"] == "score")
    assert score["point"] == {"degree": 0, "seed": 0}


def test_runs_lists_every_run_and_cuts_nothing_off(finished: Study) -> None:
    finished.run()
    rows = finished.cli("runs", finished.cohort, "--json").json()
    assert [row["index"] for row in rows] == [1, 2]
    assert {row["units"] for row in rows} == {"45 done"}
    said = finished.cli("runs", finished.cohort)
    assert all(str(value) in said.out for row in rows for value in row.values())


def test_report_is_rendered_again(finished: Study) -> None:
    shutil.rmtree(finished.cohort / "reports", ignore_errors=True)
    result = finished.cli("report", finished.cohort)
    assert result.code == 0
    page = Path(result.out.strip())
    assert page == finished.cohort / "reports" / "small" / "000001" / "report.html"
    assert page.is_file()
    assert json.loads(page.with_suffix(".json").read_text())


def test_report_of_a_run_that_was_cut_short_is_of_the_one_before(finished: Study) -> None:
    book = open_cohort(finished.cohort).indexes("small")
    before = book.get(1).claim
    book.begin({**before, "settings": ["axes.seed=[7]"], "run": "cut-short"})
    page = Path(finished.cli("report", finished.cohort).out.strip())
    assert page.parent.name == "000001"
    view = open_cohort(finished.cohort).run("small")
    assert len(view["cohort"]["score"].points) == 4
    assert finished.cli("runs", finished.cohort, "--json").json()[1]["ended"] == "not finished"
    assert "did not finish" in finished.cli("status", finished.cohort).out


def test_report_where_nothing_ran_and_where_two_pipelines_did(ingested: Study) -> None:
    nothing = ingested.cli("report", ingested.cohort)
    assert nothing.code == 1
    assert "no pipeline has run on this cohort" in nothing.err
    other = ingested.pipeline.with_name("other.yaml")
    shutil.copy(ingested.pipeline, other)
    for pipeline in (ingested.pipeline, other):
        ingested.cli("run", pipeline, ingested.cohort, "--at", "seed=0", "--at", "degree=0")
    assert ingested.cli("report", ingested.cohort).code == 2
    assert ingested.cli("report", ingested.cohort, "--pipeline", "other").code == 0
    assert ingested.cli("report", ingested.cohort, "--pipeline", "none").code == 1


def test_the_command_in_the_report_can_be_typed_again(ingested: Study) -> None:
    result = ingested.run("--set", "axes.degree=[0, 1]", "--at", "seed=0")
    page = Path(result.out.partition("report: ")[2].split()[0])
    assert "'axes.degree=[0, 1]'" in page.with_suffix(".json").read_text()


# --- elsewhere than on a disk ---------------------------------------------------------------------


def test_a_cohort_on_a_url_works_from_ingest_to_forget(ingested: Study) -> None:
    cli, url = ingested.cli, f"memory://{ingested.cohort.parent.parent.name}/cohort"
    assert cli("ingest", ingested.source, url, "--atlas", ingested.source / "atlas.tsv").code == 0
    result = cli("run", ingested.pipeline, url)
    assert result.code == 0, result.err
    assert f"report: {url}/reports/small/000001/report.html" in result.out
    assert cli("status", url, "--json").json()["counts"] == {"done": 57}
    again = cli("run", ingested.pipeline, url)
    assert "nothing to do" in again.out
    assert f"report: {url}/reports/small/000001/report.html" in again.out
    assert cli("fsck", url, "--deep").code == 0
    assert cli("forget", url, "sub-02").code == 0
    assert cli("run", ingested.pipeline, url).code == 0
    assert not list(home().glob("work/*")), "checkpoints of trainings go with the training"
    view = open_cohort(url).run("small")
    assert view["sub-01"]["pairwise_rois"].sel()["distance"].shape == (2, 6, 6)


def test_a_run_on_a_url_is_tracked_like_any_other(
    ingested: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli, url = ingested.cli, f"memory://{ingested.cohort.parent.parent.name}/tracked"
    cli("ingest", ingested.source, url, "--atlas", ingested.source / "atlas.tsv")
    seen: list[tuple[str, bool]] = []

    def track_run(source: Any, page: Path, *, experiment: str, **_: Any) -> None:
        seen.append((experiment, page.is_file() and page.with_name("report.json").is_file()))

    monkeypatch.setattr("tasks.tracking.track_run", track_run)
    monkeypatch.delenv("COHORTFLOW_TRACKING")
    assert cli("run", ingested.pipeline, url, "--at", "seed=0", "--at", "degree=0").code == 0
    assert seen == [("small", True)]


def test_a_cohort_in_memory_is_refused_to_workers(ingested: Study) -> None:
    url = f"memory://{ingested.cohort.parent.parent.name}/alone"
    ingested.cli("ingest", ingested.source, url, "--atlas", ingested.source / "atlas.tsv")
    with pytest.raises(UsageError, match="process's own"):
        process_cohort(RunRequest(str(ingested.pipeline), url))


def test_status_tells_what_stands_where_a_pipeline_cannot_be_planned_any_more(
    cli: CommandLine, source: Path, pipeline: Path
) -> None:
    """A newcomer of another repetition time is refused by the run,
    not by the look at the cohort."""
    cohort = source.parent / "cohort"
    told = ("--atlas", source / "atlas.tsv", "--repetition-times")
    assert cli("ingest", source, cohort, *told, "2.0").code == 0
    assert cli("run", pipeline, cohort).code == 0
    table = source.parent / "times.tsv"
    sites = {row.split("\t")[-1] for row in (source / "participants.tsv").read_text().split("\n")}
    rows = "".join(f"{site}\t{1.5 + i}\n" for i, site in enumerate(sorted(sites - {"", "site"})))
    table.write_text("site\ttr_s\n" + rows)
    assert cli("ingest", source, cohort, *told, table).code == 0
    assert cli("run", pipeline, cohort).code == 5

    status = cli("status", cohort, "--json").json()
    assert status["runs"][0]["problem"]["code"] == "mixed-repetition-times"
    assert {u["state"] for u in status["units"] if u["step"] == "rank_sum_map"} == {"done"}
    assert "cannot be planned today" in cli("status", cohort).out
