"""Checkpoints of a training: weights, optimiser, random state and curves in one file.

The file is safetensors with one JSON text in its header, written whole beside the old one and then
put in its place: a crash leaves the old one or the new one, never half of either.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cohortflow.errors import EntryCorrupt

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

FILE_NAME = "checkpoint.safetensors"


@dataclass(frozen=True)
class Progress:
    """How far a training came: epochs done, the mean loss of each,
    and what was watched after it."""

    losses: tuple[float, ...] = ()
    watched: tuple[float, ...] = ()

    @property
    def epochs_done(self) -> int:
        return len(self.losses)


def save_checkpoint(
    work: Path, network: nn.Module, optimiser: Optimizer, progress: Progress, recipe: str
) -> None:
    """Write the checkpoint of ``work`` durably; ``recipe`` names the training it belongs to."""
    import torch
    from safetensors.torch import save

    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    for number, moments in optimiser.state_dict()["state"].items():
        for name, value in moments.items():
            tensors[f"optimiser.{number}.{name}"] = value
    tensors["random_state"] = torch.get_rng_state()
    state = {"recipe": recipe, "losses": progress.losses, "watched": progress.watched}
    header = {"state": json.dumps(state, sort_keys=True)}
    data = save({name: tensor.contiguous() for name, tensor in tensors.items()}, header)
    _write_whole(work / FILE_NAME, data)


def load_checkpoint(
    work: Path, network: nn.Module, optimiser: Optimizer, recipe: str
) -> Progress | None:
    """Put network, optimiser and torch's random state back to the checkpoint, if there is one.

    Raises :class:`EntryCorrupt` when it cannot be read or belongs to another training.
    """
    import torch

    path = work / FILE_NAME
    if not path.exists():
        return None
    tensors, header = _read(path)
    if header["recipe"] != recipe:
        raise EntryCorrupt(
            "the checkpoint belongs to another training",
            where=path.name,
            expected=recipe,
            found=header["recipe"],
            hint="Remove the unit's work folder and run again.",
        )
    network.load_state_dict(_under(tensors, "network."))
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in _under(tensors, "optimiser.").items():
        number, _, field = name.partition(".")
        state.setdefault(int(number), {})[field] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})
    torch.set_rng_state(tensors["random_state"])
    # Checkpoints of earlier versions have no such list: they watched nothing.
    return Progress(tuple(header["losses"]), tuple(header.get("watched", ())))


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            # Cloned: a view into the file's bytes is not aligned as torch's own memory is, and
            # vector kernels may round differently on it.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
            header = json.loads(file.metadata()["state"])
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise EntryCorrupt(
            f"the checkpoint cannot be read: {error}",
            where=path.name,
            hint="Remove the unit's work folder and run again.",
        ) from error
    return tensors, header


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def _write_whole(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
