"""Score subjects that a classifier has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import pydantic

from cohortflow.cohort.entry import Entry, Many, Output
from cohortflow.errors import BadParameter
from cohortflow.evaluation.cases import (
    Case,
    Cases,
    positive_class,
    write_cases,
    write_probabilities,
)
from cohortflow.evaluation.classification import (
    METRICS,
    MetricName,
    classification_metrics,
    majority_baseline,
)
from cohortflow.evaluation.measurement import write_measurements
from cohortflow.pipeline.stage import Context, Cost, Facts, Parameters, Reads, Stage
from cohortflow.stages._classes import known_label
from cohortflow.stages._matrices import (
    NetworkMatrices,
    left_out_warnings,
    network_matrices,
    refuse_other_matrices,
)
from cohortflow.training.classifiers import CLASSIFIERS, ModelName
from cohortflow.training.weights import CARD_FILE, WEIGHTS_FILE, Arrays, Card, load_weights


class Score(Parameters):
    network: str = pydantic.Field(description="network whose matrices are scored")
    degree: int | None = pydantic.Field(
        None, ge=0, description="homology degree; null for a connectivity matrix"
    )
    column: str = pydantic.Field("group", description="participants column that holds the class")
    metrics: Annotated[list[MetricName], pydantic.Field(min_length=1)] = pydantic.Field(
        list(METRICS), description="what is reported, beside the majority baseline"
    )
    positive: str | None = pydantic.Field(
        None, description="class that sensitivity speaks of; default: the one that is no control"
    )


def score(parameters: Score, context: Context, matrices: Many, weights: Entry) -> Output:
    """Predictions of every subject handed over, and the metrics of them.

    A missing item counts as wrong; a subject lacking a region of the network is listed, not
    counted.
    """
    arrays, card = load_weights(weights.read_file(WEIGHTS_FILE), weights.read_file(CARD_FILE))
    _refuse_other_weights(parameters, card)
    found = network_matrices(matrices, parameters.network, parameters.degree)
    refuse_other_matrices(found, card.input_kind, card.regions)
    cases = _cases(parameters, context, matrices, found, arrays, card)
    rows = classification_metrics(cases, parameters.metrics)
    judged = len(cases.judged)
    facts = {
        "accuracy": cases.correct / judged if judged else None,
        "correct": cases.correct,
        "n": judged,
        "majority_accuracy": majority_baseline(cases).value if judged else None,
        "positive": cases.positive,
        "left_out": cases.named("left_out"),
        "missing": cases.named("missing"),
    }
    files = {
        "cases.parquet": write_cases(cases),
        "probabilities.parquet": write_probabilities(cases),
        "metrics.parquet": write_measurements(rows),
    }
    warnings = left_out_warnings(found) + _missing_warnings(cases)
    return Output(files=files, facts=facts, warnings=warnings)


def _cases(
    parameters: Score,
    context: Context,
    matrices: Many,
    found: NetworkMatrices,
    arrays: Arrays,
    card: Card,
) -> Cases:
    positive = _positive(parameters, card)
    architecture: ModelName = card.architecture  # type: ignore[assignment]
    probabilities = CLASSIFIERS[architecture].predict(arrays, card, found.values)
    at = card.classes.index(positive)
    cases = [
        Case(
            subject,
            known_label(context, subject, parameters.column, card.classes),
            card.classes[int(row.argmax())],
            float(row[at]),
            "scored",
            tuple(map(float, row)),
        )
        for subject, row in zip(found.subjects, probabilities, strict=True)
    ]
    for subject in found.left_out:
        truth = known_label(context, subject, parameters.column, card.classes)
        cases.append(Case(subject, truth, None, None, "left_out"))
    for point in matrices.missing:
        subject = str(point["subject"])
        truth = known_label(context, subject, parameters.column, card.classes)
        cases.append(Case(subject, truth, None, None, "missing"))
    cases.sort(key=lambda case: case.subject)
    context.recorder.progress(len(cases), len(cases))
    return Cases(tuple(cases), tuple(card.classes), positive)


def _positive(parameters: Score, card: Card) -> str:
    if parameters.positive is None:
        return positive_class(card.classes)
    if parameters.positive not in card.classes:
        raise BadParameter(
            "the positive class is none of the weights'",
            where="positive",
            expected=", ".join(card.classes),
            found=parameters.positive,
        )
    return parameters.positive


def _refuse_other_weights(parameters: Score, card: Card) -> None:
    wanted = {name: getattr(parameters, name) for name in ("network", "degree", "column")}
    given = {name: getattr(card, name) for name in wanted}
    known: Sequence[str] = list(CLASSIFIERS)
    if card.architecture not in known:
        wanted, given = {"architecture": known}, {"architecture": card.architecture}
    if wanted != given:
        raise BadParameter(
            "the weights were trained for something else",
            where="weights",
            expected=str(wanted),
            found=str(given),
            hint="Let score and classify run over the same axes and read the same column.",
        )


def _missing_warnings(cases: Cases) -> list[dict[str, str]]:
    missing = cases.named("missing")
    if not missing:
        return []
    return [{"code": "missing-input", "message": f"counted as wrong: {', '.join(missing)}"}]


def cost(parameters: Score, facts: Sequence[Facts]) -> Cost:
    """Torch, the weights and all matrices once."""
    from cohortflow.training.projection import network_size, training_need

    regions = network_size(facts, parameters.network)
    need = training_need("fusion_cnn", len(facts), regions, epochs=1, batch_size=1)
    return Cost(need.memory_bytes, disk_bytes=16384 + 64 * len(facts), seconds=need.seconds)


STAGE = Stage(
    name="score",
    version=2,
    about="Score unseen subjects with a trained classifier",
    parameters=Score,
    reads={
        "matrices": Reads(("distance_matrix", "connectivity"), many=True),
        "weights": Reads(("weights",)),
    },
    writes="scores",
    scope="cohort",
    function=score,
    columns=lambda parameters: [parameters.column],
    cost=cost,
    scores=True,
    threads=1,
    tolerance=1e-3,
    source="Aithal et al. 2024, tables 1 and 2",
)
