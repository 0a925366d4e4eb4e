"""Initial weights, and how many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def he_initialise(network: nn.Module) -> None:
    """He's normal initialisation (He et al. 2015, eq. 10) of convolutions and dense layers, in
    place.

    Biases become 0; normalisation layers keep scale 1 and shift 0.
    """
    from torch import nn

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def count_parameters(network: nn.Module) -> int:
    """Number of trained numbers; buffers such as running means are not among them."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
