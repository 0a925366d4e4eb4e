"""Train a classifier on the matrices of one network of many subjects."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pydantic

from cohortflow.cohort.entry import Many, Output
from cohortflow.errors import GroupTooSmall
from cohortflow.pipeline.stage import Context, Cost, Facts, Parameters, Reads, Stage
from cohortflow.stages._classes import label_of
from cohortflow.stages._matrices import NetworkMatrices, left_out_warnings, network_matrices
from cohortflow.stages._monitoring import Monitored, monitored
from cohortflow.training.classifiers import CLASSIFIERS, SYSTEM, ModelName, Task, Trained
from cohortflow.training.fit import TrainingSettings
from cohortflow.training.weights import Card, save_weights

_SMALLEST_GROUP = 2


class Classify(Parameters):
    network: str = pydantic.Field(description="network whose matrices are classified")
    degree: int | None = pydantic.Field(
        None, ge=0, description="homology degree; null for a connectivity matrix"
    )
    seed: int = pydantic.Field(0, ge=0, description="initial weights, order of batches, dropout")
    model: ModelName = pydantic.Field("fusion_cnn", description="what is trained")
    epochs: int = pydantic.Field(100, ge=1, description="passes over the training subjects")
    batch_size: int = pydantic.Field(16, ge=1, description="subjects per step of the optimiser")
    learning_rate: float = pydantic.Field(1e-3, gt=0.0, description="of Adam")
    dropout: float = pydantic.Field(0.2, ge=0.0, lt=1.0, description="of the dense layers")
    trees: int = pydantic.Field(500, ge=1, description="of the random forest")
    column: str = pydantic.Field("group", description="participants column that holds the class")
    monitor: bool = pydantic.Field(
        False, description="count after every epoch how many of input monitor are named correctly"
    )

    @pydantic.field_validator("monitor")
    @classmethod
    def _has_epochs(cls, monitor: bool, info: pydantic.ValidationInfo) -> bool:
        model = info.data.get("model")
        if monitor and model in CLASSIFIERS and not CLASSIFIERS[model].epochs:
            raise ValueError(f"{model} has no epochs to monitor")
        return monitor


def classify(
    parameters: Classify, context: Context, matrices: Many, monitor: Many | None = None
) -> Output:
    """Weights and card from all subjects handed over; those lacking a region are left out, named.

    ``monitor``: subjects that are asked for after every epoch. The weights are the same without
    them, and count as having seen them.
    """
    found = network_matrices(matrices, parameters.network, parameters.degree)
    labels = [label_of(context, subject, parameters.column) for subject in found.subjects]
    counts = dict(sorted(Counter(labels).items()))
    _refuse_small_groups(counts, found, parameters)
    classes = list(counts)
    watched = (
        monitored(monitor, found, classes, context, parameters.column)
        if parameters.monitor
        else None
    )
    task = Task(
        matrices=found.values,
        labels=np.array([classes.index(label) for label in labels], dtype=np.int64),
        classes=len(classes),
        settings=TrainingSettings(
            epochs=parameters.epochs,
            batch_size=parameters.batch_size,
            learning_rate=parameters.learning_rate,
            seed=context.seed,
            threads=context.threads,
        ),
        dropout=parameters.dropout,
        trees=parameters.trees,
        monitored=(watched.found.values, watched.labels) if watched else None,
    )
    trained = CLASSIFIERS[parameters.model].train(task, context.recorder, context.work)
    selection = _selection_digest(found, labels)
    card = _card(parameters, context, found, counts, selection, trained, watched)
    missing = sorted(str(point.get("subject", "?")) for point in matrices.missing)
    facts: dict[str, Any] = {
        "classes": classes,
        "n": counts,
        "left_out": sorted(found.left_out),
        "missing": missing,
        "parameters": trained.parameters,
        "regions": len(found.regions),
        "loss_first": trained.losses[0] if trained.losses else None,
        "loss_last": trained.losses[-1] if trained.losses else None,
    }
    warnings = left_out_warnings(found) + _missing_warnings(missing)
    if watched is not None:
        facts["monitor"] = watched.facts(trained.correct)
        warnings += left_out_warnings(watched.found)
    return Output(files=save_weights(trained.arrays, card), facts=facts, warnings=warnings)


def _missing_warnings(missing: Sequence[str]) -> list[dict[str, str]]:
    if not missing:
        return []
    return [{"code": "missing-input", "message": f"not trained on, failed: {', '.join(missing)}"}]


def _refuse_small_groups(
    counts: Mapping[str, int], found: NetworkMatrices, parameters: Classify
) -> None:
    if len(counts) >= 2 and min(counts.values()) >= _SMALLEST_GROUP:
        return
    seen = ", ".join(f"{name} {count}" for name, count in counts.items()) or "nobody"
    out = f" (left out: {', '.join(sorted(found.left_out))})" if found.left_out else ""
    raise GroupTooSmall(
        f"column {parameters.column!r} gives too little to train on in network "
        f"{parameters.network!r}",
        expected=f"two classes of {_SMALLEST_GROUP} subjects at least",
        found=seen + out,
    )


def _selection_digest(found: NetworkMatrices, labels: Sequence[str]) -> str:
    text = json.dumps(sorted(zip(found.keys, labels, strict=True)))
    return hashlib.sha256(text.encode()).hexdigest()


def _card(
    parameters: Classify,
    context: Context,
    found: NetworkMatrices,
    counts: Mapping[str, int],
    selection: str,
    trained: Trained,
    watched: Monitored | None,
) -> Card:
    training = {**(trained.settings or {}), "losses": list(trained.losses)}
    if watched is not None:
        training["monitor"] = watched.curve(trained.correct)
    return Card(
        system=SYSTEM,
        architecture=parameters.model,
        options=trained.options,
        parameters=trained.parameters,
        input_kind=found.kind,
        input_mean=trained.input_mean,
        input_sd=trained.input_sd,
        network=parameters.network,
        degree=parameters.degree,
        regions=found.regions,
        column=parameters.column,
        classes=list(counts),
        subjects_seen=dict(counts),
        selection=selection,
        seed=context.seed,
        training=training,
    )


def cost(parameters: Classify, facts: Sequence[Facts]) -> Cost:
    """Torch itself, all matrices once, the activations of one batch; time per subject and epoch."""
    from cohortflow.training.projection import network_size, training_need

    regions = network_size(facts, parameters.network)
    return training_need(
        parameters.model,
        len(facts),
        regions,
        parameters.epochs,
        parameters.batch_size,
        parameters.trees,
    )


STAGE = Stage(
    name="classify",
    version=1,
    about="Train a classifier of subjects on the matrices of one network",
    parameters=Classify,
    reads={
        "matrices": Reads(("distance_matrix", "connectivity"), many=True),
        "monitor": Reads(
            ("distance_matrix", "connectivity"),
            many=True,
            when=lambda parameters: parameters.monitor,
        ),
    },
    writes="weights",
    scope="cohort",
    function=classify,
    columns=lambda parameters: [parameters.column],
    cost=cost,
    trains=True,
    threads=1,
    timeout_s=6 * 3600.0,
    tolerance=1e-3,
    source="Aithal et al. 2024, the 1-D + 2-D fusion CNN and its baselines",
)
