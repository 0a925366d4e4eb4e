"""DenseNet-121 (Huang et al., "Densely Connected Convolutional Networks", CVPR 2017, table 1)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from cohortflow.nn.initialisation import he_initialise

_BLOCKS = (6, 12, 24, 16)
_GROWTH = 32
_BOTTLENECK = 4
_STEM = 64


class _DenseLayer(nn.Module):
    """Batch norm, ReLU, 1×1 bottleneck, batch norm, ReLU, 3×3; its output joins its input."""

    def __init__(self, channels: int) -> None:
        inner = _BOTTLENECK * _GROWTH
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, inner, kernel_size=1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.Conv2d(inner, _GROWTH, kernel_size=3, padding=1, bias=False),
        )

    def forward(self, features: Tensor) -> Tensor:
        return torch.cat([features, self.layers(features)], dim=1)


def _transition(channels: int) -> list[nn.Module]:
    return [
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, channels // 2, kernel_size=1, bias=False),
        nn.AvgPool2d(2),
    ]


class DenseNet121(nn.Module):
    """In: float32 (batch, in_channels, y, x), 32 pixels a side at least. Out: logits."""

    def __init__(self, in_channels: int = 3, classes: int = 1000) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(in_channels, _STEM, kernel_size=7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(_STEM),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        ]
        channels = _STEM
        for number, depth in enumerate(_BLOCKS):
            if number:
                layers += _transition(channels)
                channels //= 2
            for _ in range(depth):
                layers.append(_DenseLayer(channels))
                channels += _GROWTH
        layers += [nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, classes)
        he_initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        return cast(Tensor, self.classifier(self.features(images)))
