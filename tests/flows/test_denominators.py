"""A benchmark over seeds, folds and variants in which cases are lost: every denominator, by hand.

Seven cases. ``quarantined`` has no prediction at all; ``late`` came after the training, so that
both folds score it, and failed at one of them; ``elsewhere`` is not in variant *fast*. A prediction
is the reference, moved by *fast* 2 voxels, by *full* 1, by seed 1 one more; it is ten wide, so that
moved by k its Dice is (10 - k) / 10.
"""

from __future__ import annotations

import io
import json
import math
import re
import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
import pytest

from cohortflow.cohort.cohort import Cohort, open_cohort
from cohortflow.cohort.entry import Entry, Many, Output
from cohortflow.errors import UndefinedResult
from cohortflow.pipeline.load import load_pipeline
from cohortflow.pipeline.stage import Context, Parameters, Reads, Stage
from cohortflow.report.from_run import RunSource
from cohortflow.stages import CATALOGUE
from flows.finish import after_run
from flows.ingest import IngestRequest, ingest_source
from flows.process import process_cohort
from tasks.request import RunRequest, RunResult
from tasks.tracking_event import run_event

pytestmark = pytest.mark.slow

PIPELINE = """
title: Cases are lost
inputs: {reference: label_map}
splits: {cv: {folds: 2}}
axes:
  fold: {split: cv}
  seed: [0, 1]
  model: {fast: {set: {segment.moved: 2}, where: {column: {scanner: [A]}}}, full: {}}
steps:
  - learn: {over: [fold, seed], where: {split: cv/train}}
  - segment:
      over: [model, fold, seed]
      where: {unseen_by: learn}
      reads: {reference: reference, weights: learn}
  - score_segmentation:
      over: [model, fold, seed]
      where: {unseen_by: learn}
      labels: {1: myocardium}
      metrics: [dice, hd]
      reads: {reference: reference, prediction: segment}
  - summarise_scores: {over: [model, seed], resamples: 100}
report: [benchmark, segmentation, subjects, published]
"""
CASES = [*(f"s{k}" for k in range(1, 5)), "elsewhere", "quarantined"]
LATE = "late"
N = {"fast": 6, "full": 7}
LOST = 2
DICE = {
    ("fast", 0): 4 * 0.8 / 6,
    ("fast", 1): 4 * 0.7 / 6,
    ("full", 0): 5 * 0.9 / 7,
    ("full", 1): 5 * 0.8 / 7,
}
POINTS = list(DICE)


class Learn(Parameters):
    seed: int = 0


class Segment(Parameters):
    seed: int = 0
    moved: int = 1


def learn(parameters: Learn, context: Context, references: Many) -> Output:
    """What it says tells the folds apart: the first case learns in one of them only."""
    told = repr([sorted(item.subject for item in references), parameters.seed])
    return Output(files={"weights.safetensors": told.encode(), "card.json": b"{}"})


def segment(parameters: Segment, context: Context, reference: Entry, weights: Entry) -> Output:
    seen = weights.read_file("weights.safetensors")
    if context.subject == "quarantined" or (context.subject == LATE and b"'s1'" in seen):
        raise UndefinedResult("this one cannot be predicted", where=str(context.subject))
    moved = reference.dataset.copy(deep=True)
    moved["label"].values[:] = np.roll(
        reference.dataset["label"].values, parameters.moved + parameters.seed, axis=2
    )
    return Output(dataset=moved, facts=dict(reference.facts))


STAGES = (
    Stage(
        name="learn", version=1, about="who was there", parameters=Learn, writes="weights",
        reads={"references": Reads(("label_map",), many=True)}, scope="cohort", function=learn,
        trains=True, threads=1,
    ),
    Stage(
        name="segment", version=1, about="moves", parameters=Segment, writes="label_map",
        reads={"reference": Reads(("label_map",)), "weights": Reads(("weights",))},
        scope="subject", function=segment,
    ),
)  # fmt: skip


def _case(folder: Path, name: str) -> None:
    array = np.zeros((30, 14, 6), np.uint8)  # x, y, z
    array[5:15, 2:12, 1:5] = 1
    (folder / name).mkdir(parents=True)
    image = nibabel.Nifti1Image(array, np.diag([2.0, 2.0, 3.0, 1.0]))  # type: ignore[no-untyped-call]
    nibabel.save(image, folder / name / "reference_label.nii.gz")


def _take_in(folder: Path, names: list[str]) -> None:
    for name in names:
        if not (folder / "source" / name).exists():
            _case(folder / "source", name)
    lines = [f"{name}\t{'B' if name == 'elsewhere' else 'A'}" for name in names]
    (folder / "source" / "participants.tsv").write_text("\n".join(["id\tscanner", *lines]) + "\n")
    ingest_source(IngestRequest(str(folder / "source"), str(folder / "cohort")))


@dataclass
class Ran:
    """The last run, which found units that had failed in three runs before it."""

    cohort: Cohort
    result: RunResult
    source: RunSource

    @property
    def page(self) -> Path:
        assert self.result.report is not None
        return Path(self.result.report)

    def table(self, section: str, name: str) -> list[dict[str, Any]]:
        """Rows of the one table whose name fits the pattern."""
        told = json.loads(self.page.with_suffix(".json").read_text("utf-8"))["sections"][section]
        (found,) = (
            block["rows"] for block in told["blocks"] if fnmatch(block.get("name", ""), name)
        )
        return list(found)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    folder = tmp_path_factory.mktemp("denominators")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COHORTFLOW_TRACKING", "off")
        for stage in STAGES:
            patch.setitem(CATALOGUE, stage.name, stage)
        (folder / "dlkunet.yaml").write_text(PIPELINE)
        _take_in(folder, CASES)

        def run(after: Any = None, **more: Any) -> RunResult:
            request = RunRequest(
                str(folder / "dlkunet.yaml"), str(folder / "cohort"), cluster="none", **more
            )
            return process_cohort(request, after_run=after)

        run()
        _take_in(folder, [*CASES, LATE])
        for _ in range(2):
            run(retry_failed=True)
        result = run(after_run("cohortflow run"))
        cohort = open_cohort(str(folder / "cohort"))
        pipeline = load_pipeline(str(folder / "dlkunet.yaml"))
        yield Ran(cohort, result, RunSource(cohort.run("dlkunet"), pipeline))


def test_what_failed_is_what_was_to_fail(ran: Ran) -> None:
    """Each of both at one fold, at two seeds, by two models."""
    assert ran.result.exit_code == 3
    assert (ran.result.counts["failed"], ran.result.counts["quarantined"]) == (4, 4)
    states = {
        subject: {
            unit.state for unit in ran.source.units(step="segment") if unit.subject == subject
        }
        for subject in (LATE, "quarantined", "s1")
    }
    assert states == {LATE: {"done", "failed"}, "quarantined": {"quarantined"}, "s1": {"done"}}


def test_who_failed_at_one_fold_or_everywhere_counts_as_the_worst_in_the_summary(ran: Ran) -> None:
    for unit in ran.source.units(step="summarise_scores"):
        model, seed = str(unit.point["model"]), unit.point["seed"]
        entry = ran.source.entry(unit)
        summary, cases = (
            pd.read_parquet(io.BytesIO(entry.read_file(f"{name}.parquet")))
            for name in ("summary", "cases")
        )
        rows: Any = summary.set_index("metric")
        counts = ["n", "cases", "missing", "left_out"]
        assert rows.loc["dice", counts].tolist() == [N[model], N[model], LOST, 0]
        assert rows.loc["dice", "value"] == pytest.approx(DICE[model, seed])
        assert rows.loc["hd", [*counts, "value"]].tolist() == [*rows.loc["dice", counts], math.inf]
        of_dice: Any = cases[cases["metric"] == "dice"].set_index("subject")
        assert ("elsewhere" in of_dice.index) == (model == "full")
        assert set(of_dice.index[of_dice["state"] == "failed"]) == {LATE, "quarantined"}
        assert of_dice.loc[[LATE, "quarantined"], "worst"].tolist() == [0.0, 0.0]
        measured = of_dice.loc[of_dice["state"] == "measured", "value"]
        assert measured.sum() / N[model] == pytest.approx(DICE[model, seed])


def test_sections_say_the_same_denominators(ran: Ran) -> None:
    benchmark = {
        row["where"]: row
        for row in ran.table("benchmark", "benchmark_structures")
        if row["metric"] == "dice"
    }
    printed = {
        row["run"]: row for row in ran.table("published", "beside_table3") if row["column"] == "Myo"
    }
    for model in N:
        of_seeds = [DICE[model, 0], DICE[model, 1]]
        row = benchmark[f"model {model}"]
        assert (row["n"], row["seeds"]) == (N[model], ["0", "1"])
        assert row["mean"] == pytest.approx(statistics.fmean(of_seeds))
        assert row["sd"] == pytest.approx(statistics.stdev(of_seeds))
        beside = printed[f"model {model}"]
        assert beside["n"] == [N[model], N[model]]
        assert beside["obtained"] == pytest.approx(100 * statistics.fmean(of_seeds))
    for number, (model, seed) in enumerate(POINTS):
        rows = ran.table("segmentation", f"seg{number}_*{model}*{seed}_metrics")
        row = next(row for row in rows if row["metric"] == "dice")
        found = {key: row[key] for key in ("n", "missing", "left_out", "cases")}
        assert found == {"n": N[model], "missing": LOST, "left_out": 0, "cases": N[model]}
        assert row["value"] == pytest.approx(DICE[model, seed])


def test_mlflow_is_told_the_same(ran: Ran) -> None:
    event = run_event(ran.source, experiment="e", run_id="r")
    told = [(name, value) for name, value in event["metrics"].items() if "myocardium" in name]
    for model, seed in POINTS:
        own = {
            name.partition("/")[0]: value
            for name, value in told
            if f"model {model}_ seed {seed}" in name
        }
        assert own["dice"] == pytest.approx(DICE[model, seed])
        for metric in ("dice", "hd"):
            assert (own[f"{metric}_n"], own[f"{metric}_missing"]) == (N[model], LOST)
        assert "hd" not in own, "infinite, and no mean of the others in its place"


def test_the_page_of_a_case_that_failed_at_one_fold_ranks_it_among_those_of_the_other(
    ran: Ran,
) -> None:
    page = (ran.page.parents[1] / "subjects" / f"{LATE}.html").read_text("utf-8")
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert "8 of 16 units stand done; 4 failed, 4 blocked." in text
    scored = Counter(
        tuple(unit.point.values())
        for unit in ran.source.units(step="score_segmentation")
        if unit.state == "done"
    )
    ranks = re.findall(
        r"dice of myocardium, model (\w+), fold (\d), seed (\d) \S+ — \S+ \S+ to \S+ 1 / (\d)", text
    )
    own = [u for u in ran.source.units(step="score_segmentation") if u.subject == LATE]
    own = [unit for unit in own if unit.state == "done"]
    assert len(ranks) == len(own) == len(POINTS)
    assert {(m, int(f), int(s)): int(n) for m, f, s, n in ranks} == {
        (unit.point["model"], unit.point["fold"], unit.point["seed"]): scored[
            tuple(unit.point.values())
        ]
        for unit in own
    }
    order = (ran.page.parents[1] / "subjects.html").read_text("utf-8")
    places = [order.index(f"subjects/{name}.html") for name in (LATE, "quarantined", "s1")]
    assert max(places[:2]) < places[2], "who failed comes first"
