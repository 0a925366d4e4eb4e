"""The one writer to MLflow: a run's parameters, aggregate metrics, case table and report.

An event is put into an outbox first and taken out when MLflow has it, so an outage, a crash or a
full disk at the other end loses nothing, delays nothing and doubles nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cohortflow.errors import CohortflowError, InputError, TrackingUnavailable
from cohortflow.report.source import ReportSource
from tasks.outbox import Outbox, Waiting
from tasks.tracking_event import RUN_TAG, case_table, run_event, segmentation_table

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

log = logging.getLogger("cohortflow.tracking")

PAGES_URL = "COHORTFLOW_MLFLOW_URL"
"""Address of MLflow's pages, where they are not those of the server that is written to."""

MOST_METRICS = 1000
MOST_PARAMETERS = 100
_KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Its pages open with runs and metrics, not with the traces of a language model."""
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
"""Unless set otherwise: no telemetry, and an absent server is noticed in seconds, not minutes."""


@dataclass(frozen=True)
class TrackingResult:
    """``delivered``: this run stands in MLflow. ``waiting``: events of it still in the outbox.

    ``page``: address of the page that shows the run, where a server does.
    """

    uri: str
    delivered: bool
    waiting: int
    mlflow_run: str | None = None
    page: str | None = None
    error: dict[str, str] | None = None


def home() -> Path:
    chosen = os.environ.get("COHORTFLOW_HOME")
    return Path(chosen) if chosen else Path.home() / ".local" / "share" / "cohortflow"


def track_run(
    source: ReportSource,
    report: Path,
    *,
    uri: str | None = None,
    experiment: str,
    run_id: str,
    shown_at: str = "",
    outbox: Path | None = None,
) -> TrackingResult:
    """Write a run to MLflow, after what earlier runs could not write.

    ``report``: the HTML file, ``report.json`` beside it. ``shown_at``: its address for people, or
    its place inside the cohort. ``uri``: default SQLite under ``COHORTFLOW_HOME``. ``run_id`` marks
    the MLflow run, which is never written twice. An MLflow that is away is a warning in the log and
    in the result, not an exception.
    """
    address = _address(uri)
    box = Outbox(outbox or home() / "outbox")
    try:
        event = run_event(source, experiment=experiment, run_id=run_id, report=shown_at)
        box.put({**event, "address": _digest(address)}, _artifacts(source, report))
    except (CohortflowError, OSError) as found:
        error = found if isinstance(found, CohortflowError) else _unwritable(box, found)
        log.warning("not tracked: %s [%s]", error, error.code)
        return TrackingResult(shown(address), False, 0, error=error.to_json())
    return _deliver(box, address, run_id)


def _artifacts(source: ReportSource, report: Path) -> dict[str, bytes]:
    files = (report, report.with_name("report.json"))
    artifacts = {path.name: path.read_bytes() for path in files if path.is_file()}
    cases = case_table(source)
    if cases is not None:
        artifacts["cases.parquet"] = cases
    segmented = segmentation_table(source)
    if segmented is not None:
        artifacts["segmentation_cases.parquet"] = segmented
    return artifacts


def _unwritable(box: Outbox, error: OSError) -> TrackingUnavailable:
    return TrackingUnavailable(
        "the outbox cannot be written",
        where=str(box.folder),
        found=str(error),
        hint="Free disk space or set COHORTFLOW_HOME to a folder that can be written.",
    )


def _deliver(box: Outbox, address: str, run_id: str) -> TrackingResult:
    """Write waiting events of this address, oldest first; stop where MLflow is away."""
    written: dict[str, tuple[str, str]] = {}
    error: CohortflowError | None = None
    with box.locked() as mine:
        if not mine:
            error = TrackingUnavailable("another run is writing to MLflow", where=shown(address))
        for waiting in _of_address(box, address) if mine else []:
            try:
                with _named_errors(address):
                    written[waiting.event["run_id"]] = _write(_client(address), waiting, address)
            except TrackingUnavailable as found:
                error = found
                break
            except InputError as found:
                error = found
                continue
            box.remove(waiting)
        left = len(_of_address(box, address))
    if error is not None:
        log.warning("%s [%s]; %d waiting in %s", error, error.code, left, box.folder)
    experiment, mlflow_run = written.get(run_id, (None, None))
    base = _pages(address)
    return TrackingResult(
        uri=shown(address),
        delivered=run_id in written,
        waiting=left,
        mlflow_run=mlflow_run,
        page=f"{base}/#/experiments/{experiment}/runs/{mlflow_run}"
        if base and mlflow_run
        else None,
        error=error.to_json() if error is not None else None,
    )


def search_page(*, uri: str | None = None, experiment: str, run_id: str) -> str | None:
    """Address of the page that finds a run in MLflow, which need not stand there yet.

    None where no server shows it, or where MLflow is away.
    """
    address = _address(uri)
    base = _pages(address)
    if base is None:
        return None
    try:
        with _named_errors(address):
            found = _experiment(_client(address), experiment, address)
    except (TrackingUnavailable, InputError) as error:
        log.debug("no page is known of run %s: %s", run_id, error)
        return None
    wanted = urllib.parse.quote(f"tags.`{RUN_TAG}` = '{_quoted(run_id)}'")
    return f"{base}/#/experiments/{found}/runs?searchFilter={wanted}"


def _address(uri: str | None) -> str:
    return uri or f"sqlite:///{home() / 'mlflow.db'}"


def _pages(address: str) -> str | None:
    """Address of MLflow's pages, without a password; None where only a file is written."""
    found = os.environ.get(PAGES_URL) or (address if address.startswith("http") else None)
    return shown(found).rstrip("/") if found else None


def _of_address(box: Outbox, address: str) -> list[Waiting]:
    digest = _digest(address)
    return [waiting for waiting in box.waiting() if waiting.event["address"] == digest]


def _digest(address: str) -> str:
    """An address may hold a password, so that neither the outbox nor a log line shows it."""
    return hashlib.sha256(address.encode()).hexdigest()[:16]


def shown(address: str) -> str:
    return re.sub(r"//[^/@]*@", "//", address)


@contextlib.contextmanager
def _named_errors(address: str) -> Iterator[None]:
    """The boundary of MLflow: what it, its database and the network raise, as one of our errors.

    Its database speaks through libraries that are MLflow's business, so their errors have no name
    here: whatever was raised, the event waits in the outbox, and is told.
    """
    try:
        yield
    except Exception as error:
        said = shown(str(error).partition("\n")[0])[:300]
        found = f"{type(error).__name__}: {said}"
        if getattr(error, "error_code", "") in ("INVALID_PARAMETER_VALUE", "BAD_REQUEST"):
            raise InputError(
                "MLflow refuses an event; it stays in the outbox",
                where=shown(address),
                found=found,
                hint="Mend or delete its folder in the outbox.",
            ) from error
        raise TrackingUnavailable(
            "MLflow could not be written to",
            where=shown(address),
            found=found,
            hint="The next run writes what waits.",
        ) from error


def _client(address: str) -> MlflowClient:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    for name in ("alembic", "mlflow.store.db.utils", "mlflow.tracking"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if address.startswith("sqlite:///"):
        Path(address.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=address)


def _write(client: MlflowClient, waiting: Waiting, address: str) -> tuple[str, str]:
    """Experiment and run of an event: the finished run that exists, or a new one, finished last."""
    event = waiting.event
    experiment = _experiment(client, str(event["experiment"]), address)
    for run in client.search_runs([experiment], f"tags.`{RUN_TAG}` = '{_quoted(event['run_id'])}'"):
        if run.info.status == "FINISHED":
            return experiment, str(run.info.run_id)
        client.delete_run(run.info.run_id)
    run = client.create_run(
        experiment, start_time=event["time_ms"], tags=dict(event["tags"]), run_name=event["name"]
    )
    run_id = str(run.info.run_id)
    _log(client, run_id, event)
    client.log_artifacts(run_id, str(waiting.artifacts))
    client.set_terminated(run_id, "FINISHED", end_time=event["time_ms"])
    return experiment, run_id


def _log(client: MlflowClient, run_id: str, event: Mapping[str, Any]) -> None:
    """All metrics and parameters in one batch, or in as few as MLflow's limits allow."""
    from mlflow.entities import Metric, Param

    time = int(event["time_ms"])
    metrics = [Metric(name, value, time, 0) for name, value in event["metrics"].items()]
    parameters = [Param(name, value) for name, value in event["parameters"].items()]
    room = MOST_METRICS - MOST_PARAMETERS
    while metrics or parameters:
        client.log_batch(
            run_id, metrics=metrics[:room], params=parameters[:MOST_PARAMETERS], synchronous=True
        )
        metrics, parameters = metrics[room:], parameters[MOST_PARAMETERS:]


def _experiment(client: MlflowClient, name: str, address: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    place = None
    if address.startswith("sqlite:///"):
        folder = Path(address.removeprefix("sqlite:///")).parent / "mlartifacts" / name
        place = folder.absolute().as_uri()
    return str(client.create_experiment(name, artifact_location=place, tags=dict(_KIND)))


def _quoted(text: Any) -> str:
    return str(text).replace("'", "")
