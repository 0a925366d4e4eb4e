"""Trained arrays with a model card: safetensors and JSON, nothing that runs when it is opened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pydantic

from cohortflow.errors import EntryCorrupt

if TYPE_CHECKING:
    from torch import nn

Arrays = dict[str, np.ndarray[Any, Any]]
WEIGHTS_FILE = "weights.safetensors"
CARD_FILE = "card.json"


class Card(pydantic.BaseModel):
    """What must be known to use the weights, and what they were made from.

    ``architecture`` and ``options`` rebuild the model; inputs are (x - input_mean) / input_sd.
    ``subjects_seen`` is a count: ids stay in the entry's record. ``selection`` is a digest of the
    entries and labels that were read.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    card: Literal[1] = 1
    system: str
    architecture: str
    options: dict[str, Any]
    parameters: int
    input_kind: str
    input_mean: float
    input_sd: float
    network: str
    degree: int | None
    regions: list[str]
    column: str
    classes: list[str]
    subjects_seen: dict[str, int]
    selection: str
    seed: int
    training: dict[str, Any]


def save_weights(arrays: Mapping[str, np.ndarray[Any, Any]], card: Card) -> dict[str, bytes]:
    """The two files of an entry of kind ``weights``; equal input gives equal bytes."""
    from safetensors.numpy import save

    ordered = {name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}
    text = json.dumps(card.model_dump(mode="json"), sort_keys=True, indent=1, allow_nan=False)
    return {WEIGHTS_FILE: save(ordered), CARD_FILE: (text + "\n").encode()}


def load_weights(weights: bytes, card: bytes) -> tuple[Arrays, Card]:
    """Arrays and card from the bytes of the two files; :class:`EntryCorrupt` when they are not."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(weights)
    except SafetensorError as error:
        raise EntryCorrupt(f"no safetensors file: {error}", where=WEIGHTS_FILE) from error
    try:
        return arrays, Card.model_validate_json(card)
    except pydantic.ValidationError as error:
        raise EntryCorrupt(f"no model card: {error}", where=CARD_FILE) from error


def network_arrays(network: nn.Module) -> Arrays:
    """Parameters and buffers of a network by name."""
    return {name: value.detach().numpy() for name, value in network.state_dict().items()}


def fill_network(network: nn.Module, arrays: Arrays) -> None:
    """Copy ``arrays`` into ``network`` and set it to inference;
    a name or shape amiss is an error."""
    import torch

    state = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise EntryCorrupt(f"the weights do not fit their card: {error}") from error
    network.eval()
