"""Score subjects that a classifier has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import pydantic

from cohortflow.cohort.entry import Entry, Many, Output
from cohortflow.errors import BadParameter, InputError, RegionCountMismatch
from cohortflow.evaluation.cases import Case, Cases, positive_class, write_cases
from cohortflow.evaluation.classification import (
    METRICS,
    MetricName,
    classification_metrics,
    majority_baseline,
    write_measurements,
)
from cohortflow.pipeline.stage import Context, Cost, Facts, Parameters, Reads, Stage
from cohortflow.stages.classify import label_of, left_out_warnings
from cohortflow.training.classifiers import CLASSIFIERS, ModelName
from cohortflow.training.matrices import NetworkMatrices, network_matrices
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

    A missing item counts as wrong; a subject lacking a region of the network is listed, not counted.
    """
    arrays, card = load_weights(weights.read_file(WEIGHTS_FILE), weights.read_file(CARD_FILE))
    _refuse_other_weights(parameters, card)
    found = network_matrices(matrices, parameters.network, parameters.degree)
    _refuse_other_regions(found, card)
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
    files = {"cases.parquet": write_cases(cases), "metrics.parquet": write_measurements(rows)}
    warnings = left_out_warnings(found, parameters.network) + _missing_warnings(cases)
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
            _truth(context, subject, parameters.column, card),
            card.classes[int(row.argmax())],
            float(row[at]),
            "scored",
        )
        for subject, row in zip(found.subjects, probabilities, strict=True)
    ]
    for subject in found.left_out:
        truth = _truth(context, subject, parameters.column, card)
        cases.append(Case(subject, truth, None, None, "left_out"))
    for point in matrices.missing:
        subject = str(point["subject"])
        truth = _truth(context, subject, parameters.column, card)
        cases.append(Case(subject, truth, None, None, "missing"))
    cases.sort(key=lambda case: case.subject)
    context.recorder.progress(len(cases), len(cases))
    return Cases(tuple(cases), tuple(card.classes), positive)


def _truth(context: Context, subject: str, column: str, card: Card) -> str:
    truth = label_of(context, subject, column)
    if truth not in card.classes:
        raise InputError(
            "the subject's class is none that the weights were trained on",
            where=subject,
            expected=", ".join(card.classes),
            found=truth,
            hint="Admit the same classes to classify and score.",
        )
    return truth


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


def _refuse_other_regions(found: NetworkMatrices, card: Card) -> None:
    if not found.kind:
        return
    for name, wanted, given in (
        ("kind of matrix", card.input_kind, found.kind),
        ("regions", ", ".join(card.regions), ", ".join(found.regions)),
    ):
        if wanted != given:
            raise RegionCountMismatch(
                f"the weights were trained on other matrices: {name}", expected=wanted, found=given
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
    version=1,
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
