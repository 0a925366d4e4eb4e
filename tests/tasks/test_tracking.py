"""One writer to MLflow: what it writes, that nothing doubles, and that an outage loses nothing."""

from __future__ import annotations

import io
import json
import logging
import socket
from pathlib import Path

import pandas as pd
import pytest

from cohortflow.report import render_report
from cohortflow.report.segmentations import variants
from tasks.outbox import Outbox
from tasks.tracking import TrackingResult, track_run
from tests.report.fake import FakeSource, make_source
from tests.report.segmentation_runs import usual


@pytest.fixture(scope="module")
def source() -> FakeSource:
    return make_source(subjects=8)


@pytest.fixture(scope="module")
def page(source: FakeSource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_report(source, tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Its tables take seconds to make: once for the module."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


def dead_server() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://anna:secret@127.0.0.1:{free.getsockname()[1]}"


def runs(uri: str, experiment: str) -> list:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(experiment)
    return list(client.search_runs([found.experiment_id])) if found else []


def track(source: FakeSource, page: Path, uri: str, box: Path, **named: str) -> TrackingResult:
    return track_run(source, page, uri=uri, outbox=box, **named)


def test_a_run_arrives_whole(source: FakeSource, page: Path, database: str, tmp_path: Path) -> None:
    from mlflow.tracking import MlflowClient

    result = track(source, page, database, tmp_path, experiment="whole", run_id="r1")
    assert (result.delivered, result.waiting, result.error) == (True, 0, None)
    (run,) = runs(database, "whole")
    assert run.info.status == "FINISHED"
    assert run.data.tags["cohortflow.cohort"] == "c0ffee"
    assert run.data.tags["cohortflow.index"] == "3"
    assert run.data.params["diagrams.dimension"] == "3"
    report = json.loads(page.with_name("report.json").read_text(encoding="utf-8"))
    accuracy = next(
        block["rows"]
        for block in report["sections"]["accuracy"]["blocks"]
        if block.get("name") == "accuracy"
    )
    metrics = run.data.metrics
    assert metrics["accuracy_mean/score hc_mci DMN H0"] == accuracy[0]["accuracy"]["mean"]
    counts = ("accuracy_seeds", "seeds_asked", "cases_n", "cases_missing")
    told = [metrics[f"{name}/score hc_mci DMN H0"] for name in counts]
    assert told == [*accuracy[0]["seeds"], accuracy[0]["hits"][1], 0], "no number without its n"
    assert metrics["units_done"] == report["verdict"]["units"]["done"]
    assert metrics["clouds_per_s/diagrams"] == 8 * 12 / 2.0
    assert metrics["clouds_per_core_s/diagrams"] == 8 * 12 / (4.0 * 2)
    assert (metrics["wall_s/diagrams"], metrics["peak_memory_mib/diagrams"]) == (2.0, 300.0)
    assert not any("pairwise_rois" in name for name in metrics), "an earlier run's own"
    client = MlflowClient(tracking_uri=database)
    names = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert names == {"report.html", "report.json", "cases.parquet"}
    folder = client.download_artifacts(run.info.run_id, "cases.parquet", str(tmp_path))
    cases = pd.read_parquet(io.BytesIO(Path(folder).read_bytes()))
    assert len(cases) == 8 * len(cases.groupby(["step", "network", "degree", "seed"], dropna=False))
    assert not any("sub-" in str(value) for value in run.data.params.values())
    assert not any("sub-" in str(value) for value in run.data.tags.values())


def test_the_same_run_is_never_written_twice(
    source: FakeSource, page: Path, database: str, tmp_path: Path
) -> None:
    first = track(source, page, database, tmp_path, experiment="twice", run_id="r1")
    again = track(source, page, database, tmp_path, experiment="twice", run_id="r1")
    assert again.mlflow_run == first.mlflow_run
    assert len(runs(database, "twice")) == 1


def test_a_half_written_run_is_replaced(
    source: FakeSource,
    page: Path,
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from mlflow.tracking import MlflowClient

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "log_artifacts", full_disk)
        broken = track(source, page, database, tmp_path, experiment="half", run_id="r1")
    assert (broken.delivered, broken.waiting) == (False, 1)
    assert [run.info.status for run in runs(database, "half")] == ["RUNNING"]
    assert track(source, page, database, tmp_path, experiment="half", run_id="r1").delivered
    assert [run.info.status for run in runs(database, "half")] == ["FINISHED"]


def test_a_dead_server_is_a_warning_and_the_next_run_replays(
    source: FakeSource,
    page: Path,
    database: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with caplog.at_level(logging.WARNING, "cohortflow.tracking"):
        away = track(source, page, dead_server(), tmp_path, experiment="away", run_id="r1")
    assert (away.delivered, away.waiting) == (False, 1)
    assert away.error is not None
    assert away.error["code"] == "tracking-unavailable"
    assert "tracking-unavailable" in caplog.text
    (waiting,) = Outbox(tmp_path).waiting()
    kept = (waiting.folder / "event.json").read_text()
    assert "secret" not in caplog.text + kept + str(away)
    # The server is back: the same event, now for an address that answers.
    from tasks import tracking

    event = json.loads(kept) | {"address": tracking._digest(database)}
    (waiting.folder / "event.json").write_text(json.dumps(event))
    later = track(source, page, database, tmp_path, experiment="away", run_id="r2")
    assert (later.delivered, later.waiting) == (True, 0)
    tags = {run.data.tags["cohortflow.run_id"] for run in runs(database, "away")}
    assert tags == {"r1", "r2"}


def test_an_error_of_any_library_below_mlflow_keeps_the_event(
    source: FakeSource,
    page: Path,
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from mlflow.tracking import MlflowClient

    class CommandError(Exception):
        """Not one of MLflow's own: a database library's, such as a schema that is too new."""

    def too_new(*_: object) -> None:
        raise CommandError("Can't locate revision")

    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "get_experiment_by_name", too_new)
        result = track(source, page, database, tmp_path, experiment="below", run_id="r1")
    assert (result.delivered, result.waiting) == (False, 1)
    assert result.error is not None
    assert result.error["code"] == "tracking-unavailable"
    assert "CommandError: Can't locate revision" in result.error["message"]
    assert track(source, page, database, tmp_path, experiment="below", run_id="r1").delivered


def test_an_event_that_mlflow_refuses_does_not_hold_up_the_others(
    source: FakeSource, page: Path, database: str, tmp_path: Path
) -> None:
    track(source, page, database, tmp_path, experiment="refused", run_id="r0")
    box = Outbox(tmp_path)
    from tasks import tracking

    bad = {
        "run_id": "bad",
        "experiment": "refused",
        "name": "bad",
        "time_ms": 1,
        "address": tracking._digest(database),
        "tags": {},
        "parameters": {},
        "metrics": {"not allowed: @": 1.0},
    }
    box.put(bad, {})
    result = track(source, page, database, tmp_path, experiment="refused", run_id="r1")
    assert result.delivered
    assert result.waiting == 1
    assert result.error is not None
    assert result.error["code"] == "bad-input"


def test_an_outbox_that_cannot_be_written_is_a_warning(
    source: FakeSource, page: Path, database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder")
    result = track(source, page, database, tmp_path / "file", experiment="no", run_id="r1")
    assert (result.delivered, result.error and result.error["code"]) == (
        False,
        "tracking-unavailable",
    )
    assert "the outbox cannot be written" in caplog.text
    assert runs(database, "no") == []


def test_an_interrupted_put_leaves_no_event(tmp_path: Path) -> None:
    (tmp_path / ".making-1" / "artifacts").mkdir(parents=True)
    (tmp_path / "000-no-event").mkdir()
    assert Outbox(tmp_path).waiting() == []


def test_only_one_delivers_at_a_time(tmp_path: Path) -> None:
    box = Outbox(tmp_path)
    with box.locked() as first, box.locked(wait_s=0.0) as second:
        assert (first, second) == (True, False)
    with box.locked(wait_s=0.0) as third:
        assert third


def test_means_of_label_maps_go_with_their_denominators(database: str, tmp_path: Path) -> None:
    from mlflow.tracking import MlflowClient

    source = usual(6)
    page = render_report(source, tmp_path / "report")
    assert track(source, page, database, tmp_path / "box", experiment="maps", run_id="m1").delivered
    (run,) = runs(database, "maps")
    metrics = run.data.metrics
    summary = next(one for one in variants(source) if one.name == "model fast").summary
    liver = summary[(summary["name"] == "liver") & (summary["metric"] == "dice")].iloc[0]
    assert metrics["dice/liver model fast"] == liver["value"]
    assert metrics["dice_n/liver model fast"] == 7.0
    assert metrics["dice_missing/liver model fast"] == 2.0  # one missed, one without scores
    assert "hd95_pooled_mm/aorta model fast" not in metrics  # infinite: a case is away
    assert metrics["hd95_pooled_missing/aorta model fast"] == 1.0
    assert metrics["hd95_pooled_infinite/aorta model fast"] == 1.0
    assert metrics["hd95_pooled_n/aorta model fast"] == 7.0
    assert 0.0 < metrics["hd95_pooled_median_mm/aorta model fast"] < 400.0
    client = MlflowClient(tracking_uri=database)
    stored = client.download_artifacts(run.info.run_id, "segmentation_cases.parquet", str(tmp_path))
    cases = pd.read_parquet(stored)
    assert set(cases["variant"]) == {"model fast", "model full"}
    assert set(cases["subject"]) == {*(f"sub-{i}" for i in range(1, 7)), "sub-99"}
