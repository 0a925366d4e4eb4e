"""Classifiers of one network's inter-region Wasserstein matrix: fusion CNN and DenseNet-121.

Source: Aithal et al., "Leveraging Persistent Homology for Differential Diagnosis of Mild Cognitive
Impairment", 2024, arXiv:2408.15647. Imports torch: reach it through
:func:`cohortflow.systems.build_network`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, cast

import torch
from torch import Tensor, nn

from cohortflow.errors import BadParameter, nearest
from cohortflow.nn.initialisation import he_initialise

NetworkName = Literal["fusion_cnn", "densenet121"]
_CHANNELS = (16, 32, 64, 128, 256)
_FLAT_WIDTH = 256
_HEAD = (128, 64, 32)


class FusionCNN(nn.Module):
    """Five 3×3 convolutions beside one dense layer of the flattened matrix, joined.

    In: float32 (batch, 1, regions, regions), standardised. Out: logits (batch, classes).
    Padding 1 and no batch normalisation are decisions of ours; the paper gives neither.
    """

    def __init__(self, regions: int, classes: int = 2, dropout: float = 0.2) -> None:
        super().__init__()
        self.regions = regions
        self.image_branch = nn.Sequential(
            *_convolution(1, _CHANNELS[0]),
            *_convolution(_CHANNELS[0], _CHANNELS[1]),
            *_convolution(_CHANNELS[1], _CHANNELS[2]),
            nn.MaxPool2d(2),
            *_convolution(_CHANNELS[2], _CHANNELS[3]),
            *_convolution(_CHANNELS[3], _CHANNELS[4]),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.entry_branch = nn.Sequential(
            nn.Flatten(), nn.Linear(regions * regions, _FLAT_WIDTH), nn.ReLU()
        )
        widths = (_CHANNELS[-1] + _FLAT_WIDTH, *_HEAD)
        layers: list[nn.Module] = []
        for wide, narrow in pairwise(widths):
            layers += [nn.Linear(wide, narrow), nn.ReLU(), nn.Dropout(dropout)]
        self.head = nn.Sequential(*layers, nn.Linear(_HEAD[-1], classes))
        he_initialise(self)

    def forward(self, matrices: Tensor) -> Tensor:
        joined = torch.cat([self.image_branch(matrices), self.entry_branch(matrices)], dim=1)
        return cast(Tensor, self.head(joined))


def _convolution(channels_in: int, channels_out: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1), nn.ReLU()


class MatrixDenseNet(nn.Module):
    """DenseNet-121 on the matrix, resized to 128×128 (nearest) and repeated in three channels.

    In: float32 (batch, 1, regions, regions), standardised. Out: logits (batch, classes).
    """

    side = 128

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        from cohortflow.nn.densenet import DenseNet121

        self.densenet = DenseNet121(in_channels=3, classes=classes)

    def forward(self, matrices: Tensor) -> Tensor:
        image = nn.functional.interpolate(matrices, size=(self.side, self.side), mode="nearest")
        return cast(Tensor, self.densenet(image.expand(-1, 3, -1, -1)))


def build(
    regions: int, classes: int = 2, dropout: float = 0.2, model: NetworkName = "fusion_cnn"
) -> nn.Module:
    """The untrained network ``model`` for matrices (regions, regions)."""
    if regions < 2 or classes < 2:
        raise BadParameter(
            "a classifier needs two regions and two classes at least",
            found=f"regions={regions}, classes={classes}",
        )
    if model == "fusion_cnn":
        return FusionCNN(regions, classes, dropout)
    if model == "densenet121":
        return MatrixDenseNet(classes)
    raise BadParameter(
        f"no such model {model!r}", hint=nearest(str(model), ["fusion_cnn", "densenet121"])
    )
