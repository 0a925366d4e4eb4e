"""The catalogue of the runs under test: four kinds of step that compute little and tell when.

In their processes this file stands in for ``cohortflow.stages`` (see ``hooks``). Results follow
from parameters and inputs alone, so that digests can be compared between cohorts.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

import numpy as np
import xarray as xr

from cohortflow.cohort.entry import Entry, Many, Output
from cohortflow.pipeline.stage import Context, Cost, Parameters, Reads, Stage
from tests.faults.matrix import misbehave

FILE = "table.parquet"
WEIGHTS = "weights.safetensors"
EPOCHS = 4
TIMEOUT_S = float(os.environ.get(misbehave.TIMEOUT, "6"))
WORK_S = 0.02
PROJECTED_S = 0.2
"""More than a message of several units may hold: one unit to a message, as in earnest."""


class Plain(Parameters):
    pass


class Worded(Parameters):
    word: str = ""


class Seeded(Parameters):
    seed: int = 0


def clean(parameters: Plain, context: Context, text: Entry) -> Output:
    """A step over subjects: a recording becomes an array."""
    misbehave.starts("clean", str(context.subject))
    misbehave.moment("early")
    data = text.read_file(FILE)
    _work("middle")
    values = np.frombuffer(hashlib.sha512(data).digest(), dtype=np.uint8).astype(float)
    misbehave.moment("late")
    misbehave.ends()
    return Output(dataset=xr.Dataset({"features": (("item", "feature"), values.reshape(8, 8))}))


def gather(parameters: Worded, context: Context, features: Many) -> Output:
    """A reduction: what all subjects have, and who is missing."""
    misbehave.starts("gather", parameters.word)
    misbehave.moment("early")
    sums = {item.subject: float(item.entry.dataset["features"].sum()) for item in features}
    _work("middle")
    missing = [str(point["subject"]) for point in features.missing]
    misbehave.moment("late")
    misbehave.ends()
    return Output(files={FILE: _text([parameters.word, sums, missing])})


def learn(parameters: Seeded, context: Context, features: Many) -> Output:
    """A training: epochs, with a checkpoint after each."""
    misbehave.starts("learn", f"seed {parameters.seed}")
    misbehave.moment("early")
    data = sum(float(item.entry.dataset["features"].sum()) for item in features)
    assert context.work is not None
    checkpoint = context.work / "checkpoint.json"
    state = json.loads(checkpoint.read_text()) if checkpoint.exists() else [0, data, context.seed]
    while state[0] < EPOCHS:
        if state[0] == EPOCHS // 2:
            misbehave.moment("middle")
        time.sleep(WORK_S)
        state = [state[0] + 1, state[1] / 2, (state[2] * 48271) % (2**31 - 1)]
        _keep(checkpoint, state)
    misbehave.moment("late")
    misbehave.ends()
    return Output(files={WEIGHTS: _text(state), "card.json": b"{}"})


def apply(parameters: Seeded, context: Context, features: Entry, weights: Entry) -> Output:
    """Scores of one subject with trained weights."""
    misbehave.starts("apply", f"{context.subject} seed {parameters.seed}")
    misbehave.moment("early")
    state = json.loads(weights.read_file(WEIGHTS))
    total = float(features.dataset["features"].sum())
    _work("middle")
    data = _text([parameters.seed, total, state])
    misbehave.moment("late")
    misbehave.ends()
    return Output(files={"cases.parquet": data, "metrics.parquet": data})


def _work(phase: str) -> None:
    time.sleep(WORK_S)
    misbehave.moment(phase)
    time.sleep(WORK_S)


def _keep(path: Path, state: list[float]) -> None:
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(state))
    draft.replace(path)


def _text(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _cost(parameters: Parameters, facts: object) -> Cost:
    return Cost(seconds=PROJECTED_S)


CATALOGUE: dict[str, Stage] = {
    "clean": Stage(
        name="clean", version=1, about="a text as an array", parameters=Plain, writes="features",
        reads={"text": Reads(("table",))}, scope="subject", function=clean, timeout_s=TIMEOUT_S,
        cost=_cost,
    ),
    "gather": Stage(
        name="gather", version=1, about="sums of all", parameters=Worded, writes="table",
        reads={"features": Reads(("features",), many=True)}, scope="cohort", function=gather,
        timeout_s=TIMEOUT_S, cost=_cost,
    ),
    "learn": Stage(
        name="learn", version=1, about="weights", parameters=Seeded, writes="weights",
        reads={"features": Reads(("features",), many=True)}, scope="cohort", function=learn,
        trains=True, threads=1, timeout_s=TIMEOUT_S, cost=_cost,
    ),
    "apply": Stage(
        name="apply", version=1, about="scores", parameters=Seeded, writes="scores",
        reads={"features": Reads(("features",)), "weights": Reads(("weights",))},
        scope="subject", function=apply, scores=True, timeout_s=TIMEOUT_S, cost=_cost,
    ),
}  # fmt: skip
