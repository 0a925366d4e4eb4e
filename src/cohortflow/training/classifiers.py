"""Classifiers of matrices: trained to arrays, and asked again from arrays and a card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cohortflow.errors import BadParameter
from cohortflow.recorder import Recorder
from cohortflow.training.fit import TrainingSettings, Watch
from cohortflow.training.weights import Arrays, Card

ModelName = Literal["fusion_cnn", "random_forest", "densenet121"]
SYSTEM = "mci-persistent-homology"
Matrices = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Task:
    """Matrices (subject, roi_i, roi_j), labels 0…classes-1 (subject,), and how to learn them.

    ``monitored``: matrices and labels that are named after every epoch and not learned from.
    """

    matrices: Matrices
    labels: Labels
    classes: int
    settings: TrainingSettings
    dropout: float = 0.2
    trees: int = 500
    monitored: tuple[Matrices, Labels] | None = None


@dataclass(frozen=True)
class Trained:
    """Arrays to store, and what the card says of them.

    ``correct``: after each epoch, how many of the monitored were named correctly.
    """

    arrays: Arrays
    options: dict[str, Any]
    parameters: int
    input_mean: float = 0.0
    input_sd: float = 1.0
    losses: tuple[float, ...] = ()
    settings: Mapping[str, Any] | None = None
    correct: tuple[int, ...] = ()


@dataclass(frozen=True)
class Classifier:
    """``predict(arrays, card, matrices)`` gives probabilities (subject, class).

    ``epochs``: it learns in epochs, after each of which it can be asked.
    """

    train: Callable[[Task, Recorder, Path | None], Trained]
    predict: Callable[[Arrays, Card, Matrices], NDArray[np.float64]]
    epochs: bool


def standardisation(matrices: Matrices) -> tuple[float, float]:
    """One mean and one sd over all entries of the training matrices; sd 1 where all are equal."""
    sd = float(matrices.std())
    return float(matrices.mean()), sd if sd > 0 else 1.0


def _train_network(
    model: Literal["fusion_cnn", "densenet121"],
    task: Task,
    recorder: Recorder,
    work: Path | None,
) -> Trained:
    import torch

    from cohortflow.nn.initialisation import count_parameters
    from cohortflow.systems import build_network
    from cohortflow.training.determinism import deterministic
    from cohortflow.training.fit import fit
    from cohortflow.training.weights import network_arrays

    mean, sd = standardisation(task.matrices)
    options = {
        "regions": int(task.matrices.shape[-1]),
        "classes": task.classes,
        "dropout": task.dropout,
        "model": model,
    }
    with deterministic(task.settings.seed, task.settings.threads):
        network = build_network(SYSTEM, **options)
    data = (_as_images(task.matrices, mean, sd), torch.from_numpy(task.labels))
    cross_entropy = torch.nn.CrossEntropyLoss()
    watch = _watch(task, mean, sd)
    training = fit(network, data, cross_entropy, task.settings, recorder, work, watch)
    return Trained(
        arrays=network_arrays(network),
        options=options,
        parameters=count_parameters(network),
        input_mean=mean,
        input_sd=sd,
        losses=training.losses,
        settings={
            "epochs": task.settings.epochs,
            "batch_size": task.settings.batch_size,
            "learning_rate": task.settings.learning_rate,
            "optimiser": "Adam",
            "loss": "cross-entropy",
        },
        correct=tuple(int(count) for count in training.watched),
    )


def _watch(task: Task, mean: float, sd: float) -> Watch | None:
    """Counts the monitored that a network names correctly, as scoring it would."""
    if task.monitored is None:
        return None
    matrices, labels = task.monitored
    images = _as_images(matrices, mean, sd)

    def correct(network: Any) -> float:
        named = _probabilities(network, images, task.classes).argmax(axis=1)
        return float((named == labels).sum())

    return Watch("monitored_correct", correct)


def _train_fusion_cnn(task: Task, recorder: Recorder, work: Path | None) -> Trained:
    return _train_network("fusion_cnn", task, recorder, work)


def _train_densenet(task: Task, recorder: Recorder, work: Path | None) -> Trained:
    return _train_network("densenet121", task, recorder, work)


def _as_images(matrices: Matrices, mean: float, sd: float) -> Any:
    import torch

    return torch.from_numpy(((matrices - mean) / sd).astype(np.float32)[:, None])


def _ask_network(arrays: Arrays, card: Card, matrices: Matrices) -> NDArray[np.float64]:
    import torch

    from cohortflow.systems import build_network
    from cohortflow.training.determinism import deterministic
    from cohortflow.training.weights import fill_network

    with deterministic(0), torch.no_grad():
        network = build_network(card.system, **card.options)
        fill_network(network, arrays)
        images = _as_images(matrices, card.input_mean, card.input_sd)
        return _probabilities(network, images, len(card.classes))


def _probabilities(network: Any, images: Any, classes: int) -> NDArray[np.float64]:
    import torch

    # One by one: a kernel may round differently in a batch of another size, and a subject's
    # probability must not depend on whom it is scored with.
    logits = [network(image[None])[0].double() for image in images]
    if not logits:
        return np.empty((0, classes))
    return np.asarray(torch.softmax(torch.stack(logits), dim=1).numpy())


def _train_forest(task: Task, recorder: Recorder, work: Path | None) -> Trained:
    from cohortflow.training.forest import fit_forest, upper_triangle

    if task.monitored is not None:
        raise BadParameter("a random forest has no epochs to monitor", where="monitored")
    features = upper_triangle(task.matrices)
    arrays = fit_forest(features, task.labels, trees=task.trees, seed=task.settings.seed)
    recorder.progress(task.trees, task.trees)
    return Trained(
        arrays=arrays,
        options={"trees": task.trees, "classes": task.classes},
        parameters=len(arrays["threshold"]),
        settings={"trees": task.trees, "features": "entries above the diagonal"},
    )


def _ask_forest(arrays: Arrays, card: Card, matrices: Matrices) -> NDArray[np.float64]:
    from cohortflow.training.forest import forest_probabilities, upper_triangle

    return forest_probabilities(arrays, upper_triangle(matrices))


CLASSIFIERS: dict[ModelName, Classifier] = {
    "fusion_cnn": Classifier(_train_fusion_cnn, _ask_network, epochs=True),
    "densenet121": Classifier(_train_densenet, _ask_network, epochs=True),
    "random_forest": Classifier(_train_forest, _ask_forest, epochs=False),
}
