"""One small training loop: Adam, shuffled batches, checkpoints, the same bytes each time."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cohortflow.errors import EmptyInput, UndefinedResult
from cohortflow.recorder import Recorder
from cohortflow.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from cohortflow.training.determinism import deterministic

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class TrainingSettings:
    """What a training is made of; ``checkpoint_every`` counts epochs and changes no result."""

    epochs: int = 100
    batch_size: int = 16
    learning_rate: float = 1e-3
    seed: int = 0
    threads: int = 1
    checkpoint_every: int = 10

    def recipe(self) -> str:
        steering = {"checkpoint_every"}
        fields = {name: value for name, value in asdict(self).items() if name not in steering}
        return json.dumps(fields, sort_keys=True)


@dataclass(frozen=True)
class Watch:
    """A number that is measured after every epoch and changes nothing in the training.

    ``measure(network)`` is called in inference mode, without gradients.
    """

    name: str
    measure: Callable[[nn.Module], float]


@dataclass(frozen=True)
class Training:
    """The mean loss of each epoch, what was watched after each (empty where nothing was), and the
    epoch that a restart continued after (0: none)."""

    losses: tuple[float, ...]
    watched: tuple[float, ...] = ()
    resumed_after: int = 0


def fit(
    network: nn.Module,
    data: tuple[Tensor, Tensor],
    loss: Loss,
    settings: TrainingSettings,
    recorder: Recorder,
    work: Path | None = None,
    watch: Watch | None = None,
) -> Training:
    """Train ``network`` in place on ``data`` = inputs and targets, both (sample, …).

    ``loss(outputs, targets)`` is the mean over a batch. With a folder ``work`` the training leaves
    checkpoints there, and continues from the one it finds: bit by bit as if never interrupted.
    ``watch`` leaves the network as it would be without it. Raises :class:`UndefinedResult` when the
    loss stops being a number.
    """
    import torch

    if len(data[0]) == 0:
        raise EmptyInput("nothing to train on", expected="one sample at least", found="none")
    with deterministic(settings.seed, settings.threads):
        optimiser = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
        progress = Progress()
        recipe = settings.recipe() + (f" watching {watch.name}" if watch else "")
        if work is not None:
            found = load_checkpoint(work, network, optimiser, recipe)
            progress = found or progress
        resumed_after = progress.epochs_done
        _repeat(progress, settings, recorder, watch)
        network.train()
        while progress.epochs_done < settings.epochs:
            mean_loss = _one_epoch(network, data, loss, optimiser, settings.batch_size)
            measured = (_measured(network, watch),) if watch else ()
            progress = Progress((*progress.losses, mean_loss), (*progress.watched, *measured))
            _report(progress, settings, recorder, watch)
            if work is not None and _is_due(progress.epochs_done, settings):
                save_checkpoint(work, network, optimiser, progress, recipe)
        network.eval()
    return Training(progress.losses, progress.watched, resumed_after)


def _one_epoch(
    network: nn.Module,
    data: tuple[Tensor, Tensor],
    loss: Loss,
    optimiser: Optimizer,
    batch_size: int,
) -> float:
    import torch

    inputs, targets = data
    total = 0.0
    order = torch.randperm(len(inputs))
    for batch in torch.split(order, batch_size):
        optimiser.zero_grad()
        value = loss(network(inputs[batch]), targets[batch])
        value.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        total += value.item() * len(batch)
    return total / len(inputs)


def _measured(network: nn.Module, watch: Watch) -> float:
    """Ask without a trace: random state and mode are afterwards what they were before."""
    import torch

    with torch.random.fork_rng(devices=[]), torch.no_grad():
        network.eval()
        value = watch.measure(network)
        network.train()
    return value


def _is_due(epoch: int, settings: TrainingSettings) -> bool:
    return epoch % settings.checkpoint_every == 0 or epoch == settings.epochs


def _report(
    progress: Progress, settings: TrainingSettings, recorder: Recorder, watch: Watch | None
) -> None:
    epoch, value = progress.epochs_done, progress.losses[-1]
    if not math.isfinite(value):
        raise UndefinedResult(
            f"the training loss became {value} at epoch {epoch}",
            expected="a finite loss",
            hint="Lower the learning rate, or look at the inputs.",
        )
    recorder.metric("loss", value, epoch)
    if watch is not None:
        recorder.metric(watch.name, progress.watched[-1], epoch)
    recorder.progress(epoch, settings.epochs)


def _repeat(
    progress: Progress, settings: TrainingSettings, recorder: Recorder, watch: Watch | None
) -> None:
    """The curves of a resumed training are told from their first epoch."""
    curves = {"loss": progress.losses} | ({watch.name: progress.watched} if watch else {})
    for name, curve in curves.items():
        for epoch, value in enumerate(curve, start=1):
            recorder.metric(name, value, epoch)
    if progress.losses:
        recorder.progress(progress.epochs_done, settings.epochs)
